package fressian

import "math/big"

// WriteInt is [Writer.Write] of an integer, without the allocation of an any.
func (w *Writer) WriteInt(n int64) { w.writeInt(n) }

// WriteEncoded appends bytes that a Writer has made, of any number of whole
// values. They must mean the same here: either they touch no cache, as those of
// a value for which [Alone] is true, or they only refer to what both caches have
// in the same places.
func (w *Writer) WriteEncoded(encoded string) { w.buf = append(w.buf, encoded...) }

// Alone tells whether the encoding of a value, written by [Writer.Write],
// neither fills nor uses a cache, so that it may be copied anywhere.
func Alone(v any) bool {
	switch v.(type) {
	case nil, bool, int64, float32, float64, string, []byte, UUID, Inst, URI, Regex, *big.Int, Decimal,
		[]bool, []int32, []int64, []float32, []float64:
		return true
	}
	return false
}
