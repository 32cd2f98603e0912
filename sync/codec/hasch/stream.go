package hasch

import (
	"crypto/sha512"
	"errors"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// OfBytes is [UUID] of the bytes that r has, which need not fit into memory. It
// also tells how many there are.
func OfBytes(r io.Reader) (fressian.UUID, int64, error) {
	head := make([]byte, maskBelow)
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		id, err := UUID(head[:n])
		return id, int64(n), err
	}
	if err != nil {
		return fressian.UUID{}, int64(n), err
	}
	h := sha512.New()
	h.Write(head)
	more, err := io.Copy(h, r)
	if err != nil {
		return fressian.UUID{}, int64(n) + more, err
	}
	return shorten(sha512.Sum512(h.Sum([]byte{tagBytes}))), int64(n) + more, nil
}
