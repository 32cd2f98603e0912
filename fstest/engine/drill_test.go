package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// drilled drills and checks that nothing is left of the copy, nor changed at
// the destination.
func drilled(ctx context.Context, t testing.TB, dst, scratch fs.Fs, opt dbsync.DrillOptions) (*dbsync.DrillReport, error) {
	t.Helper()
	before := dump(t, dst)
	opt.Scratch = scratch
	rep, err := dbsync.Drill(ctx, dst, opt)
	if scratch != nil {
		assert.Empty(t, dumpAny(t, scratch), "the copy is still there")
	}
	assert.Empty(t, before.differs(dump(t, dst)))
	return rep, err
}

// dumpAny is dump where the directory need not be there.
func dumpAny(t testing.TB, f fs.Fs) image {
	t.Helper()
	if _, err := f.List(context.Background(), ""); errors.Is(err, fs.ErrorDirNotFound) {
		return image{}
	}
	return dump(t, f)
}

// faultIDs are what the faults of a report are about.
func faultIDs(rep *dbsync.DrillReport) (ids []string) {
	for _, f := range rep.Faults {
		ids = append(ids, f.ID)
	}
	return ids
}

// TestDrillDatahike: the copy of what the real Datahike wrote has the datoms
// that Datahike reports, and so has the point where it lies.
func TestDrillDatahike(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			for layout, opt := range layouts() {
				drillReal(t, name, layout, opt)
			}
		})
	}
}

// layouts are options for each layout of a backup.
func layouts() map[string]dbsync.BackupOptions {
	return map[string]dbsync.BackupOptions{"native": {}, "chunked": squeezed(chunked(20 << 10))}
}

func drillReal(t *testing.T, name, layout string, opt dbsync.BackupOptions) {
	t.Run(layout, func(t *testing.T) {
		key, facts, dst := fixture.Key(name), fixture.Expected(t, name), memory(t)
		made, err := dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, name)), key), dst, opt)
		require.NoError(t, err)
		for _, scratch := range []fs.Fs{memory(t), remote(t, filepath.Join(scratch(t), "drill-x")), nil} {
			rep, err := drilled(quick(), t, dst, scratch, dbsync.DrillOptions{Dialect: datahike.New(key)})
			require.NoError(t, err, "%v", rep)
			assert.True(t, rep.Equal)
			assert.Equal(t, made.Point, rep.Point)
			assert.Equal(t, "datahike", rep.Kind)
			assert.Equal(t, scratch == nil, rep.InPlace)
			assert.Equal(t, made.Total.Segments, rep.RestoredSegments)
			assert.Equal(t, made.Total.Bytes, rep.RestoredBytes)
			assert.Equal(t, scratch != nil, rep.RestoreSeconds > 0)
			for branch, want := range facts.ByBranch {
				assert.Equal(t, want.DatomsCurrent, rep.Datoms[branch]["eavt"], branch)
				if got := rep.Digests[branch]; assert.NotNil(t, got.Digests, branch) {
					assert.Equal(t, want.CurrentSHA256, got.Current, branch)
					assert.Equal(t, want.HistorySHA256, got.History, branch)
				}
			}
		}
	})
}

// TestDrillDatomic: a point of ours, and each that Datomic alone has written.
func TestDrillDatomic(t *testing.T) {
	a := smallDatomic()
	for _, opt := range layouts() {
		dst := memory(t)
		made := mustKeep(t, shelved(a), dst, opt)
		for _, scratch := range []fs.Fs{memory(t), remote(t, filepath.Join(scratch(t), "drill-x")), nil} {
			rep, err := drilled(quick(), t, dst, scratch, dbsync.DrillOptions{})
			require.NoError(t, err)
			assert.True(t, rep.Equal)
			assert.Equal(t, made.Point, rep.Point)
			assert.Equal(t, "datomic", rep.Kind)
			assert.Equal(t, made.Total.Segments, rep.RestoredSegments)
			assert.Equal(t, made.Total.Bytes, rep.RestoredBytes)
		}
	}
	theirs := remote(t, fixture.DatomicBackup(t, "gen3"))
	for _, gen := range fixture.DatomicGens() {
		rep, err := drilled(quick(), t, theirs, memory(t), dbsync.DrillOptions{At: strconv.FormatInt(gen.T, 10)})
		require.NoError(t, err)
		assert.True(t, rep.Equal)
		assert.EqualValues(t, gen.Segments, rep.RestoredSegments)
		for _, byIndex := range rep.Datoms {
			assert.Equal(t, fixture.DatomicExpected(t, gen.T).LogDatoms, byIndex["log"])
		}
	}
}

// TestDrillDamagedBackup: a byte of a leaf is another one, and the lists are
// what they were.
func TestDrillDamagedBackup(t *testing.T) {
	a := smallDatomic()
	dst := memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	img := dump(t, dst)
	leaf := anyOf(t, a, graph.Leaf)
	damages["flipped at its middle"](img, segmentName(leaf))
	harmed, drop := holding(t, memory, img)
	defer drop()
	for _, scratch := range []fs.Fs{memory(t), nil} {
		rep, err := drilled(quick(), t, harmed, scratch, dbsync.DrillOptions{})
		require.ErrorIs(t, err, dbsync.ErrDrill)
		require.ErrorIs(t, err, graph.ErrCorrupt)
		assert.False(t, rep.Equal)
		require.Len(t, rep.Faults, 1)
		assert.Contains(t, rep.Faults[0].ID+rep.Faults[0].What, string(leaf))
	}
}

// liar is a remote on which one object is not what was written.
type liar struct {
	fs.Fs
	name string
	do   func([]byte) []byte // nil: it is not there
}

func (l liar) NewObject(ctx context.Context, remote string) (fs.Object, error) {
	o, err := l.Fs.NewObject(ctx, remote)
	if err != nil || remote != l.name {
		return o, err
	}
	if l.do == nil {
		return nil, fs.ErrorObjectNotFound
	}
	in, err := o.Open(ctx)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(in)
	return lie{o, l.do(data)}, errors.Join(err, in.Close())
}

type lie struct {
	fs.Object
	data []byte
}

func (l lie) Size() int64 { return int64(len(l.data)) }

func (l lie) Open(context.Context, ...fs.OpenOption) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.data)), nil
}

// TestDrillTamperedHeads: the heads and the set of branches are compared too.
func TestDrillTamperedHeads(t *testing.T) {
	dst := memory(t)
	_, err := dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, "h-gen1")), ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	for name := range heads(t, "h-gen1") {
		for _, do := range []func([]byte) []byte{nil, func(b []byte) []byte { return flipped(b, len(b)-1) }} {
			rep, err := drilled(quick(), t, dst, liar{fault.New(memory(t), fault.Options{}), name, do}, dbsync.DrillOptions{Dialect: datahike.New("")})
			require.ErrorIs(t, err, dbsync.ErrDrill)
			assert.Contains(t, faultIDs(rep), name)
		}
	}
}

// TestDrillTamperedCopy: whichever object of the copy is another one, or gone,
// is found, though the restore had no complaint.
func TestDrillTamperedCopy(t *testing.T) {
	a := smallDatomic()
	ours := memory(t)
	mustKeep(t, shelved(a), ours, dbsync.BackupOptions{})
	theirs, drop := holding(t, memory, native(t, a))
	defer drop()
	datahikes := map[string]fs.Fs{}
	for _, name := range []string{"h-gen1", "g-storeref", "j-fused"} {
		datahikes[name] = memory(t)
		_, err := dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, name)), ""), datahikes[name], dbsync.BackupOptions{})
		require.NoError(t, err)
	}
	for _, tc := range []struct {
		what string
		dst  fs.Fs
		id   func(name string) string
	}{
		{"datomic", ours, datomicName},
		{"h-gen1", datahikes["h-gen1"], filepath.Base},
		{"g-storeref", datahikes["g-storeref"], filepath.Base},
		{"j-fused", datahikes["j-fused"], filepath.Base},
	} {
		t.Run(tc.what, func(t *testing.T) {
			names := slices.Sorted(maps.Keys(restored(t, tc.dst, "")))
			for i := 0; i < len(names); i += max(len(names)/20, 1) { // some of every kind
				name := names[i]
				for how, do := range map[string]func([]byte) []byte{
					"gone": nil, "flipped": func(b []byte) []byte { return flipped(b, len(b)-1) },
				} {
					rep, err := drilled(quick(), t, tc.dst, liar{fault.New(memory(t), fault.Options{}), name, do}, dbsync.DrillOptions{Dialect: datahike.New("")})
					require.ErrorIs(t, err, dbsync.ErrDrill, "%s %s", name, how)
					assert.Contains(t, faultIDs(rep), tc.id(name), how)
					assert.False(t, rep.Equal)
				}
			}
		})
	}
	// What Datomic has written has no digests: a leaf that is gone is found.
	leaf := segmentName(anyOf(t, a, graph.Leaf))
	rep, err := drilled(quick(), t, theirs, liar{Fs: fault.New(memory(t), fault.Options{}), name: leaf}, dbsync.DrillOptions{})
	require.ErrorIs(t, err, dbsync.ErrDrill)
	assert.Equal(t, []string{datomicName(leaf)}, faultIDs(rep))
}

// datomicName is how faults name a file of Datomic's layout.
func datomicName(name string) string {
	if filepath.Dir(filepath.Dir(name)) == "values" {
		return filepath.Base(name)
	}
	return name
}

// generous is a remote that once lists an object more than was written.
type generous struct {
	fs.Fs
	name string // none once it was listed
}

func (g *generous) List(ctx context.Context, dir string) (fs.DirEntries, error) {
	entries, err := g.Fs.List(ctx, dir)
	if err == nil && g.name != "" && len(entries) > 0 {
		entries = append(entries, object.NewMemoryObject(g.name, time.Unix(0, 0), []byte("x")))
		g.name = ""
	}
	return entries, err
}

// TestDrillStrays: an object that the point does not list is found.
func TestDrillStrays(t *testing.T) {
	dst := memory(t)
	_, err := dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, "h-gen1")), ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	const stray = "0b5f8a52-0000-4000-8000-000000000000.ksv"
	scratch := &generous{fault.New(memory(t), fault.Options{}), stray}
	rep, err := drilled(quick(), t, dst, scratch, dbsync.DrillOptions{Dialect: datahike.New("")})
	require.ErrorIs(t, err, dbsync.ErrDrill)
	assert.Equal(t, []string{stray}, faultIDs(rep))
}

// TestDrillFails: what goes wrong on the scratch place is no fault of the
// backup, and the copy is removed all the same.
func TestDrillFails(t *testing.T) {
	a := smallDatomic()
	dst := memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	for n := 1; n <= 30; n += 7 {
		for _, mode := range []fault.Mode{fault.Before, fault.During, fault.After} {
			scratch := fault.New(memory(t), fault.Options{Partial: true})
			scratch.Inject(fault.Rule{N: n, Mode: mode, Match: func(c fault.Call) bool { return c.Op == fault.Put }})
			rep, err := drilled(quick(), t, dst, scratch, dbsync.DrillOptions{})
			require.NotNil(t, scratch.Tripped())
			require.ErrorIs(t, err, fault.ErrInjected)
			require.NotErrorIs(t, err, dbsync.ErrDrill)
			assert.False(t, rep.Equal)
			assert.NotEmpty(t, rep.Point)
		}
	}
}

// TestDrillCannotRemove: that says where the copy is.
func TestDrillCannotRemove(t *testing.T) {
	dst := memory(t)
	mustKeep(t, shelved(smallDatomic()), dst, dbsync.BackupOptions{})
	scratch := fault.New(memory(t), fault.Options{})
	scratch.Inject(fault.Rule{N: 3, Dead: true, Match: func(c fault.Call) bool { return c.Op == fault.Remove }})
	_, err := dbsync.Drill(quick(), dst, dbsync.DrillOptions{Scratch: scratch})
	require.ErrorContains(t, err, "could not be removed")
	assert.ErrorContains(t, err, scratch.Root())
}

// TestDrillStopped: a drill that is stopped removes its copy first.
func TestDrillStopped(t *testing.T) {
	dst := memory(t)
	mustKeep(t, shelved(smallDatomic()), dst, dbsync.BackupOptions{})
	for n := 1; n <= 30; n += 7 {
		ctx, cancel := context.WithCancel(quick())
		scratch := fault.New(memory(t), fault.Options{})
		puts := 0
		scratch.Inject(fault.Rule{N: 1, Match: func(c fault.Call) bool {
			if c.Op == fault.Put {
				puts++
			}
			if puts == n {
				cancel()
			}
			return false
		}})
		rep, err := drilled(ctx, t, dst, scratch, dbsync.DrillOptions{})
		require.ErrorIs(t, err, context.Canceled)
		assert.False(t, rep.Equal)
	}
}

// TestDrillMaxAge: an old point fails the drill, though it is whole.
func TestDrillMaxAge(t *testing.T) {
	dst := memory(t)
	mustKeep(t, shelved(smallDatomic()), dst, dbsync.BackupOptions{})
	_, err := drilled(quick(), t, dst, memory(t), dbsync.DrillOptions{MaxAge: time.Hour})
	require.NoError(t, err)
	for _, scratch := range []fs.Fs{memory(t), nil} {
		rep, err := drilled(quick(), t, dst, scratch, dbsync.DrillOptions{MaxAge: time.Nanosecond})
		require.ErrorIs(t, err, dbsync.ErrDrill)
		assert.True(t, rep.Equal)
		require.Len(t, rep.Faults, 1)
		assert.Contains(t, rep.Faults[0].What, "old")
	}
}

// TestDrillRefused: what is at the scratch place stays, and a dry run cannot
// restore.
func TestDrillRefused(t *testing.T) {
	dst := memory(t)
	mustKeep(t, shelved(smallDatomic()), dst, dbsync.BackupOptions{})
	taken := memory(t)
	write(t, taken, "mine", []byte("x"))
	_, err := dbsync.Drill(quick(), dst, dbsync.DrillOptions{Scratch: taken})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.Equal(t, image{"mine": []byte("x")}, dump(t, taken))
	before := dump(t, dst)
	_, err = dbsync.Drill(quick(), dst, dbsync.DrillOptions{Scratch: dst})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.Empty(t, before.differs(dump(t, dst)))
	ctx, ci := fs.AddConfig(quick())
	ci.DryRun = true
	_, err = dbsync.Drill(ctx, dst, dbsync.DrillOptions{Scratch: memory(t)})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	_, err = dbsync.Drill(quick(), dst, dbsync.DrillOptions{At: "t9", Scratch: memory(t)})
	require.ErrorIs(t, err, fs.ErrorObjectNotFound)
}
