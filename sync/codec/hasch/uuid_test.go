package hasch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const text = "0594e3b6-9635-5c99-8142-412accf3023b"

func TestParse(t *testing.T) {
	u, err := Parse(text)
	require.NoError(t, err)
	assert.Equal(t, [16]byte{
		0x05, 0x94, 0xe3, 0xb6, 0x96, 0x35, 0x5c, 0x99,
		0x81, 0x42, 0x41, 0x2a, 0xcc, 0xf3, 0x02, 0x3b,
	}, [16]byte(u))
	assert.Equal(t, text, String(u))
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", text[:35], text + "0", strings.ToUpper(text), "{" + text[:35],
		strings.ReplaceAll(text, "-", "") + "0000", "g" + text[1:], text[:35] + "/",
		"05-4e3b6-9635-5c99-8142-412accf3023b",
	} {
		_, err := Parse(s)
		assert.ErrorIs(t, err, ErrText, s)
	}
}

// Every character counts: another one is refused, or means another uuid.
func TestParseEveryCharacter(t *testing.T) {
	want, err := Parse(text)
	require.NoError(t, err)
	for i := range len(text) {
		for c := range 256 {
			b := []byte(text)
			if b[i] == byte(c) {
				continue
			}
			b[i] = byte(c)
			if got, err := Parse(string(b)); err == nil {
				assert.NotEqual(t, want, got)
				assert.Equal(t, string(b), String(got))
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(text)
	f.Add("x" + text[1:])
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := Parse(s); err == nil {
			assert.Equal(t, s, String(u))
		}
	})
}
