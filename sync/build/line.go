package build

import (
	"encoding/binary"

	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// A line is what a sorter keeps of a datom: its key in the index (see
// [datom.AppendKey]), its value in Fressian, and the trailer:
//
//	number of the attribute    4 bytes
//	length of the key          4 bytes
//	flags                      1 byte
const trailer = 9

// The flags of a line.
const (
	isNow  byte = 1 << iota // belongs to the current indexes
	isPast                  // belongs to those of history
	isDeep                  // the value's bytes refer to each other: it is written anew in each node
)

// item is a line taken apart.
type item struct {
	key, value string
	attr       int
	flags      byte
}

// appendTrailer ends a line.
func appendTrailer(dst []byte, attr, key int, flags byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(attr))
	dst = binary.BigEndian.AppendUint32(dst, uint32(key))
	return append(dst, flags)
}

// parse takes a line apart.
func parse(line string) item {
	at := len(line) - trailer
	key := int(number4(line[at+4:]))
	return item{key: line[:key], value: line[key:at], attr: int(number4(line[at:])), flags: line[len(line)-1]}
}

func number4(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// number8 reads what stands for an int64 in a key.
func number8(s string) int64 {
	return int64(uint64(number4(s))<<32|uint64(number4(s[4:]))) ^ -1<<63
}

// The sizes of a key's parts.
const (
	sizeOfE    = 8
	sizeOfTail = 9 // transaction and whether it added
)

// tail returns the transaction and whether it added.
func (i item) tail() (tx int64, added bool) {
	t := i.key[len(i.key)-sizeOfTail:]
	return number8(t), t[8] != 0
}

// entity returns the entity of a datom whose line is in an index's order.
func (i item) entity(index datom.Index, a *attribute) int64 {
	switch index {
	case datom.AEVT:
		return number8(i.key[len(a.key):])
	case datom.AVET:
		return number8(i.key[len(i.key)-sizeOfTail-sizeOfE:])
	}
	return number8(i.key)
}

// fact is the part of the key that is the same for every datom that says the
// same.
func (i item) fact() string { return i.key[:len(i.key)-sizeOfTail] }

// reorder appends the line that stands for an item of EAVT in another index:
// the key's parts change places.
func (i item) reorder(dst []byte, index datom.Index, a *attribute) []byte {
	e, v := i.key[:sizeOfE], i.key[sizeOfE+len(a.key):len(i.key)-sizeOfTail]
	dst = append(dst, a.key...)
	if index == datom.AEVT {
		dst = append(append(dst, e...), v...)
	} else {
		dst = append(append(dst, v...), e...)
	}
	dst = append(append(dst, i.key[len(i.key)-sizeOfTail:]...), i.value...)
	return appendTrailer(dst, i.attr, len(i.key), i.flags)
}
