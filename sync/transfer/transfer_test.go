package transfer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// journal records what is acknowledged, in order, among other events.
type journal struct {
	mu     sync.Mutex
	events []string
	has    map[graph.ID]graph.Entry
	reach  map[graph.ID]graph.Entry
	fail   error
}

func (j *journal) log(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, fmt.Sprintf(format, args...))
}

func (j *journal) Has(id graph.ID) (graph.Entry, bool, error) {
	e, ok := j.has[id]
	return e, ok, nil
}

func (j *journal) Recall(context.Context, graph.ID) (graph.Entry, bool, error) {
	return graph.Entry{}, false, nil
}

func (j *journal) Ack(_ context.Context, e graph.Entry) error {
	j.log("ack %s", e.ID)
	j.Reach(e)
	return j.fail
}

func (j *journal) Reach(e graph.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reach == nil {
		j.reach = map[graph.ID]graph.Entry{}
	}
	j.reach[e.ID] = e
}

// bench is a batch's target over a remote whose writes are recorded.
func bench(t *testing.T, f fs.Fs, j *journal) transfer.Target {
	return transfer.Target{
		Copier: transfer.NewCopier(f, f, time.Unix(1_700_000_000, 0)), Journal: j, Workers: 3,
		Remote: func(id graph.ID) string { return "store/" + string(id) },
	}
}

// recorded wraps a remote so that its writes are among the journal's events.
func recorded(t *testing.T, j *journal) *fault.Fs {
	f := fault.New(memory(t), fault.Options{})
	f.Inject(fault.Rule{N: 1 << 30, Match: func(c fault.Call) bool {
		if c.Op == fault.Put || c.Op == fault.Update {
			j.log("put %s", strings.TrimPrefix(c.Path, "store/"))
		}
		return false
	}})
	return f
}

func memory(t *testing.T) fs.Fs {
	f, err := fs.NewFs(t.Context(), ":memory:"+strings.ReplaceAll(t.Name(), "/", "-"))
	require.NoError(t, err)
	require.NoError(t, f.Mkdir(t.Context(), ""))
	return f
}

func local(t *testing.T) fs.Fs {
	f, err := fs.NewFs(t.Context(), t.TempDir())
	require.NoError(t, err)
	return f
}

func ref(level graph.Level, n int) graph.Ref {
	return graph.Ref{ID: graph.ID(fmt.Sprintf("%s.%d", level, n)), Level: level}
}

func read(t *testing.T, f fs.Fs, remote string) (string, bool) {
	t.Helper()
	o, err := f.NewObject(t.Context(), remote)
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return "", false
	}
	require.NoError(t, err)
	in, err := o.Open(t.Context())
	require.NoError(t, err)
	b, err := io.ReadAll(in)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	return string(b), true
}

// TestOrder: no node is written before everything below it in the batch was
// acknowledged, whatever the order in which the walk meets them.
func TestOrder(t *testing.T) {
	j := &journal{}
	tg := bench(t, recorded(t, j), j)
	b := tg.NewBatch(t.Context())
	var refs []graph.Ref
	for level := graph.Schema; level <= 4; level++ {
		if level == graph.Root {
			continue
		}
		for n := range 12 {
			refs = append(refs, ref(level, n))
		}
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	rnd.Shuffle(len(refs), func(i, k int) { refs[i], refs[k] = refs[k], refs[i] })
	for _, r := range refs {
		require.NoError(t, b.Visit(t.Context(), r, []byte(r.ID)))
	}
	require.NoError(t, b.Flush(t.Context()))
	require.NoError(t, tg.Record(t.Context(), "commit", []byte("commit")))

	acked := map[graph.Level]int{}
	for _, e := range j.events {
		what, id, _ := strings.Cut(e, " ")
		if id == "commit" {
			continue
		}
		level, err := graph.ParseLevel(id[:strings.Index(id, ".")])
		require.NoError(t, err)
		if what == "ack" {
			acked[level]++
			continue
		}
		for below := graph.Leaf; below < level; below++ {
			require.Equal(t, 12, acked[below], "%s before level %s was there", id, below)
		}
		if level > graph.Leaf {
			require.Equal(t, 12, acked[graph.Schema], "%s before the schema blobs", id)
		}
	}
	assert.Equal(t, []string{"put commit", "ack commit"}, j.events[len(j.events)-2:])
	assert.Len(t, j.events, 2*len(refs)+2)
	assert.Len(t, j.reach, len(refs)+1)
	for _, r := range refs {
		assert.Equal(t, graph.Entry{Ref: r, Size: int64(len(r.ID)), SHA256: sha256.Sum256([]byte(r.ID))}, j.reach[r.ID])
	}
	assert.Equal(t, int64(len(refs)+1), tg.Copier.Writes())
}

// TestHadIsNotWritten: what the journal has is reached, at the level at which
// it was met, and neither written nor acknowledged again.
func TestHadIsNotWritten(t *testing.T) {
	for _, level := range []graph.Level{graph.Schema, graph.Leaf, 3} {
		r := ref(level, 1)
		j := &journal{has: map[graph.ID]graph.Entry{r.ID: {Ref: graph.Ref{ID: r.ID}, Size: 7}}}
		b := bench(t, recorded(t, j), j).NewBatch(t.Context())
		require.NoError(t, b.Visit(t.Context(), r, nil))
		require.NoError(t, b.Flush(t.Context()))
		assert.Empty(t, j.events)
		assert.Equal(t, graph.Entry{Ref: r, Size: 7}, j.reach[r.ID])
	}
	j := &journal{has: map[graph.ID]graph.Entry{"c": {Ref: graph.Ref{ID: "c"}, Size: 7}}}
	require.NoError(t, bench(t, recorded(t, j), j).Record(t.Context(), "c", []byte("c")))
	assert.Empty(t, j.events)
	assert.Equal(t, graph.Commit, j.reach["c"].Level)
}

// TestNothingAboveAFailure: when a node cannot be written, nothing above it
// is, and the batch ends with that error, however it is ended.
func TestNothingAboveAFailure(t *testing.T) {
	broken := fserrors.NoRetryError(errors.New("broken"))
	for _, bad := range []graph.Ref{ref(0, 3), ref(1, 2), ref(2, 1)} {
		for _, end := range []string{"flush", "abandon"} {
			if end == "abandon" && bad.Level > graph.Leaf {
				continue // inner nodes are not written then
			}
			t.Run(string(bad.ID)+" "+end, func(t *testing.T) {
				j := &journal{}
				f := fault.New(memory(t), fault.Options{})
				f.Inject(fault.Rule{N: 1, Match: fault.On(fault.Put, "store/"+string(bad.ID)), Err: broken})
				b := bench(t, f, j).NewBatch(t.Context())
				var err error
				for level := graph.Level(3); level >= 0 && err == nil; level-- {
					for n := 0; n < 5 && err == nil; n++ {
						err = b.Visit(t.Context(), ref(level, n), []byte("data"))
					}
				}
				if end == "flush" {
					err = b.Flush(t.Context())
				} else {
					err = b.Abandon()
				}
				require.ErrorIs(t, err, broken)
				for _, e := range j.events {
					level, err := graph.ParseLevel(e[len("ack "):strings.Index(e, ".")])
					require.NoError(t, err)
					assert.LessOrEqual(t, level, bad.Level, e)
				}
				assert.NotContains(t, j.reach, bad.ID)
			})
		}
	}
}

// TestAckError: a journal that cannot note a write ends the batch.
func TestAckError(t *testing.T) {
	j := &journal{fail: errors.New("full")}
	b := bench(t, local(t), j).NewBatch(t.Context())
	err := b.Visit(t.Context(), ref(0, 1), []byte("x"))
	require.ErrorIs(t, errors.Join(err, b.Flush(t.Context())), j.fail)
}

// TestBytesInFlight: more bytes than the bound pass through in turn, and one
// segment that is larger than the bound does too.
func TestBytesInFlight(t *testing.T) {
	j := &journal{}
	b := bench(t, memory(t), j).NewBatch(t.Context())
	big := make([]byte, 65<<20)
	for n := range 3 {
		require.NoError(t, b.Visit(t.Context(), ref(0, n), big))
	}
	require.NoError(t, b.Flush(t.Context()))
	assert.Len(t, j.events, 3)
}

func TestVisitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	own := errors.New("own")
	j := &journal{}
	b := bench(t, local(t), j).NewBatch(ctx)
	cancel(own)
	err := b.Visit(ctx, ref(0, 1), []byte("x"))
	require.ErrorIs(t, errors.Join(err, b.Abandon()), own)
	assert.Empty(t, j.events)
}

// flagged is a context with some flags set and statistics of its own.
func flagged(t *testing.T, set func(ci *fs.ConfigInfo)) context.Context {
	ctx, ci := fs.AddConfig(t.Context())
	set(ci)
	return accounting.WithStatsGroup(ctx, t.Name())
}

// both runs a test over a local disk, which has a way of its own, and over
// another remote.
func both(t *testing.T, do func(t *testing.T, f fs.Fs)) {
	t.Run("local", func(t *testing.T) { do(t, local(t)) })
	t.Run("memory", func(t *testing.T) { do(t, memory(t)) })
}

func TestWrites(t *testing.T) {
	both(t, func(t *testing.T, f fs.Fs) {
		ctx := flagged(t, func(*fs.ConfigInfo) {})
		c := transfer.NewCopier(f, f, time.Now())
		for _, data := range []string{"", "one", "two, over one", "x"} {
			require.NoError(t, c.Segment(ctx, "store/deep/a", []byte(data)))
			got, _ := read(t, f, "store/deep/a")
			assert.Equal(t, data, got)
			require.NoError(t, c.Replace(ctx, "head", []byte(data)))
			got, _ = read(t, f, "head")
			assert.Equal(t, data, got)
		}
		assert.Equal(t, int64(8), c.Writes())
		assert.Equal(t, int64(8), accounting.Stats(ctx).GetTransfers())
		assert.Equal(t, int64(2*(3+13+1)), accounting.Stats(ctx).GetBytes())
		entries, err := f.List(ctx, "")
		require.NoError(t, err)
		assert.Len(t, entries, 2, "nothing is left beside what was written: %v", entries)
	})
}

// TestStatistics: a batch is counted as if each segment were a transfer of its
// own, at the latest when it ends, however that is.
func TestStatistics(t *testing.T) {
	both(t, func(t *testing.T, f fs.Fs) {
		for _, end := range []string{"flush", "abandon"} {
			ctx := accounting.WithStatsGroup(t.Context(), t.Name()+end)
			b := bench(t, f, &journal{}).NewBatch(ctx)
			for n := range 150 {
				require.NoError(t, b.Visit(ctx, ref(0, n), []byte("leaf")))
			}
			if end == "flush" {
				require.NoError(t, b.Visit(ctx, ref(1, 1), []byte("inner")))
				require.NoError(t, b.Flush(ctx))
			} else {
				require.NoError(t, b.Abandon())
			}
			stats, err := accounting.Stats(ctx).RemoteStats(false)
			require.NoError(t, err)
			want := map[string]int64{"flush": 151, "abandon": 150}[end]
			assert.Equal(t, want, stats["transfers"])
			assert.Equal(t, want, stats["totalTransfers"])
			assert.Equal(t, 4*want+want-150, stats["bytes"])
			assert.NotContains(t, stats, "transferring")
		}
	})
}

// TestLocalWays: a segment gets to a local disk whole, and over a torn one
// too, whichever way its size and --bwlimit-file choose.
func TestLocalWays(t *testing.T) {
	for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1} {
		for _, limit := range []fs.BwTimetable{nil, {{Bandwidth: fs.BwPair{Tx: 1 << 40, Rx: 1 << 40}}}} {
			f := local(t)
			ctx := flagged(t, func(ci *fs.ConfigInfo) { ci.BwLimitFile = limit })
			c := transfer.NewCopier(f, f, time.Now())
			data := bytes.Repeat([]byte("x"), size)
			for _, torn := range []bool{false, true} {
				if torn {
					require.NoError(t, os.WriteFile(filepath.Join(f.Root(), "a"), []byte("torn"), 0o600))
				}
				require.NoError(t, c.Segment(ctx, "a", data))
				got, _ := read(t, f, "a")
				assert.Equal(t, string(data), got)
			}
			entries, err := os.ReadDir(f.Root())
			require.NoError(t, err)
			assert.Len(t, entries, 1)
		}
	}
}

func TestImmutable(t *testing.T) {
	both(t, func(t *testing.T, f fs.Fs) {
		ctx := flagged(t, func(ci *fs.ConfigInfo) { ci.Immutable = true })
		c := transfer.NewCopier(f, f, time.Now())
		require.NoError(t, c.Segment(ctx, "a", []byte("same")))
		require.NoError(t, c.Segment(ctx, "a", []byte("same")))
		assert.Equal(t, int64(1), accounting.Stats(ctx).GetTransfers(), "what is equal is not written again")
		for _, other := range []string{"diff", "sam", "same and more", ""} {
			require.ErrorIs(t, c.Segment(ctx, "a", []byte(other)), fs.ErrorImmutableModified)
		}
		got, _ := read(t, f, "a")
		assert.Equal(t, "same", got)
	})
}

func TestDryRun(t *testing.T) {
	both(t, func(t *testing.T, f fs.Fs) {
		ctx := flagged(t, func(ci *fs.ConfigInfo) { ci.DryRun = true })
		j := &journal{}
		b := bench(t, f, j).NewBatch(ctx)
		require.NoError(t, b.Visit(ctx, ref(0, 1), []byte("leaf")))
		require.NoError(t, b.Visit(ctx, ref(1, 1), []byte("inner")))
		require.NoError(t, b.Flush(ctx))
		require.NoError(t, transfer.NewCopier(f, f, time.Now()).Replace(ctx, "head", []byte("x")))
		entries, err := f.List(ctx, "")
		require.NoError(t, err)
		assert.Empty(t, entries)
		assert.Len(t, j.reach, 2, "what would be reached is told all the same")
	})
}

// TestMaxTransfer: of writes of 100 bytes, how many fit into 150.
func TestMaxTransfer(t *testing.T) {
	for _, tc := range []struct {
		mode  fs.CutoffMode
		wrote int
		want  error
	}{
		{fs.CutoffModeHard, 1, accounting.ErrorMaxTransferLimitReachedFatal},
		{fs.CutoffModeSoft, 2, accounting.ErrorMaxTransferLimitReachedGraceful},
		{fs.CutoffModeCautious, 1, accounting.ErrorMaxTransferLimitReachedGraceful},
	} {
		t.Run(fmt.Sprint(tc.mode), func(t *testing.T) {
			f := local(t)
			ctx := flagged(t, func(ci *fs.ConfigInfo) { ci.MaxTransfer, ci.CutoffMode = 150, tc.mode })
			c := transfer.NewCopier(f, f, time.Now())
			wrote := 0
			var err error
			for n := 0; n < 5 && err == nil; n++ {
				if err = c.Segment(ctx, fmt.Sprint(n), bytes.Repeat([]byte("x"), 100)); err == nil {
					wrote++
				}
			}
			require.ErrorIs(t, err, tc.want)
			assert.Equal(t, tc.wrote, wrote)
			require.NoError(t, c.Replace(ctx, "note", []byte("what was sent must be noted")))
		})
	}
}

// TestReplaceIsAtomic: at no time does a reader see half of a head. A remote
// with partial uploads gets another name first, of the kind that konserve
// skips, and a failure leaves the old bytes.
func TestReplaceIsAtomic(t *testing.T) {
	for _, mode := range []fault.Mode{fault.Before, fault.During} {
		base := local(t)
		f := fault.New(base, fault.Options{Partial: true})
		c := transfer.NewCopier(f, f, time.Now())
		ctx := flagged(t, func(ci *fs.ConfigInfo) { ci.LowLevelRetries = 1 })
		require.NoError(t, c.Replace(ctx, "head.ksv", []byte("old")))
		var names []string
		f.Inject(fault.Rule{N: 1, Mode: mode, Match: func(call fault.Call) bool {
			write := call.Op == fault.Put || call.Op == fault.Update
			if write {
				names = append(names, call.Path)
			}
			return write
		}})
		require.Error(t, c.Replace(ctx, "head.ksv", []byte("newer")))
		got, _ := read(t, base, "head.ksv")
		assert.Equal(t, "old", got)
		for _, n := range names {
			assert.Equal(t, ".new", filepath.Ext(n))
		}
	}
}

// TestLocalFailure: an error is told and counted once, and nothing is left
// behind.
func TestLocalFailure(t *testing.T) {
	f := local(t)
	ctx := flagged(t, func(ci *fs.ConfigInfo) { ci.LowLevelRetries = 2 })
	c := transfer.NewCopier(f, f, time.Now())
	require.NoError(t, c.Segment(ctx, "file", []byte("x")))
	require.Error(t, c.Segment(ctx, "file/below", []byte("y")), "a file is no directory")
	assert.Equal(t, int64(1), accounting.Stats(ctx).GetErrors())
	entries, err := f.List(ctx, "")
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

func TestSyncToDisk(t *testing.T) {
	require.NoError(t, transfer.SyncToDisk(memory(t)))
	f := local(t)
	require.NoError(t, transfer.SyncToDisk(f))
	gone, err := fs.NewFs(t.Context(), filepath.Join(f.Root(), "not", "yet"))
	require.NoError(t, err)
	require.NoError(t, transfer.SyncToDisk(gone), "nothing was written yet")
}
