package e2e

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
)

// writing is Datomic at work.
type writing struct {
	news          chan int64 // where the database is, if anybody listens
	done          atomic.Int64
	stop, stopped chan struct{}
}

// keepWriting lets Datomic transact and index without a pause until end.
func keepWriting(t *testing.T, db judge.Database) *writing {
	t.Helper()
	j, w := judge.Start(t), &writing{news: make(chan int64), stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(w.stopped)
		for i := 0; ; i++ {
			more, err := j.More(t.Context(), db, 3, i%2 == 0)
			if !assert.NoError(t, err) {
				close(w.news)
				return
			}
			w.done.Add(1)
			select {
			case w.news <- more.T:
			case <-w.stop:
				return
			default:
			}
		}
	}()
	return w
}

// next waits until Datomic has written once more.
func (w *writing) next(t *testing.T) int64 {
	t.Helper()
	at, ok := <-w.news
	require.True(t, ok, "Datomic has failed")
	return at
}

func (w *writing) end() { close(w.stop); <-w.stopped }

// TestDatomicIsWrittenToMeanwhile makes points of a database that is never at
// rest. Each of them is a moment that Datomic has had.
func TestDatomicIsWrittenToMeanwhile(t *testing.T) {
	u := newUser(t)
	ctx, j := t.Context(), judge.Start(t)
	shop := u.shop(dbserver.Postgres(t), "pace = 3ms")
	made, err := j.Make(ctx, shop, 1500)
	require.NoError(t, err)
	dest := u.path("backup")
	w := keepWriting(t, shop)
	tries := 0
	for meanwhile := 0; meanwhile < 3; tries++ {
		require.Less(t, tries, 15, "Datomic does not write while a backup runs")
		before := w.next(t)
		done := w.done.Load()
		var rep backupReport
		u.report(&rep, "backup", "shop:", dest)
		if w.done.Load() > done {
			meanwhile++
		}
		after := w.next(t)
		ts := u.points(dest)
		assert.GreaterOrEqual(t, ts[len(ts)-1], before)
		assert.LessOrEqual(t, ts[len(ts)-1], after)
	}
	w.end()
	u.ok("backup", "shop:", dest)
	content, err := j.Content(ctx, shop)
	require.NoError(t, err)
	facts := u.sound(dest)
	require.Len(t, facts, tries+1)
	assert.Equal(t, content, facts[0].Restored)
	for _, f := range facts {
		assert.Equal(t, made.DatabaseID, f.Restored.DatabaseID)
	}
}

// TestDatomicsEngineGoesOn lets Datomic and us take turns at one backup: begun
// by the one or by the other, and with what an interrupted run of ours leaves.
func TestDatomicsEngineGoesOn(t *testing.T) {
	for _, first := range []string{"ours", "Datomic's"} {
		t.Run(first, func(t *testing.T) {
			u := newUser(t)
			ctx, j := t.Context(), judge.Start(t)
			shop := u.shop(dbserver.Postgres(t))
			made, err := j.Make(ctx, shop, 400)
			require.NoError(t, err)
			dest, ts := u.path("backup"), []int64{made.T}
			for turn := range 4 {
				if turn > 0 {
					more, err := j.More(ctx, shop, 3, turn < 3) // the last has a tail
					require.NoError(t, err)
					ts = append(ts, more.T)
				}
				if (first == "ours") == (turn%2 == 0) {
					u.ok("backup", "shop:", dest)
					continue
				}
				if turn < 3 { // leaves something under inflight/
					u.fails(8, "max transfer limit", "backup", "shop:", dest, "--max-transfer", "1k")
				}
				_, err := j.EngineBackup(ctx, shop, dest, true)
				require.NoError(t, err)
			}
			assert.Equal(t, ts, u.points(dest))
			var points []pointReport
			u.report(&points, "backups", dest)
			content, err := j.Content(ctx, shop)
			require.NoError(t, err)
			facts := u.sound(dest)
			assert.Equal(t, content, facts[0].Restored)
			found, err := j.Backups(ctx, dest)
			require.NoError(t, err)
			assert.Len(t, found.Ts, 4)
			for i, p := range points {
				assert.Equal(t, ts[i], p.T)
				assert.Equal(t, (first == "ours") == (i%2 == 1), p.Native, p.ID)
			}
		})
	}
}

// TestDatomicGarbageIsCollected backs up before and after a collection: every
// point stays whole, whatever the storage no longer has.
func TestDatomicGarbageIsCollected(t *testing.T) {
	u := newUser(t)
	ctx, j := t.Context(), judge.Start(t)
	shop := u.shop(dbserver.MariaDB(t))
	_, err := j.Make(ctx, shop, 400)
	require.NoError(t, err)
	dest := u.path("backup")
	u.ok("backup", "shop:", dest)
	_, err = j.More(ctx, shop, 3, true)
	require.NoError(t, err)
	deleted, err := j.GC(ctx, shop)
	require.NoError(t, err)
	assert.Positive(t, deleted)
	var rep backupReport
	u.report(&rep, "backup", "shop:", dest)
	assert.Positive(t, rep.Released.Segments)
	content, err := j.Content(ctx, shop)
	require.NoError(t, err)
	facts := u.sound(dest)
	require.Len(t, facts, 2)
	assert.Equal(t, content, facts[0].Restored)
}

// TestDatomicNames: a database is known by its id. Under another name it goes
// on; another database under its name is refused.
func TestDatomicNames(t *testing.T) {
	u := newUser(t)
	ctx, j := t.Context(), judge.Start(t)
	shop := u.shop(dbserver.SQLite(t), "database = shop")
	_, err := j.Make(ctx, shop, 20)
	require.NoError(t, err)
	dest := u.path("backup")
	u.ok("backup", "shop:", dest)

	require.NoError(t, j.Rename(ctx, shop, "store"))
	u.fails(4, `there is no database "shop", but "store"`, "backup", "shop:", dest)
	store := judge.Database{JDBC: shop.JDBC, Name: "store"}
	more, err := j.More(ctx, store, 1, false)
	require.NoError(t, err)
	u.ok("backup", "shop,database=store:", dest)
	u.ok("backup", "shop,database="+more.DatabaseID+":", dest)
	facts := u.sound(dest)
	require.Len(t, facts, 2)
	assert.Equal(t, more.T, facts[0].T)

	require.NoError(t, j.Rename(ctx, store, "shop"))
	require.NoError(t, j.Delete(ctx, shop))
	u.fails(4, "was deleted", "backup", "shop:", dest)
	u.ok("backup", "shop,database="+more.DatabaseID+":", dest)
	second, err := j.Make(ctx, shop, 20)
	require.NoError(t, err)
	before := u.tree(dest)
	o := u.fails(6, "which was deleted", "backup", "shop:", dest)
	assert.Contains(t, o.stderr, more.DatabaseID)
	assert.Contains(t, o.stderr, second.DatabaseID)
	assert.Equal(t, before, u.tree(dest))

	u.ok("restore", dest, "shop:", "--as", "first")
	catalog, err := j.Catalog(ctx, shop)
	require.NoError(t, err)
	assert.Equal(t, judge.Catalog{Names: map[string]string{"first": more.DatabaseID, "shop": second.DatabaseID}, Deleted: []string{}}, catalog)
}
