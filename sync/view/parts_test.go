package view

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// TestParts: transactions are given whole, and large ones in parts, of which
// all but the last say that more come.
func TestParts(t *testing.T) {
	for _, sizes := range [][]int{{}, {1}, {2, 3}, {maxPart}, {maxPart + 1}, {1, 3 * maxPart, 1}, {2*maxPart + 5, maxPart}} {
		got := map[int64]int{}
		more := false
		var last int64
		p := parts{time: func(tx int64) int64 { return tx * 10 }, fn: func(tx Transaction) error {
			assert.Equal(t, more, tx.Tx == last)
			assert.LessOrEqual(t, len(tx.Datoms), maxPart)
			assert.NotEmpty(t, tx.Datoms)
			assert.Equal(t, 10*tx.Tx, tx.T)
			for i, d := range tx.Datoms {
				assert.EqualValues(t, got[tx.Tx]+i, d.E)
			}
			got[tx.Tx] += len(tx.Datoms)
			last, more = tx.Tx, tx.More
			return nil
		}}
		for i, n := range sizes {
			for e := range n {
				require.NoError(t, p.add(datom.Datom{E: int64(e), Tx: int64(i + 1)}))
			}
		}
		require.NoError(t, p.end())
		assert.False(t, more)
		require.Len(t, got, len(sizes))
		for i, n := range sizes {
			assert.Equal(t, n, got[int64(i+1)])
		}
	}
}
