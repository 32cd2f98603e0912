package spill

import (
	"os"
	"sync"
)

// spoolMemory is how many bytes a Spool keeps in memory before it takes a file.
const spoolMemory = 1 << 20

// Spool keeps blobs until they are asked for again: in memory at first, in a
// temporary file beyond that. Its methods may be called from many goroutines.
type Spool struct {
	mu     sync.Mutex
	memory int64
	limit  int64
	file   *os.File
	end    int64
}

// Held is a blob that a Spool keeps.
type Held struct {
	data []byte
	off  int64
	size int
}

// Size is the blob's length in bytes.
func (h Held) Size() int { return h.size }

// NewSpool returns an empty Spool; Close frees its file.
func NewSpool() *Spool { return &Spool{limit: spoolMemory} }

// Put keeps data, which the caller must not change afterwards.
func (s *Spool) Put(data []byte) (Held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory+int64(len(data)) <= s.limit {
		s.memory += int64(len(data))
		return Held{data: data, size: len(data)}, nil
	}
	if s.file == nil {
		f, err := temp("spool")
		if err != nil {
			return Held{}, err
		}
		s.file = f
	}
	h := Held{off: s.end, size: len(data)}
	if _, err := s.file.WriteAt(data, s.end); err != nil {
		return Held{}, unwritten(err)
	}
	s.end += int64(len(data))
	return h, nil
}

// Take returns a blob. Memory that it held counts as free from then on, so
// take a blob once.
func (s *Spool) Take(h Held) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.data != nil || h.size == 0 {
		s.memory -= int64(h.size)
		return h.data, nil
	}
	b := make([]byte, h.size)
	if _, err := s.file.ReadAt(b, h.off); err != nil {
		return nil, unread(err)
	}
	return b, nil
}

// Close removes what was spooled.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := discard(s.file)
	s.file = nil
	return err
}
