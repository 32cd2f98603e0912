package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// TestBranchComesBack: a branch was collected down to its head, deleted,
// backed up without, and is there again. Its older commits still lie at the
// destination, where an earlier point has left them; the new point must not
// take what they reach for something that its parent has.
func TestBranchComesBack(t *testing.T) {
	dir, dst := scratch(t), memory(t)
	db, err := sample.Create(dir, sample.Options{Seed: 1, Entities: 200, BranchingFactor: 32})
	require.NoError(t, err)
	require.NoError(t, db.Branch(":feature", ":db"))
	for _, edits := range []int{40, 40, 3} {
		require.NoError(t, db.OnBranch(":feature").Transact(edits))
	}
	for range 20 {
		require.NoError(t, db.Transact(60))
	}
	src := remote(t, dir)
	points := []string{backUp(t, src, dst, dbsync.BackupOptions{}).Point}
	require.NoError(t, db.GC(false))
	set := filepath.Join(dir, string(datahike.BranchesID()))
	both, err := os.ReadFile(set)
	require.NoError(t, err)
	require.NoError(t, db.DeleteBranch(":feature"))
	points = append(points, backUp(t, src, dst, dbsync.BackupOptions{}).Point)
	require.NoError(t, os.WriteFile(set, both, 0o600))
	points = append(points, backUp(t, src, dst, dbsync.BackupOptions{}).Point)
	deep(t, dst, points...)
}

// TestCommitComesLate: the head's commit is written only after the run has
// looked for it, as Datahike 0.6 may do. The point goes without it, and the
// next one has it.
func TestCommitComesLate(t *testing.T) {
	dir, dst := scratch(t), memory(t)
	db, err := sample.Create(dir, sample.Options{Seed: 2, Entities: 100, BranchingFactor: 16})
	require.NoError(t, err)
	src := remote(t, dir)
	first := backUp(t, src, dst, dbsync.BackupOptions{})
	for range 5 {
		require.NoError(t, db.Transact(5))
	}
	heads, err := datahike.New("").Hold(t.Context(), source(src, "").Store.Get, "")
	require.NoError(t, err)
	id := datahike.AddressID(heads.Main().Commit)
	name := filepath.Join(dir, string(id))
	require.NoError(t, os.Rename(name, name+".later"))
	late, calls := fault.New(src, fault.Options{}), 0
	late.Inject(fault.Rule{N: 1 << 30, Match: func(fault.Call) bool {
		if calls++; calls == 30 {
			assert.NoError(t, os.Rename(name+".later", name))
		}
		return false
	}})
	rep, err := dbsync.Backup(quick(), source(late, ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	deep(t, dst, first.Point, rep.Point)
	last := backUp(t, src, dst, dbsync.BackupOptions{})
	deep(t, dst, last.Point)
	assert.Contains(t, dump(t, dst), "store/"+string(id))
}

// TestNoCommitsYoung: without commit records nothing tells of an ancestry but
// the first commit, which every database has.
func TestNoCommitsYoung(t *testing.T) {
	dir, dst := scratch(t), memory(t)
	db, err := sample.Create(dir, sample.Options{Seed: 334, BranchingFactor: 16, NoCommitGraph: true})
	require.NoError(t, err)
	src := remote(t, dir)
	for range 4 {
		deep(t, dst, backUp(t, src, dst, dbsync.BackupOptions{}).Point)
		require.NoError(t, db.Transact(5))
	}
}
