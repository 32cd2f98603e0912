package datoms

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// TestKeysWithoutOrder: a map comes after all values with an order and before
// the next attribute, and its key ends as all do.
func TestKeysWithoutOrder(t *testing.T) {
	at := func(e int64, a string, v any, tx int64, added bool) datom.Datom {
		return datom.Datom{E: e, A: forge.K(a), V: v, Tx: tx, Added: added}
	}
	none := fressian.Map{{Key: int64(0), Value: ""}}
	rising := map[datom.Index][]datom.Datom{
		datom.EAVT: {at(1, "a", fressian.UUID{}, 9, true), at(1, "a", none, 7, false), at(1, "a", none, 7, true), at(1, "a", none, 8, false), at(1, "b", "", 1, true), at(2, "a", "", 1, true)},
		datom.AEVT: {at(1, "a", "", 9, true), at(1, "a", none, 7, false), at(1, "a", none, 8, true), at(2, "a", "", 1, true), at(1, "b", "", 1, true)},
		datom.AVET: {at(9, "a", "", 9, true), at(1, "a", none, 7, false), at(1, "a", none, 8, false), at(2, "a", none, 7, true), at(1, "b", "", 1, true)},
	}
	for index, all := range rising {
		last, fact := "", ""
		for i, d := range all {
			key, err := AppendKey(nil, index, d)
			require.NoError(t, err)
			assert.Less(t, last, string(key), "%s %d", index, i)
			same := i > 0 && d.E == all[i-1].E && assert.ObjectsAreEqual(d.V, all[i-1].V) && d.A == all[i-1].A
			assert.Equal(t, same, fact == string(datom.SameFact(key)))
			last, fact = string(key), string(datom.SameFact(key))
		}
	}
	_, err := AppendKey(nil, datom.EAVT, at(1, "a", struct{}{}, 1, true))
	require.ErrorIs(t, err, fressian.ErrValue)
}
