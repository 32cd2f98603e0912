package engine

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/retain"
)

// TestPruneModel plays random histories of a database, with backups, and prunes
// by random policies that crash and are run again or not, in between. Every
// point that is listed restores to what it was.
func TestPruneModel(t *testing.T) {
	t.Parallel() // with the others that take a fixed time
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	n := uint64(0)
	for end := time.Now().Add(*models); n == 0 || time.Now().Before(end); n++ {
		ok := t.Run(fmt.Sprintf("seed=%d", first+n), func(t *testing.T) { playPruned(t, first+n) })
		if !ok {
			t.Fatalf("repeat it with -seed %d", first+n)
		}
	}
	t.Logf("%d histories", n)
}

func playPruned(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	m := &model{Rand: r, branches: []string{":db"}, points: map[string]image{}, dst: memory(t)}
	m.datoms, m.hidden = map[string]map[string]map[string]string{}, map[string][]string{}
	m.opt = sample.Options{
		Seed: seed, Entities: r.IntN(20), BranchingFactor: 4 + r.IntN(8), NoHistory: r.IntN(2) == 0,
		CryptoHash: r.IntN(2) == 0, StoreRefs: r.IntN(2) == 0, NoCommitGraph: r.IntN(6) == 0,
	}
	if r.IntN(2) == 0 {
		m.as = chunked(smallest << r.IntN(8))
		m.as.Packing.Compress = r.IntN(3) == 0
	}
	dir := scratch(t)
	var err error
	m.db, err = sample.Create(dir, m.opt)
	require.NoError(t, err)
	m.src = remote(t, dir)
	for range 6 {
		for range 1 + r.IntN(4) {
			m.step(t)
		}
		m.backup(t)
		for range r.IntN(3) {
			m.prune(t)
		}
	}
	// At last all that waits goes as well, and nothing is left of it.
	rep := thin(t, m.dst, dbsync.PruneOptions{Policy: last(1)})
	m.gone(rep)
	m.look(t, true)
	assert.Len(t, m.order, 1)
	if slices.ContainsFunc(rep.Points, func(p dbsync.PrunedPoint) bool { return !p.Keep && p.Until.After(time.Now()) }) {
		return // some still has its hour
	}
	needed := manifest(t, m.dst, m.order[0])
	if m.as.Layout != "" {
		checkTidied(t, m.dst)
		require.NoError(t, purge(m.dst))
		return
	}
	store := dump(t, m.dst).below("store")
	assert.LessOrEqual(t, int64(len(store)), needed.Total.Segments+int64(m.made)+2, "segments and heads")
	require.NoError(t, purge(m.dst))
}

// prune runs once, perhaps crashes, and perhaps brings a point back.
func (m *model) prune(t *testing.T) {
	t.Helper()
	opt := dbsync.PruneOptions{Confirm: true, Dialect: datahike.New(""), Policy: retain.Policy{Last: retain.Count(1 + m.IntN(4))}}
	for _, p := range m.order {
		if m.IntN(4) == 0 {
			opt.Keep = append(opt.Keep, p)
		}
	}
	opt.Grace = []time.Duration{0, 1, time.Hour}[m.IntN(3)]
	opt.MaxDead = []float64{0, 10, 50, 100}[m.IntN(4)]
	if m.as.Layout != "" && len(opt.Keep) > 0 && m.IntN(3) == 0 {
		opt.Policy.Last = 0 // even the newest can go
	}
	m.foretell(t, opt)
	if m.IntN(2) == 0 {
		f := fault.New(m.dst, fault.Options{Partial: m.IntN(2) == 0})
		f.Inject(fault.Rule{N: 1 + m.IntN(150), Mode: fault.Mode(m.IntN(3)), Dead: m.IntN(2) == 0})
		if _, err := dbsync.Prune(quick(), f, opt); err != nil {
			require.ErrorIs(t, err, fault.ErrInjected)
		}
		there := complete(t, m.dst)
		m.order = slices.DeleteFunc(m.order, func(p string) bool { return !slices.Contains(there, p) })
		m.look(t, false)
		m.forgetRuns(t)
		if m.IntN(2) == 0 {
			return // the next backup finds it so
		}
		opt.Keep = slices.DeleteFunc(opt.Keep, func(p string) bool { return !slices.Contains(m.order, p) })
		if len(opt.Keep) == 0 {
			opt.Policy = last(1)
		}
	}
	rep, err := dbsync.Prune(quick(), m.dst, opt)
	require.NoError(t, err)
	m.gone(rep)
	if m.IntN(2) == 0 {
		m.bringBack(t)
	}
	m.look(t, true)
}

// bringBack undoes the pruning of some points that wait, perhaps for long.
func (m *model) bringBack(t *testing.T) {
	t.Helper()
	parked, err := dbsync.ParkedPoints(quick(), m.dst)
	require.NoError(t, err)
	for _, p := range parked {
		if !p.Going && m.IntN(2) == 0 {
			thin(t, m.dst, dbsync.PruneOptions{Undo: p.ID})
			m.order = append(m.order, p.ID)
		}
	}
	slices.Sort(m.order)
	m.reset, m.cut = true, true // the next backup may build on another point
}

// foretell checks what a prune says that it would free, where nothing but points
// counts.
func (m *model) foretell(t *testing.T, opt dbsync.PruneOptions) {
	t.Helper()
	for name, data := range dump(t, m.dst) {
		if strings.Contains("/"+name, "/inflight/") || strings.Contains(string(data), ":pruned/going") {
			return
		}
	}
	freesExactly(t, m.dst, opt)
}

// gone forgets the points that a prune did not keep.
func (m *model) gone(rep *dbsync.PruneReport) {
	for i, p := range rep.Points {
		if !p.Keep {
			if i == len(rep.Points)-1 { // the next backup builds on an older one
				m.reset, m.cut = true, true
			}
			m.order = slices.DeleteFunc(m.order, func(id string) bool { return id == p.ID })
		}
	}
}

// look restores every point that is listed.
func (m *model) look(t *testing.T, deep bool) {
	t.Helper()
	require.Equal(t, m.order, complete(t, m.dst))
	for _, p := range m.order {
		m.restore(t, p)
		if deep {
			v, err := dbsync.Verify(quick(), m.dst, dbsync.VerifyOptions{At: p, Deep: true, Dialect: datahike.New("")})
			require.NoError(t, err, "%+v", v)
		}
	}
	if m.as.Layout == "" {
		_, missing := reachIn("", dump(t, m.dst).below("store"))
		require.Empty(t, missing, "the mirror")
	}
}

// checkTidied removes what interrupted runs have left, and looks whether anything
// else is there than what the points need.
func checkTidied(t *testing.T, dst fs.Fs) {
	t.Helper()
	thin(t, dst, dbsync.PruneOptions{Incomplete: true})
	soundChunks(t, dst, nil)
	img := dump(t, dst)
	for name := range img {
		assert.NotContains(t, name, "/inflight/")
		assert.NotEqual(t, "checkpoint.edn", path.Base(name))
		assert.Contains(t, []string{".edn", ".zst", ".zip", ".marker"}, path.Ext(name))
	}
}

// forgetRuns removes the leases of the dead, which are listed like points if the
// next backup has nothing to do.
func (m *model) forgetRuns(t *testing.T) {
	t.Helper()
	for name := range dump(t, m.dst) {
		if strings.HasSuffix(name, "/lease.edn") {
			o, err := m.dst.NewObject(quick(), name)
			require.NoError(t, err)
			require.NoError(t, o.Remove(quick()))
		}
	}
}
