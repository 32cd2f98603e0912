package dump

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Digest tells sets of records apart, in whatever order they come. It is none
// of cryptography: whoever wants to can make two sets with the same.
type Digest struct {
	Xor, Sum uint64
	Count    int64
}

// Add takes the bytes of a record.
func (d *Digest) Add(record []byte) {
	sum := sha256.Sum256(record)
	n := binary.BigEndian.Uint64(sum[:])
	d.Join(Digest{n, n, 1})
}

// Join takes the records of another digest.
func (d *Digest) Join(o Digest) {
	d.Xor ^= o.Xor
	d.Sum += o.Sum
	d.Count += o.Count
}

// String prints the parts as a manifest has them.
func (d Digest) String() string { return fmt.Sprintf("%016x %016x %d", d.Xor, d.Sum, d.Count) }
