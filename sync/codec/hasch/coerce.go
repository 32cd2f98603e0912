package hasch

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// ErrType reports a value of a Go type that has no hash.
var ErrType = errors.New("hasch: type has no hash")

const (
	tagNil byte = iota
	tagBool
	tagNumber
	tagString
	tagSymbol
	tagKeyword
	tagInst
	tagUUID
	tagSeq
	tagVector
	tagMap
	tagSet
	_ // tagged literals, which no key is
	tagBytes
)

const (
	maskBelow = 1024 // bytes from which on safe() hashes instead of masking
	xorLen    = 32   // bytes of each item that enter a map or a set
)

// appendValue appends the tagged form of v to dst.
func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, tagNil), nil
	case bool:
		if v {
			return append(dst, tagBool, 0x29), nil
		}
		return append(dst, tagBool, 0x28), nil
	case string:
		return appendSafe(append(dst, tagString), v), nil
	case []byte:
		return appendSafe(append(dst, tagBytes), v), nil
	case fressian.Keyword:
		return appendKeyword(dst, v.NS, v.Name), nil
	case fressian.Symbol:
		return appendSafe(append(dst, tagSymbol), qualified(v.NS, v.Name)), nil
	case fressian.Inst:
		return strconv.AppendInt(append(dst, tagInst), int64(v), 10), nil
	case fressian.UUID:
		return appendText(append(dst, tagUUID), v), nil
	case int64, float32, float64, *big.Int, fressian.Decimal:
		return appendNumber(append(dst, tagNumber), v), nil
	}
	return appendCollection(dst, v)
}

// appendCollection is appendValue for values made of values. A plain list
// counts as a vector: that is what writers without incognito make of one.
func appendCollection(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case fressian.Seq:
		return appendItems(dst, tagSeq, v)
	case fressian.Vector:
		return appendItems(dst, tagVector, v)
	case []any:
		return appendItems(dst, tagVector, v)
	case fressian.Map:
		return appendMap(dst, v)
	case fressian.Set:
		return appendSet(dst, v)
	}
	return nil, fmt.Errorf("%w: %T", ErrType, v)
}

// appendItems hashes an empty sequence as if it held one nil, as hasch does.
func appendItems(dst []byte, tag byte, items []any) ([]byte, error) {
	if len(items) == 0 {
		items = []any{nil}
	}
	var form []byte
	var err error
	h := sha512.New()
	for _, item := range items {
		if form, err = appendValue(form[:0], item); err != nil {
			return nil, err
		}
		h.Write(form)
	}
	return h.Sum(append(dst, tag)), nil
}

func appendMap(dst []byte, m fressian.Map) ([]byte, error) {
	dst = append(dst, tagMap)
	if len(m) == 0 {
		return dst, nil
	}
	var acc [xorLen]byte
	var form []byte
	var err error
	for _, e := range m {
		if form, err = appendItems(form[:0], tagVector, []any{e.Key, e.Value}); err != nil {
			return nil, err
		}
		xor(&acc, form)
	}
	return append(dst, acc[:]...), nil
}

func appendSet(dst []byte, s fressian.Set) ([]byte, error) {
	dst = append(dst, tagSet)
	if len(s) == 0 {
		return dst, nil
	}
	var acc [xorLen]byte
	for _, item := range s {
		sum, err := Sum(item)
		if err != nil {
			return nil, err
		}
		xor(&acc, sum[:])
	}
	return append(dst, acc[:]...), nil
}

func xor(acc *[xorLen]byte, item []byte) {
	for i := range acc {
		acc[i] ^= item[i]
	}
}

func appendKeyword(dst []byte, ns, name string) []byte {
	dst = append(dst, tagKeyword)
	start := len(dst)
	dst = append(dst, ':')
	if ns != "" {
		dst = append(append(dst, ns...), '/')
	}
	return makeSafe(append(dst, name...), start)
}

func qualified(ns, name string) string {
	if ns == "" {
		return name
	}
	return ns + "/" + name
}

func appendSafe[T string | []byte](dst []byte, v T) []byte {
	return makeSafe(append(dst, v...), len(dst))
}

// makeSafe replaces b[start:] by safe(b[start:]).
func makeSafe(b []byte, start int) []byte {
	end := len(b)
	if end-start >= maskBelow {
		sum := sha512.Sum512(b[start:])
		return append(b[:start], sum[:]...)
	}
	for i := start; i < end; i++ {
		var mask byte
		if c := b[i]; c > 0 && c < 30 {
			mask = 1
		}
		b = append(b, mask)
	}
	return b
}
