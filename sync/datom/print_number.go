package datom

import (
	"bytes"
	"math"
	"strconv"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// appendDouble prints as Clojure's pr does, which has forms of its own for
// what is no number.
func appendDouble(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "##NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "##Inf"...)
	case math.IsInf(v, -1):
		return append(dst, "##-Inf"...)
	}
	return appendFloat(dst, v, 64)
}

// appendFloat prints a number of 32 or 64 bits as Java's Float.toString and
// Double.toString do since Java 19: the shortest digits that read back as v,
// two of them at least, in scientific notation below 0.001 and from 10^7.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 0):
		if v < 0 {
			dst = append(dst, '-')
		}
		return append(dst, "Infinity"...)
	case math.Signbit(v):
		dst = append(dst, '-')
		v = -v
	}
	if v == 0 {
		return append(dst, "0.0"...)
	}
	var buf [32]byte
	digits, exp := shortest(buf[:0], v, bits)
	switch {
	case exp >= 0 && exp < 7:
		return appendPoint(dst, digits, exp+1)
	case exp < 0 && exp >= -3:
		dst = append(append(dst, "0."...), "00"[:-exp-1]...)
		return append(dst, digits...)
	}
	dst = append(appendPoint(dst, digits, 1), 'E')
	return strconv.AppendInt(dst, int64(exp), 10)
}

// shortest returns the digits of v > 0 and the power of ten of the first. Of all
// numbers with as many digits as are needed, and with two where one would do,
// Java takes the nearest to v, and of two that are as near the even one: so
// 4.9E-324, not 5.0E-324, and 2.4414062E-4 for the float 2^-12. Go takes any.
func shortest(buf []byte, v float64, bits int) (digits []byte, exp int) {
	text := strconv.AppendFloat(buf, v, 'e', -1, bits)
	e := bytes.IndexByte(text, 'e')
	var other [32]byte
	near := strconv.AppendFloat(other[:0], v, 'e', max(e-2, 1), bits)
	if back, err := strconv.ParseFloat(string(near), bits); err == nil && back == v {
		text = append(text[:0], near...)
		e = bytes.IndexByte(text, 'e')
	}
	exp, _ = strconv.Atoi(string(text[e+1:])) // of our own making
	digits = append(text[:1], text[min(2, e):e]...)
	if len(digits) == 2 && digits[1] == '0' {
		digits = digits[:1]
	}
	return digits, exp
}

// appendPoint prints digits with the point after the first n of them, and a
// digit at each side of it.
func appendPoint(dst, digits []byte, n int) []byte {
	if len(digits) > n {
		dst = append(append(dst, digits[:n]...), '.')
		return append(dst, digits[n:]...)
	}
	dst = append(append(dst, digits...), "000000"[:n-len(digits)]...)
	return append(dst, ".0"...)
}

// appendDecimal prints as java.math.BigDecimal.toString does: plain while the
// scale is not negative and at most five zeros follow the point, else in
// scientific notation.
func appendDecimal(dst []byte, d fressian.Decimal) []byte {
	if d.Unscaled.Sign() < 0 {
		dst = append(dst, '-')
	}
	digits := bytes.TrimPrefix(d.Unscaled.Append(nil, 10), []byte("-"))
	scale := int64(d.Scale)
	exp := int64(len(digits)) - 1 - scale
	if scale < 0 || exp < -6 {
		dst = append(dst, digits[0])
		if len(digits) > 1 {
			dst = append(append(dst, '.'), digits[1:]...)
		}
		if exp == 0 {
			return dst
		}
		dst = append(dst, 'E')
		if exp > 0 {
			dst = append(dst, '+')
		}
		return strconv.AppendInt(dst, exp, 10)
	}
	whole := int64(len(digits)) - scale
	switch {
	case scale == 0:
		return append(dst, digits...)
	case whole > 0:
		dst = append(append(dst, digits[:whole]...), '.')
		return append(dst, digits[whole:]...)
	}
	dst = append(append(dst, "0."...), "000000"[:-whole]...)
	return append(dst, digits...)
}
