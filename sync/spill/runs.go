package spill

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"io"
	"os"
)

// errEnough ends a merge whose lines are not wanted any more.
var errEnough = errors.New("enough")

// runs are sorted sequences of lines, one after the other in a temporary file.
type runs struct {
	file *os.File
	end  int64
	list []run
}

// run is a sequence's place in the file.
type run struct{ from, to int64 }

// add writes one more run: what fill puts, which must be ascending.
func (r *runs) add(fill func(put func(line []byte) error) error) (err error) {
	if r.file == nil {
		if r.file, err = temp("sort"); err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(io.NewOffsetWriter(r.file, r.end), 1<<16)
	n := run{r.end, r.end}
	var record []byte
	err = fill(func(line []byte) error {
		record = appendRecord(record[:0], line)
		n.to += int64(len(record))
		_, err := out.Write(record)
		return unwritten(err)
	})
	if err != nil {
		return err
	}
	r.end = n.to
	r.list = append(r.list, n)
	return unwritten(out.Flush())
}

// each calls fn for every distinct line of all runs, ascending; the line is
// overwritten afterwards. While there are too many runs for one merge, some are
// merged to one, just as many as must be.
func (r *runs) each(fn func(line []byte) error) error {
	for len(r.list) > fanIn {
		n := min(fanIn, len(r.list)-fanIn+1)
		some := r.list[:n]
		r.list = r.list[n:]
		err := r.add(func(put func([]byte) error) error { return r.merge(some, put) })
		if err != nil {
			return err
		}
	}
	return r.merge(r.list, fn)
}

// merge calls fn for every distinct line of some runs.
func (r *runs) merge(some []run, fn func(line []byte) error) error {
	var heads cursors
	for _, n := range some {
		size := n.to - n.from
		c := newRecords(io.NewSectionReader(r.file, n.from, size), size, readMemory/fanIn)
		if err := c.next(); err != nil {
			return err
		}
		heads = append(heads, c)
	}
	heap.Init(&heads)
	var last []byte
	for first := true; len(heads) > 0; {
		c := heads[0]
		if first || !bytes.Equal(c.record, last) {
			if err := fn(c.record); err != nil {
				return err
			}
			first, last = false, append(last[:0], c.record...)
		}
		switch err := c.next(); {
		case errors.Is(err, io.EOF):
			heap.Pop(&heads)
		case err != nil:
			return err
		default:
			heap.Fix(&heads, 0)
		}
	}
	return nil
}

func (r *runs) close() {
	_ = discard(r.file) // nothing in it is wanted
	*r = runs{}
}

// cursors are runs that are being merged, the one with the lowest line first.
type cursors []*records

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return bytes.Compare(c[i].record, c[j].record) < 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)        { *c = append(*c, x.(*records)) } //nolint:forcetypeassert // the heap's own
func (c *cursors) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}
