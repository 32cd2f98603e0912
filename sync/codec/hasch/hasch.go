// Package hasch computes the structural hash by which konserve names its
// blobs: SHA-512 over a tagged form of a value, shortened to a UUID.
//
//	tag  value    bytes after the tag
//	00   nil      none
//	01   boolean  29 true, 28 false
//	02   number   decimal text, as Java prints it
//	03   string   safe(UTF-8)
//	04   symbol   safe("ns/name")
//	05   keyword  safe(":ns/name")
//	06   instant  decimal milliseconds
//	07   uuid     36 characters, lower case
//	08   list     SHA-512 of the items' forms, one after another
//	09   vector   the same
//	0a   map      XOR over the entries of the first 32 bytes of the form of [key value]
//	0b   set      XOR over the items of the first 32 bytes of SHA-512(form)
//	0d   bytes    safe(bytes)
//
// safe(b) is b followed by a mask of its length, 01 where the byte is 1..29
// and 00 elsewhere, if b is shorter than 1024 bytes, and SHA-512(b) if not.
// Checked against hasch 0.4.98 and its published digests.
package hasch

import (
	"crypto/sha512"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// Sum returns the 64-byte digest of v, whose types are those that package
// fressian decodes to. Maps and sets must not repeat a key or an item. The
// error matches [ErrType].
func Sum(v any) ([sha512.Size]byte, error) {
	form, err := appendValue(nil, v)
	if err != nil {
		return [sha512.Size]byte{}, err
	}
	return sha512.Sum512(form), nil
}

// UUID returns the digest of v as a UUID: the name of the blob with key v.
// The error matches [ErrType].
func UUID(v any) (fressian.UUID, error) {
	if u, ok := v.(fressian.UUID); ok {
		return OfUUID(u), nil // what nearly every key is
	}
	sum, err := Sum(v)
	if err != nil {
		return fressian.UUID{}, err
	}
	return shorten(sum), nil
}

// OfUUID is [UUID] of a uuid; it does not allocate.
func OfUUID(u fressian.UUID) fressian.UUID {
	var form [1 + textLen]byte
	form[0] = tagUUID
	appendText(form[:1], u)
	return shorten(sha512.Sum512(form[:]))
}

// OfKeyword is [UUID] of the keyword ns/name; ns may be empty.
func OfKeyword(ns, name string) fressian.UUID {
	var space [128]byte
	form := appendKeyword(space[:0], ns, name)
	return shorten(sha512.Sum512(form))
}

// shorten makes a version 5 UUID of a digest. The two highest bits are
// cleared: hasch's own version of its hash.
func shorten(sum [sha512.Size]byte) fressian.UUID {
	u := fressian.UUID(sum[:16])
	u[0] &= 0x3f
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}
