package fressian

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDecode: no input makes the Reader panic, Skip and Read agree about
// every value, and what was read is written and read again as the same.
func FuzzDecode(f *testing.F) {
	for _, folder := range []string{"exact", "other"} {
		for _, b := range samples(f, folder) {
			f.Add(b)
		}
	}
	for _, h := range []string{
		"e8 cd ef db 'x' 01 05 80 a0 06 ef db 'y' 00", "e8 cd e5 cd db 'a' 81 80 80",
		"ef e1 'irecord' 02 01 f7 ef de 'pvec' 02 02 01 02", "c0 ed cd e5 fb cc 00 fd",
		"ee fe e6 cd db 'a' 80 fe e6 cd db 'b' 80", "e2 03 eda0bd dd edb880", "d8 02 0102 d9 01 03",
		"e6 c7 d2 0080 02 f1 c4 da c5 da", "b0 01 05", "b1 01 fb", "b2 01 f5", "b3 01 05", "b4 01 f9 00000000",
	} {
		f.Add(unhex(f, h))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		vs, err := readAll(t, b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
		}
		for _, v := range vs {
			once := encode(t, v)
			again, err := Decode(once)
			require.NoError(t, err)
			require.Equal(t, once, encode(t, again))
		}
	})
}
