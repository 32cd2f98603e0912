package dbsync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/diff"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// viewed is the database in a directory as it is now.
func viewed(t testing.TB, dir, key string, opt dbsync.ViewOptions) view.View {
	t.Helper()
	f, err := fs.NewFs(context.Background(), dir)
	require.NoError(t, err)
	src := dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New(key)}
	v, err := src.View(context.Background(), opt)
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// factText is a datom without its transaction.
func factText(t testing.TB, d datom.Datom) string {
	d.Tx, d.Added = 0, true
	text, err := datom.AppendText(nil, d)
	require.NoError(t, err)
	return string(text)
}

// factsOf are those of a value, with their transactions.
func factsOf(t testing.TB, v view.View) map[string]int64 {
	facts := map[string]int64{}
	require.NoError(t, v.Scan(context.Background(), datom.Query{}, func(d datom.Datom) error {
		facts[factText(t, d)] = d.Tx
		return nil
	}))
	return facts
}

// expected is what a comparison must tell: lines as "+ [e a v 0 true]".
func expected(t testing.TB, from, to view.View) (lines []string, renewed int64) {
	a, b := factsOf(t, from), factsOf(t, to)
	for f, tx := range a {
		if was, ok := b[f]; !ok {
			lines = append(lines, "- "+f)
		} else if was != tx {
			renewed++
		}
	}
	for f := range b {
		if _, ok := a[f]; !ok {
			lines = append(lines, "+ "+f)
		}
	}
	slices.Sort(lines)
	return lines, renewed
}

// checkDiff compares two values both ways with what expected tells.
func checkDiff(t testing.TB, from, to view.View) (changes int) {
	t.Helper()
	for range 2 {
		var lines []string
		last := int64(-1 << 62)
		rep, err := dbsync.Diff(context.Background(), from, to, func(c diff.Change) error {
			sign := "- "
			if c.Added {
				sign = "+ "
			}
			assert.LessOrEqual(t, last, c.E, "changes are in the order of entities")
			last = c.E
			lines = append(lines, sign+factText(t, c.Datom))
			return nil
		})
		require.NoError(t, err)
		slices.Sort(lines)
		want, renewed := expected(t, from, to)
		require.Equal(t, want, lines)
		assert.Equal(t, renewed, rep.Renewed)
		assert.EqualValues(t, len(lines), rep.Added+rep.Retracted)
		var added, retracted int64
		for _, a := range rep.Attributes {
			added, retracted = added+a.Added, retracted+a.Retracted
		}
		assert.Equal(t, []int64{rep.Added, rep.Retracted}, []int64{added, retracted})
		assert.Equal(t, rep.Added, int64(strings.Count(strings.Join(lines, "\n"), "+ [")))
		changes = len(lines)
		from, to = to, from
	}
	return changes
}

// TestDiffAgainstAll compares the values of random databases with what reading
// all of them tells: with edits pending in inner nodes, roots in records,
// branches, and content hashes.
func TestDiffAgainstAll(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i, o := range []sample.Options{
		{}, {DiffBuffer: 20}, {DiffBuffer: 200}, {FuseRoots: true}, {FuseRoots: true, DiffBuffer: 30}, {CryptoHash: true}, {OnlineGC: true}, {NoHistory: true},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			o.Seed, o.Entities, o.BranchingFactor = r.Uint64(), 1+r.IntN(120), 4+r.IntN(20)
			dir := t.TempDir()
			db, err := sample.Create(dir, o)
			require.NoError(t, err)
			values := []view.View{viewed(t, dir, "", dbsync.ViewOptions{})}
			require.NoError(t, db.Branch(":side", ":db"))
			for range 4 {
				for range 1 + r.IntN(3) {
					require.NoError(t, db.Transact(1+r.IntN(20)))
					require.NoError(t, db.OnBranch(":side").Transact(1+r.IntN(5)))
				}
				if o.OnlineGC { // what an older head had is not there any more
					values = nil
				}
				values = append(values, viewed(t, dir, "", dbsync.ViewOptions{}), viewed(t, dir, "", dbsync.ViewOptions{Branch: ":side"}))
			}
			for range 8 {
				checkDiff(t, values[r.IntN(len(values))], values[r.IntN(len(values))])
			}
		})
	}
}

// TestDiffFixtures compares stores that the real Datahike wrote.
func TestDiffFixtures(t *testing.T) {
	open := func(name string, opt dbsync.ViewOptions) view.View {
		return viewed(t, fixture.Unpack(t, name), fixture.Key(name), opt)
	}
	assert.Positive(t, checkDiff(t, open("h-gen1", dbsync.ViewOptions{}), open("h-gen3", dbsync.ViewOptions{})))
	assert.Zero(t, checkDiff(t, open("h-gen3", dbsync.ViewOptions{}), open("h-gen4", dbsync.ViewOptions{})))
	branches := fixture.Expected(t, "e-branches").ByBranch
	require.Greater(t, len(branches), 1)
	for name := range branches {
		checkDiff(t, open("e-branches", dbsync.ViewOptions{}), open("e-branches", dbsync.ViewOptions{Branch: name}))
	}
	for _, name := range []string{"k-diffbuf", "j-fused", "i-attrrefs"} { // with what they were, by their history
		now := open(name, dbsync.ViewOptions{})
		past := open(name, dbsync.ViewOptions{At: fmt.Sprint(now.Info().T / 2)})
		assert.Positive(t, checkDiff(t, past, now), name)
		checkDiff(t, now, open("a-default", dbsync.ViewOptions{})) // another database
	}
}

// TestDiffReads: what is read of two values is what only one has, however large
// they are.
func TestDiffReads(t *testing.T) {
	dir := t.TempDir()
	db, err := sample.Create(dir, sample.Options{Seed: 1, Entities: 8000, BranchingFactor: 64})
	require.NoError(t, err)
	from := viewed(t, dir, "", dbsync.ViewOptions{})
	require.NoError(t, db.Transact(10))
	to := viewed(t, dir, "", dbsync.ViewOptions{})
	var reads atomic.Int64
	for _, v := range []view.View{from, to} {
		d, ok := view.As[*view.DatahikeView](v)
		require.True(t, ok)
		get := d.Reader().Get
		d.Reader().Get = func(ctx context.Context, id graph.ID, buf []byte) ([]byte, error) {
			reads.Add(1)
			return get(ctx, id, buf)
		}
	}
	rep, err := dbsync.Diff(context.Background(), from, to, nil)
	require.NoError(t, err)
	t.Logf("%d reads for %d changes of %d datoms", reads.Load(), rep.Added+rep.Retracted, to.Info().Datoms)
	assert.Positive(t, rep.Added)
	assert.Greater(t, to.Info().Datoms, int64(90_000)) // in leaves of 64 at most
	assert.Less(t, reads.Load(), int64(100))
	assert.NotZero(t, checkDiff(t, from, to))
}

// TestDiffDamaged: whichever segment cannot be read, nothing is told as if the
// rest were all.
func TestDiffDamaged(t *testing.T) {
	dir := t.TempDir()
	db, err := sample.Create(dir, sample.Options{Seed: 1, Entities: 50, BranchingFactor: 8, DiffBuffer: 10})
	require.NoError(t, err)
	from := viewed(t, dir, "", dbsync.ViewOptions{})
	require.NoError(t, db.Transact(5))
	to := viewed(t, dir, "", dbsync.ViewOptions{})
	var reads, bad atomic.Int64
	for _, v := range []view.View{from, to} {
		d, ok := view.As[*view.DatahikeView](v)
		require.True(t, ok)
		get := d.Reader().Get
		d.Reader().Get = func(ctx context.Context, id graph.ID, buf []byte) ([]byte, error) {
			if reads.Add(1) == bad.Load() {
				return nil, graph.ErrNotFound
			}
			return get(ctx, id, buf)
		}
	}
	_, err = dbsync.Diff(context.Background(), from, to, nil)
	require.NoError(t, err)
	all := reads.Load()
	require.Greater(t, all, int64(5))
	for n := range all {
		reads.Store(0)
		bad.Store(n + 1)
		_, err = dbsync.Diff(context.Background(), from, to, func(diff.Change) error {
			assert.Fail(t, "a change was told")
			return nil
		})
		require.ErrorIs(t, err, graph.ErrNotFound)
		require.ErrorContains(t, err, ".ksv")
	}
}
