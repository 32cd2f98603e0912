package chunk

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// ErrLarge is what [Segments.Each] passes with a value of more than MaxHeld
// bytes, in place of its bytes: it is to be read with [Segments.ObjectAt].
var ErrLarge = errors.New("the value is not held in memory")

// MaxHeld is the largest value, in bytes, that Each reads into memory. Segments
// it reads of any size.
const MaxHeld = 8 << 20

// Runs of segments are read with one request. One has no gap of more than maxGap
// bytes, which is what a request costs, and so many segments at the most: what
// is known of them is in memory.
const (
	maxGap = 128 << 10
	maxRun = 16 << 10
)

// readAhead is the buffer of a run, in bytes.
const readAhead = 128 << 10

// keySize is the length of what lines are sorted by: chunk and offset.
const keySize = 4 + 8

// Each reads the segments of some lines of lists, in any order, with few
// requests: it sorts them by their places, in temporary files if they are many,
// and reads what lies close together at once. It calls fn for every segment with
// its bytes, which are fn's own, or with the error that kept it from them, up to
// workers of them at a time; so many requests at a time are made, too. It
// does not look at digests. It ends at the first error of fn or of lines, or
// at a line that cannot be read, and returns it.
//
// Memory: twice as many segments as there are workers, and what is known of
// 16,384 segments for each.
func (s *Segments) Each(ctx context.Context, lines iter.Seq2[string, error], workers int, fn func(ctx context.Context, e graph.Entry, data []byte, err error) error) error {
	return s.each(ctx, lines, workers, false, fn)
}

// EachWhole is Each for those who want to know of every byte: a chunk of which a
// line has a segment is read from its beginning to its end. If it is not the file
// that was written, fn is told so with an entry that has the chunk and no id.
func (s *Segments) EachWhole(ctx context.Context, lines iter.Seq2[string, error], workers int, fn func(ctx context.Context, e graph.Entry, data []byte, err error) error) error {
	return s.each(ctx, lines, workers, true, fn)
}

func (s *Segments) each(ctx context.Context, lines iter.Seq2[string, error], workers int, whole bool, fn func(ctx context.Context, e graph.Entry, data []byte, err error) error) error {
	sorter := spill.NewSorter()
	defer sorter.Close()
	if err := s.sort(ctx, lines, sorter, fn); err != nil {
		return err
	}
	workers = max(workers, 1)
	runs, items := make(chan run), make(chan item)
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		defer close(runs)
		return s.plan(sorter.Sorted(), whole, func(r run) error { return send(ctx, runs, r) })
	})
	all.Go(func() error {
		defer close(items)
		readers, ctx := errgroup.WithContext(ctx)
		for range workers {
			readers.Go(func() error { return s.readRuns(ctx, runs, items) })
		}
		return readers.Wait()
	})
	for range workers {
		all.Go(func() error {
			for i := range items {
				if i.err == nil && i.e.At.Stored != i.e.Size {
					i.data, i.err = s.unpack(i.e, i.c, i.data, nil)
				}
				if err := fn(ctx, i.e, i.data, i.err); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// run is what is read with one request: segments of one chunk, by their offsets.
type run struct {
	c       *file
	entries []graph.Entry
	whole   bool // and all that lies between, before and behind them
}

// item is a segment on its way to fn, as it is stored.
type item struct {
	c    *file
	e    graph.Entry
	data []byte
	err  error
}

// send hands over, unless the work has ended.
func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sort takes every line, and passes on what has no place that it could be in.
func (s *Segments) sort(ctx context.Context, lines iter.Seq2[string, error], to *spill.Sorter, fn func(context.Context, graph.Entry, []byte, error) error) error {
	var key []byte
	for line, err := range lines {
		if err != nil {
			return err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return err
		}
		if _, err := s.place(e); err != nil {
			if err := fn(ctx, e, nil, err); err != nil {
				return err
			}
			continue
		}
		number, _ := slices.BinarySearch(s.names, e.At.Chunk)
		key = binary.BigEndian.AppendUint32(key[:0], uint32(number))
		key = binary.BigEndian.AppendUint64(key, uint64(e.At.Offset))
		to.Add(string(append(key, line...)))
	}
	return nil
}

// plan makes runs of sorted lines.
func (s *Segments) plan(sorted iter.Seq2[string, error], whole bool, emit func(run) error) error {
	r := run{whole: whole}
	end := int64(0)
	for line, err := range sorted {
		if err != nil {
			return err
		}
		e, err := graph.ParseEntry(line[keySize:])
		if err != nil {
			return err
		}
		c := s.chunks[e.At.Chunk]
		gap := e.At.Offset - end
		apart := gap < 0 || !whole && (gap > maxGap || len(r.entries) == maxRun) || large(e) || len(r.entries) > 0 && large(r.entries[0])
		if len(r.entries) > 0 && (c != r.c || apart) {
			if err := emit(r); err != nil {
				return err
			}
			r.entries = nil // the other one is being read
		}
		r.c, r.entries = c, append(r.entries, e)
		end = e.At.Offset + e.At.Stored
	}
	if len(r.entries) == 0 {
		return nil
	}
	return emit(r)
}

// large tells what is not read into memory. It is a run by itself.
func large(e graph.Entry) bool { return e.Level == graph.Value && e.Size > MaxHeld }

// readRuns reads runs until there are none.
func (s *Segments) readRuns(ctx context.Context, runs <-chan run, to chan<- item) error {
	for r := range runs {
		if err := r.read(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// read sends every segment of the run, with its bytes or with an error. After
// an error it goes on behind the segment that had it, if the chunk is there.
func (r run) read(ctx context.Context, to chan<- item) error {
	gone := r.c.there(ctx)
	whole := r.whole
	for left := r.entries; len(left) > 0; {
		failed := gone
		switch {
		case gone != nil:
		case large(left[0]):
			failed = fmt.Errorf("%s has %d bytes: %w", left[0].ID, left[0].Size, ErrLarge)
		default:
			var done int
			done, failed = r.stream(ctx, left, whole, to)
			left, whole = left[done:], false // it is damaged, if this has failed
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed == nil {
			return nil
		}
		if err := send(ctx, to, item{r.c, left[0], nil, failed}); err != nil {
			return err
		}
		left = left[1:]
	}
	return nil
}

// stream sends segments as they come with one request, and tells how many it
// has sent.
func (r run) stream(ctx context.Context, entries []graph.Entry, whole bool, to chan<- item) (done int, err error) {
	at, last := entries[0].At.Offset, entries[len(entries)-1].At
	end := last.Offset + last.Stored
	if whole {
		at, end = 0, r.c.info.Size
	}
	in, err := r.c.open(ctx, at, end-at)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }() // what is wanted was read
	sum, from := sha256.New(), io.Reader(in)
	if whole {
		from = io.TeeReader(in, sum)
	}
	buffered := bufio.NewReaderSize(from, readAhead)
	for _, e := range entries {
		if _, err := buffered.Discard(int(e.At.Offset - at)); err != nil {
			return done, r.c.failed(at, err)
		}
		data := make([]byte, e.At.Stored)
		if _, err := io.ReadFull(buffered, data); err != nil {
			return done, r.c.failed(e.At.Offset, err)
		}
		if err := send(ctx, to, item{r.c, e, data, nil}); err != nil {
			return done, err
		}
		at = e.At.Offset + e.At.Stored
		done++
	}
	if !whole {
		return done, nil
	}
	if _, err := io.Copy(io.Discard, buffered); err != nil || [sha256.Size]byte(sum.Sum(nil)) != r.c.info.SHA256 {
		err = r.c.failed(0, fmt.Errorf("the chunk is not the file that was written: its SHA-256 is another: %w", graph.ErrCorrupt))
		return done, send(ctx, to, item{r.c, graph.Entry{At: graph.Location{Chunk: r.c.info.Chunk}}, nil, err})
	}
	return done, nil
}
