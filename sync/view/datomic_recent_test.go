package view

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
)

// TestRunsDropRepeated: the log has an array of bytes twice that a transaction
// gave twice, as in the transactions 1007, 1017, 1045 and 1209 of the fixture
// datomic-tiered, whose trees have it once.
func TestRunsDropRepeated(t *testing.T) {
	bytesOf := func(tx int64, added bool) *datomic.Datom {
		return &datomic.Datom{E: 1 << 44, A: 80, V: []byte{0xe9}, T: tx, Added: added}
	}
	for _, index := range []datom.Index{datom.EAVT, datom.AEVT} {
		r := runs{v: &DatomicView{recent: recent{limit: recentMemory}}, index: index}
		for _, d := range []*datomic.Datom{
			bytesOf(7, true), {E: 1 << 44, A: 80, V: []byte{}, T: 7, Added: true}, bytesOf(7, true), bytesOf(9, false), bytesOf(8, true),
		} {
			require.NoError(t, r.add(d))
		}
		s := r.end()
		require.Len(t, s, 1)
		var ts []int64
		for _, d := range s[0].rest {
			ts = append(ts, d.T)
		}
		assert.Equal(t, []int64{7, 9, 8, 7}, ts)
	}
}
