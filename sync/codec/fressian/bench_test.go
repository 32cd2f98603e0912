package fressian

import "testing"

func bench(b *testing.B, use func(r *Reader) error) {
	for _, name := range []string{"a-default-leaf", "a-default-branch", "a-default-record"} {
		p := samples(b, "exact")[name+".fress"]
		b.Run(name, func(b *testing.B) {
			r := NewReader(p)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(p)
				if err := use(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSkip(b *testing.B) { bench(b, (*Reader).Skip) }

func BenchmarkRead(b *testing.B) {
	bench(b, func(r *Reader) error { _, err := r.Read(); return err })
}

func BenchmarkWrite(b *testing.B) {
	p := samples(b, "exact")["a-default-leaf.fress"]
	v, err := Decode(p)
	if err != nil {
		b.Fatal(err)
	}
	w := NewWriter()
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		w.Reset()
		if err := w.Write(v); err != nil {
			b.Fatal(err)
		}
	}
}
