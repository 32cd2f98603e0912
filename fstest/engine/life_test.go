package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// life is a database, its backups and a copy of these, to which everything
// happens that happens in years.
type life struct {
	*rand.Rand
	t   *testing.T
	log []string
	// had is how many points each place had.
	had map[string]int
	db  *sample.DB
	src fs.Fs
	// backups and copies are the places, and what fails of them.
	backups, copies             fs.Fs
	faultyBackups, faultyCopies *fault.Fs
	layout, copyLayout          string
}

// arm makes a call fail that changes the place, or none.
func (l *life) arm(f *fault.Fs) bool {
	f.Heal()
	if l.IntN(2) == 0 {
		return false
	}
	f.Inject(fault.Rule{N: 1 + l.IntN(120), Dead: l.IntN(3) > 0, Mode: fault.Mode(l.IntN(3)), Match: func(c fault.Call) bool {
		return c.Op != fault.Open && c.Op != fault.List && c.Op != fault.NewObject
	}})
	return true
}

// did takes note of a step. It may fail where a call has.
func (l *life) did(what string, f *fault.Fs, armed bool, err error) {
	trip := f.Tripped()
	f.Heal()
	l.log = append(l.log, fmt.Sprintf("%s armed=%v trip=%v err=%v", what, armed, trip, err))
	if err != nil && trip == nil {
		if errors.Is(err, dbsync.ErrRefused) {
			return
		}
		l.fail("%s failed without a fault: %v", what, err)
	}
}

func (l *life) fail(f string, a ...any) {
	for _, line := range l.log {
		l.t.Log(line)
	}
	l.t.Fatalf(f, a...)
}

// check reads every point that is listed.
func (l *life) check(dst fs.Fs, what string) {
	now := len(listedAt(l.t, dst))
	if l.had[what] > 0 && now == 0 {
		l.fail("%s: all points are gone", what)
	}
	l.had[what] = now
	for _, id := range listedAt(l.t, dst) {
		rep, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: id, Deep: true, Dialect: datahike.New("")})
		if err != nil {
			l.fail("%s: point %s: %v %+v", what, id, err, rep)
		}
	}
}

// step does something.
func (l *life) step() {
	d := datahike.New("")
	switch k := l.IntN(14); {
	case k < 3:
		require.NoError(l.t, l.db.Transact(1+l.IntN(5)))
		l.log = append(l.log, "transact")
	case k == 3:
		require.NoError(l.t, l.db.GC(l.IntN(2) == 0))
		l.log = append(l.log, "gc")
	case k < 8:
		a := l.arm(l.faultyBackups)
		_, err := dbsync.Backup(quick(), source(l.src, ""), l.faultyBackups, dbsync.BackupOptions{Layout: l.layout, Packing: l.packing(l.layout), Repair: l.IntN(4) == 0, Accept: []string{"moved-heads"}})
		l.did("backup", l.faultyBackups, a, err)
	case k < 10:
		a := l.arm(l.faultyBackups)
		opt := dbsync.PruneOptions{Confirm: true, Dialect: d, Policy: last(1 + l.IntN(3)), MaxDead: []float64{0, 50, 100}[l.IntN(3)], Grace: []time.Duration{0, time.Hour}[l.IntN(2)]}
		_, err := dbsync.Prune(quick(), l.faultyBackups, opt)
		l.did(fmt.Sprintf("prune %v %v %v", opt.Policy.Last, opt.Grace, opt.MaxDead), l.faultyBackups, a, err)
	case k == 10:
		ps, err := dbsync.ParkedPoints(quick(), l.backups)
		require.NoError(l.t, err)
		for _, p := range ps {
			if !p.Going {
				a := l.arm(l.faultyBackups)
				_, err := dbsync.Prune(quick(), l.faultyBackups, dbsync.PruneOptions{Undo: p.ID, Dialect: d})
				l.did("undo "+p.ID, l.faultyBackups, a, err)
				break
			}
		}
	case k == 11:
		a := l.arm(l.faultyBackups)
		_, err := dbsync.Prune(quick(), l.faultyBackups, dbsync.PruneOptions{Confirm: true, Incomplete: true, Dialect: d})
		l.did("tidy", l.faultyBackups, a, err)
	case k == 12:
		if len(listedAt(l.t, l.backups)) == 0 {
			return
		}
		a := l.arm(l.faultyCopies)
		_, err := dbsync.CopyBackup(quick(), l.backups, l.faultyCopies, dbsync.CopyOptions{Layout: l.copyLayout, Packing: l.packing(l.copyLayout), Repair: l.IntN(3) == 0})
		l.did("copy", l.faultyCopies, a, err)
	case k == 13:
		if len(listedAt(l.t, l.copies)) == 0 {
			return
		}
		a := l.arm(l.faultyCopies)
		_, err := dbsync.Prune(quick(), l.faultyCopies, dbsync.PruneOptions{Confirm: true, Dialect: d, Policy: last(1 + l.IntN(3)), Grace: []time.Duration{0, time.Hour}[l.IntN(2)]})
		l.did("prune copy", l.faultyCopies, a, err)
	}
	l.check(l.backups, "backups")
	l.check(l.copies, "copies")
}

// TestLife: whatever is done to a place in whatever order, and whatever fails of
// it, every point that is listed is whole.
func TestLife(t *testing.T) {
	const lives = 12

	for seed := range uint64(lives) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := begin(t, seed)
			for range 25 {
				l.step()
			}
			pruned, err := dbsync.ParkedPoints(quick(), l.backups)
			require.NoError(t, err)
			for _, p := range pruned {
				if !p.Going {
					_, err := dbsync.Prune(quick(), l.backups, dbsync.PruneOptions{Undo: p.ID})
					require.NoError(t, err)
				}
			}
			l.check(l.backups, "backups")
		})
	}
}

// begin makes a database and its first backup.
func begin(t *testing.T, seed uint64) *life {
	r := rand.New(rand.NewPCG(seed, 77))
	l := &life{had: map[string]int{}, Rand: r, t: t, backups: memory(t), copies: memory(t)}
	l.layout, l.copyLayout = bothLayouts[r.IntN(2)], bothLayouts[r.IntN(2)]
	partial := r.IntN(2) == 0
	l.faultyBackups, l.faultyCopies = fault.New(l.backups, fault.Options{Partial: partial}), fault.New(l.copies, fault.Options{Partial: partial})
	dir := scratch(t)
	var err error
	l.db, err = sample.Create(dir, sample.Options{
		Seed: seed, Entities: r.IntN(20), BranchingFactor: 4 + r.IntN(8),
		NoHistory: r.IntN(2) == 0, CryptoHash: r.IntN(2) == 0, StoreRefs: r.IntN(2) == 0, NoCommitGraph: r.IntN(6) == 0,
	})
	require.NoError(t, err)
	l.src = remote(t, dir)
	l.log = append(l.log, l.layout, l.copyLayout)
	_, err = dbsync.Backup(quick(), source(l.src, ""), l.backups, dbsync.BackupOptions{Layout: l.layout, Packing: l.packing(l.layout)})
	require.NoError(t, err)
	return l
}

// listedAt are the points that there are, if there are any.
func listedAt(t *testing.T, dst fs.Fs) []string {
	t.Helper()
	_, err := dbsync.Points(quick(), dst)
	if errors.Is(err, fs.ErrorObjectNotFound) {
		return nil
	}
	return complete(t, dst)
}

func (l *life) packing(layout string) (p snapshot.Packing) {
	if layout == dbsync.LayoutChunked {
		p.Size = 4096 << l.IntN(3)
	}
	return p
}
