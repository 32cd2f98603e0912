package chunk

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// forged makes a chunk of two leaves of 100 bytes, "store/a" and "store/b", whose
// directory says what change makes of it. The headers before the data are as
// they should be.
func forged(t testing.TB, change func(a, b *zip.FileHeader)) ([]byte, Info) {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, "b/0", false)
	var headers []*zip.FileHeader
	for _, s := range []sample{segment("a", 0, noise(1, 100)), segment("b", 0, noise(2, 100))} {
		h := &zip.FileHeader{Name: s.name, CompressedSize64: 100, UncompressedSize64: 100}
		to, err := w.zip.CreateRaw(h)
		require.NoError(t, err)
		_, err = to.Write(s.data)
		require.NoError(t, err)
		s.e.At = graph.Location{Chunk: "b/0", Offset: w.at + localSize + 7, Stored: 100}
		w.at, h.Comment = s.e.At.Offset+100, comment(s.e)
		headers = append(headers, h)
		w.entries++
	}
	change(headers[0], headers[1])
	info, err := w.Close()
	require.NoError(t, err)
	return out.Bytes(), info
}

// read reads the directory of a chunk.
func read(t testing.TB, data []byte, info Info) ([]graph.Entry, error) {
	t.Helper()
	f := remote(t)
	put(t, f, chunkPath, data)
	return ReadDirectory(context.Background(), f, "db", info, parse)
}

func TestForgedDirectory(t *testing.T) {
	data, info := forged(t, func(_, _ *zip.FileHeader) {})
	entries, err := read(t, data, info)
	require.NoError(t, err, "nothing is wrong with what the tests below change")
	require.Len(t, entries, 2)

	size := func(packed, plain uint64) func(_, b *zip.FileHeader) {
		return func(_, b *zip.FileHeader) {
			b.CompressedSize64, b.UncompressedSize64 = packed, plain
			b.CompressedSize = uint32(min(packed, math.MaxUint32))  //nolint:staticcheck // what the directory is written from
			b.UncompressedSize = uint32(min(plain, math.MaxUint32)) //nolint:staticcheck // the same
		}
	}
	name := func(name string) func(_, b *zip.FileHeader) { return func(_, b *zip.FileHeader) { b.Name = name } }
	edit := func(from, to string) func(_, b *zip.FileHeader) {
		return func(_, b *zip.FileHeader) { b.Comment = strings.Replace(b.Comment, from, to, 1) }
	}
	tests := map[string]struct {
		change func(a, b *zip.FileHeader)
		err    string
	}{
		"absolute":             {name("/tore/b"), "cannot be a name"},
		"upwards":              {name("../e/bb"), "cannot be a name"},
		"upwards inside":       {name("a/../bb"), "cannot be a name"},
		"backslash":            {name(`store\b`), "cannot be a name"},
		"drive":                {name("c:tor/b"), "cannot be a name"},
		"folder":               {name("store/b/"), "cannot be a name"},
		"no name":              {name(""), "cannot be a name"},
		"line feed":            {name("store/\n"), "cannot be a name"},
		"outside the grammar":  {name("stare/b"), "no native path"},
		"no id":                {name("store/x/y"), "cannot be an object's name"},
		"twice":                {name("store/a"), "there twice"},
		"shifted by its name":  {name("store/bb"), "begins at 175 and not at 174"},
		"overlaps":             {func(a, _ *zip.FileHeader) { size(101, 101)(nil, a) }, "begins at 175 and not at 174"},
		"gap":                  {func(a, _ *zip.FileHeader) { size(99, 99)(nil, a) }, "begins at 173 and not at 174"},
		"swapped":              {func(a, b *zip.FileHeader) { *a, *b = *b, *a }, "begins at 37 and not at 174"},
		"into the directory":   {size(101, 101), "reach into the directory"},
		"before the directory": {size(99, 99), "entries end here"},
		"2^63":                 {size(1<<63, 1<<63), "reach into the directory"},
		"2^64":                 {size(math.MaxUint64, math.MaxUint64), "reach into the directory"},
		"-1":                   {size(math.MaxUint64-1, 100), "reach into the directory"},
		"other size":           {size(100, 99), "method 0"},
		"deflated":             {func(_, b *zip.FileHeader) { b.Method = 8 }, "method 8"},
		"compressed by none":   {func(_, b *zip.FileHeader) { b.Method = 93 }, "method 93"},
		"bomb":                 {func(_, b *zip.FileHeader) { b.Method = 93; size(100, 1<<40)(nil, b) }, "more than a segment has"},
		"bomb of 2^63":         {func(_, b *zip.FileHeader) { b.Method = 93; size(100, 1<<63)(nil, b) }, "more than a segment has"},
		"encrypted":            {func(_, b *zip.FileHeader) { b.Flags = 1 }, "flags 0x1"},
		"unwritten descriptor": {func(a, _ *zip.FileHeader) { a.Flags = 8 }, "begins at 190 and not at 174"},
		"offset of another":    {edit(" 174", " 37"), "begins at 174 and not at 37"},
		"offset beyond":        {edit(" 174", " 9223372036854775807"), "begins at 174"},
		"offset too large":     {edit(" 174", " 9223372036854775808"), "bad comment"},
		"negative offset":      {edit(" 174", " -174"), "begins at 174"},
		"no offset":            {edit(" 174", ""), "bad comment"},
		"padded offset":        {edit(" 174", " 0174"), "bad comment"},
		"unknown kind":         {edit("0 ", "x "), "bad segment kind"},
		"no comment":           {func(_, b *zip.FileHeader) { b.Comment = "" }, "bad segment kind"},
		"short digest":         {func(_, b *zip.FileHeader) { b.Comment = "0 abcd 174" }, "bad comment"},
		"no digest": {func(_, b *zip.FileHeader) {
			b.Comment = "0 " + strings.Repeat("0", 64) + " 174"
		}, "bad comment"},
		"capital digest": {func(_, b *zip.FileHeader) { b.Comment = "0 " + strings.Repeat("A", 64) + " 174" }, "bad comment"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data, info := forged(t, test.change)
			entries, err := read(t, data, info)
			require.ErrorIs(t, err, graph.ErrCorrupt)
			assert.ErrorContains(t, err, test.err)
			assert.ErrorContains(t, err, chunkPath+", offset ")
			assert.Empty(t, entries)
		})
	}
}

// TestForgedInfo: chunk and manifest must agree.
func TestForgedInfo(t *testing.T) {
	data, good, _ := write(t, "b/0", false, leaves(3, 100))
	for name, change := range map[string]func(*Info){
		"fewer entries":      func(i *Info) { i.Entries-- },
		"more entries":       func(i *Info) { i.Entries++ },
		"2^62 entries":       func(i *Info) { i.Entries = 1 << 62 },
		"-1 entries":         func(i *Info) { i.Entries = -1 },
		"larger":             func(i *Info) { i.Size++ },
		"2^63-1":             func(i *Info) { i.Size = math.MaxInt64 },
		"negative":           func(i *Info) { i.Size = -1 },
		"later directory":    func(i *Info) { i.Directory++ },
		"second entry's":     func(i *Info) { i.Directory += (i.Size - endSize - i.Directory) / 3 },
		"earlier directory":  func(i *Info) { i.Directory-- },
		"directory at 0":     func(i *Info) { i.Directory = 0 },
		"directory below 0":  func(i *Info) { i.Directory = -1 },
		"directory's end":    func(i *Info) { i.Directory = i.Size - endSize },
		"directory behind":   func(i *Info) { i.Directory = i.Size },
		"chunk out of place": func(i *Info) { i.Chunk = "../0" },
	} {
		t.Run(name, func(t *testing.T) {
			info := good
			change(&info)
			_, err := read(t, data, info)
			assert.ErrorIs(t, err, graph.ErrCorrupt)
		})
	}
}

// TestForgedCount: archive/zip takes memory for the entries that the end claims.
func TestForgedCount(t *testing.T) {
	data, info := forged(t, func(_, _ *zip.FileHeader) {})
	end64 := make([]byte, end64Size+locator64Size)
	le := binary.LittleEndian
	copy(end64, "PK\x06\x06")
	le.PutUint64(end64[32:], 1<<57)
	le.PutUint64(end64[40:], uint64(info.Size-info.Directory-endSize))
	le.PutUint64(end64[48:], uint64(info.Directory))
	locator := end64[end64Size:]
	copy(locator, "PK\x06\x07")
	le.PutUint64(locator[8:], uint64(info.Size-endSize))
	le.PutUint32(locator[16:], 1)
	last := bytes.Clone(data[len(data)-endSize:])
	le.PutUint32(last[8:], math.MaxUint32) // both counts
	data = append(append(data[:len(data)-endSize], end64...), last...)
	info.Size = int64(len(data))

	_, err := read(t, data, info)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	assert.ErrorContains(t, err, "144115188075855872 entries")
	info.Entries = 1 << 57
	_, err = read(t, data, info)
	require.ErrorIs(t, err, graph.ErrCorrupt)

	le.PutUint64(data[int(info.Size)-endSize-len(end64)+32:], 2)
	info.Entries = 2
	entries, err := read(t, data, info)
	require.NoError(t, err, "with the right count it is sound")
	assert.Len(t, entries, 2)
}

// TestTruncatedDirectory cuts a chunk everywhere, at its end and behind its
// entries, whatever the manifest says of the size.
func TestTruncatedDirectory(t *testing.T) {
	data, info, _ := write(t, "b/0", true, mixed())
	f := remote(t)
	for n := range len(data) {
		put(t, f, chunkPath, data[:n])
		for _, size := range []int64{int64(n), info.Size} {
			cut := info
			cut.Size = size
			_, err := ReadDirectory(context.Background(), f, "db", cut, parse)
			require.ErrorIs(t, err, graph.ErrCorrupt, n)
		}
	}
}

// TestFlippedDirectory: what is still a directory has no segment where none
// lies. A name, a kind or a digest that is another legal one, and the size of
// what is compressed, only the chunk's own digest tells.
func TestFlippedDirectory(t *testing.T) {
	data, info, entries := write(t, "b/0", true, mixed())
	lie := map[graph.Location]graph.Entry{}
	for _, e := range entries {
		lie[e.At] = e
	}
	c, err := newFile(nil, "db", info, nil)
	require.NoError(t, err)
	refused := 0
	for bit := range 8 * (len(data) - int(info.Directory)) {
		tail := bytes.Clone(data[info.Directory:])
		tail[bit/8] ^= 1 << (bit % 8)
		got, err := c.parse(tail, parse)
		if err != nil {
			require.ErrorIs(t, err, graph.ErrCorrupt, bit)
			refused++
			continue
		}
		require.GreaterOrEqual(t, len(got), len(entries)-2, bit)
		for _, e := range got {
			require.Contains(t, lie, e.At, bit)
			if e.Size == e.At.Stored {
				require.Equal(t, lie[e.At].Size, e.Size, bit)
			}
		}
	}
	assert.Greater(t, refused, 1000)
}

func TestDirectoryOfLostChunk(t *testing.T) {
	data, info, _ := write(t, "b/0", false, mixed())
	f := remote(t)
	_, err := ReadDirectory(context.Background(), f, "db", info, parse)
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, chunkPath)

	put(t, f, chunkPath, data)
	for n := 1; n <= 2; n++ {
		for _, mode := range []fault.Mode{fault.Before, fault.During} {
			f.Heal()
			f.Inject(fault.Rule{N: n, Mode: mode})
			got, err := ReadDirectory(context.Background(), f, "db", info, parse)
			require.NoError(t, err, "call %d %s is tried again", n, mode)
			assert.Len(t, got, len(mixed())-1)
			assert.NotNil(t, f.Tripped())
		}
	}
	f.Inject(fault.Rule{N: 2, Dead: true})
	_, err = ReadDirectory(context.Background(), f, "db", info, parse)
	require.ErrorIs(t, err, fault.ErrInjected)
	assert.ErrorContains(t, err, fmt.Sprintf("segments-000000.zip, offset %d:", info.Directory))
}

func TestEmptyChunk(t *testing.T) {
	data, info, _ := write(t, "b/0", false, nil)
	entries, err := read(t, data, info)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// FuzzDirectory: whatever a directory says, segments do not share bytes, and
// lie before the directory.
func FuzzDirectory(f *testing.F) {
	for _, compress := range []bool{false, true} {
		data, info, _ := write(f, "b/0", compress, mixed())
		f.Add(data[info.Directory:], info.Directory, info.Entries)
	}
	data, info := forged(f, func(_, b *zip.FileHeader) { b.CompressedSize64 = 1 << 63 })
	f.Add(data[info.Directory:], info.Directory, info.Entries)
	f.Fuzz(func(t *testing.T, tail []byte, directory, entries int64) {
		if len(tail) < endSize || directory < 0 || directory > math.MaxInt64-int64(len(tail)) {
			return // tail refuses these
		}
		info := Info{Chunk: "b/0", Size: directory + int64(len(tail)), Entries: entries, Directory: directory}
		c, err := newFile(nil, "db", info, nil)
		require.NoError(t, err)
		got, err := c.parse(tail, parse)
		if err != nil {
			require.ErrorIs(t, err, graph.ErrCorrupt)
			return
		}
		end, ids := int64(0), map[graph.ID]bool{}
		for _, e := range got {
			require.Greater(t, e.At.Offset, end)
			require.GreaterOrEqual(t, e.Size, e.At.Stored)
			require.False(t, ids[e.ID])
			end, ids[e.ID] = e.At.Offset+e.At.Stored, true
			line, err := graph.ParseEntry(graph.FormatEntry(e))
			require.NoError(t, err)
			require.Equal(t, e, line, "a list can have it")
		}
		require.LessOrEqual(t, end, directory)
	})
}
