package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// backedUp is a destination with a point for each generation.
func backedUp(t *testing.T) (dst fs.Fs, points []string) {
	t.Helper()
	src := local(t)
	dst = memory(t)
	for _, name := range generations {
		become(t, src, fixture.Unpack(t, name))
		rep, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
		require.NoError(t, err)
		points = append(points, rep.Point)
	}
	return dst, points
}

// TestCrashRestore makes every call to the target of a restore fail once, and
// resumes.
func TestCrashRestore(t *testing.T) {
	dst, points := backedUp(t)
	at := points[1] // the one with two branches
	want := restored(t, dst, at)
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			f := fault.New(end.empty(t), end.opt)
			last := lastOf(f, isCopy)
			_, err := dbsync.Restore(quick(), dst, f, dbsync.RestoreOptions{At: at})
			require.NoError(t, err)
			for _, way := range end.ways {
				crashes := 0
				for n := 1; ; crashes++ {
					call := crashRestore(t, dst, at, end.empty, end.opt, fault.Rule{N: n, Mode: way.mode, Dead: way.dead}, want)
					if call == nil {
						break
					}
					n = next(n, isCopy(*call), *last)
				}
				t.Logf("%d crashes %v, dead=%v", crashes, way.mode, way.dead)
			}
		})
	}
}

// isCopy: a restore writes a segment.
func isCopy(c fault.Call) bool {
	name, _, torn := strings.Cut(c.Path, ".ksv.")
	return c.Op == fault.Put && !torn && strings.HasSuffix(name, ".ksv") && !isHead[name]
}

// crashRestore interrupts a restore and returns the call at which it did.
func crashRestore(t *testing.T, dst fs.Fs, at string, empty func(testing.TB) fs.Fs, opt fault.Options, rule fault.Rule, want image) *fault.Call {
	t.Helper()
	target := empty(t)
	f := fault.New(target, opt)
	f.Inject(rule)
	_, err := dbsync.Restore(quick(), dst, f, dbsync.RestoreOptions{At: at})
	call := f.Tripped()
	if call == nil {
		require.NoError(t, err)
		return nil
	}
	ok := t.Run(fmt.Sprintf("%v %v dead=%v", call, rule.Mode, rule.Dead), func(t *testing.T) {
		half := dump(t, target)
		if half[keywordName(keywordOf(":branches"))] != nil {
			_, missing := reachIn("", half)
			assert.Empty(t, missing, "it can be opened and is not whole")
		}
		if err != nil && len(want.differs(half)) > 0 {
			_, err = dbsync.Restore(quick(), dst, target, dbsync.RestoreOptions{At: at})
			require.NoError(t, err, "the restore is resumed")
		}
		assert.Empty(t, want.differs(dump(t, target)), "and nothing is left over")
	})
	require.NoError(t, purge(target))
	if !ok {
		t.FailNow()
	}
	return call
}

// TestHealed: what a low-level retry puts right is neither a failure of the
// run nor an error in its statistics.
func TestHealed(t *testing.T) {
	src := local(t)
	become(t, src, fixture.Unpack(t, "h-gen1"))
	first := memory(t)
	_, err := dbsync.Backup(quick(), source(src, ""), first, dbsync.BackupOptions{})
	require.NoError(t, err)
	become(t, src, fixture.Unpack(t, "h-gen2"))
	before := dump(t, first)
	for _, match := range []func(fault.Call) bool{
		fault.On(fault.Put, "store/"), fault.On(fault.Put, "inflight/"),
		fault.On(fault.Put, "snapshots/"), fault.On(fault.Open, "store/"), fault.On(fault.Open, "snapshots/"),
	} {
		for _, mode := range []fault.Mode{fault.Before, fault.After, fault.During} {
			ctx, ci := fs.AddConfig(quick())
			ci.LowLevelRetries = 3
			dst, drop := holding(t, memory, before)
			f := fault.New(dst, fault.Options{Partial: true})
			f.Inject(fault.Rule{N: 1, Mode: mode, Match: match})
			_, err := dbsync.Backup(ctx, source(src, ""), f, dbsync.BackupOptions{})
			require.NotNil(t, f.Tripped())
			require.NoError(t, err, "%v %v", f.Tripped(), mode)
			assert.Zero(t, accounting.Stats(ctx).GetErrors(), "%v %v", f.Tripped(), mode)
			assert.False(t, accounting.Stats(ctx).HadRetryError())
			drop()
		}
	}
}
