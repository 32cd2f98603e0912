package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
)

// renamed is a value as another database's.
func renamed(s *datomicsample.Sample, id string) *datomicsample.Sample {
	other := *s
	value := *s.Value
	value.DatabaseID = id
	other.Value = &value
	return &other
}

// TestDatomicRefused: what is not the same database, or not a later state of
// it, leaves the destination as it is. It makes no difference who has written
// what is there.
func TestDatomicRefused(t *testing.T) {
	a := smallDatomic()
	b := a.Next(3)
	fork := a.Next(3) // the same t, other transactions
	require.Equal(t, b.T, fork.T)
	const uuid = "6b00f51f-0000-4000-8000-000000000001"
	other, again := renamed(b, "other-"+uuid), renamed(b, "sample-"+uuid)
	deletedFirst := shelved(again)
	deletedFirst.catalog = &datomic.Catalog{Names: map[string]string{"sample": again.Value.DatabaseID}, Deleted: []string{a.Value.DatabaseID}}
	for name, tc := range map[string]struct {
		have *datomicsample.Sample
		src  *shelf
		says []string
	}{
		"other owner":          {a, shelved(other), []string{a.Value.DatabaseID, other.Value.DatabaseID}},
		"of the same name":     {a, shelved(again), []string{a.Value.DatabaseID, again.Value.DatabaseID, "re-created"}},
		"deleted, the catalog": {a, deletedFirst, []string{a.Value.DatabaseID, again.Value.DatabaseID, "was deleted"}},
		"gone back":            {b, shelved(a), []string{fmt.Sprint(b.T), fmt.Sprint(a.T), "gone back"}},
		"same t, other log":    {b, shelved(fork), []string{fmt.Sprintf("t %d", b.T), "parted"}},
		"parted and ahead":     {b, shelved(fork, fork.Next(4)), []string{fmt.Sprintf("t %d", b.T), "parted"}},
		"parted and far ahead": {b, shelved(fork, fork.Next(20)), []string{fmt.Sprintf("t %d", b.T), "parted"}},
	} {
		t.Run(name, func(t *testing.T) {
			ours := memory(t)
			mustKeep(t, shelved(tc.have), ours, dbsync.BackupOptions{})
			theirs, drop := holding(t, memory, native(t, tc.have))
			defer drop()
			for _, dst := range []string{"ours", "theirs"} {
				f := ours
				if dst == "theirs" {
					f = theirs
				}
				before := dump(t, f)
				for _, opt := range []dbsync.BackupOptions{{}, {Repair: true}, {VerifyBase: true}} {
					_, err := keep(tc.src, f, opt)
					require.ErrorIs(t, err, dbsync.ErrRefused, dst)
					for _, part := range tc.says {
						assert.ErrorContains(t, err, part, dst)
					}
					assert.Empty(t, before.differs(dump(t, f)), dst)
				}
			}
		})
	}
}

// TestDatomicOwnerAlone: a place that was claimed and has nothing else.
func TestDatomicOwnerAlone(t *testing.T) {
	for _, owner := range []string{"other-1", "", smallDatomic().Value.DatabaseID + "\n"} {
		dst := memory(t)
		write(t, dst, "owner", []byte(owner))
		_, err := keep(shelved(smallDatomic()), dst, dbsync.BackupOptions{})
		require.ErrorIs(t, err, dbsync.ErrRefused, "%q", owner)
		assert.Len(t, dump(t, dst), 1)
	}
	dst := memory(t)
	write(t, dst, "owner", []byte(smallDatomic().Value.DatabaseID))
	mustKeep(t, shelved(smallDatomic()), dst, dbsync.BackupOptions{})
}

// TestDatomicOtherKind: Datahike's backups and Datomic's do not share a place.
func TestDatomicOtherKind(t *testing.T) {
	datahike := remote(t, fixture.Unpack(t, "a-default"))
	for _, opt := range []dbsync.BackupOptions{{}, {Repair: true}} {
		mine := memory(t)
		backUp(t, datahike, mine, dbsync.BackupOptions{})
		before := dump(t, mine)
		_, err := keep(shelved(smallDatomic()), mine, opt)
		require.ErrorIs(t, err, dbsync.ErrRefused)
		assert.ErrorContains(t, err, "datahike")
		assert.Empty(t, before.differs(dump(t, mine)))

		mine = memory(t)
		mustKeep(t, shelved(smallDatomic()), mine, dbsync.BackupOptions{})
		theirs, drop := holding(t, memory, native(t, smallDatomic()))
		before = dump(t, mine)
		_, err = dbsync.Backup(quick(), source(datahike, ""), mine, opt)
		require.ErrorIs(t, err, dbsync.ErrRefused)
		assert.ErrorContains(t, err, "datomic")
		assert.Empty(t, before.differs(dump(t, mine)))
		before = dump(t, theirs)
		_, err = dbsync.Backup(quick(), source(datahike, ""), theirs, opt)
		require.ErrorIs(t, err, dbsync.ErrRefused, "a backup that Datomic has made")
		assert.Empty(t, before.differs(dump(t, theirs)))
		drop()
	}
}

// TestDatomicNotForIt: flags that mean nothing for Datomic.
func TestDatomicNotForIt(t *testing.T) {
	dst := memory(t)
	for _, opt := range []dbsync.BackupOptions{
		{OnlineGCCopy: true}, {Accept: []string{dbsync.AcceptDiverged}}, {Accept: []string{dbsync.AcceptOtherDatabase}},
	} {
		_, err := keep(shelved(smallDatomic()), dst, opt)
		require.ErrorContains(t, err, "is for Datahike")
	}
	assert.Empty(t, dump(t, dst))
}

// TestDatomicOverlap: a backup is not copied into itself.
func TestDatomicOverlap(t *testing.T) {
	dir := fixture.DatomicBackup(t, "gen1")
	before := dumpDir(t, dir)
	st, err := storage.OpenBackup(quick(), remote(t, dir), 0)
	require.NoError(t, err)
	for _, dst := range []string{dir, dir + "/copy", dir + "/values"} {
		_, err := keep(st, remote(t, dst), dbsync.BackupOptions{})
		require.ErrorIs(t, err, dbsync.ErrRefused)
		assert.ErrorContains(t, err, "overlap")
	}
	assert.Empty(t, before.differs(dumpDir(t, dir)))
}

// TestDatomicStill: nothing new is found without writing, and a root that is
// gone is put back.
func TestDatomicStill(t *testing.T) {
	a, dst := smallDatomic(), memory(t)
	first := mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	before := dump(t, dst)
	rep := mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	assert.True(t, rep.UpToDate)
	assert.Equal(t, first.Point, rep.Point)
	assert.Empty(t, before.differs(dump(t, dst)))
	for _, name := range []string{"owner", fmt.Sprintf("roots/%d", a.T)} {
		o, err := dst.NewObject(quick(), name)
		require.NoError(t, err)
		require.NoError(t, o.Remove(quick()))
		mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
		assert.Empty(t, native(t, a).differs(dump(t, dst).datomicPart()), name)
	}
	assert.Equal(t, graph.ID(first.Point), graph.ID(rep.Point))
}
