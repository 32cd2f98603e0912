package hasch

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func TestFloats(t *testing.T) {
	for want, f := range map[string]float64{
		"0.0": 0, "-0.0": math.Copysign(0, -1), "1.0": 1, "-1.5": -1.5,
		"0.001": 0.001, "9.99E-4": 0.000999, "9999999.0": 9999999, "1.0E7": 1e7,
		"1.2345E-7": 1.2345e-7, "1.7976931348623157E308": math.MaxFloat64,
		"4.9E-324": math.SmallestNonzeroFloat64, "2.0E23": 2e23,
		"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1),
	} {
		assert.Equal(t, want, string(appendNumber(nil, f)))
	}
	assert.Equal(t, "0.1", string(appendNumber(nil, float32(0.1))))
	assert.Equal(t, "3.4028235E38", string(appendNumber(nil, float32(math.MaxFloat32))))
	assert.Equal(t, "1.4E-45", string(appendNumber(nil, float32(math.SmallestNonzeroFloat32))))
}

// The texts are the examples in the documentation of java.math.BigDecimal.
func TestDecimals(t *testing.T) {
	for _, test := range []struct {
		unscaled int64
		scale    int32
		want     string
	}{
		{123, 0, "123"}, {-123, 0, "-123"}, {123, -1, "1.23E+3"}, {123, -3, "1.23E+5"},
		{123, 1, "12.3"}, {123, 5, "0.00123"}, {123, 10, "1.23E-8"}, {-123, 12, "-1.23E-10"},
		{0, 0, "0"}, {0, 2, "0.00"}, {0, -1, "0E+1"}, {1, 6, "0.000001"}, {1, 7, "1E-7"}, {-1, 1, "-0.1"},
		{0, 7, "0E-7"}, {1, math.MinInt32, "1E+2147483648"},
	} {
		d := fressian.Decimal{Unscaled: big.NewInt(test.unscaled), Scale: test.scale}
		assert.Equal(t, test.want, string(appendNumber(nil, d)))
	}
}

// What is printed reads back as the same number, and looks as Java has it.
func FuzzFloats(f *testing.F) {
	for _, v := range []float64{0, 1, 123.1, 1e-3, 1e7, 4.9e-324, -2.5e300} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		text := string(appendNumber(nil, v))
		back, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		require.Equal(t, v, back)
		require.Regexp(t, `^-?\d+\.\d+(E-?[1-9]\d*)?$`, text)
		a := math.Abs(v)
		require.Equal(t, a != 0 && (a < 1e-3 || a >= 1e7), strings.Contains(text, "E"))
	})
}

// A decimal's text reads back as the same ratio.
func FuzzDecimals(f *testing.F) {
	f.Add(int64(123), int16(5))
	f.Add(int64(-1), int16(-7))
	f.Add(int64(0), int16(7))
	f.Fuzz(func(t *testing.T, unscaled int64, scale int16) {
		text := string(appendNumber(nil, fressian.Decimal{Unscaled: big.NewInt(unscaled), Scale: int32(scale)}))
		back, ok := new(big.Rat).SetString(text)
		require.True(t, ok, text)
		want := new(big.Rat).SetInt64(unscaled)
		power := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(int64(scale), -int64(scale))), nil)
		if scale > 0 {
			want.Quo(want, new(big.Rat).SetInt(power))
		} else {
			want.Mul(want, new(big.Rat).SetInt(power))
		}
		require.Zero(t, want.Cmp(back), text)
	})
}
