package datom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Digest computes the digest of a set of datoms with little memory. Its methods
// but Sum and Close may be called from many goroutines.
//
// The digest of a database is that of the datoms in :eavt; that of its history
// is of those in :temporal-eavt and, of :eavt, those of the attributes that
// datoms.CurrentOnly tells. Some are in both: a datom that is added again does not
// count.
type Digest struct{ lines *spill.Sorter }

// NewDigest returns the digest of no datoms yet. Close it.
func NewDigest() *Digest { return &Digest{lines: spill.NewSorter()} }

// Add takes a datom. ErrNoText is a value that rules a digest out.
func (d *Digest) Add(f Datom) error {
	text, err := AppendText(nil, f)
	if err == nil {
		d.AddText(text)
	}
	return err
}

// AddText takes a datom as [AppendText] printed it, which saves printing it
// again for a second digest.
func (d *Digest) AddText(text []byte) { d.lines.Add(sortable(text)) }

// Sum returns the digest in hex and the number of distinct datoms. It is called
// once, after the last Add has returned.
func (d *Digest) Sum() (sum string, datoms int64, err error) {
	h := sha256.New()
	var buf []byte
	for line, err := range d.lines.Sorted() {
		if err != nil {
			return "", 0, fmt.Errorf("failed to sort datoms: %w", err)
		}
		buf = append(appendUTF8(buf[:0], line), '\n')
		_, _ = h.Write(buf) // never fails
		datoms++
	}
	return hex.EncodeToString(h.Sum(nil)), datoms, nil
}

// Close frees what the datoms took. It may be called again, and after Sum.
func (d *Digest) Close() { d.lines.Close() }

// sortable turns UTF-8 into CESU-8: there, characters beyond U+FFFF are pairs of
// surrogates, and so the order of the bytes is that of UTF-16 code units, by
// which Java compares strings.
func sortable(text []byte) string {
	if !bytes.ContainsFunc(text, beyond16) {
		return string(text)
	}
	out := make([]byte, 0, len(text)+len(text)/2)
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRune(text[i:])
		if beyond16(c) {
			out = appendUnit(out, 0xd7c0+c>>10)
			out = appendUnit(out, 0xdc00+c&0x3ff)
		} else {
			out = append(out, text[i:i+n]...)
		}
		i += n
	}
	return string(out)
}

func beyond16(c rune) bool { return c > 0xffff }

// appendUnit appends the three bytes of a surrogate.
func appendUnit(dst []byte, u rune) []byte {
	return append(dst, 0xed, byte(0x80|u>>6&0x3f), byte(0x80|u&0x3f))
}

// appendUTF8 is the way back. A lone surrogate becomes a question mark, as
// Java's encoder has it.
func appendUTF8(dst []byte, line string) []byte {
	for i := 0; i < len(line); {
		hi := unitAt(line, i)
		if hi == 0 {
			dst = append(dst, line[i])
			i++
			continue
		}
		i += 3
		if lo := unitAt(line, i); hi < 0xdc00 && lo >= 0xdc00 {
			dst = utf8.AppendRune(dst, (hi-0xd7c0)<<10|lo&0x3ff)
			i += 3
		} else {
			dst = append(dst, '?')
		}
	}
	return dst
}

// unitAt is the surrogate whose bytes are at i, or 0.
func unitAt(s string, i int) rune {
	if len(s)-i < 3 || s[i] != 0xed || s[i+1] < 0xa0 {
		return 0
	}
	return 0xd000 | rune(s[i+1]&0x3f)<<6 | rune(s[i+2]&0x3f)
}
