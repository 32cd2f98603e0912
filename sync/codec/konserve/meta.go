package konserve

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// The values of [Meta].Type.
const (
	TypeEDN    = "edn"    // a serialized value
	TypeBinary = "binary" // bytes, stored as they are
)

// Meta is what konserve records of a value.
type Meta struct {
	Key       any           // the key under which the value is stored
	Type      string        // TypeEDN or TypeBinary
	LastWrite fressian.Inst // time of the last write, by the writer's clock
	Immutable bool          // written once, never to change
}

// decodeMeta ignores entries that it does not know.
func decodeMeta(plain []byte) (Meta, error) {
	if m, ok := decodeCanonical(plain); ok {
		return m, nil
	}
	v, err := fressian.Decode(plain)
	if err != nil {
		return Meta{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	entries, ok := v.(fressian.Map)
	if !ok {
		return Meta{}, fmt.Errorf("%w: %T instead of a map", ErrMalformed, v)
	}
	var m Meta
	if m.Key, ok = entries.Get("", "key"); !ok {
		return Meta{}, fmt.Errorf("%w: no :key", ErrMalformed)
	}
	if m.Type, err = decodeType(entries); err != nil {
		return Meta{}, err
	}
	v, _ = entries.Get("", "last-write")
	if m.LastWrite, ok = v.(fressian.Inst); !ok {
		return Meta{}, fmt.Errorf("%w: :last-write is %T", ErrMalformed, v)
	}
	if v, ok = entries.Get("", "immutable?"); ok {
		if m.Immutable, ok = v.(bool); !ok {
			return Meta{}, fmt.Errorf("%w: :immutable? is %T", ErrMalformed, v)
		}
	}
	return m, nil
}

func decodeType(entries fressian.Map) (string, error) {
	v, _ := entries.Get("", "type")
	switch v {
	case fressian.Keyword{Name: TypeEDN}:
		return TypeEDN, nil
	case fressian.Keyword{Name: TypeBinary}:
		return TypeBinary, nil
	}
	if k, ok := v.(fressian.Keyword); ok {
		return "", fmt.Errorf("%w: value of type :%s", ErrUnsupported, k.Name)
	}
	return "", fmt.Errorf("%w: :type is %T", ErrMalformed, v)
}

// encode writes the entries in konserve's order.
func (m Meta) encode() ([]byte, error) {
	if m.Type != TypeEDN && m.Type != TypeBinary {
		return nil, fmt.Errorf("%w: value of type %q", ErrUnsupported, m.Type)
	}
	var entries fressian.Map
	add := func(name string, v any) {
		entries = append(entries, fressian.Entry{Key: fressian.Keyword{Name: name}, Value: v})
	}
	if m.Immutable {
		add("immutable?", true)
	}
	add("key", m.Key)
	add("type", fressian.Keyword{Name: m.Type})
	add("last-write", m.LastWrite)
	w := fressian.NewWriter()
	if err := w.Write(entries); err != nil {
		return nil, fmt.Errorf("%w: metadata: %w", ErrUnsupported, err)
	}
	return w.Bytes(), nil
}

// VerifyName checks that name, a file's name without its extension, is the one
// that konserve gives to key. Errors match [ErrWrongName], or [ErrUnsupported]
// if the key has no name.
func VerifyName(name string, key any) error {
	u, err := hasch.UUID(key)
	if err != nil {
		return fmt.Errorf("%w: key: %w", ErrUnsupported, err)
	}
	if want := hasch.String(u); want != name {
		return fmt.Errorf("%w: %q holds the key of %q", ErrWrongName, name, want)
	}
	return nil
}
