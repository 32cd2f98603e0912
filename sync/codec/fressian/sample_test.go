package fressian

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What Datahike and konserve wrote is written again byte for byte.
func TestExactSamples(t *testing.T) {
	for name, b := range samples(t, "exact") {
		v, err := Decode(b)
		require.NoError(t, err, name)
		assert.Equal(t, b, encode(t, v), name)
	}
}

// Datomic caches by rules of its own; its values come back equal.
func TestOtherSamples(t *testing.T) {
	for name, b := range samples(t, "other") {
		require.NoError(t, Scan(b), name)
		v, err := Decode(b)
		require.NoError(t, err, name)
		again, err := Decode(encode(t, v))
		require.NoError(t, err, name)
		assert.Equal(t, v, again, name)
	}
}

// Skip and Read stop at the same places, whole and cut, and a value damaged
// anywhere does no harm.
func TestSamplesSkipLikeRead(t *testing.T) {
	for _, folder := range []string{"exact", "other"} {
		for name, b := range samples(t, folder) {
			_, err := readAll(t, b)
			require.NoError(t, err, name)
			step := 1 + len(b)/500
			for i := 0; i < len(b); i += step {
				_, _ = readAll(t, b[:i])
				bad := bytes.Clone(b)
				bad[i] ^= 0x80
				_, _ = readAll(t, bad)
			}
		}
	}
}

// A plain walk by containers sees what Read sees.
func TestSamplesStreamed(t *testing.T) {
	for name, b := range samples(t, "exact") {
		want, err := Decode(b)
		require.NoError(t, err)
		r := NewReader(b)
		got, err := stream(r)
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
		assert.Zero(t, r.Len(), name)
	}
}

// stream is Read by way of the container methods.
func stream(r *Reader) (any, error) {
	kind, err := r.Peek()
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindMap:
		m := Map{}
		err = r.ReadMap(func(key any) error {
			v, err := stream(r)
			m = append(m, Entry{key, v})
			return err
		})
		return m, err
	case KindList:
		l := []any{}
		err = r.ReadList(func(int) error {
			v, err := stream(r)
			l = append(l, v)
			return err
		})
		return l, err
	case KindStruct:
		return streamStruct(r)
	case KindKeyword:
		return r.ReadKeyword()
	case KindUUID:
		u, _, err := r.ReadUUID()
		return u, err
	}
	return r.Read()
}

func streamStruct(r *Reader) (any, error) {
	tag, n, err := r.ReadStruct()
	fields := make([]any, n)
	for i := range fields {
		if err == nil {
			fields[i], err = stream(r)
		}
	}
	if tag == tagVector {
		return Vector(fields), err
	}
	return Tagged{tag, fields}, err
}

func TestSkipAllocates(t *testing.T) {
	for _, folder := range []string{"exact", "other"} {
		for name, b := range samples(t, folder) {
			r := NewReader(b)
			require.NoError(t, r.Skip(), name)
			assert.Zero(t, testing.AllocsPerRun(10, func() {
				r.Reset(b)
				_ = r.Skip()
			}), name)
		}
	}
}
