package datomic_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const gcDatabase = "gcdb-9b80e946-52fc-43be-a16f-a06d6fd6084b"

// TestReachable: what the values of a backup reach is what lies there, and no
// node has two parents.
func TestReachable(t *testing.T) {
	s, values := backup(t, "gen3")
	union := map[graph.ID]bool{}
	for _, gen := range fixture.DatomicGens() {
		w := walk(t, datomic.New(), s, values[gen.T])
		assert.Len(t, w.nodes, gen.Segments, gen.Name)
		assert.Empty(t, w.missing)
		assert.Empty(t, w.shared)
		for id := range w.nodes {
			union[id] = true
		}
	}
	assert.Len(t, union, 344)
	assert.Len(t, s, len(union))
	for id := range s {
		assert.True(t, union[id], id)
	}
}

// TestReachableFullText: a file of full text that has more than ten chunks, so
// that the letters of their numbers show. Datomic says that there are 221.
func TestReachableFullText(t *testing.T) {
	s, values := backup(t, fixture.DatomicFullText)
	w := walk(t, datomic.New(), s, values[fixture.DatomicFullTextT])
	assert.Empty(t, w.missing)
	assert.Empty(t, w.shared)
	assert.Len(t, w.nodes, 221)
	assert.Len(t, s, 221)
	letters := 0
	for id := range w.nodes {
		require.NoError(t, datomic.CheckID(id))
		if strings.HasSuffix(string(id), "A") {
			letters++
		}
	}
	assert.Equal(t, 1, letters)
}

// TestReachableAroundGC: a collection leaves what the newest value reaches,
// and takes from older ones.
func TestReachableAroundGC(t *testing.T) {
	d := datomic.New()
	s, v := storage(t, fixture.DatomicRootA, gcDatabase)
	rootA := walk(t, d, s, v)
	assert.Len(t, rootA.nodes, 70)
	assert.Empty(t, rootA.missing)
	assert.Empty(t, rootA.shared)

	after, last := storage(t, fixture.DatomicAfterGC, gcDatabase)
	w := walk(t, d, after, last)
	assert.Empty(t, w.missing)
	assert.Empty(t, w.shared)
	lost := map[graph.ID]bool{}
	for id := range rootA.nodes {
		if after[id] == nil {
			lost[id] = true
		}
	}
	assert.Len(t, lost, 23)
	gone := map[graph.ID]bool{}
	for _, id := range fixture.DatomicGone(t) {
		gone[graph.ID(id)] = true
		assert.NotContains(t, w.nodes, graph.ID(id))
	}
	for id := range lost {
		assert.True(t, gone[id], id)
	}
}

// TestRootIsEncodedAsDatomicDoes, to the byte.
func TestRootIsEncodedAsDatomicDoes(t *testing.T) {
	dir := fixture.DatomicBackup(t, "gen3")
	for _, gen := range fixture.DatomicGens() {
		want, err := os.ReadFile(filepath.Join(dir, "roots", fmt.Sprint(gen.T)))
		require.NoError(t, err)
		v, err := datomic.DecodeRoot("root", want)
		require.NoError(t, err)
		assert.Equal(t, fixture.DatomicID, v.DatabaseID)
		got, err := v.EncodeRoot()
		require.NoError(t, err)
		assert.Equal(t, want, got, gen.Name)
	}
}

// TestCounts: each dir states what its leaves hold, and the log holds as many
// datoms as Datomic says.
func TestCounts(t *testing.T) {
	s, values := backup(t, "gen3")
	d := datomic.New()
	for _, gen := range fixture.DatomicGens() {
		_, log, err := values[gen.T].CountTail()
		require.NoError(t, err)
		for id, n := range walk(t, d, s, values[gen.T]).nodes {
			if n.Level != 1 {
				continue
			}
			sum := int64(0)
			for _, c := range n.Children {
				count, err := d.Count(c, s[c.ID])
				require.NoError(t, err)
				sum += count
			}
			switch n.Count {
			case -1:
				log += sum // full text has none
			default:
				assert.Equal(t, sum, n.Count, id)
			}
		}
		assert.Equal(t, fixture.DatomicExpected(t, gen.T).LogDatoms, log, gen.Name)
	}
}

// TestTransactions: each t that a value has is found, and no other, with
// three reads at most.
func TestTransactions(t *testing.T) {
	s, values := backup(t, "gen3")
	d := datomic.New()
	for _, gen := range fixture.DatomicGens() {
		last, err := d.Last(t.Context(), s.get, values[gen.T])
		require.NoError(t, err)
		assert.Equal(t, gen.T, last.T)
		txs, ids := int64(0), map[string]bool{}
		for at := range gen.T + 2 {
			c := &counted{source: s}
			tx, err := d.At(t.Context(), c.get, values[gen.T], at)
			assert.LessOrEqual(t, c.reads, 3)
			if err != nil {
				require.ErrorIs(t, err, graph.ErrNotFound)
				continue
			}
			assert.Equal(t, at, tx.T)
			assert.NoError(t, datomic.CheckID(graph.ID(tx.ID)))
			ids[tx.ID] = true
			txs++
		}
		assert.True(t, ids[last.ID])
		assert.Len(t, ids, int(txs))
		assert.Equal(t, fixture.DatomicExpected(t, gen.T).LogTxs, txs, gen.Name)
	}
}

// TestEarlierTransactions: a later value has the transactions of an earlier
// one, by id.
func TestEarlierTransactions(t *testing.T) {
	s, values := backup(t, "gen3")
	d := datomic.New()
	for _, gen := range fixture.DatomicGens() {
		last, err := d.Last(t.Context(), s.get, values[gen.T])
		require.NoError(t, err)
		later, err := d.At(t.Context(), s.get, values[1708], gen.T)
		require.NoError(t, err)
		assert.Equal(t, last, later)
	}
}
