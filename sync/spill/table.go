package spill

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
	"sort"
	"strings"
)

// block is how many lines share one entry of a Table's index.
const block = 64

// Table finds a line by its key, the part before the first tab. The lines lie
// sorted in a temporary file; memory holds every 64th key. Get may be called
// from many goroutines.
type Table struct {
	file    *os.File
	keys    []string
	offsets []int64 // of each block, and of the end
	n       int64
}

// NewTable drains a sorted sequence into a Table. Keys must be distinct.
func NewTable(lines iter.Seq2[string, error]) (*Table, error) {
	t := &Table{}
	var w *bufio.Writer
	var off int64
	for l, err := range lines {
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		if t.file == nil {
			if t.file, err = temp("table"); err != nil {
				return nil, err
			}
			w = bufio.NewWriterSize(t.file, 1<<16)
		}
		if t.n%block == 0 {
			key, _, _ := strings.Cut(l, "\t")
			t.keys = append(t.keys, strings.Clone(key))
			t.offsets = append(t.offsets, off)
		}
		if _, err := w.WriteString(l + "\n"); err != nil {
			return nil, errors.Join(unwritten(err), t.Close())
		}
		off += int64(len(l)) + 1
		t.n++
	}
	t.offsets = append(t.offsets, off)
	if w != nil {
		if err := w.Flush(); err != nil {
			return nil, errors.Join(unwritten(err), t.Close())
		}
	}
	return t, nil
}

// Len is the number of lines.
func (t *Table) Len() int64 { return t.n }

// Get returns the line with the key, and whether there is one.
func (t *Table) Get(key string) (string, bool, error) {
	i := sort.Search(len(t.keys), func(i int) bool { return t.keys[i] > key }) - 1
	if i < 0 {
		return "", false, nil
	}
	buf := make([]byte, t.offsets[i+1]-t.offsets[i])
	if _, err := t.file.ReadAt(buf, t.offsets[i]); err != nil && !errors.Is(err, io.EOF) {
		return "", false, unread(err)
	}
	for l := range bytes.Lines(buf) {
		l = bytes.TrimSuffix(l, []byte("\n"))
		k, _, _ := bytes.Cut(l, []byte("\t"))
		if string(k) == key {
			return string(l), true, nil
		}
	}
	return "", false, nil
}

// All yields every line in ascending order.
func (t *Table) All() iter.Seq2[string, error] { return t.From("") }

// From yields every line that is not before key, in ascending order.
func (t *Table) From(key string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if t.file == nil {
			return
		}
		first := max(sort.SearchStrings(t.keys, key)-1, 0)
		from, end := t.offsets[first], t.offsets[len(t.offsets)-1]
		sc := bufio.NewScanner(io.NewSectionReader(t.file, from, end-from))
		for sc.Scan() {
			if sc.Text() >= key && !yield(sc.Text(), nil) {
				return
			}
		}
		if err := sc.Err(); err != nil {
			yield("", err)
		}
	}
}

// Close removes the Table's file.
func (t *Table) Close() error {
	if t == nil {
		return nil
	}
	return discard(t.file)
}
