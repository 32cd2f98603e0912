package render_test

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
)

// anyValue makes a value of any kind; tuples are not deep.
func anyValue(r *rand.Rand, depth int) any {
	text := func() string {
		var s strings.Builder
		for range r.IntN(8) {
			s.WriteRune([]rune("ab,;\"'\\\n\t\x00\x01 é\u2028😀")[r.IntN(15)])
		}
		return s.String()
	}
	name := func() string { return "n" + strconv.Itoa(r.IntN(99)) }
	switch n := r.IntN(14); n {
	case 0:
		return int64(r.Uint64() >> r.IntN(64))
	case 1:
		return math.Float64frombits(r.Uint64())
	case 2:
		return math.Float32frombits(r.Uint32())
	case 3:
		return r.IntN(2) == 0
	case 4:
		return fressian.Inst(r.Int64() >> r.IntN(64))
	case 5:
		var u fressian.UUID
		u[r.IntN(16)] = byte(r.Uint32())
		return u
	case 6:
		return new(big.Int).Lsh(big.NewInt(r.Int64()-math.MaxInt64/2), uint(r.IntN(200)))
	case 7:
		return fressian.Decimal{Unscaled: big.NewInt(r.Int64() - math.MaxInt64/2), Scale: int32(r.IntN(60) - 30)}
	case 8:
		return fressian.Keyword{NS: name(), Name: name()}
	case 9:
		return fressian.Symbol{Name: name()}
	case 10:
		return fressian.URI("http://" + text())
	case 11:
		return []byte(text())
	case 12:
		if depth == 0 {
			parts := fressian.Vector{}
			for range r.IntN(4) {
				parts = append(parts, anyValue(r, 1))
			}
			return parts
		}
	}
	return text()
}

// valueOf reads a value back from its kind and its plain text.
func valueOf(t *testing.T, kind, text string) any {
	float := func(bits int) float64 {
		f, err := strconv.ParseFloat(text, bits)
		require.NoError(t, err)
		return f
	}
	switch kind {
	case "long", "ref":
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		return n
	case "double":
		return float(64)
	case "float":
		return float32(float(32))
	case "boolean":
		return text == "true"
	case "instant":
		return fressian.Inst(instantOf(t, text))
	case "uuid":
		var u fressian.UUID
		_, err := hex.Decode(u[:], []byte(strings.ReplaceAll(text, "-", "")))
		require.NoError(t, err)
		return u
	case "bigint":
		return bigint(text)
	case "bigdec":
		return decimalOf(t, text)
	case "keyword":
		ns, name, _ := strings.Cut(text[1:], "/")
		return fressian.Keyword{NS: ns, Name: name}
	case "symbol":
		return fressian.Symbol{Name: text}
	case "uri":
		return fressian.URI(text)
	case "bytes":
		b, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		return b
	}
	require.Equal(t, "string", kind)
	return text
}

// instantOf reads RFC 3339, and years of six digits or more with a sign: Go
// reads no such year, but one that is some cycles of 400 years away.
func instantOf(t *testing.T, text string) int64 {
	cycles := 0
	if text[0] == '+' || text[0] == '-' {
		end := strings.IndexByte(text[1:], '-') + 1
		year, err := strconv.Atoi(text[:end])
		require.NoError(t, err)
		cycles = (year - 2000) / 400
		text = strconv.Itoa(year-400*cycles) + text[end:]
	}
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at.UnixMilli() + int64(cycles)*146_097*86_400_000
}

// decimalOf reads what java.math.BigDecimal prints.
func decimalOf(t *testing.T, text string) fressian.Decimal {
	digits, exp, _ := strings.Cut(text, "E")
	scale := 0
	if exp != "" {
		e, err := strconv.Atoi(exp)
		require.NoError(t, err)
		scale = -e
	}
	whole, frac, _ := strings.Cut(digits, ".")
	return fressian.Decimal{Unscaled: bigint(whole + frac), Scale: int32(scale + len(frac))}
}

// typed is a value in JSON.
type typed struct {
	Type string          `json:"type"`
	V    json.RawMessage `json:"v"`
}

func (j typed) value(t *testing.T) any {
	if j.Type == "tuple" {
		var parts []typed
		require.NoError(t, json.Unmarshal(j.V, &parts))
		all := fressian.Vector{}
		for _, p := range parts {
			all = append(all, p.value(t))
		}
		return all
	}
	text := string(j.V)
	if text[0] == '"' {
		require.NoError(t, json.Unmarshal(j.V, &text))
	}
	return valueOf(t, j.Type, text)
}

// same is assert.Equal with numbers by their bits, so that NaN is equal to NaN
// and -0.0 is not equal to 0.0. All NaNs are the same.
func same(t *testing.T, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case float64:
		f, _ := got.(float64)
		if !math.IsNaN(want) || !math.IsNaN(f) {
			assert.Equal(t, math.Float64bits(want), math.Float64bits(f))
		}
	case float32:
		f, _ := got.(float32)
		if !math.IsNaN(float64(want)) || !math.IsNaN(float64(f)) {
			assert.Equal(t, math.Float32bits(want), math.Float32bits(f))
		}
	case *big.Int:
		assert.Equal(t, want.String(), got.(*big.Int).String())
	case fressian.Decimal:
		d, _ := got.(fressian.Decimal)
		assert.Equal(t, want.Unscaled.String(), d.Unscaled.String())
		assert.Equal(t, want.Scale, d.Scale)
	case fressian.Vector:
		parts, _ := got.(fressian.Vector)
		require.Len(t, parts, len(want))
		for i := range want {
			same(t, want[i], parts[i])
		}
	default:
		assert.Equal(t, want, got)
	}
}

// TestRoundTrip: type and value survive JSON and CSV, whatever they are.
func TestRoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		v := anyValue(r, 0)
		d := datom.Datom{E: r.Int64(), A: kw("a", "b"), V: v, Tx: 7}
		var line struct {
			E json.RawMessage `json:"e"`
			typed
		}
		require.NoError(t, json.Unmarshal([]byte(written(t, render.JSON, d)), &line))
		same(t, v, line.value(t))
		assert.Equal(t, strconv.FormatInt(d.E, 10), strings.Trim(string(line.E), `"`))

		rows, err := csv.NewReader(strings.NewReader(written(t, render.CSV, d))).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 2)
		if row := rows[1]; row[2] != "tuple" {
			same(t, v, valueOf(t, row[2], row[3]))
		}
		if t.Failed() {
			t.Fatalf("value %T %v", v, v)
		}
	}
}

// FuzzText: any bytes as a text are written, so that they can be had back, or
// refused.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "\xed\xa0\xbd", "\xed\xa0", "\xff", "\"\\\x00", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := datom.Datom{A: kw("a", "b"), V: s}
		var out strings.Builder
		w, err := render.New(render.JSON, &out, nil)
		require.NoError(t, err)
		if err = w.Datom(d); err != nil {
			require.ErrorIs(t, err, datom.ErrNoText)
			return
		}
		require.NoError(t, w.Close())
		var line typed
		require.NoError(t, json.Unmarshal([]byte(out.String()), &line))
		if !strings.Contains(s, "\xed") { // half a character is U+FFFD to Go
			assert.Equal(t, s, line.value(t))
		}
	})
}
