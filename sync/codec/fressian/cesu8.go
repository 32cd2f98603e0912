package fressian

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// invalidUnit returns the index of the first byte that does not begin a
// well-formed UTF-16 unit of one to three bytes, or -1.
func invalidUnit(p []byte) int {
	for i := 0; i < len(p); {
		if len(p)-i >= 8 && binary.LittleEndian.Uint64(p[i:])&0x8080808080808080 == 0 {
			i += 8
			continue
		}
		n := unit(p[i:])
		if n == 0 {
			return i
		}
		i += n
	}
	return -1
}

// unit is the size of the UTF-16 unit at the front of p, or 0.
func unit(p []byte) int {
	c := p[0]
	switch {
	case c < 0x80:
		return 1
	case len(p) >= 2 && (c >= 0xc2 && c <= 0xdf && continues(p[1]) || c == 0xc0 && p[1] == 0x80):
		return 2
	case len(p) >= 3 && c >= 0xe0 && c <= 0xef && continues(p[1]) && continues(p[2]) && (c != 0xe0 || p[1] >= 0xa0):
		return 3
	}
	return 0
}

func continues(c byte) bool { return c&0xc0 == 0x80 }

// decodeUnits turns checked CESU-8 into UTF-8.
func decodeUnits(p []byte) string {
	if bytes.IndexByte(p, 0xed) < 0 && bytes.IndexByte(p, 0xc0) < 0 {
		return string(p)
	}
	var s strings.Builder
	s.Grow(len(p))
	for len(p) > 0 {
		n := unit(p)
		switch hi, lo := surrogate(p), surrogate(p[n:]); {
		case hi >= 0xd800 && hi < 0xdc00 && lo >= 0xdc00:
			s.WriteRune((hi-0xd800)<<10 + (lo - 0xdc00) + 0x10000)
			n = 6
		case p[0] == 0xc0:
			s.WriteByte(0)
		default:
			s.Write(p[:n])
		}
		p = p[n:]
	}
	return s.String()
}

// surrogate is the surrogate unit at the front of p, or 0.
func surrogate(p []byte) rune {
	if len(p) < 3 || p[0] != 0xed || p[1] < 0xa0 {
		return 0
	}
	return 0xd000 | rune(p[1]&0x3f)<<6 | rune(p[2]&0x3f)
}

// encodeUnits appends s as CESU-8 to dst; ok is false if s is neither UTF-8
// nor a lone surrogate's bytes.
func encodeUnits(dst []byte, s string) (out []byte, ok bool) {
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n <= 1:
			if len(s)-i < 3 || surrogate([]byte(s[i:i+3])) == 0 || !continues(s[i+1]) || !continues(s[i+2]) {
				return dst, false
			}
			n = 3
			dst = append(dst, s[i:i+3]...)
		case c > 0xffff:
			c -= 0x10000
			dst = appendSurrogate(dst, 0xd800+c>>10)
			dst = appendSurrogate(dst, 0xdc00+c&0x3ff)
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return dst, true
}

func appendSurrogate(dst []byte, u rune) []byte {
	return append(dst, 0xed, byte(0x80|u>>6&0x3f), byte(0x80|u&0x3f)) //nolint:gosec // six bits each
}
