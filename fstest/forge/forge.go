// Package forge writes small Datahike stores blob by blob, sound ones and
// such as no Datahike writes, for tests of what is done about them.
package forge

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

// Store is a directory of blobs. Its uuids count up, so that the same calls
// write the same bytes.
type Store struct {
	Dir string
	// Header has the wrapping of the blobs that follow.
	Header konserve.Header
	// Key encrypts blobs whose header says so.
	Key string
	// DatabaseID is that of the records that follow.
	DatabaseID fressian.UUID

	t    testing.TB
	next uint64
}

// New returns an empty store in a directory of its own.
func New(t testing.TB) *Store {
	return &Store{
		Dir: t.TempDir(), t: t, DatabaseID: fressian.UUID{0: 0xdb, 6: 0x40, 8: 0x80},
		Header: konserve.Header{Serializer: konserve.Fressian},
	}
}

// In returns the same store with errors that go to t.
func (s *Store) In(t testing.TB) *Store {
	c := *s
	c.t = t
	return &c
}

// UUID returns the next uuid.
func (s *Store) UUID() fressian.UUID {
	s.next++
	u := fressian.UUID{0: 0x6b, 6: 0x40, 8: 0x80}
	for i := range 4 {
		u[15-i] = byte(s.next >> (8 * i))
	}
	return u
}

// Name is the file of a key.
func Name(t testing.TB, key any) string {
	u, err := hasch.UUID(key)
	require.NoError(t, err)
	return hasch.String(u) + ".ksv"
}

// Seal returns the blob of a serialized value under a key.
func (s *Store) Seal(key any, value []byte) []byte {
	_, mutable := key.(fressian.Keyword)
	meta := konserve.Meta{Key: key, Type: konserve.TypeEDN, LastWrite: 1_700_000_000_000, Immutable: !mutable}
	salt := bytes.NewReader(bytes.Repeat([]byte{7}, 4096))
	b, err := konserve.NewCodec(s.Key).Seal(s.Header, meta, value, salt)
	require.NoError(s.t, err)
	return b
}

// Serialize returns a value's bytes.
func (s *Store) Serialize(value any) []byte {
	w := fressian.NewWriter()
	require.NoError(s.t, w.Write(value))
	return bytes.Clone(w.Bytes())
}

// Put writes a value under a key and returns the file's name.
func (s *Store) Put(key, value any) string {
	return s.Write(Name(s.t, key), s.Seal(key, s.Serialize(value)))
}

// Write writes a file and returns its name.
func (s *Store) Write(name string, data []byte) string {
	require.NoError(s.t, os.WriteFile(filepath.Join(s.Dir, name), data, 0o600))
	return name
}

// Read returns a file's bytes.
func (s *Store) Read(name string) []byte {
	b, err := os.ReadFile(filepath.Join(s.Dir, name))
	require.NoError(s.t, err)
	return b
}

// Clone returns a copy of the store as it is, for t.
func (s *Store) Clone(t testing.TB) *Store {
	c := *s
	c.Dir, c.t = t.TempDir(), t
	require.NoError(t, os.CopyFS(c.Dir, os.DirFS(s.Dir)))
	return &c
}

// Has tells whether there is a file of that name.
func (s *Store) Has(name string) bool {
	_, err := os.Stat(filepath.Join(s.Dir, name))
	return err == nil
}
