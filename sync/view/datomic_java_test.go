package view_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// javaLine is a datom as Datomic's digests have it, the attribute by its id.
func javaLine(t testing.TB, s *datom.Schema, d datom.Datom) string {
	t.Helper()
	a := s.Attr(d.A.(fressian.Keyword))
	require.NotNil(t, a, "%v", d.A)
	return fmt.Sprintf("[%d %d %s %d %v]", d.E, a.ID, javaValue(t, d.V), d.Tx, d.Added)
}

func javaValue(t testing.TB, v any) string {
	class := ""
	switch v := v.(type) {
	case nil:
		return "nil"
	case []byte:
		return "#bytes " + hex.EncodeToString(v)
	case fressian.URI:
		return "#uri " + javaText(t, string(v))
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = javaValue(t, item)
		}
		return "[" + strings.Join(items, " ") + "]"
	case fressian.Tagged:
		return "#fn " + javaFunction(t, v)
	case float32:
		return "Float " + strings.TrimPrefix(javaText(t, v), "#float ")
	case bool:
		class = "Boolean"
	case int64:
		class = "Long"
	case float64:
		class = "Double"
	case string:
		class = "String"
	case fressian.Keyword:
		class = "Keyword"
	case fressian.Symbol:
		class = "Symbol"
	case fressian.Inst:
		class = "Date"
	case fressian.UUID:
		class = "UUID"
	case fressian.Decimal:
		class = "BigDecimal"
	case *big.Int:
		return "BigInteger " + v.String()
	default:
		require.Fail(t, "a value of another type", "%T", v)
	}
	return class + " " + javaText(t, v)
}

func javaText(t testing.TB, v any) string {
	text, err := datom.AppendValue(nil, v)
	require.NoError(t, err)
	return string(text)
}

func javaFunction(t testing.TB, f fressian.Tagged) string {
	m := f.Fields[0].(fressian.Map)
	var parts []string
	for _, key := range []string{"code", "imports", "lang", "params", "requires"} {
		v, ok := m.Get("", key)
		require.True(t, ok, key)
		parts = append(parts, ":"+key+" "+javaText(t, v))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// javaDigest is the SHA-256 of lines sorted as Java does.
type javaDigest struct{ lines []javaString }

func (g *javaDigest) add(line string) {
	g.lines = append(g.lines, javaString{line, utf16.Encode([]rune(line))})
}

func (g *javaDigest) sum() string {
	slices.SortFunc(g.lines, func(a, b javaString) int { return slices.Compare(a.units, b.units) })
	h := sha256.New()
	for _, l := range g.lines {
		_, _ = io.WriteString(h, l.text+"\n")
	}
	return hex.EncodeToString(h.Sum(nil))
}

type javaString struct {
	text  string
	units []uint16
}

func scanned(t testing.TB, v view.View, q datom.Query) (datoms []datom.Datom) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), q, func(d datom.Datom) error {
		datoms = append(datoms, d)
		return nil
	}))
	return datoms
}

func sumOf(t testing.TB, v view.View, q datom.Query) string {
	t.Helper()
	var g javaDigest
	for _, d := range scanned(t, v, q) {
		g.add(javaLine(t, v.Schema(), d))
	}
	return g.sum()
}
