package konserve

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// entries makes a map of names, each followed by its value.
func entries(namesAndValues ...any) fressian.Map {
	var m fressian.Map
	for i := 0; i < len(namesAndValues); i += 2 {
		m = append(m, fressian.Entry{Key: fressian.Keyword{Name: namesAndValues[i].(string)}, Value: namesAndValues[i+1]})
	}
	return m
}

func TestDecodeMeta(t *testing.T) {
	key := fressian.Vector{"a", int64(1)}
	edn := fressian.Keyword{Name: "edn"}
	now := fressian.Inst(42)
	for _, test := range []struct {
		name string
		v    any
		want Meta
		err  error
		text string
	}{
		{name: "any order", v: entries("last-write", now, "key", key, "type", edn), want: Meta{Key: key, Type: "edn", LastWrite: 42}},
		{name: "unknown entry", v: entries("x", nil, "key", key, "type", edn, "last-write", now), want: Meta{Key: key, Type: "edn", LastWrite: 42}},
		{name: "nil key", v: entries("key", nil, "type", edn, "last-write", now), want: Meta{Type: "edn", LastWrite: 42}},
		{name: "mutable", v: entries("key", key, "type", edn, "last-write", now, "immutable?", false), want: Meta{Key: key, Type: "edn", LastWrite: 42}},
		{name: "no map", v: "text", err: ErrMalformed, text: "string"},
		{name: "empty", v: fressian.Map{}, err: ErrMalformed, text: ":key"},
		{name: "no type", v: entries("key", key, "last-write", now), err: ErrMalformed, text: ":type"},
		{name: "text type", v: entries("key", key, "type", "edn", "last-write", now), err: ErrMalformed, text: ":type is string"},
		{name: "other type", v: entries("key", key, "type", fressian.Keyword{Name: "log"}, "last-write", now), err: ErrUnsupported, text: ":log"},
		{name: "no time", v: entries("key", key, "type", edn), err: ErrMalformed, text: ":last-write"},
		{name: "number for time", v: entries("key", key, "type", edn, "last-write", int64(1)), err: ErrMalformed, text: "int64"},
		{name: "number for flag", v: entries("key", key, "type", edn, "last-write", now, "immutable?", int64(1)), err: ErrMalformed, text: ":immutable?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := NewCodec("").OpenMeta(blob(Uncompressed, Unencrypted, encode(t, test.v), nil))
			if test.err == nil {
				require.NoError(t, err)
				assert.Equal(t, test.want, m)
				return
			}
			assert.ErrorIs(t, err, test.err)
			assert.ErrorContains(t, err, test.text)
			assert.ErrorContains(t, err, "offset 20")
			assert.Equal(t, Meta{}, m)
		})
	}
}

func TestDecodeMetaRefusesTrailingBytes(t *testing.T) {
	plain, err := Meta{Key: branches, Type: TypeEDN}.encode()
	require.NoError(t, err)
	_, err = decodeMeta(append(plain, 0))
	assert.ErrorIs(t, err, ErrMalformed)
}

func TestEncodeMetaRefusesTypes(t *testing.T) {
	for _, m := range []Meta{{}, {Type: "log"}, {Type: TypeEDN, Key: struct{}{}}} {
		_, err := m.encode()
		assert.ErrorIs(t, err, ErrUnsupported)
	}
}

func TestCanonicalMetaIsWhatTheGeneralDecoderSays(t *testing.T) {
	for _, m := range []Meta{
		{Key: fressian.UUID{1, 2, 3}, Type: TypeEDN, LastWrite: 1763690247410, Immutable: true},
		{Key: fressian.UUID{0xff}, Type: TypeEDN, LastWrite: -5},
	} {
		b, err := m.encode()
		require.NoError(t, err)
		got, ok := decodeCanonical(b)
		require.True(t, ok, "the form is not recognised")
		assert.Equal(t, m, got)
		_, ok = decodeCanonical(append(b, 0))
		assert.False(t, ok, "trailing bytes")
		for n := range b {
			_, ok = decodeCanonical(b[:n])
			assert.False(t, ok, "cut at %d", n)
		}
	}
	for _, m := range []Meta{
		{Key: fressian.UUID{1}, Type: TypeBinary, LastWrite: 1},
		{Key: fressian.Keyword{Name: "db"}, Type: TypeEDN, LastWrite: 1},
	} {
		b, err := m.encode()
		require.NoError(t, err)
		_, ok := decodeCanonical(b)
		assert.False(t, ok)
	}
}
