package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

var (
	seed   = flag.Uint64("seed", 0, "seed of the first random history (0: another each time)")
	models = flag.Duration("models", 10*time.Second, "how long to try random histories")
)

// TestModel plays random histories of a database, with backups that crash and
// are run again, and restores points of any age.
func TestModel(t *testing.T) {
	t.Parallel() // with the other one that takes a fixed time
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	n := uint64(0)
	for end := time.Now().Add(*models); n == 0 || time.Now().Before(end); n++ {
		ok := t.Run(fmt.Sprintf("seed=%d", first+n), func(t *testing.T) { play(t, first+n) })
		if !ok {
			t.Fatalf("repeat it with -seed %d", first+n)
		}
	}
	t.Logf("%d histories", n)
}

// model is a database, its backups, and what they must restore to.
type model struct {
	*rand.Rand
	db       *sample.DB
	opt      sample.Options
	src, dst fs.Fs
	branches []string
	made     int // branches ever: a name is not used twice
	points   map[string]image
	datoms   map[string]map[string]map[string]string // digests by point, branch and index
	// hidden are objects, by point, that the database has no need of and the
	// point may have still; see wanted.
	hidden map[string][]string
	order  []string
	reset  bool // a branch has been set back since the last point
	cut    bool // commits were collected since
	// as is how backups are made.
	as dbsync.BackupOptions
}

func play(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &model{Rand: r, branches: []string{":db"}, points: map[string]image{}, dst: memory(t)}
	m.datoms, m.hidden = map[string]map[string]map[string]string{}, map[string][]string{}
	m.opt = sample.Options{
		Seed: seed, Entities: r.IntN(30), BranchingFactor: 4 + r.IntN(8),
		NoHistory: r.IntN(2) == 0, CryptoHash: r.IntN(2) == 0,
		StoreRefs: r.IntN(2) == 0, FuseRoots: r.IntN(4) == 0, NoCommitGraph: r.IntN(6) == 0,
	}
	if !m.opt.CryptoHash && r.IntN(2) == 0 {
		m.opt.DiffBuffer = 1 + r.IntN(8)
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
		m.restoreAny(t)
	}
	for _, p := range m.order {
		v, err := dbsync.Verify(quick(), m.dst, dbsync.VerifyOptions{At: p, Deep: true, Dialect: datahike.New("")})
		require.NoError(t, err, "%+v", v)
		m.restore(t, p)
	}
	require.NoError(t, purge(m.dst))
}

// step changes the database.
func (m *model) step(t *testing.T) {
	t.Helper()
	on := m.branches[m.IntN(len(m.branches))]
	var err error
	switch m.IntN(12) {
	default:
		err = m.db.OnBranch(on).Transact(1 + m.IntN(6))
	case 0:
		m.made++
		name := fmt.Sprintf(":b%d", m.made)
		m.branches = append(m.branches, name)
		err = m.db.Branch(name, on)
	case 1:
		if i := m.IntN(len(m.branches)); i > 0 {
			err = m.db.DeleteBranch(m.branches[i])
			m.branches = append(m.branches[:i:i], m.branches[i+1:]...)
		}
	case 2:
		history := m.IntN(2) == 0
		m.cut = m.cut || !history
		err = m.db.GC(history)
	case 3:
		m.made++
		err = m.db.OnBranch(on).Declare(fmt.Sprintf("attr%d", m.made))
	case 4:
		var moved bool
		moved, err = m.db.OnBranch(on).Reset(1 + m.IntN(3))
		m.reset = m.reset || moved
	case 5:
		if len(m.db.Absent()) > 0 {
			_, err = m.db.Arrive(m.IntN(3000))
		}
	}
	require.NoError(t, err)
}

// backup crashes a few times at random calls, then goes through.
func (m *model) backup(t *testing.T) {
	t.Helper()
	want, hidden := m.wanted(t)
	opt := m.as
	if m.reset {
		opt.Accept = []string{dbsync.AcceptDiverged}
	}
	for range m.IntN(3) {
		f := fault.New(m.dst, fault.Options{Partial: m.IntN(2) == 0})
		f.Inject(fault.Rule{N: 1 + m.IntN(60), Mode: fault.Mode(m.IntN(3)), Dead: m.IntN(2) == 0})
		_, err := dbsync.Backup(quick(), source(m.src, ""), f, opt)
		if err != nil {
			require.ErrorIs(t, err, fault.ErrInjected)
		}
		if len(m.order) > 0 && m.as.Layout == "" {
			_, missing := reachIn("", dump(t, m.dst).below("store"))
			require.Empty(t, missing, "the mirror after %v", f.Tripped())
		}
	}
	rep, err := dbsync.Backup(quick(), source(m.src, ""), m.dst, opt)
	require.NoError(t, err)
	m.reset, m.cut = false, false
	if m.points[rep.Point] == nil {
		m.order = append(m.order, rep.Point)
	}
	m.points[rep.Point], m.hidden[rep.Point] = want, hidden
	m.datoms[rep.Point] = map[string]map[string]string{}
	for _, b := range m.branches {
		m.datoms[rep.Point][b], err = m.db.OnBranch(b).Digests()
		require.NoError(t, err)
	}
	points, err := dbsync.Points(quick(), m.dst)
	require.NoError(t, err)
	newest := points[len(points)-1]
	assert.Equal(t, rep.Point, newest.ID)
	total := newest.Total.Segments
	if m.as.Layout == dbsync.LayoutChunked { // what has come back lies there twice, and counts twice
		total = int64(len(spots(t, m.dst, rep.Point)))
		assert.LessOrEqual(t, total, newest.Total.Segments)
	}
	assert.InDelta(t, len(want)-len(m.branches)-1, total, float64(len(hidden)), "the count of segments")
}

// wanted is what a point of the database as it is now has to restore to: what
// Datahike's collection would keep.
//
// What is hidden may be more. Where inner nodes hold edits, a datom that is
// taken out lies in a leaf until that is written anew, and what it refers to
// counts. And a collection that leaves all tails of the point before is not
// noticed (DESIGN.md §6): then what it took is kept.
func (m *model) wanted(t *testing.T) (want image, hidden []string) {
	t.Helper()
	store := dumpDir(t, m.src.Root())
	want = image{}
	for _, name := range m.db.Reachable() {
		want[name] = store[name]
	}
	if m.opt.DiffBuffer > 0 {
		for _, name := range append(sortedKeys(wanted(t, "", store)), absentIn("", store)...) {
			if want[name] == nil {
				hidden = append(hidden, name)
			}
		}
	}
	if len(m.order) == 0 {
		return want, hidden
	}
	before := m.order[len(m.order)-1]
	for _, tail := range manifest(t, m.dst, before).Tails {
		if store[tail] == nil {
			return want, hidden
		}
	}
	hidden = append(hidden, m.hidden[before]...)
	for name := range m.points[before] {
		if m.cut && want[name] == nil {
			hidden = append(hidden, name)
		}
	}
	return want, hidden
}

func (m *model) restoreAny(t *testing.T) {
	t.Helper()
	m.restore(t, m.order[m.IntN(len(m.order))])
}

func (m *model) restore(t *testing.T, point string) {
	t.Helper()
	got := restored(t, m.dst, point)
	for _, name := range m.hidden[point] {
		if m.points[point][name] == nil {
			delete(got, name)
		}
	}
	require.Empty(t, m.values(t, m.points[point]).differs(m.values(t, got)), point)
	for branch, want := range m.datoms[point] {
		require.Equal(t, want, digests(t, got, branch), "%s at %s", branch, point)
	}
}

// values are the bytes of a store as points promise them. What is named after
// its content may be written anew by the database, with another time of
// writing beside the same value; a point keeps the bytes that it saw first.
func (m *model) values(t *testing.T, img image) image {
	t.Helper()
	plain := image{}
	for name, data := range img {
		blob, err := konserve.NewCodec("").Open(data)
		require.NoError(t, err)
		if m.opt.CryptoHash || blob.Meta.Type == konserve.TypeEDN && isSchema(blob.Value) {
			data = blob.Value
		}
		plain[name] = data
	}
	return plain
}

func isSchema(value []byte) bool {
	v, err := fressian.Decode(value)
	m, ok := v.(fressian.Map)
	_, has := m.Get("", "rschema")
	return err == nil && ok && has
}
