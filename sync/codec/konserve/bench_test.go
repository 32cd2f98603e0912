package konserve

import (
	"fmt"
	"testing"
)

// benchValue is of the size of a leaf and packs as well as one.
func benchValue() []byte {
	var v []byte
	for i := 0; len(v) < 16<<10; i++ {
		v = fmt.Appendf(v, "datom %d of person/name, Name %x;", i, i*i*i)
	}
	return v
}

func BenchmarkOpen(b *testing.B) {
	c := NewCodec("key")
	value := benchValue()
	for _, h := range headers() {
		sealed, err := c.Seal(h, Meta{Key: branches, Type: TypeEDN}, value, noise())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%v,%v", h.Compressor, h.Encryptor), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				if _, err := c.Open(sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenMeta(b *testing.B) {
	c := NewCodec("")
	blob := read(b, goldens[1].file)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.OpenMeta(blob); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	c := NewCodec("key")
	part, err := c.encrypt([]byte("plain"), noise())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.decrypt(part); err != nil {
			b.Fatal(err)
		}
	}
}
