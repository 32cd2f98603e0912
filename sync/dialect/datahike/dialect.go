// Package datahike knows what Datahike keeps in a konserve store: branch
// heads, commits, schema blobs and the nodes of persistent sorted sets, as
// Datahike 0.6.1607 up to the 0.8 line write them.
//
// Inner nodes and records are decoded, leaves are only scanned. What could
// refer to something that is not known here is refused by name: a part left
// out in silence is lost data. Unknown keys of maps are ignored.
package datahike

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Kind names the database in manifests.
const Kind = "datahike"

// Suffix ends the name of every object of a store.
const Suffix = ".ksv"

// branchesKey is the konserve key of the set of branches.
var branchesKey = fressian.Keyword{Name: "branches"}

// Dialect reads the segments of one store. It may be used from many goroutines.
type Dialect struct {
	codec  *konserve.Codec
	leaves sync.Pool // of *Leaf
}

// New returns the dialect of a store whose blobs are encrypted with key; an
// empty key means that they are not.
func New(key string) *Dialect { return &Dialect{codec: konserve.NewCodec(key)} }

// KeyID is the object that holds the value of a konserve key.
func KeyID(k fressian.Keyword) graph.ID {
	return graph.ID(hasch.String(hasch.OfKeyword(k.NS, k.Name)) + Suffix)
}

// AddressID is the object of a node, a commit or a schema blob.
func AddressID(u fressian.UUID) graph.ID {
	return graph.ID(hasch.String(hasch.OfUUID(u)) + Suffix)
}

// Text is a commit id as people write it.
func Text(u fressian.UUID) string { return hasch.String(u) }

// BranchesID is the object that names the branches.
func BranchesID() graph.ID { return KeyID(branchesKey) }

// open unwraps a blob and checks that it is stored under its own name.
func (d *Dialect) open(id graph.ID, data []byte) (konserve.Blob, error) {
	blob, err := d.codec.Open(data)
	if err == nil {
		err = konserve.VerifyName(strings.TrimSuffix(string(id), Suffix), blob.Meta.Key)
	}
	return blob, describe(id, err)
}

// Written is when a blob was written, in milliseconds since the epoch by the
// clock of its writer.
func (d *Dialect) Written(data []byte) (int64, error) {
	m, err := d.codec.OpenMeta(data)
	return int64(m.LastWrite), err
}

// describe adds the object to a codec's error, and the class that the engine
// goes by.
func describe(id graph.ID, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, graph.ErrCorrupt), errors.Is(err, graph.ErrUnsupported):
		return fmt.Errorf("%s: %w", id, err)
	case errors.Is(err, konserve.ErrUnsupported):
		return fmt.Errorf("%s: %w: %w", id, graph.ErrUnsupported, err)
	case errors.Is(err, konserve.ErrNoKey), errors.Is(err, konserve.ErrKey):
		return fmt.Errorf("%s: %w; give it with --datahike-encryption-key or the option encryption_key", id, err)
	case errors.Is(err, konserve.ErrTooLarge):
		return fmt.Errorf("%s: %w: %w", id, graph.ErrTooLarge, err)
	}
	return fmt.Errorf("%s: %w: %w", id, graph.ErrCorrupt, err)
}

// corrupt reports bytes that no Datahike writes.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{graph.ErrCorrupt}, args...)...)
}

// unsupported names what is not known here.
func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{graph.ErrUnsupported}, args...)...)
}

// CheckValue checks how the object of a value begins, which is as every blob
// does: that it is stored under its own name.
func (d *Dialect) CheckValue(id graph.ID, head []byte) error {
	m, err := d.codec.OpenMeta(head)
	if err == nil {
		err = konserve.VerifyName(strings.TrimSuffix(string(id), Suffix), m.Key)
	}
	return describe(id, err)
}

// Map decodes an object whose value is a map: a record or a schema blob.
func (d *Dialect) Map(id graph.ID, data []byte) (fressian.Map, error) {
	blob, err := d.open(id, data)
	if err != nil {
		return nil, err
	}
	v, err := fressian.Decode(blob.Value)
	m, ok := v.(fressian.Map)
	if err == nil && !ok {
		err = corrupt("it holds no map")
	}
	return m, describe(id, err)
}
