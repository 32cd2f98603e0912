package snapshot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// left makes an unfinished run: its notes and perhaps its lease.
func (g *ground) left(notes map[string][]byte, lease *Lease) string {
	g.now = g.now.Add(time.Minute)
	id := newRunID(g.now)
	for name, b := range notes {
		g.put(runName(id, name), b)
	}
	if lease != nil {
		b, err := edn.Marshal(lease)
		require.NoError(g.t, err)
		g.put(runName(id, leaseName), b)
	}
	return id
}

func packed(t *testing.T, ids ...string) []byte {
	var lines []string
	for _, id := range ids {
		lines = append(lines, graph.FormatEntry(entry(id)))
	}
	b, err := pack(lines)
	require.NoError(t, err)
	return b
}

// TestResume: what earlier runs have noted counts as written; a note that is
// damaged, and objects that are none, do not.
func TestResume(t *testing.T) {
	g := newGround(t)
	whole := packed(t, "e", "f", "g")
	bad, err := pack([]string{"../../x\t0\t1\t" + fmt.Sprintf("%064d", 0)})
	require.NoError(t, err)
	g.left(map[string][]byte{"000001.zst": packed(t, "a", "b"), "000002.zst": packed(t, "b", "c")}, nil)
	g.left(map[string][]byte{"000001.zst": packed(t, "d"), "other": []byte("x")}, nil)
	g.left(map[string][]byte{"000001.zst": whole[:len(whole)-3]}, nil)
	g.left(map[string][]byte{"000001.zst": bad}, nil)
	r, err := g.begin(t.Context())
	require.NoError(t, err)
	defer r.End(t.Context())
	assert.Equal(t, int64(4), r.Resumed())
	for _, id := range []graph.ID{"a", "b", "c", "d"} {
		e, ok, err := r.Has(id)
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, entry(string(id)), e)
	}
	for _, id := range []graph.ID{"e", "f", "g", "../../x", "x"} {
		_, ok, err := r.Has(id)
		require.NoError(t, err)
		assert.False(t, ok, id)
	}
}

// TestNotes: what was acknowledged is found by the next run, however this
// one ends; once there is a point, nothing is left of any.
func TestNotes(t *testing.T) {
	g := newGround(t)
	r, err := g.begin(t.Context())
	require.NoError(t, err)
	for i := range noteSegments + 5 {
		require.NoError(t, r.Ack(t.Context(), entry(fmt.Sprintf("s%05d", i))))
	}
	assert.Equal(t, []string{"000001.zst", "lease.edn"}, g.names("inflight/"+r.ID), "written down after so many")
	g.now = g.now.Add(noteAfter)
	require.NoError(t, r.Ack(t.Context(), entry("late")))
	assert.Contains(t, g.names("inflight/"+r.ID), "000002.zst", "and after so long")
	require.NoError(t, r.Ack(t.Context(), entry("last")))
	r.End(t.Context())
	assert.Equal(t, []string{"000001.zst", "000002.zst", "000003.zst"}, g.names("inflight/"+r.ID), "and at the end")

	g.now = g.now.Add(time.Second)
	next, err := g.begin(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(noteSegments+7), next.Resumed())
	torn := NewID(g.now, "ffffffff")
	g.put(pointName(torn, headsDir, "head.ksv"), []byte("x"))
	g.put(pointName(torn, "added-0001.zst"), []byte("x"))
	next.Tidy(t.Context(), []string{torn})
	next.End(t.Context())
	assert.Empty(t, g.names("inflight"))
	assert.Empty(t, g.names("snapshots"))
}

// TestReached: a segment that a walk meets twice is listed once.
func TestReached(t *testing.T) {
	g := newGround(t)
	r, err := g.begin(t.Context())
	require.NoError(t, err)
	defer r.End(t.Context())
	for _, id := range []string{"b", "a", "b"} {
		r.Reach(entry(id))
	}
	other := entry("b")
	other.Level = 3
	r.Reach(other)
	var got []string
	for line, err := range r.Reached() {
		require.NoError(t, err)
		got = append(got, lineID(line))
	}
	assert.Equal(t, []string{"a", "b"}, got)
}

// TestRecall: a segment of an earlier point counts only if it is still there.
func TestRecall(t *testing.T) {
	g := newGround(t)
	one := g.point(nil, []string{"a", "b"}, nil)
	g.point(one, nil, []string{"a", "b"})
	g.put(StoreDir+"/a", make([]byte, 10))
	g.put(StoreDir+"/stray", make([]byte, 10))
	r, err := g.begin(t.Context())
	require.NoError(t, err)
	defer r.End(t.Context())
	_, ok, err := r.Recall(t.Context(), "gone")
	require.NoError(t, err)
	assert.False(t, ok)
	assert.False(t, r.Recalled(), "what is not there needs no lists")
	for id, want := range map[graph.ID]bool{"a": true, "b": false, "stray": false} {
		_, ok, err := r.Recall(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, want, ok, id)
	}
	assert.True(t, r.Recalled())
}

func TestDryRunWritesNothing(t *testing.T) {
	g := newGround(t)
	ctx, ci := fs.AddConfig(t.Context())
	ci.DryRun = true
	g.left(map[string][]byte{"000001.zst": packed(t, "a")}, nil)
	had := g.names("inflight")
	r, err := g.begin(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(1), r.Resumed())
	require.NoError(t, r.Ack(ctx, entry("b")))
	r.Tidy(ctx, nil)
	r.End(ctx)
	assert.Equal(t, had, g.names("inflight"))
}

// TestLease: a live run keeps others out, and only a live one.
func TestLease(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	live := func(g *ground) *Lease {
		return &Lease{Run: "r", Host: "elsewhere", PID: 1, Started: g.now, Expires: g.now.Add(time.Hour)}
	}
	for name, tc := range map[string]struct {
		change  func(l *Lease)
		refused bool
	}{
		"another host":         {func(*Lease) {}, true},
		"another host, lapsed": {func(l *Lease) { l.Expires = l.Started }, false},
		"a process of ours":    {func(l *Lease) { l.Host, l.Space, l.PID = host, ProcessSpace(), os.Getppid() }, true},
		"our own id, reborn":   {func(l *Lease) { l.Host, l.Space, l.PID = host, ProcessSpace(), os.Getpid() }, ProcessSpace() == ""},
		"another container":    {func(l *Lease) { l.Host, l.Space, l.PID = host, "another", os.Getpid() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			l := live(g)
			tc.change(l)
			id := g.left(nil, l)
			r, err := g.begin(t.Context())
			if !tc.refused {
				require.NoError(t, err)
				r.End(t.Context())
				return
			}
			require.ErrorIs(t, err, ErrLeased)
			assert.ErrorContains(t, err, l.Host)
			assert.Equal(t, []string{id}, g.names("inflight"), "who is refused takes its own lease back")
		})
	}
}

// TestUnreadableLeases: a lease that cannot be read may be a live run's; the
// error names the object that is in the way.
func TestUnreadableLeases(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty": {}, "torn": []byte("{:run \"x\" :ho"), "of another kind": []byte("[1]"), "too large": make([]byte, maxLease+1),
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			id := g.left(map[string][]byte{leaseName: b}, nil)
			_, err := g.begin(t.Context())
			require.ErrorContains(t, err, runName(id, leaseName))
			assert.Equal(t, []string{id}, g.names("inflight"))
		})
	}
}

// TestTwoRunsOfOneProcess see each other.
func TestTwoRunsOfOneProcess(t *testing.T) {
	g := newGround(t)
	r, err := g.begin(t.Context())
	require.NoError(t, err)
	_, err = g.begin(t.Context())
	require.ErrorIs(t, err, ErrLeased)
	assert.FileExists(t, filepath.Join(g.dir, "inflight", r.ID, leaseName))
	r.End(t.Context())
	r, err = g.begin(t.Context())
	require.NoError(t, err)
	r.End(t.Context())
	assert.Empty(t, g.names("inflight"))
}

// TestEndAfterCancel: the lease is given back and the notes are written also
// when the run's context has ended.
func TestEndAfterCancel(t *testing.T) {
	g := newGround(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := g.begin(ctx)
	require.NoError(t, err)
	require.NoError(t, r.Ack(ctx, entry("a")))
	cancel()
	r.End(ctx)
	assert.Equal(t, []string{"000001.zst"}, g.names("inflight/"+r.ID))
}
