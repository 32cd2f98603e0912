package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// small is the size of a segment, in bytes, from which it does not matter how
// it is read.
const small = 64 << 10

var buffers = sync.Pool{New: func() any { return new([small]byte) }}

// getLocal reads a file, into the memory of into if it is small and fits.
func (s *Files) getLocal(id graph.ID, into []byte) ([]byte, error) {
	name := s.local + string(filepath.Separator) + filepath.FromSlash(s.name(id))
	buf := buffers.Get().(*[small]byte)
	defer buffers.Put(buf)
	n, err := readSmall(name, buf[:])
	if err != nil {
		return nil, notFound(id, err)
	}
	if n < small {
		return append(into[:0], buf[:n]...), nil
	}
	return readLarge(id, name)
}

// readLarge looks at a file's size before it takes memory for it.
func readLarge(id graph.ID, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, notFound(id, err)
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > MaxSize {
		return nil, fmt.Errorf("%s has %d bytes: %w", id, st.Size(), graph.ErrTooLarge)
	}
	data := make([]byte, st.Size())
	n, err := io.ReadFull(f, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // shortened since Stat; the decoder will say what is missing
	}
	return data[:n], err
}

// WriteNew makes a file of data, and takes it away again if it cannot be
// written. A file that is there stays as it is: the error is os.ErrExist.
func WriteNew(name string, data []byte) error {
	made, err := writeNew(name, data)
	if made && err != nil {
		_ = os.Remove(name)
	}
	return err
}
