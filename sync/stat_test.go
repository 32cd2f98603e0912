package dbsync_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

func fixtureSource(t *testing.T, dir, key string) dbsync.Source {
	f := local(t, dir)
	return dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New(key)}
}

func statOf(t *testing.T, name string) *dbsync.StatReport {
	t.Helper()
	rep, err := dbsync.Stat(t.Context(), fixtureSource(t, fixture.Unpack(t, name), fixture.Key(name)))
	require.NoError(t, err)
	return rep
}

// TestStat compares with what the real Datahike reports of its stores.
func TestStat(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			facts := fixture.Expected(t, name)
			rep := statOf(t, name)
			assert.EqualValues(t, len(facts.Branches)+1, rep.Heads.Objects)
			assert.LessOrEqual(t, rep.Segments.Segments+rep.Heads.Objects, int64(facts.Keys))
			assert.Equal(t, rep.Segments, sumKinds(rep.Kinds))
			require.Len(t, rep.Branches, len(facts.Branches))
			for _, b := range rep.Branches {
				want := facts.ByBranch[b.Branch]
				assert.Equal(t, want.CommitID, b.Commit)
				assert.Equal(t, want.MaxTx, b.MaxTx)
				commits := len(want.Commits)
				if b.Branch == ":forced" || strings.HasPrefix(name, "m-onlinegc") {
					commits = 1 // its parent is a branch, for which the rest counts; commits before the head mean nothing
				}
				assert.EqualValues(t, commits, b.Segments.Commits, b.Branch)
				assert.Equal(t, b.Segments, sumKinds(b.Kinds))
				require.NotEmpty(t, b.Trees)
				assert.Equal(t, "eavt", b.Trees[0].Tree)
				assert.Equal(t, want.DatomsCurrent, b.Trees[0].Datoms)
				for _, tree := range b.Trees {
					checkShape(t, tree)
				}
			}
		})
	}
}

func sumKinds(kinds []dbsync.KindStat) (sum snapshot.Count) {
	for _, k := range kinds {
		n := snapshot.Count{Segments: k.Segments, Bytes: k.Bytes}
		if k.Kind == "commit" {
			n.Commits = k.Segments
		}
		sum = sum.Plus(n)
	}
	return sum
}

// checkShape: one root, every node is the child of one, and the parts add up.
func checkShape(t *testing.T, tree dbsync.TreeStat) {
	t.Helper()
	require.Len(t, tree.Levels, tree.Depth)
	var nodes, bytes int64
	for i, l := range tree.Levels {
		assert.Equal(t, tree.Depth-1-i, l.Level)
		if i == 0 {
			assert.EqualValues(t, 1, l.Nodes)
		} else {
			assert.Equal(t, tree.Levels[i-1].Items, l.Nodes)
		}
		assert.InDelta(t, float64(l.Items)/float64(l.Nodes*tree.BranchingFactor), l.Fill, 1e-9)
		assert.LessOrEqual(t, l.Fill, 1.0)
		nodes, bytes = nodes+l.Nodes, bytes+l.Bytes
	}
	assert.Equal(t, nodes, tree.Nodes)
	assert.Equal(t, bytes, tree.Bytes)
	assert.Equal(t, tree.Datoms, tree.Levels[tree.Depth-1].Items)
}

// TestStatCollected: after a collection the database is all that is there.
func TestStatCollected(t *testing.T) {
	dir := fixture.Unpack(t, "h-gen4")
	rep, err := dbsync.Stat(t.Context(), fixtureSource(t, dir, ""))
	require.NoError(t, err)
	assert.EqualValues(t, fixture.Expected(t, "h-gen4").Keys, rep.Segments.Segments+rep.Heads.Objects)
	var onDisk int64
	for _, b := range files(t, dir) {
		onDisk += int64(len(b))
	}
	assert.Equal(t, onDisk, rep.Segments.Bytes+rep.Heads.Bytes)
	assert.Equal(t, rep.Segments, rep.Branches[0].Segments)
}

// TestStatBranches: what branches share is counted once in the whole.
func TestStatBranches(t *testing.T) {
	rep := statOf(t, "e-branches")
	var sum snapshot.Count
	for _, b := range rep.Branches {
		assert.Less(t, b.Segments.Segments, rep.Segments.Segments)
		sum = sum.Plus(b.Segments)
	}
	assert.Greater(t, sum.Segments, rep.Segments.Segments)
}

// TestStatFused: roots inside the record are nodes, and no segments.
func TestStatFused(t *testing.T) {
	for _, tree := range statOf(t, "j-fused").Branches[0].Trees {
		assert.True(t, tree.Inline, tree.Tree)
		require.NotEmpty(t, tree.Levels)
		assert.Zero(t, tree.Levels[0].Bytes)
	}
	for _, tree := range statOf(t, "a-default").Branches[0].Trees {
		assert.False(t, tree.Inline, tree.Tree)
		assert.NotZero(t, tree.Levels[0].Bytes)
	}
}

// TestStatPoint: a backup has what its source has, now and at each point.
func TestStatPoint(t *testing.T) {
	dst := t.TempDir()
	var at []string
	for _, name := range []string{"h-gen1", "h-gen2", "h-gen4"} {
		src := fixtureSource(t, fixture.Unpack(t, name), "")
		made, err := dbsync.Backup(t.Context(), src, local(t, dst), dbsync.BackupOptions{})
		require.NoError(t, err)
		at = append(at, made.Point)
		want, err := dbsync.Stat(t.Context(), src)
		require.NoError(t, err)
		for _, at := range []string{"", made.Point} {
			got, err := dbsync.StatPoint(t.Context(), local(t, dst), dbsync.StatOptions{At: at, Dialect: datahike.New("")})
			require.NoError(t, err)
			assert.Equal(t, made.Point, got.Point)
			assert.Equal(t, made.Total, got.Segments)
			assert.Equal(t, made.Released, got.Growth[len(got.Growth)-1].Released)
			got.Point, got.Growth = "", nil
			assert.Equal(t, want, got)
		}
	}
	rep, err := dbsync.StatPoint(t.Context(), local(t, dst), dbsync.StatOptions{At: at[1], Dialect: datahike.New("")})
	require.NoError(t, err)
	require.Len(t, rep.Growth, 2, "later points are no part of the growth")
	for i, g := range rep.Growth {
		assert.Equal(t, at[i], g.Point)
	}
}

// TestStatMissing: leaves are not read, but that one is gone is noticed.
func TestStatMissing(t *testing.T) {
	d := first(t, plain, "")
	rep, err := dbsync.Stat(t.Context(), d.source(t, ""))
	require.NoError(t, err)
	assert.Equal(t, []dbsync.LevelStat{
		{Level: 2, Nodes: 1, Items: 2, Bytes: rep.Branches[0].Trees[0].Levels[0].Bytes, Fill: 2. / 512},
		{Level: 1, Nodes: 2, Items: 3, Bytes: rep.Branches[0].Trees[0].Levels[1].Bytes, Fill: 1.5 / 512},
		{Level: 0, Nodes: 3, Items: 6, Bytes: rep.Branches[0].Trees[0].Levels[2].Bytes, Fill: 2. / 512},
	}, rep.Branches[0].Trees[0].Levels)

	require.NoError(t, os.Remove(filepath.Join(d.Dir, d.name("b"))))
	_, err = dbsync.Stat(t.Context(), d.source(t, ""))
	require.ErrorIs(t, err, graph.ErrNotFound)
	require.ErrorContains(t, err, d.name("b"))
}
