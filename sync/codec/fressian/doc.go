// Package fressian reads and writes Fressian, the binary encoding that
// Datomic uses for its segments and konserve for the blobs of Datahike.
//
// A value is one code byte and its payload:
//
//	00-3f ff   integers 0..63 and -1
//	40-7f      packed integers: the high bits in the code, 1 to 6 bytes more
//	80-9f cc   priority cache references; cd puts the next value into it
//	a0-af f0   struct cache references; ef declares (tag, component count)
//	b0-b5      long, double, boolean, int, float and object arrays
//	c0-ca      map set uuid(c3) regex uri bigint bigdec inst symbol keyword
//	cf         footer: cfcfcfcf, u32 length, u32 Adler-32 over all before it
//	d0-d9      bytes: short, chunk (d8), final or only run (d9)
//	da-e3      strings: short, chunk (e2), final or only run (e3)
//	e4-ee      lists: short, counted (ec), closed by fd (ed), open (ee)
//	f1         metadata, then the value it belongs to
//	f5-fc      true false null int64 float32 float64 0.0 1.0
//	fe         forget both caches
//
// PRECACHE (ce) and ANY (f4) have names in the format, but org.fressian, the
// reference, neither writes nor reads them; they are refused here.
//
// # Structs
//
// A struct has a string tag and a declared number of components. Three tags
// of incognito, Clojure's record library, declare 2 and hold something else:
// "pvec" and "plist" a count and that many values, "irecord" a count, the
// record's tag and that many two-element lists. They are known here, since
// passing over them by the declared number loses the place in the bytes.
//
// # Strings
//
// Fressian writes each UTF-16 unit on its own, in one to three bytes: a
// supplementary character is two three-byte surrogates (CESU-8). They become
// plain UTF-8 here. A lone surrogate is kept as its three bytes, so a string
// may hold what Go does not call valid UTF-8, and is written back unchanged.
// NUL is one zero byte; c0 80 is accepted for it.
//
// # Validation
//
// The Reader checks a value before it builds it: [Reader.Skip] is the single
// judge of what is well formed, and no length is believed beyond the bytes
// that remain. It looks at each byte once; Read looks twice.
package fressian
