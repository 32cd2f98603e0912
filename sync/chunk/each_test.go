package chunk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// shuffled are the lines of the samples, in any order.
func (p *place) shuffled(samples ...sample) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, i := range rand.Perm(len(samples)) {
			if !yield(p.lines[samples[i].e.ID], nil) {
				return
			}
		}
	}
}

// eachRead is what Each has passed on.
type eachRead struct {
	mu   sync.Mutex
	data map[graph.ID][]byte
	errs map[graph.ID]error
}

// each reads the samples.
func (p *place) each(t testing.TB, s *Segments, workers int, samples ...sample) *eachRead {
	t.Helper()
	r := &eachRead{data: map[graph.ID][]byte{}, errs: map[graph.ID]error{}}
	err := s.Each(context.Background(), p.shuffled(samples...), workers, func(_ context.Context, e graph.Entry, data []byte, err error) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		_, read := r.data[e.ID]
		_, failed := r.errs[e.ID]
		assert.False(t, read || failed, "%s comes twice", e.ID)
		assert.Equal(t, p.lines[e.ID], graph.FormatEntry(e))
		if err != nil {
			assert.Nil(t, data)
			r.errs[e.ID] = err
			return nil
		}
		r.data[e.ID] = data
		return nil
	})
	require.NoError(t, err)
	return r
}

// complete checks that all samples were read.
func (r *eachRead) complete(t testing.TB, samples ...sample) {
	t.Helper()
	assert.Empty(t, r.errs)
	require.Len(t, r.data, len(samples))
	for _, s := range samples {
		require.True(t, bytes.Equal(s.data, r.data[s.e.ID]), s.name)
	}
}

func TestEach(t *testing.T) {
	for _, compress := range []bool{false, true} {
		for _, workers := range []int{0, 1, 8} {
			samples := append(mixed()[:3], mixed()[4:]...)
			more := leaves(3000, 40)
			p := newPlace(t, compress, samples, more, nil)
			all := append(samples, more...)
			r := p.each(t, p.segments(), workers, all...)
			r.complete(t, all...)
			assert.Equal(t, 4, p.requests(), "two chunks, looked up and read:\n%s", p.f.Report())
		}
	}
	p := newPlace(t, false, mixed())
	assert.Empty(t, p.each(t, p.segments(), 2).data, "of no lines nothing")
	assert.Zero(t, p.requests())
}

// TestEachJoins counts requests: what lies close together is read with one.
func TestEachJoins(t *testing.T) {
	const size = 8 << 10
	samples := leaves(200, size)
	entry := int64(size + localSize + len(samples[0].name))
	apart := int(maxGap/entry) + 1 // so many entries have their gap within maxGap
	for _, test := range []struct {
		name  string
		wants func(i int) bool
		opens int
	}{
		{"all", func(int) bool { return true }, 1},
		{"one", func(i int) bool { return i == 77 }, 1},
		{"every other", func(i int) bool { return i%2 == 0 }, 1},
		{"as far apart as may be", func(i int) bool { return i%apart == 0 }, 1},
		{"too far apart", func(i int) bool { return i%(apart+1) == 0 }, (len(samples)-1)/(apart+1) + 1},
		{"first and last", func(i int) bool { return i == 0 || i == 199 }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t, false, samples)
			var wanted []sample
			for i, s := range samples {
				if test.wants(i) {
					wanted = append(wanted, s)
				}
			}
			s := p.segments()
			p.each(t, s, 4, wanted...).complete(t, wanted...)
			assert.Equal(t, test.opens, p.f.Count(fault.On(fault.Open, "")))
			looked := p.f.Count(fault.On(fault.NewObject, ""))
			assert.LessOrEqual(t, looked, test.opens, "once for each that is read at a time")
			assert.Equal(t, int64(test.opens+looked), s.Reads())
		})
	}
}

// TestEachLongRuns: what is known of a run's segments is bounded.
func TestEachLongRuns(t *testing.T) {
	samples := leaves(maxRun+1, 1)
	p := newPlace(t, false, samples)
	p.each(t, p.segments(), 2, samples...).complete(t, samples...)
	assert.Equal(t, 2, p.f.Count(fault.On(fault.Open, "")))
}

func TestEachLargeValues(t *testing.T) {
	value := segment("value", graph.Value, make([]byte, MaxHeld+1))
	leaf := segment("leaf", graph.Leaf, noise(3, MaxHeld+1))
	held := segment("held", graph.Value, make([]byte, MaxHeld))
	for _, compress := range []bool{false, true} {
		p := newPlace(t, compress, []sample{leaf, value, held})
		s := p.segments()
		r := p.each(t, s, 2, value, leaf, held)
		require.ErrorIs(t, r.errs["value"], ErrLarge)
		delete(r.errs, "value")
		r.complete(t, leaf, held)

		e, err := graph.ParseEntry(p.lines["value"])
		require.NoError(t, err)
		o, err := s.ObjectAt(context.Background(), e)
		require.NoError(t, err)
		size, sum, err := store.SumOf(context.Background(), o)
		require.NoError(t, err)
		assert.Equal(t, value.e.Size, size)
		assert.Equal(t, value.e.SHA256, sum)
	}
}

// TestEachReportsAll: what is lost keeps nothing else from being read.
func TestEachReportsAll(t *testing.T) {
	lost, whole := leaves(50, 100), make([]sample, 0, 50)
	for i := range 50 {
		whole = append(whole, segment(fmt.Sprintf("whole-%d", i), graph.Leaf, noise(uint64(i), 100)))
	}
	odd := segment("odd", graph.Leaf, []byte("odd"))
	p := newPlace(t, false, lost, whole)
	o, err := p.f.NewObject(context.Background(), "db/backup/chunks/segments-000000.zip")
	require.NoError(t, err)
	require.NoError(t, o.Remove(context.Background()))
	p.f.Heal()
	odd.e.At = graph.Location{Chunk: "backup/9", Stored: 3}
	p.lines["odd"] = graph.FormatEntry(odd.e)

	r := p.each(t, p.segments(), 3, append(append(lost, odd), whole...)...)
	require.Len(t, r.errs, 51)
	for _, s := range lost {
		assert.ErrorIs(t, r.errs[s.e.ID], graph.ErrNotFound)
	}
	require.ErrorIs(t, r.errs["odd"], graph.ErrCorrupt)
	assert.ErrorContains(t, r.errs["odd"], `chunk "backup/9", offset 0`)
	r.errs = nil
	r.complete(t, whole...)
	assert.LessOrEqual(t, p.requests(), 3, "a chunk that is gone is looked for once:\n%s", p.f.Report())
}

// TestDamage: a sector that cannot be read costs what lies on it.
func TestDamage(t *testing.T) {
	samples := leaves(100, 1000)
	p := newPlace(t, false, samples)
	s := p.segments()
	c := s.chunks["backup/0"]
	o, err := c.take(context.Background())
	require.NoError(t, err)
	from, err := graph.ParseEntry(p.lines["leaf-00040"])
	require.NoError(t, err)
	c.give(&damaged{o, from.At.Offset + 500, from.At.Offset + 1500})
	r := p.each(t, s, 2, samples...)
	require.Len(t, r.errs, 2)
	for _, id := range []graph.ID{"leaf-00040", "leaf-00041"} {
		require.ErrorIs(t, r.errs[id], errSector)
		require.ErrorContains(t, r.errs[id], "segments-000000.zip, offset 4")
	}
	r.errs = nil
	r.complete(t, append(samples[:40:40], samples[42:]...)...)

	for i, want := range samples[35:45] {
		data, err := s.Get(context.Background(), want.e.ID)
		if i == 5 || i == 6 {
			require.ErrorIs(t, err, errSector)
			continue
		}
		require.NoError(t, err, "by itself, too")
		require.Equal(t, want.data, data)
	}
}

var errSector = errors.New("sector cannot be read")

// damaged is an object whose bytes from..to cannot be read.
type damaged struct {
	fs.Object
	from, to int64
}

func (d *damaged) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	at := int64(0)
	for _, o := range options {
		if r, ok := o.(*fs.RangeOption); ok {
			at = r.Start
		}
	}
	in, err := d.Object.Open(ctx, options...)
	return &damagedReader{in, d, at}, err
}

type damagedReader struct {
	io.ReadCloser
	d  *damaged
	at int64
}

func (r *damagedReader) Read(p []byte) (int, error) {
	if r.at >= r.d.to {
		return r.ReadCloser.Read(p)
	}
	if r.at >= r.d.from {
		return 0, errSector
	}
	n, err := r.ReadCloser.Read(p[:min(int64(len(p)), r.d.from-r.at)])
	r.at += int64(n)
	return n, err
}

// TestEachRetries: every request may fail once, or break off.
func TestEachRetries(t *testing.T) {
	samples := leaves(100, 1000)
	for n := 1; n <= 2; n++ {
		for _, mode := range []fault.Mode{fault.Before, fault.During} {
			p := newPlace(t, false, samples)
			p.f.Inject(fault.Rule{N: n, Mode: mode})
			p.each(t, p.segments(), 2, samples...).complete(t, samples...)
			assert.NotNil(t, p.f.Tripped())
		}
	}
}

func TestEachEnds(t *testing.T) {
	samples := leaves(1000, 100)
	p := newPlace(t, false, samples)
	stop := errors.New("stop")
	var calls atomic.Int64
	err := p.segments().Each(context.Background(), p.shuffled(samples...), 4, func(context.Context, graph.Entry, []byte, error) error {
		calls.Add(1)
		return stop
	})
	require.ErrorIs(t, err, stop)
	assert.LessOrEqual(t, calls.Load(), int64(4))

	ctx, cancel := context.WithCancel(context.Background())
	err = p.segments().Each(ctx, p.shuffled(samples...), 1, func(context.Context, graph.Entry, []byte, error) error {
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)

	for _, test := range []struct {
		line string
		err  error
		is   error
	}{{"", stop, stop}, {"no line", nil, graph.ErrCorrupt}} {
		err = p.segments().Each(context.Background(), func(yield func(string, error) bool) { yield(test.line, test.err) }, 1, nil)
		require.ErrorIs(t, err, test.is)
	}
	odd := func(yield func(string, error) bool) {
		yield(strings.Replace(p.lines["leaf-00001"], "backup/0", "backup/9", 1), nil)
	}
	err = p.segments().Each(context.Background(), odd, 1, func(_ context.Context, _ graph.Entry, _ []byte, err error) error { return err })
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// TestEachMemory: however large a chunk, a few segments are in memory.
func TestEachMemory(t *testing.T) {
	const size, n, workers = 64 << 10, 300, 4
	samples := leaves(n, size) // 19 MiB
	p := newPlace(t, false, samples)
	s := p.segments()
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most := heap(), int64(0)
	var mu sync.Mutex
	calls := 0
	err := s.Each(context.Background(), p.shuffled(samples...), workers, func(_ context.Context, _ graph.Entry, _ []byte, err error) error {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%50 == 0 {
			most = max(most, heap()-before)
		}
		return err
	})
	require.NoError(t, err)
	require.Equal(t, n, calls)
	assert.Less(t, most, int64(4<<20))
}

func BenchmarkEach(b *testing.B) {
	samples := leaves(2000, 4096)
	for _, compress := range []bool{false, true} {
		p := newPlace(b, compress, samples)
		s := p.segments()
		b.Run(fmt.Sprintf("compress=%v", compress), func(b *testing.B) {
			b.SetBytes(2000 * 4096)
			for b.Loop() {
				err := s.Each(context.Background(), p.shuffled(samples...), 2, func(_ context.Context, _ graph.Entry, _ []byte, err error) error { return err })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestEachWhole: each byte of a chunk is read, with one request, and a flip
// where no segment lies is told as well.
func TestEachWhole(t *testing.T) {
	samples := mixed()
	data, _, _ := write(t, "backup/0", false, samples)
	for _, at := range []int{-1, 7, len(data) / 2, len(data) - 1} { // in a local header, and in the directory's end
		p := newPlace(t, false, samples)
		if at >= 0 {
			flipped := slices.Clone(data)
			flipped[at] ^= 1
			put(t, p.f, chunkPath2, flipped)
		}
		var mu sync.Mutex
		seen, told := 0, 0
		before := p.requests()
		err := p.segments().EachWhole(context.Background(), p.shuffled(samples[:2]...), 2,
			func(_ context.Context, e graph.Entry, _ []byte, err error) error {
				mu.Lock()
				defer mu.Unlock()
				if e.ID != "" {
					seen++
					return err
				}
				require.ErrorIs(t, err, graph.ErrCorrupt)
				require.ErrorContains(t, err, "segments-000000.zip")
				told++
				return nil
			})
		require.NoError(t, err)
		assert.Equal(t, 2, seen)
		assert.Equal(t, at >= 0, told == 1, "flipped at %d", at)
		assert.Equal(t, 2, p.requests()-before, "looking it up and reading it")
	}
}

// chunkPath2 is where newPlace puts its first chunk.
const chunkPath2 = "db/backup/chunks/segments-000000.zip"
