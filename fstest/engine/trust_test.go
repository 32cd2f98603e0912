package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/retain"
)

// TestTidyNotesFirst: notes never outlive the segments for which they vouch.
func TestTidyNotesFirst(t *testing.T) {
	dst := memory(t)
	_, err := dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, generations[0])), ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	next := source(remote(t, fixture.Unpack(t, generations[1])), "")
	f := fault.New(dst, fault.Options{})
	f.Inject(fault.Rule{N: 12, Match: func(c fault.Call) bool { return c.Op == fault.Put && strings.HasPrefix(c.Path, "store/") }})
	_, err = dbsync.Backup(quick(), next, f, dbsync.BackupOptions{})
	require.ErrorIs(t, err, fault.ErrInjected)
	img := dump(t, dst)
	notes := 0
	for name := range img {
		if strings.HasPrefix(name, "inflight/") && strings.HasSuffix(name, ".zst") {
			notes++
		}
	}
	require.NotZero(t, notes)
	f.Heal()
	f.Inject(fault.Rule{N: 1, Match: func(c fault.Call) bool {
		return c.Op == fault.Remove && strings.HasPrefix(c.Path, "inflight/") && strings.HasSuffix(c.Path, ".zst")
	}})
	_, err = dbsync.Prune(quick(), f, dbsync.PruneOptions{Incomplete: true, Confirm: true, Dialect: datahike.New("")})
	require.ErrorIs(t, err, fault.ErrInjected)
	f.Heal()
	rep, err := dbsync.Backup(quick(), next, dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	_, err = dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: rep.Point, Deep: true, Dialect: datahike.New("")})
	require.NoError(t, err)
}

// TestWholeCopyTrustsNoNotes: what was written for one whole copy is not taken for part of another.
func TestWholeCopyTrustsNoNotes(t *testing.T) {
	src, dst := memory(t), memory(t)
	db := local(t)
	for _, name := range moments {
		become(t, db, fixture.Unpack(t, name))
		backUp(t, db, src, whole)
	}
	points := complete(t, src)
	require.Len(t, points, 2)
	f := fault.New(dst, fault.Options{})
	f.Inject(fault.Rule{N: 20, Match: func(c fault.Call) bool { return c.Op == fault.Put && strings.HasPrefix(c.Path, "stores/") }})
	_, err := dbsync.CopyBackup(quick(), src, f, dbsync.CopyOptions{})
	require.ErrorIs(t, err, fault.ErrInjected)
	_, err = dbsync.Prune(quick(), src, dbsync.PruneOptions{Policy: retain.Policy{Last: 1}, Confirm: true, Dialect: datahike.New("")})
	require.NoError(t, err)
	_, err = dbsync.CopyBackup(quick(), src, dst, dbsync.CopyOptions{})
	require.NoError(t, err)
	assert.Equal(t, points[1:], complete(t, dst))
	_, err = dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: true, Dialect: datahike.New("")})
	require.NoError(t, err)
}

// TestUndoDatomicInChunks: nothing of the native layout appears beside chunks.
func TestUndoDatomicInChunks(t *testing.T) {
	opt := dbsync.BackupOptions{Layout: dbsync.LayoutChunked}
	dst, points := sampledDatomic(t, opt, threeValues(t)...)
	require.Len(t, points, 3)
	_, err := dbsync.Prune(quick(), dst, dbsync.PruneOptions{Policy: retain.Policy{Last: 1}, Grace: 1 << 50, Confirm: true})
	require.NoError(t, err)
	require.Equal(t, points[2:], complete(t, dst))
	_, err = dbsync.Prune(quick(), dst, dbsync.PruneOptions{Undo: points[0]})
	require.NoError(t, err)
	for name := range dump(t, dst) {
		assert.False(t, strings.HasPrefix(name, "roots/"), name)
	}
	_, err = dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: true})
	require.NoError(t, err)
	assert.Equal(t, []string{points[0], points[2]}, complete(t, dst))
}

// TestDeepReadsWholeChunks: a flip where no segment lies, such as in a local header, is found in every chunk.
func TestDeepReadsWholeChunks(t *testing.T) {
	dst, points := chain(t, dbsync.BackupOptions{Layout: dbsync.LayoutChunked})
	img := dump(t, dst)
	for name, data := range img {
		if !strings.HasSuffix(name, ".zip") || !strings.Contains(name, points[0]) {
			continue
		}
		bad := append([]byte(nil), data...)
		bad[33] ^= 1 // in the name of the first entry's local header: what streaming unzips go by
		write(t, dst, name, bad)
		rep, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: points[0], Deep: true, Dialect: datahike.New("")})
		assert.Error(t, err, "%s: verify --deep says ok: %d faults", name, len(rep.Faults))
		write(t, dst, name, data)
	}
}

// TestDamagedPruned: what is left of a pruned point does not stand in the way of others.
func TestDamagedPruned(t *testing.T) {
	dst, points := chain(t, dbsync.BackupOptions{Layout: dbsync.LayoutChunked})
	thin(t, dst, dbsync.PruneOptions{Keep: points[:1], Grace: 1 << 50})
	require.Equal(t, points[:1], complete(t, dst))
	for name := range dump(t, dst) {
		if strings.HasSuffix(name, points[len(points)-1]+"/pruned.edn") {
			write(t, dst, name, []byte("{:x"))
		}
	}
	next := source(remote(t, fixture.Unpack(t, generations[len(generations)-1])), "")
	for _, repair := range []bool{false, true} {
		_, err := dbsync.Backup(quick(), next, dst, dbsync.BackupOptions{Repair: repair})
		assert.NoError(t, err, "repair %v", repair)
	}
	_, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Dialect: datahike.New("")})
	assert.NoError(t, err)
}

// TestDamagedValueIsNoCheckpoint: what a copy finds damaged does not get into a later
// point by way of the checkpoint that the copy leaves.
func TestDamagedValueIsNoCheckpoint(t *testing.T) {
	dir := scratch(t)
	_, err := sample.Create(dir, sample.Options{Seed: 3, Entities: 20, BranchingFactor: 6, StoreRefs: true})
	require.NoError(t, err)
	db := remote(t, dir)
	src, dst := memory(t), memory(t)
	rep := backUp(t, db, src, dbsync.BackupOptions{})
	value := ""
	for id, line := range reachedBy(t, src, rep.Point) {
		if strings.Contains(line, "\tv\t") && !strings.Contains(line, "\tv\t0\t") {
			value = string(id)
		}
	}
	require.NotEmpty(t, value)
	good := dump(t, src)["store/"+value]
	bad := append([]byte(nil), good...)
	bad[len(bad)/2] ^= 1
	write(t, src, "store/"+value, bad)
	_, err = dbsync.CopyBackup(quick(), src, dst, dbsync.CopyOptions{Layout: dbsync.LayoutChunked})
	require.Error(t, err)
	rep = backUp(t, db, dst, dbsync.BackupOptions{Layout: dbsync.LayoutChunked})
	_, err = dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: true, Dialect: datahike.New("")})
	require.NoError(t, err)
	back := restored(t, dst, rep.Point)
	for name, data := range back {
		if strings.HasSuffix(name, value) {
			assert.Equal(t, good, data, "verify --deep says ok, and the value is not the database's")
		}
	}
}
