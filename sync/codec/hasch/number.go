package hasch

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// appendNumber appends the text that Java's toString gives for the number.
func appendNumber(dst []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case *big.Int:
		return v.Append(dst, 10)
	case float32:
		return append(dst, javaFloat(float64(v), 32)...)
	case float64:
		return append(dst, javaFloat(v, 64)...)
	case fressian.Decimal:
		return append(dst, javaDecimal(v)...)
	}
	return dst
}

// javaFloat prints f as Double.toString (bits = 64) or Float.toString (32)
// of Java 19 and later: the shortest digits that read back as f. Older
// versions print a digit more for a few numbers.
func javaFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, bits)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(f, 'e', -1, bits)
	// Java prefers the nearer of two-digit texts to a one-digit text.
	two := strconv.FormatFloat(f, 'e', 1, bits)
	if g, err := strconv.ParseFloat(two, bits); err == nil && g == f {
		s = two
	}
	mantissa, exp, _ := strings.Cut(s, "e")
	n, _ := strconv.Atoi(exp)
	return mantissa + "E" + strconv.Itoa(n)
}

// javaDecimal prints d as BigDecimal.toString: plain if the scale is not
// negative and the number at least 10^-6, scientific if not.
func javaDecimal(d fressian.Decimal) string {
	digits := new(big.Int).Abs(d.Unscaled).String()
	sign := ""
	if d.Unscaled.Sign() < 0 {
		sign = "-"
	}
	scale := int64(d.Scale)
	exp := int64(len(digits)) - 1 - scale
	if scale >= 0 && exp >= -6 {
		return sign + plain(digits, int(scale))
	}
	s := sign + digits[:1]
	if len(digits) > 1 {
		s += "." + digits[1:]
	}
	if exp == 0 {
		return s
	}
	plus := ""
	if exp > 0 {
		plus = "+"
	}
	return s + "E" + plus + strconv.FormatInt(exp, 10)
}

// plain sets a point scale digits from the end.
func plain(digits string, scale int) string {
	if scale == 0 {
		return digits
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - scale
	return digits[:point] + "." + digits[point:]
}
