package spill

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
	"sync"
)

// queueMemory is how many bytes a Queue keeps before it takes a file.
const queueMemory = 1 << 20

// Queue keeps blobs in the order in which they came: the newest in memory, the
// others in a temporary file. Put may be called from many goroutines; All once,
// after the last Put has returned. The zero value is empty.
type Queue struct {
	mu     sync.Mutex
	limit  int // queueMemory if 0
	memory []byte
	file   *os.File
	end    int64
}

// Put takes a copy of blob.
func (q *Queue) Put(blob []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	limit := q.limit
	if limit == 0 {
		limit = queueMemory
	}
	q.memory = appendRecord(q.memory, blob)
	if len(q.memory) <= limit {
		return nil
	}
	if q.file == nil {
		f, err := temp("queue")
		if err != nil {
			return err
		}
		q.file = f
	}
	n, err := q.file.WriteAt(q.memory, q.end)
	q.end += int64(n)
	q.memory = q.memory[:0]
	if cap(q.memory) > 4*limit { // it had an uncommonly long blob
		q.memory = nil
	}
	return unwritten(err)
}

// Empty tells whether nothing was put.
func (q *Queue) Empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.file == nil && len(q.memory) == 0
}

// All yields the blobs; each is the caller's own. An error ends the sequence.
func (q *Queue) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if q.file != nil {
			all := newRecords(io.NewSectionReader(q.file, 0, q.end), q.end, 1<<16)
			if !all.yield(yield) {
				return
			}
		}
		size := int64(len(q.memory))
		newRecords(bytes.NewReader(q.memory), size, 16).yield(yield)
	}
}

// yield hands over what is left, and tells whether more is wanted.
func (r *records) yield(to func([]byte, error) bool) bool {
	for {
		r.record = nil // what was handed over is not overwritten
		err := r.next()
		if errors.Is(err, io.EOF) && r.left == 0 {
			return true
		}
		if err != nil {
			to(nil, err)
			return false
		}
		if !to(r.record, nil) {
			return false
		}
	}
}

// Close frees what was queued.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := discard(q.file)
	q.memory, q.file = nil, nil
	return err
}
