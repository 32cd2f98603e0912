package hasch

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// ErrText reports text that is not a UUID in canonical form.
var ErrText = errors.New("hasch: not a canonical uuid")

const textLen = 36 // 8-4-4-4-12 hexadecimal digits

// String returns u in canonical form: 36 characters, lower case.
func String(u fressian.UUID) string {
	var text [textLen]byte
	appendText(text[:0], u)
	return string(text[:])
}

// Parse is the inverse of [String] and accepts nothing else. The error
// matches [ErrText].
func Parse(s string) (fressian.UUID, error) {
	var u fressian.UUID
	if len(s) != textLen {
		return u, fmt.Errorf("%w: %d characters, want %d", ErrText, len(s), textLen)
	}
	n := 0
	for i := 0; i < textLen; {
		if dashAt(i) {
			if s[i] != '-' {
				return fressian.UUID{}, fmt.Errorf("%w: no dash at %d", ErrText, i)
			}
			i++
			continue
		}
		hi, lo := digit(s[i]), digit(s[i+1])
		if hi|lo > 0xf {
			return fressian.UUID{}, fmt.Errorf("%w: no lower-case digits at %d", ErrText, i)
		}
		u[n] = hi<<4 | lo
		n++
		i += 2
	}
	return u, nil
}

func dashAt(i int) bool { return i == 8 || i == 13 || i == 18 || i == 23 }

// digit returns the value of a hexadecimal digit, 0xff if it is none.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

func appendText(dst []byte, u fressian.UUID) []byte {
	dst = append(hex.AppendEncode(dst, u[0:4]), '-')
	dst = append(hex.AppendEncode(dst, u[4:6]), '-')
	dst = append(hex.AppendEncode(dst, u[6:8]), '-')
	dst = append(hex.AppendEncode(dst, u[8:10]), '-')
	return hex.AppendEncode(dst, u[10:16])
}
