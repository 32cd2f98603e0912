package build

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"unicode/utf16"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// The record's :hash is the sum of Clojure's hashes of all that was asserted
// since the database was made, each of entity, attribute and value
// (datahike.datom/hash-datom, datahike.migrate.init/hash-of-records). A database
// value hashes to it. Arrays are hashed by what they hold since 0.8.

// hashOf is Clojure's hash of a datom.
func hashOf(d datom.Datom) int64 {
	h := combine(hashLong(d.E), hashValue(d.A))
	return int64(int32(combine(h, hashValue(d.V))))
}

// combine is clojure.lang.Util/hashCombine.
func combine(seed, hash uint32) uint32 {
	return seed ^ (hash + 0x9e3779b9 + seed<<6 + uint32(int32(seed)>>2))
}

// hashValue is clojure.core/hash.
func hashValue(v any) uint32 { //nolint:gocyclo,funlen // one case for each type
	switch v := v.(type) {
	case int64:
		return hashLong(v)
	case bool:
		if v {
			return 1231
		}
		return 1237
	case float64:
		if v == 0 {
			return 0
		}
		return fold(math.Float64bits(v))
	case float32:
		if v == 0 {
			return 0
		}
		return math.Float32bits(v)
	case string:
		return hashInt(hashText(v))
	case fressian.Inst:
		return fold(uint64(v))
	case fressian.UUID:
		return fold(binary.BigEndian.Uint64(v[:8]) ^ binary.BigEndian.Uint64(v[8:]))
	case fressian.Keyword:
		return hashName(v.NS, v.Name) + 0x9e3779b9
	case fressian.Symbol:
		return hashName(v.NS, v.Name)
	case *big.Int:
		if v.IsInt64() {
			return hashLong(v.Int64())
		}
		return hashBig(v)
	case fressian.Decimal:
		return hashDecimal(v)
	case []byte:
		return hashArray(v, func(b byte) uint32 { return uint32(int32(int8(b))) })
	case []float32:
		return hashArray(v, math.Float32bits)
	case []float64:
		return hashArray(v, func(f float64) uint32 { return fold(math.Float64bits(f)) })
	case fressian.Vector:
		return hashOrdered(v)
	case fressian.Seq:
		return hashOrdered(v)
	case []any:
		return hashOrdered(v)
	}
	return 0 // nil, and what has no hash that Clojure prints alike
}

// hashArray is java.util.Arrays/hashCode.
func hashArray[T any](items []T, hash func(T) uint32) uint32 {
	h := uint32(1)
	for _, v := range items {
		h = 31*h + hash(v)
	}
	return h
}

// fold is java.lang.Long/hashCode.
func fold(n uint64) uint32 { return uint32(n ^ n>>32) }

// utf16Units calls fn with the characters of a text as Java has them.
func utf16Units(s string, fn func(uint16)) {
	for i, r := range s {
		switch {
		case r == 0xfffd && i+2 < len(s) && s[i] == 0xed: // the first byte of a lone surrogate's three
			fn(0xd000 | uint16(s[i+1]&0x3f)<<6 | uint16(s[i+2]&0x3f))
		case r == 0xfffd && s[i] != 0xef: // its other bytes
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fn(uint16(high))
			fn(uint16(low))
		default:
			fn(uint16(r))
		}
	}
}

// hashText is java.lang.String/hashCode.
func hashText(s string) (h uint32) {
	utf16Units(s, func(c uint16) { h = 31*h + uint32(c) })
	return h
}

// hashName is clojure.lang.Symbol/hasheq.
func hashName(ns, name string) uint32 {
	h, n := uint32(0), uint32(0)
	var pair uint32
	utf16Units(name, func(c uint16) {
		if n++; n%2 == 1 {
			pair = uint32(c)
			return
		}
		h = mixH(h, mixK(pair|uint32(c)<<16))
	})
	if n%2 == 1 {
		h ^= mixK(pair)
	}
	return combine(finish(h, 2*n), hashText(ns))
}

// The parts of Murmur 3 in 32 bits, as clojure.lang.Murmur3 puts them together.
func mixK(k uint32) uint32 { return bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593 }

func mixH(h, k uint32) uint32 { return bits.RotateLeft32(h^k, 13)*5 + 0xe6546b64 }

func finish(h, size uint32) uint32 {
	h ^= size
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

func hashInt(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return finish(mixH(0, mixK(n)), 4)
}

func hashLong(n int64) uint32 {
	if n == 0 {
		return 0
	}
	return finish(mixH(mixH(0, mixK(uint32(n))), mixK(uint32(n>>32))), 8)
}

func hashOrdered(items []any) uint32 {
	h := uint32(1)
	for _, v := range items {
		h = 31*h + hashValue(v)
	}
	return finish(mixH(0, mixK(h)), uint32(len(items)))
}

// hashBig is java.math.BigInteger/hashCode: over its words, the highest first.
func hashBig(n *big.Int) (h uint32) {
	b := n.Bytes()
	for len(b)%4 != 0 {
		b = append([]byte{0}, b...)
	}
	for ; len(b) > 0; b = b[4:] {
		h = 31*h + binary.BigEndian.Uint32(b)
	}
	if n.Sign() < 0 {
		return -h
	}
	return h
}

// hashDecimal is java.math.BigDecimal/hashCode of a decimal without the zeros
// at its end.
func hashDecimal(d fressian.Decimal) uint32 {
	if d.Unscaled.Sign() == 0 {
		return 0
	}
	ten, n, rest := big.NewInt(10), new(big.Int).Set(d.Unscaled), new(big.Int)
	scale := d.Scale
	for {
		q, _ := new(big.Int).QuoRem(n, ten, rest)
		if rest.Sign() != 0 {
			break
		}
		n = q
		scale--
	}
	return 31*hashBig(n) + uint32(scale)
}
