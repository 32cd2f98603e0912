package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// deep verifies points to the last byte.
func deep(t *testing.T, dst fs.Fs, points ...string) {
	t.Helper()
	for _, at := range points {
		v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: at, Deep: true, Dialect: datahike.New("")})
		require.NoError(t, err, "%+v", v)
	}
}

func backUp(t *testing.T, src, dst fs.Fs, opt dbsync.BackupOptions) *dbsync.BackupReport {
	t.Helper()
	rep, err := dbsync.Backup(quick(), source(src, ""), dst, opt)
	require.NoError(t, err)
	return rep
}

// TestReset: a database is set back and forth again. What an earlier point
// has is reached once more, and must not be written once more: a write that
// is cut short would damage that point.
func TestReset(t *testing.T) {
	dst := fault.New(memory(t), fault.Options{})
	src := local(t)
	opt := dbsync.BackupOptions{Accept: []string{dbsync.AcceptDiverged}}
	var points []string
	for _, gen := range []string{"h-gen3", "h-gen2", "h-gen3"} {
		become(t, src, fixture.Unpack(t, gen))
		dst.Heal()
		points = append(points, backUp(t, src, dst, opt).Point)
	}
	written := dst.Count(func(c fault.Call) bool {
		return c.Op == fault.Put && strings.HasPrefix(c.Path, "store/")
	})
	assert.LessOrEqual(t, written, 2, "heads and the set of branches\n%s", dst.Report())
	deep(t, dst, points...)
}

// TestSharedPlace: two databases share a place, and a schema blob of one name
// with other bytes. Each keeps what its points list.
func TestSharedPlace(t *testing.T) {
	dst := memory(t)
	a, b := remote(t, fixture.Unpack(t, "a-default")), remote(t, fixture.Unpack(t, "b-nohist"))
	opt := dbsync.BackupOptions{Accept: []string{dbsync.AcceptOtherDatabase}}
	first := backUp(t, a, dst, dbsync.BackupOptions{})
	_, err := dbsync.Backup(quick(), source(b, ""), dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	second := backUp(t, b, dst, opt)
	third := backUp(t, a, dst, opt)
	deep(t, dst, first.Point, second.Point, third.Point)
}

// TestLostList: the list of a point is damaged. Nothing that builds on it is
// trusted, and a repair makes a point that stands by itself.
func TestLostList(t *testing.T) {
	src, dst := local(t), memory(t)
	become(t, src, fixture.Unpack(t, "h-gen1"))
	first := backUp(t, src, dst, dbsync.BackupOptions{})
	list := "snapshots/" + first.Point + "/added-0001.zst"
	write(t, dst, list, append(dump(t, dst)[list], 0))
	become(t, src, fixture.Unpack(t, "h-gen2"))
	_, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Dialect: datahike.New("")})
	require.ErrorContains(t, err, "--repair")
	rep := backUp(t, src, dst, dbsync.BackupOptions{Repair: true})
	assert.Empty(t, rep.Parent)
	deep(t, dst, rep.Point)
	assert.Empty(t, wanted(t, "", dump(t, src)).differs(restored(t, dst, rep.Point)))
}

// TestLateCommit: a head's commit that is not there yet is copied as soon as
// it is, though the head stands still.
func TestLateCommit(t *testing.T) {
	dir := fixture.Unpack(t, "a-default")
	src, dst := remote(t, dir), memory(t)
	heads, err := datahike.New("").Hold(quick(), source(src, "").Store.Get, "")
	require.NoError(t, err)
	commit := filepath.Join(dir, string(datahike.AddressID(heads.Main().Commit)))
	data, err := os.ReadFile(commit)
	require.NoError(t, err)
	require.NoError(t, os.Remove(commit))
	backUp(t, src, dst, dbsync.BackupOptions{})
	assert.True(t, backUp(t, src, dst, dbsync.BackupOptions{}).UpToDate)
	require.NoError(t, os.WriteFile(commit, data, 0o600))
	rep := backUp(t, src, dst, dbsync.BackupOptions{})
	assert.EqualValues(t, 1, rep.New.Commits)
	deep(t, dst, rep.Point)
	assert.Empty(t, wanted(t, "", dumpDir(t, dir)).differs(restored(t, dst, rep.Point)))
}

// TestForeignPlaces: places where a backup must not write.
func TestForeignPlaces(t *testing.T) {
	dir := fixture.Unpack(t, "a-default")
	src := remote(t, dir)
	before := dumpDir(t, dir)
	for _, dst := range []string{dir, filepath.Join(dir, "backup"), filepath.Dir(dir)} {
		_, err := dbsync.Backup(quick(), source(src, ""), remote(t, dst), dbsync.BackupOptions{})
		require.ErrorIs(t, err, dbsync.ErrRefused, dst)
		require.ErrorContains(t, err, "overlap")
	}
	assert.Empty(t, before.differs(dumpDir(t, dir)))

	theirs := local(t)
	become(t, remote(t, filepath.Join(theirs.Root(), "store")), fixture.Unpack(t, "c-crypto"))
	before = dump(t, theirs)
	_, err := dbsync.Backup(quick(), source(src, ""), theirs, dbsync.BackupOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.Empty(t, before.differs(dump(t, theirs)))
}
