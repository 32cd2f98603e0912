package render

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// maxExact bounds the integers that every reader of JSON keeps: a float64 has
// all of them.
const maxExact = 1 << 53

// appendInt appends an integer as JSON.
func appendInt(dst []byte, n int64) []byte {
	if n >= -maxExact && n <= maxExact {
		return strconv.AppendInt(dst, n, 10)
	}
	dst = strconv.AppendInt(append(dst, '"'), n, 10)
	return append(dst, '"')
}

// appendFloat appends the shortest text that reads back as v, a number of 32
// or 64 bits. It has a point or an exponent, so that nobody takes it for an
// integer.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, bits)
	if !bytes.ContainsAny(dst[from:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendJSONFloat is appendFloat with what is no number in quotes.
func appendJSONFloat(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(appendFloat(append(dst, '"'), v, bits), '"')
	}
	return appendFloat(dst, v, bits)
}

// appendInstant appends milliseconds since the epoch as RFC 3339 has them, and
// years that it lacks with a sign and six digits, as ISO 8601 allows,
// JavaScript prints and java.time reads.
func appendInstant(dst []byte, ms int64) []byte {
	t := time.UnixMilli(ms).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		sign := byte('+')
		if y < 0 {
			sign, y = '-', -y
		}
		dst = append(dst, sign)
		for width := 100_000; width > y; width /= 10 {
			dst = append(dst, '0')
		}
		dst = strconv.AppendInt(dst, int64(y), 10)
		return t.AppendFormat(dst, "-01-02T15:04:05.000Z")
	}
	return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}
