package engine

import (
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

const orphan = "0a0a0a0a-8173-3bef-91f7-a025057c74fb"

// debris is what interrupted runs may leave anywhere.
func debris() image {
	return image{
		"snapshots/2020-01-01T000000.000Z-6b010f3e/heads/" + orphan + ".ksv": []byte("a head"),
		"snapshots/2020-01-01T000000.000Z-6b010f3e/added-0001.zst":           []byte("a list"),
		"inflight/2020-01-01T000000.000Z-6b010f3e/000001.zst":                []byte("a note"),
		"owner.0a0a0a0a.new": []byte("half an owner"),
	}
}

// TestPruneIncomplete: exactly the debris goes, and nothing of it that is young.
func TestPruneIncomplete(t *testing.T) {
	dst, _, _ := fourPoints(t, dbsync.BackupOptions{})
	clean := dump(t, dst)
	rubbish := debris().with(image{
		"store/" + orphan + ".ksv":                                  []byte("an orphan"),
		"store/" + orphan + ".ksv.0a0a0a0a.new":                     []byte("half an orphan"),
		"stores/2020-01-01T000000.000Z-6b010f3e/" + orphan + ".ksv": []byte("a copy"),
		"snapshots/" + complete(t, dst)[0] + "/added-1-0001.zst":    []byte("a list that was not finished"),
	})
	checkTidy(t, dst, clean, rubbish)
	for _, id := range complete(t, dst) {
		_, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: id, Deep: true, Dialect: datahike.New("")})
		require.NoError(t, err)
	}
}

// TestPruneIncompleteDatomic: what Datomic has written stays, whether or not
// there is a record of it.
func TestPruneIncompleteDatomic(t *testing.T) {
	a := smallDatomic()
	b := a.Next(3)
	dst, drop := holding(t, memory, native(t, a))
	defer drop()
	mustKeep(t, shelved(a, b), dst, dbsync.BackupOptions{})
	c := b.Next(3)
	for name, data := range native(t, c) {
		write(t, dst, name, data)
	}
	rubbish := debris().with(image{"values/fb/" + orphan: []byte("an orphan"), "roots/1999.0a0a0a0a.new": []byte("half a root")})
	checkTidy(t, dst, dump(t, dst), rubbish)
	for _, s := range []*datomicsample.Sample{a, b, c} {
		assert.Empty(t, check(t, dst, at(s), true))
	}
}

func checkTidy(t *testing.T, dst fs.Fs, clean, rubbish image) {
	t.Helper()
	for name, data := range rubbish {
		write(t, dst, name, data)
	}
	opt := dbsync.PruneOptions{Incomplete: true, OlderThan: 24 * time.Hour, Dialect: datahike.New("")}
	rep, err := dbsync.Prune(quick(), dst, opt)
	require.NoError(t, err)
	assert.EqualValues(t, len(rubbish), rep.Leftovers.Segments)
	assert.Empty(t, clean.with(rubbish).differs(dump(t, dst)), "without being confirmed")
	rep = thin(t, dst, opt)
	assert.EqualValues(t, len(rubbish), rep.Leftovers.Segments)
	assert.Empty(t, clean.differs(dump(t, dst)))
}

// TestPruneIncompleteYoung: what a run has left a moment ago is for the next one.
func TestPruneIncompleteYoung(t *testing.T) {
	dst := memory(t)
	src := remote(t, fixture.Unpack(t, generations[0]))
	_, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	f := fault.New(dst, fault.Options{})
	f.Inject(fault.Rule{N: 60, Dead: true})
	_, err = dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, generations[1])), ""), f, dbsync.BackupOptions{})
	require.ErrorIs(t, err, fault.ErrInjected)
	before := dump(t, dst)
	rep := thin(t, dst, dbsync.PruneOptions{Incomplete: true, OlderThan: 24 * time.Hour})
	assert.Zero(t, rep.Leftovers)
	assert.Empty(t, before.differs(dump(t, dst)))
}

// TestPruneOpened: somebody has opened the mirror and written to it. What their
// database needs stays, although no point has it.
func TestPruneOpened(t *testing.T) {
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 4, Entities: 20, BranchingFactor: 6})
	require.NoError(t, err)
	dst := local(t)
	_, err = dbsync.Backup(quick(), source(remote(t, dir), ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	require.NoError(t, db.Transact(5))
	_, err = dbsync.Backup(quick(), source(remote(t, dir), ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	ids := complete(t, dst)
	require.NoError(t, db.Transact(7))
	theirs := dumpDir(t, dir)
	for name, data := range theirs {
		write(t, dst, "store/"+name, data)
	}
	thin(t, dst, dbsync.PruneOptions{Keep: ids[:1]})
	assert.Equal(t, ids[:1], complete(t, dst))
	reached, missing := reachIn("", dump(t, dst).below("store"))
	assert.Empty(t, missing)
	assert.NotEmpty(t, reached)
	thin(t, dst, dbsync.PruneOptions{Incomplete: true, Dialect: datahike.New("")})
	_, missing = reachIn("", dump(t, dst).below("store"))
	assert.Empty(t, missing)
	_, err = dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: ids[0], Deep: true, Dialect: datahike.New("")})
	require.NoError(t, err)
}

// TestPruneRefuses: doubt removes nothing.
func TestPruneRefuses(t *testing.T) {
	dst, points, _ := fourPoints(t, dbsync.BackupOptions{})
	img := dump(t, dst)
	for what, harm := range map[string]func(image){
		"manifest": func(i image) { i["snapshots/"+points[0]+"/manifest.edn"] = []byte("{:x") },
		"newer":    func(i image) { i["snapshots/"+points[1]+"/manifest.edn"] = []byte("{:format/version 99}") },
		"list":     func(i image) { i["snapshots/"+points[0]+"/added-0001.zst"] = []byte("no list") },
		"no list":  func(i image) { delete(i, "snapshots/"+points[1]+"/added-0001.zst") },
		"parent":   func(i image) { delete(i, "snapshots/"+points[0]+"/manifest.edn") },
	} {
		t.Run(what, func(t *testing.T) {
			harmed := img.with(nil)
			harm(harmed)
			for _, opt := range []dbsync.PruneOptions{{Policy: last(1)}, {Incomplete: true}} {
				if what == "parent" && opt.Incomplete {
					continue // it takes every list into account, whoever builds on it
				}
				held, drop := holding(t, memory, harmed)
				opt.Confirm, opt.Dialect = true, datahike.New("")
				_, err := dbsync.Prune(quick(), held, opt)
				require.Error(t, err)
				assert.Empty(t, harmed.differs(dump(t, held)))
				drop()
			}
		})
	}
	_, err := dbsync.Prune(quick(), dst, dbsync.PruneOptions{Confirm: true})
	require.ErrorIs(t, err, dbsync.ErrNoPolicy)
	_, err = dbsync.Prune(quick(), dst, dbsync.PruneOptions{Undo: points[0]})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.Empty(t, img.differs(dump(t, dst)))
}
