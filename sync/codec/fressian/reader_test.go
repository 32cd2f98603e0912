package fressian

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The container methods over a structure like a Datahike node.
func TestStream(t *testing.T) {
	b := unhex(t, `ef e3 08 'pss/leaf' 01 c0 e8
		ca f7 cd de 'keys'  ef de 'pvec' 02 02  a1 03 010203  a1 00
		ca f7 cd dc 'id'    c3 d9 10 000102030405060708090a0b0c0d0e0f`)
	r := NewReader(b)
	kind, err := r.Peek()
	require.NoError(t, err)
	assert.Equal(t, KindStruct, kind)
	tag, n, err := r.ReadStruct()
	require.NoError(t, err)
	assert.Equal(t, "pss/leaf", tag)
	assert.Equal(t, 1, n)
	var ints []int64
	var keys []any
	require.NoError(t, r.ReadMap(func(key any) error {
		keys = append(keys, key)
		if key == (Keyword{"", "id"}) {
			id, ok, err := r.ReadUUID()
			assert.True(t, ok)
			assert.Equal(t, byte(15), id[15])
			return err
		}
		return r.ReadList(func(int) error {
			return r.ReadList(func(i int) error {
				v, err := r.ReadInt()
				assert.Equal(t, int64(i+1), v)
				ints = append(ints, v)
				return err
			})
		})
	}))
	assert.Equal(t, []int64{1, 2, 3}, ints)
	assert.Equal(t, []any{Keyword{"", "keys"}, Keyword{"", "id"}}, keys)
	assert.Equal(t, len(b), r.Offset())
	assert.Equal(t, io.EOF, r.Skip())
	_, err = r.Peek()
	assert.Equal(t, io.EOF, err)
}

// What Skip passes, later references find.
func TestReadAfterSkip(t *testing.T) {
	r := NewReader(unhex(t, `e6 cd e5 cd db 'a' ef db 'x' 01 cd db 'b'
		e8 80 81 a0 82 ca 81 82`))
	require.NoError(t, r.Skip())
	v, err := r.Read()
	require.NoError(t, err)
	assert.Equal(t, []any{[]any{"a"}, "a", Tagged{"x", []any{"b"}}, Keyword{"a", "b"}}, v)
}

// Containers and scalars behind the cache look like any others.
func TestThroughCache(t *testing.T) {
	b := unhex(t, `e9 cd c0 e6 cd db 'k' 681000 80 cd 685000 82 81`)
	r := NewReader(b)
	readMap := func() (got int64, err error) {
		err = r.ReadMap(func(key any) error {
			assert.Equal(t, "k", key)
			got, err = r.ReadInt()
			return err
		})
		return got, err
	}
	want := []int64{4096, 4096, 20480, 20480}
	require.NoError(t, r.ReadList(func(i int) (err error) {
		kind, err := r.Peek()
		require.NoError(t, err)
		var got int64
		switch i {
		case 0, 1:
			assert.Equal(t, KindMap, kind)
			got, err = readMap()
		case 2, 3:
			assert.Equal(t, KindInt, kind)
			got, err = r.ReadInt()
		default:
			assert.Equal(t, KindString, kind)
			v, err := r.Read()
			assert.Equal(t, "k", v)
			return err
		}
		assert.Equal(t, want[i], got)
		return err
	}))
	assert.Zero(t, r.Len())
}

func TestLogOfResets(t *testing.T) {
	one := "fe e7 cd db 'a' 80 ef db 'x' 00"
	r := NewReader(unhex(t, "ee"+one+one+one))
	n := 0
	require.NoError(t, r.ReadList(func(int) error {
		n++
		v, err := r.Read()
		assert.Equal(t, []any{"a", "a", Tagged{"x", []any{}}}, v)
		assert.LessOrEqual(t, len(r.entries), 2, "entries before a reset pile up")
		return err
	}))
	assert.Equal(t, 3, n)
}

func TestCallbackMustConsume(t *testing.T) {
	b := unhex(t, "c0 e6 01 02")
	none := func(*Reader) error { return nil }
	twice := func(r *Reader) error { return errors.Join(r.Skip(), r.Skip()) }
	for _, f := range []func(*Reader) error{none, twice} {
		r := NewReader(b)
		require.ErrorIs(t, r.ReadMap(func(any) error { return f(r) }), ErrMalformed)
		r.Reset(b[1:])
		require.ErrorIs(t, r.ReadList(func(int) error { return f(r) }), ErrMalformed)
	}
	sentinel := errors.New("stop")
	assert.Equal(t, sentinel, NewReader(b).ReadMap(func(any) error { return sentinel }))
}

func TestWrongKind(t *testing.T) {
	for name, read := range map[string]func(*Reader) error{
		"int":     func(r *Reader) error { _, err := r.ReadInt(); return err },
		"uuid":    func(r *Reader) error { _, _, err := r.ReadUUID(); return err },
		"keyword": func(r *Reader) error { _, err := r.ReadKeyword(); return err },
		"map":     func(r *Reader) error { return r.ReadMap(nil) },
		"list":    func(r *Reader) error { return r.ReadList(nil) },
		"struct":  func(r *Reader) error { _, _, err := r.ReadStruct(); return err },
	} {
		err := read(NewReader(unhex(t, "da")))
		require.ErrorIs(t, err, ErrMalformed)
		assert.Contains(t, err.Error(), "want a "[:5], name)
		assert.Contains(t, err.Error(), name)
		assert.Contains(t, err.Error(), "string")
		require.Equal(t, io.EOF, read(NewReader(nil)), name)
		_, _, err = NewReader(unhex(t, "cd a0")).ReadStruct()
		require.ErrorIs(t, err, ErrMalformed)
	}
}

func TestNilUUID(t *testing.T) {
	r := NewReader(unhex(t, "f7"))
	_, ok, err := r.ReadUUID()
	require.NoError(t, err)
	assert.False(t, ok)
}

func TestReadStructForms(t *testing.T) {
	for _, test := range []struct {
		hex, tag string
		n        int
	}{
		{"ef db 'x' 02 01 02", "x", 2},
		{"ef de 'pvec' 02 03 010203", "pvec", 3},
		{"ef e1 'irecord' 02 01 f7 e6 01 02", "irecord", 2},
	} {
		r := NewReader(unhex(t, test.hex))
		tag, n, err := r.ReadStruct()
		require.NoError(t, err)
		assert.Equal(t, test.tag, tag)
		assert.Equal(t, test.n, n)
		for range n {
			require.NoError(t, r.Skip())
		}
		assert.Equal(t, io.EOF, r.Skip())
	}
}

// A component that is owed and missing is no clean end of the input.
func TestOwedComponent(t *testing.T) {
	r := NewReader(unhex(t, "ef db 'x' 01 e5"))
	_, _, err := r.ReadStruct()
	require.NoError(t, err)
	require.ErrorIs(t, r.Skip(), ErrMalformed)

	r.Reset(unhex(t, "ef db 'x' 02 e3 00"))
	_, _, err = r.ReadStruct()
	require.NoError(t, err)
	require.NoError(t, r.Skip())
	require.ErrorIs(t, r.Skip(), ErrMalformed)
}

func TestHandlers(t *testing.T) {
	sum := func(r *Reader, n int) (any, error) {
		var total int64
		for range n {
			v, err := r.ReadInt()
			if err != nil {
				return nil, err
			}
			total += v
		}
		return total, nil
	}
	b := unhex(t, "e7 ef db 'x' 02 01 02 cd a0 03 04 80")
	r := NewReader(b)
	r.Handlers = map[string]Handler{"x": sum}
	v, err := r.Read()
	require.NoError(t, err)
	assert.Equal(t, []any{int64(3), int64(7), int64(7)}, v)

	r.Reset(unhex(t, "ef de 'pvec' 02 03 010203"))
	r.Handlers["pvec"] = sum
	v, err = r.Read()
	require.NoError(t, err)
	assert.Equal(t, int64(6), v, "handlers come before the built-in tags")

	fault := errors.New("no such thing")
	for name, h := range map[string]Handler{
		"fault":   func(*Reader, int) (any, error) { return nil, fault },
		"little":  func(r *Reader, _ int) (any, error) { return nil, r.Skip() },
		"beyond":  func(r *Reader, n int) (any, error) { return sum(r, n+1) },
		"not int": func(r *Reader, _ int) (any, error) { return r.ReadKeyword() },
	} {
		r.Reset(b)
		r.Handlers = map[string]Handler{"x": h}
		_, err := r.Read()
		require.ErrorContains(t, err, `struct "x" at offset 1`, name)
		assert.Equal(t, name == "fault", errors.Is(err, fault))
		assert.Equal(t, name != "fault", errors.Is(err, ErrMalformed))
	}
}

func TestInterning(t *testing.T) {
	r := NewReader(nil)
	b := encode(t, Keyword{"db", "ident"})
	read := func() {
		r.Reset(b)
		if _, err := r.Read(); err != nil {
			t.Error(err)
		}
	}
	read()
	assert.Zero(t, testing.AllocsPerRun(100, read))
}
