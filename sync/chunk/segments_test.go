package chunk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/operations"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

func TestGet(t *testing.T) {
	ctx := context.Background()
	for _, compress := range []bool{false, true} {
		p := newPlace(t, compress, mixed())
		s := p.segments()
		buf := make([]byte, 0, 4096)
		for _, sample := range mixed() {
			id := sample.e.ID
			if sample.e.Level == graph.Root {
				continue
			}
			data, err := s.Get(ctx, id)
			require.NoError(t, err)
			assert.Equal(t, string(sample.data), string(data))
			data, err = s.GetInto(ctx, id, buf)
			require.NoError(t, err)
			assert.Equal(t, string(sample.data), string(data))
			assert.Same(t, &buf[:1][0], &data[:1][0], "the buffer is used")
			size, err := s.Size(ctx, id)
			require.NoError(t, err)
			assert.Equal(t, sample.e.Size, size)
			size, sum, err := s.Sum(ctx, id)
			require.NoError(t, err)
			assert.Equal(t, sample.e.Size, size)
			assert.Equal(t, sample.e.SHA256, sum)
			assert.Equal(t, "store/"+string(id), s.Remote(id))
		}
		assert.Same(t, p.f, s.Fs())
		assert.Contains(t, s.String(), "chunks in ")
		assert.Equal(t, int64(p.requests()), s.Reads())
	}
}

// TestGetOwnsItsBytes: what a caller does to a segment another does not see.
func TestGetOwnsItsBytes(t *testing.T) {
	s := newPlace(t, false, mixed()).segments()
	first, err := s.Get(context.Background(), "noise")
	require.NoError(t, err)
	clear(first[:cap(first)])
	again, err := s.Get(context.Background(), "noise")
	require.NoError(t, err)
	assert.Equal(t, noise(1, 1000), again)
}

// TestBadPlaces: no list makes Segments read what is not in a chunk.
func TestBadPlaces(t *testing.T) {
	ctx := context.Background()
	p := newPlace(t, true, mixed())
	s := p.segments()
	size := p.infos["backup/0"].Size
	line := func(kind string, size int64, at string) string {
		return fmt.Sprintf("x\t%s\t%d\t%064x\t%s", kind, size, 1, at)
	}
	for name, test := range map[string]struct {
		line string
		is   error
	}{
		"no such chunk":      {line("0", 10, "backup/1:0:10"), graph.ErrCorrupt},
		"an object":          {fmt.Sprintf("x\t0\t10\t%064x", 1), graph.ErrCorrupt},
		"beyond the end":     {line("0", 10, fmt.Sprintf("backup/0:%d:10", size-9)), graph.ErrCorrupt},
		"far beyond the end": {line("0", 10, "backup/0:9223372036854775797:10"), graph.ErrCorrupt},
		"larger than stored": {line("0", 9, "backup/0:0:10"), graph.ErrCorrupt},
		"of no size":         {"x\t0\t-\t-\tbackup/0:0:10", graph.ErrCorrupt},
		"too large a bomb":   {line("0", store.MaxSize+1, "backup/0:0:10"), graph.ErrCorrupt},
		"a value as a bomb":  {line("v", store.MaxSize+1, "backup/0:0:10"), graph.ErrCorrupt},
		"no frame":           {line("0", 100, "backup/0:0:10"), graph.ErrCorrupt},
		"no line":            {"x", graph.ErrCorrupt},
		"another's line":     {p.lines["noise"], graph.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			p.lines["x"] = test.line
			_, err := s.Get(ctx, "x")
			require.ErrorIs(t, err, test.is)
			_, _, err = s.Sum(ctx, "x")
			require.ErrorIs(t, err, test.is)
		})
	}
	delete(p.lines, "x")
	for _, s := range []*Segments{s, NewSegments(p.f, "db", nil, p.infos, s.remote)} {
		_, err := s.Get(ctx, "x")
		require.ErrorIs(t, err, graph.ErrNotFound)
		_, err = s.Object(ctx, "x")
		require.ErrorIs(t, err, graph.ErrNotFound)
	}
	broken := errors.New("disk")
	s.find = func(graph.ID) (string, bool, error) { return "", false, broken }
	_, err := s.Size(ctx, "x")
	require.ErrorIs(t, err, broken)
}

// TestBombs: a frame has the size that the list says, or is refused.
func TestBombs(t *testing.T) {
	p := newPlace(t, true, mixed())
	e, err := graph.ParseEntry(p.lines["text"])
	require.NoError(t, err)
	right := e.Size
	for _, size := range []int64{right - 1, right + 1, e.At.Stored + 1, 1 << 20} {
		e.Size = size
		p.lines["text"] = graph.FormatEntry(e)
		_, err = p.segments().Get(context.Background(), "text")
		require.ErrorIs(t, err, graph.ErrCorrupt, size)
		assert.ErrorContains(t, err, "db/backup/chunks/segments-000000.zip, offset 40: text cannot be decompressed")
	}
}

func TestLostChunk(t *testing.T) {
	ctx := context.Background()
	p := newPlace(t, false, mixed())
	path := "db/backup/chunks/segments-000000.zip"
	o, err := p.f.NewObject(ctx, path)
	require.NoError(t, err)
	in, err := operations.Open(ctx, o)
	require.NoError(t, err)
	data, err := io.ReadAll(in)
	require.NoError(t, err)

	check := func(is error) {
		s := p.segments()
		for _, id := range []graph.ID{"noise", "empty"} {
			_, err := s.Get(ctx, id)
			require.ErrorIs(t, err, is)
			assert.ErrorContains(t, err, path)
			_, err = s.Size(ctx, id)
			require.ErrorIs(t, err, is)
			_, err = s.Object(ctx, id)
			require.ErrorIs(t, err, is)
		}
	}
	put(t, p.f, path, data[:len(data)-1])
	check(graph.ErrCorrupt)
	require.NoError(t, o.Remove(ctx))
	check(graph.ErrNotFound)

}

// TestShortenedChunk: it had its size when it was looked up.
func TestShortenedChunk(t *testing.T) {
	ctx := context.Background()
	s := newPlace(t, false, mixed()).segments()
	_, err := s.Size(ctx, "noise")
	require.NoError(t, err)
	c := s.chunks["backup/0"]
	c.free[0] = &shortened{c.free[0]}
	_, err = s.Get(ctx, "noise")
	require.ErrorIs(t, err, graph.ErrCorrupt)
	assert.ErrorContains(t, err, "the chunk ends early")
	_, _, err = s.Sum(ctx, "noise")
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// shortened is an object of which the first 500 bytes are left.
type shortened struct{ fs.Object }

func (s *shortened) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	at := int64(0)
	for _, o := range options {
		if r, ok := o.(*fs.RangeOption); ok {
			at = r.Start
		}
	}
	in, err := s.Object.Open(ctx, options...)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(in, max(500-at, 0)), in}, nil
}

// TestGetRetries: every request may fail once.
func TestGetRetries(t *testing.T) {
	for n := 1; n <= 2; n++ {
		for _, mode := range []fault.Mode{fault.Before, fault.During} {
			p := newPlace(t, false, mixed())
			p.f.Inject(fault.Rule{N: n, Mode: mode})
			data, err := p.segments().Get(context.Background(), "noise")
			require.NoError(t, err)
			assert.Equal(t, noise(1, 1000), data)
			assert.NotNil(t, p.f.Tripped())
		}
	}
	p := newPlace(t, false, mixed())
	p.f.Inject(fault.Rule{N: 2, Dead: true})
	_, err := p.segments().Get(context.Background(), "noise")
	require.ErrorIs(t, err, fault.ErrInjected)
	assert.ErrorContains(t, err, "db/backup/chunks/segments-000000.zip, offset 2754:")
}

func TestObject(t *testing.T) {
	ctx := context.Background()
	value := segment("value", graph.Value, noise(9, 5000))
	text := segment("text", graph.Leaf, bytes.Repeat([]byte("0123456789"), 500))
	s := newPlace(t, true, []sample{segment("first", graph.Leaf, noise(8, 70)), value, text, segment("last", graph.Leaf, nil)}).segments()
	for _, want := range []sample{value, text} {
		o, err := s.Object(ctx, want.e.ID)
		require.NoError(t, err)
		assert.Equal(t, want.name, o.Remote())
		assert.Equal(t, want.name, o.String())
		assert.Equal(t, int64(5000), o.Size())
		assert.True(t, o.ModTime(ctx).Equal(time.Unix(1e9, 0)), "the chunk's")
		assert.True(t, o.Storable())
		assert.Same(t, s.Fs(), o.Fs())
		_, err = o.Hash(ctx, hash.MD5)
		require.ErrorIs(t, err, hash.ErrUnsupported)
		for _, test := range []struct {
			option  fs.OpenOption
			from, n int
		}{
			{&fs.HashesOption{}, 0, 5000},
			{&fs.SeekOption{Offset: 0}, 0, 5000},
			{&fs.SeekOption{Offset: 4990}, 4990, 10},
			{&fs.SeekOption{Offset: 5000}, 5000, 0},
			{&fs.SeekOption{Offset: 6000}, 5000, 0},
			{&fs.RangeOption{Start: 0, End: 0}, 0, 1},
			{&fs.RangeOption{Start: 100, End: 199}, 100, 100},
			{&fs.RangeOption{Start: 4990, End: 6000}, 4990, 10},
			{&fs.RangeOption{Start: 4990, End: -1}, 4990, 10},
			{&fs.RangeOption{Start: -1, End: 10}, 4990, 10},
			{&fs.RangeOption{Start: 5000, End: 5001}, 5000, 0},
		} {
			in, err := o.Open(ctx, test.option)
			require.NoError(t, err)
			got, err := io.ReadAll(in)
			require.NoError(t, err)
			require.NoError(t, in.Close())
			assert.Equal(t, want.data[test.from:test.from+test.n], got, "%v", test.option)
		}
		require.Error(t, o.SetModTime(ctx, time.Time{}))
		require.Error(t, o.Update(ctx, nil, nil))
		require.Error(t, o.Remove(ctx))
	}
	o, err := s.Object(ctx, "last")
	require.NoError(t, err)
	size, sum, err := store.SumOf(ctx, o)
	require.NoError(t, err)
	assert.Zero(t, size)
	assert.Equal(t, sha256.Sum256(nil), sum)
}

// TestSmallChunkIsReadOnce: a descent must not pay a request for each node.
func TestSmallChunkIsReadOnce(t *testing.T) {
	samples := leaves(200, 1000)
	p := newPlace(t, false, samples, leaves(0, 0))
	s := p.segments()
	var all sync.WaitGroup
	for i := range samples {
		all.Go(func() {
			data, err := s.Get(context.Background(), samples[i].e.ID)
			assert.NoError(t, err)
			assert.Equal(t, samples[i].data, data)
		})
	}
	all.Wait()
	assert.Equal(t, "new-object db\t1\nopen       db\t1\n", p.f.Report())
	assert.Equal(t, int64(2), s.Reads())
}

// TestLargerChunkIsReadWhenHot: the first segments are read alone.
func TestLargerChunkIsReadWhenHot(t *testing.T) {
	samples := leaves(90, 100<<10) // some 9 MiB
	p := newPlace(t, false, samples)
	s := p.segments()
	for i := range 60 {
		_, err := s.Get(context.Background(), samples[i].e.ID)
		require.NoError(t, err)
	}
	assert.Equal(t, hotHits, p.f.Count(fault.On(fault.Open, "")), "fifteen, and the chunk")
	assert.Equal(t, p.infos["backup/0"].Size, s.pages.held)
}

// TestLargeChunkIsReadInWindows: more than the cache may hold is not held.
func TestLargeChunkIsReadInWindows(t *testing.T) {
	ctx := context.Background()
	samples := leaves(180, 100<<10) // some 18 MiB
	samples = append(samples, segment("big", graph.Leaf, noise(1, window+1)))
	p := newPlace(t, false, samples)
	s := p.segments()
	s.pages = newCache(4 * window)
	for range hotHits - 1 {
		_, err := s.Get(ctx, samples[0].e.ID)
		require.NoError(t, err)
	}
	p.f.Heal()
	for range 2 {
		for _, want := range samples {
			data, err := s.Get(ctx, want.e.ID)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want.data, data), want.name)
			require.LessOrEqual(t, s.pages.held, int64(4*window))
			require.Len(t, s.pages.pages, s.pages.order.Len())
		}
	}
	// The segment that is larger than a window is read alone, twice.
	windows := int(p.infos["backup/0"].Directory-window-1)/window + 1
	assert.Equal(t, 2*(windows+1), p.requests())
}

// TestCanceledReaderIsNotContagious: who waits for another's read gets the bytes
// though that one was told to stop.
func TestCanceledReaderIsNotContagious(t *testing.T) {
	p := newPlace(t, false, mixed())
	s := p.segments()
	_, err := s.Size(context.Background(), "noise") // finds the chunk
	require.NoError(t, err)
	first, stop := context.WithCancel(context.Background())
	waiting := make(chan struct{})
	c := s.chunks["backup/0"]
	c.free[0] = &stalled{Object: c.free[0], ctx: first, began: waiting}
	var all sync.WaitGroup
	all.Go(func() {
		_, err := s.Get(first, "noise")
		assert.ErrorIs(t, err, context.Canceled)
	})
	<-waiting
	all.Go(func() {
		data, err := s.Get(context.Background(), "noise")
		assert.NoError(t, err)
		assert.Equal(t, noise(1, 1000), data)
	})
	stop()
	all.Wait()
}

// stalled is an object whose first reader gets nothing until its context ends.
type stalled struct {
	fs.Object
	ctx   context.Context
	began chan struct{}
	once  sync.Once
}

func (s *stalled) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	s.once.Do(func() { close(s.began) })
	if ctx == s.ctx {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Object.Open(ctx, options...)
}
