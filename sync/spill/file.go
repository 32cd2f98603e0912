package spill

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// temp makes a file for temporary data, below TMPDIR. It is unlinked at once
// where the system allows it, so that a killed process leaves nothing behind.
func temp(kind string) (*os.File, error) {
	f, err := os.CreateTemp("", "rclone-datom-"+kind+"-*")
	if err != nil {
		return nil, fmt.Errorf("no room for temporary data (set TMPDIR): %w", err)
	}
	_ = os.Remove(f.Name())
	return f, nil
}

// discard closes a file that temp made, and removes it where temp could not.
func discard(f *os.File) error {
	if f == nil {
		return nil
	}
	err := f.Close()
	if rm := os.Remove(f.Name()); rm != nil && !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}

// unwritten and unread say what has failed; nil stays nil.
func unwritten(err error) error {
	if err != nil {
		err = fmt.Errorf("failed to write temporary data (set TMPDIR): %w", err)
	}
	return err
}

func unread(err error) error {
	if errors.Is(err, io.EOF) { // there should be more
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		err = fmt.Errorf("failed to read temporary data: %w", err)
	}
	return err
}

// appendRecord adds a record, its length in bytes before it.
func appendRecord(to, record []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(record))), record...)
}

// records reads what appendRecord has made, one after the other.
type records struct {
	in     *bufio.Reader
	left   int64
	record []byte // the one that was read last, overwritten by the next
}

// newRecords reads size bytes from in with a buffer of so many bytes.
func newRecords(in io.Reader, size int64, buffer int) *records {
	return &records{in: bufio.NewReaderSize(io.LimitReader(in, size), buffer), left: size}
}

// next reads one record; io.EOF means that there was none left.
func (r *records) next() error {
	if r.left == 0 {
		return io.EOF
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return unread(err)
	}
	r.left -= int64(len(binary.AppendUvarint(nil, n)))
	if n > uint64(max(r.left, 0)) {
		return unread(io.ErrUnexpectedEOF)
	}
	r.left -= int64(n)
	if uint64(cap(r.record)) < n {
		r.record = make([]byte, n)
	}
	r.record = r.record[:n]
	_, err = io.ReadFull(r.in, r.record)
	return unread(err)
}
