package datacamp

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// isCBOR tells whether a chunk is of datacamp's other encoding: a map of CBOR,
// whose code no Fressian map begins with.
func isCBOR(raw []byte) bool { return len(raw) > 0 && raw[0]>>5 == 5 }

func cborDatoms([]byte, int64, func(datom.Datom) error) error {
	return fmt.Errorf("%w: a chunk of CBOR", graph.ErrUnsupported)
}
