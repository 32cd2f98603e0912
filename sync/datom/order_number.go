package datom

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// What follows the nearest double in a number's key.
const (
	lessThanDouble    = 0x40
	equalToDouble     = 0x80
	greaterThanDouble = 0xc0
)

// maxScale bounds the scale of a decimal that is compared exactly: computing
// with others takes memory beyond any use.
const maxScale = 10_000

// appendOrderedNumber appends the double nearest to a number, and how far the
// number is from it. Rounding keeps the order, so the first decides unless two
// numbers round to the same.
func appendOrderedNumber(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int64:
		return appendOrderedInt(dst, v), nil
	case float64:
		return append(appendDouble64(dst, v), equalToDouble), nil
	case float32:
		return append(appendDouble64(dst, float64(v)), equalToDouble), nil
	case *big.Int:
		return appendOrderedDecimal(dst, v, 0), nil
	case fressian.Decimal:
		if v.Scale > maxScale || v.Scale < -maxScale {
			return dst, fmt.Errorf("%w: a decimal of scale %d", ErrNoOrder, v.Scale)
		}
		return appendOrderedDecimal(dst, v.Unscaled, int(v.Scale)), nil
	}
	return dst, fmt.Errorf("%w: a value of type %T", ErrNoOrder, v)
}

// exactInts are those that are doubles themselves.
const exactInts = 1 << 53

func appendOrderedInt(dst []byte, n int64) []byte {
	if n > exactInts || n < -exactInts {
		return appendOrderedDecimal(dst, big.NewInt(n), 0)
	}
	return append(appendDouble64(dst, float64(n)), equalToDouble)
}

// appendOrderedDecimal appends unscaled × 10^-scale.
func appendOrderedDecimal(dst []byte, unscaled *big.Int, scale int) []byte {
	exact := new(big.Rat).SetInt(unscaled)
	if power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil); scale > 0 {
		exact.SetFrac(unscaled, power)
	} else {
		exact.SetInt(power.Mul(power, unscaled))
	}
	near, _ := exact.Float64()
	near = max(-math.MaxFloat64, min(near, math.MaxFloat64)) // infinities are further off
	dst = appendDouble64(dst, near)
	rest := new(big.Rat).Sub(exact, new(big.Rat).SetFloat64(near))
	switch rest.Sign() {
	case 0:
		return append(dst, equalToDouble)
	case 1:
		return appendMagnitude(append(dst, greaterThanDouble), rest)
	}
	from := len(dst) + 1
	dst = appendMagnitude(append(dst, lessThanDouble), rest.Abs(rest))
	for i := from; i < len(dst); i++ {
		dst[i] ^= 0xff
	}
	return dst
}

// appendMagnitude appends a positive number with a finite decimal expansion:
// how many digits its whole part has, those of it that are behind the leading
// zeros, and an end. All digits are 1 to 10 in bytes, the end is 0.
func appendMagnitude(dst []byte, r *big.Rat) []byte {
	digits, point := decimalDigits(r)
	dst = binary.BigEndian.AppendUint32(dst, uint32(point)^1<<31)
	for i := range len(digits) {
		dst = append(dst, digits[i]-'0'+1)
	}
	return append(dst, 0)
}

// decimalDigits returns the digits d of r without zeros at either end, and
// where the point is: r = 0.d × 10^point. The denominator of r has no other
// prime factors than 2 and 5.
func decimalDigits(r *big.Rat) (digits string, point int) {
	scale := 0
	num, den := new(big.Int).Set(r.Num()), new(big.Int).Set(r.Denom())
	for _, f := range []struct{ has, lacks int64 }{{2, 5}, {5, 2}} {
		has, lacks, rem := big.NewInt(f.has), big.NewInt(f.lacks), new(big.Int)
		for {
			q, _ := new(big.Int).QuoRem(den, has, rem)
			if rem.Sign() != 0 {
				break
			}
			den = q
			num.Mul(num, lacks)
			scale++
		}
	}
	digits = num.String()
	point = len(digits) - scale
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return digits, point
}

// appendDouble64 appends a double as numbers compare: both zeros are one, and
// NaN is greater than the rest.
func appendDouble64(dst []byte, f float64) []byte {
	if f == 0 {
		f = 0 // not -0
	}
	return appendBits64(dst, f)
}

// appendBits64 appends a double as elements of arrays compare: zeros differ.
func appendBits64(dst []byte, f float64) []byte {
	b := math.Float64bits(f)
	if math.IsNaN(f) {
		b = 0x7ff8 << 48
	}
	if b>>63 != 0 {
		return binary.BigEndian.AppendUint64(dst, ^b)
	}
	return binary.BigEndian.AppendUint64(dst, b|1<<63)
}

func appendBits32(dst []byte, f float32) []byte {
	b := math.Float32bits(f)
	if f != f {
		b = 0x7fc0 << 16
	}
	if b>>31 != 0 {
		return binary.BigEndian.AppendUint32(dst, ^b)
	}
	return binary.BigEndian.AppendUint32(dst, b|1<<31)
}
