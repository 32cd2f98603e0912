package datomchunks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	gohash "hash"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// checked reads an object whole. It keeps back the end until the digest is right:
// whoever knows the size may not look for more.
type checked struct {
	io.ReadCloser
	o    *Object
	sum  gohash.Hash
	left int64
	err  error
}

// check compares what is read with what the list has.
func (o *Object) check(in io.ReadCloser) io.ReadCloser {
	return &checked{in, o, sha256.New(), o.size, nil}
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.ReadCloser.Read(p)
	_, _ = c.sum.Write(p[:n]) // never fails
	c.left -= int64(n)
	ended := c.left <= 0 || err == io.EOF //nolint:errorlint // readers return it as it is
	if ended && (c.left != 0 || c.o.sum != "" && hex.EncodeToString(c.sum.Sum(nil)) != c.o.sum) {
		c.err = c.o.failed(fmt.Errorf("%s has other bytes than were backed up: %w", c.o.id(), graph.ErrCorrupt))
		return 0, c.err
	}
	if err != nil && err != io.EOF { //nolint:errorlint // as above
		err = c.o.failed(err)
	}
	return n, err
}
