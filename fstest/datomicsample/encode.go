package datomicsample

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/klauspost/compress/gzip"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Pack encodes a segment as Datomic stores it.
func Pack(v any, footer bool) []byte {
	w := fressian.NewWriter()
	must(w.Write(v))
	if footer {
		w.WriteFooter()
	}
	return gzipped(w.Bytes())
}

// unknownOS is what Java writes into the header of gzip.
const unknownOS = 0xff

func gzipped(content []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.StatelessCompression) // the others take a megabyte each
	must(err)
	w.OS = unknownOS
	_, err = w.Write(content)
	must(errors.Join(err, w.Close()))
	return out.Bytes()
}

// node writes an inner node under an id that its content makes.
func (s *Sample) node(v any) fressian.UUID {
	data := Pack(v, true)
	sum := sha256.Sum256(data)
	u := squuid(fressian.UUID(sum[:16]))
	s.Segments[id(u)] = data
	return u
}

// uuid returns a new id.
func (s *Sample) uuid() (u fressian.UUID) {
	for i := range u {
		u[i] = byte(s.rng.Uint32())
	}
	return squuid(u)
}

// squuid makes an id look like Datomic's: the time of its creation, and
// version 4.
func squuid(u fressian.UUID) fressian.UUID {
	copy(u[:], []byte{0x6b, 0x00, 0xf5, 0x1f})
	u[6], u[8] = u[6]&0xf|0x40, u[8]&0x3f|0x80
	return u
}

func id(u fressian.UUID) graph.ID { return graph.ID(hasch.String(u)) }

// chunkName is the id of chunk n of a file.
func chunkName(base fressian.UUID, n int) string { return fmt.Sprintf("%s_%015X", id(base), n) }

func fixed(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 3)) }

// must ends the test that called for a value which cannot be written.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
