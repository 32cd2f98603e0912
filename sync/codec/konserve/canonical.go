package konserve

import (
	"bytes"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// form is the metadata that konserve writes for a serialized value under a
// uuid key, cut where key and time stand. Nearly all blobs of a store have it,
// and comparing spares building the map.
type form struct {
	before, between []byte
	immutable       bool
}

// forms never change.
var forms = []form{newForm(true), newForm(false)}

func newForm(immutable bool) form {
	key := fressian.UUID(bytes.Repeat([]byte{0x55}, 16))
	b, err := Meta{Key: key, Type: TypeEDN, Immutable: immutable}.encode()
	if err != nil {
		panic(err) // a constant that does not encode
	}
	before, after, _ := bytes.Cut(b, key[:])
	return form{before, after[:len(after)-1], immutable} // the time 0 is one byte
}

// decodeCanonical decodes metadata that is of one of the forms.
func decodeCanonical(plain []byte) (Meta, bool) {
	for _, f := range forms {
		rest, ok := bytes.CutPrefix(plain, f.before)
		if !ok || len(rest) < 16 {
			continue
		}
		m := Meta{Type: TypeEDN, Immutable: f.immutable}
		key := fressian.UUID(rest[:16])
		if rest, ok = bytes.CutPrefix(rest[16:], f.between); !ok {
			continue
		}
		ms, ok := fressian.DecodeInt(rest)
		if !ok {
			return Meta{}, false
		}
		m.Key, m.LastWrite = key, fressian.Inst(ms)
		return m, true
	}
	return Meta{}, false
}
