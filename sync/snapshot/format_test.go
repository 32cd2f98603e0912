package snapshot

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const pointID = "2026-11-21T013727.410Z-6b010f3e"

// whole is a manifest with something in every field.
func whole() *Manifest {
	list := func(name string, n int64) List { return List{Describe(name, []byte(name)), n} }
	return &Manifest{
		FormatVersion: 1, ToolVersion: "v1.75.1-datom.0.1.0",
		Kind: "datahike", ID: "db000000-0000-4000-8000-000000000000", StoreID: "51",
		Point: pointID, Parent: "2026-11-20T000000.000Z-6b000000",
		Time: time.Date(2026, 11, 21, 1, 37, 27, 410_000_000, time.UTC), Duration: 1234,
		Branches: map[string]Branch{":db": {Commit: "6b010f3e-0000", MaxTx: 536870913}},
		Tails:    []string{"0001a94f-e079-5263-9449-d36ddc227fc8.ksv"},
		New:      Count{3, 1, 1000}, Released: Count{1, 0, 10}, Total: Count{9, 4, 9000},
		Held:         []Object{Describe("0594e3b6-9635-5c99-8142-412accf3023b.ksv", []byte("head"))},
		AddedList:    []List{list("added-0001.zst", 3)},
		ReleasedList: []List{list("released-0001.zst", 1)},
		Settings:     map[edn.Keyword]any{"keep-history?": true, "index": edn.Keyword("datahike.index/persistent-set"), "branching-factor": int64(512)},
	}
}

func TestManifestRoundTrip(t *testing.T) {
	m := whole()
	b, err := m.Encode()
	require.NoError(t, err)
	got, err := DecodeManifest(pointID, b)
	require.NoError(t, err)
	assert.Equal(t, m, got)
}

// TestManifestGolden reads a manifest that a person wrote down, with keys
// that this version does not know.
func TestManifestGolden(t *testing.T) {
	b, err := os.ReadFile("testdata/manifest.edn")
	require.NoError(t, err)
	m, err := DecodeManifest(pointID, b)
	require.NoError(t, err)
	m.Time = m.Time.UTC()
	assert.Equal(t, whole(), m)
}

func TestManifestRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(m *Manifest)
		want   error
		names  string
	}{
		"a newer format":          {func(m *Manifest) { m.FormatVersion = FormatVersion + 1 }, graph.ErrUnsupported, "newer"},
		"no format":               {func(m *Manifest) { m.FormatVersion = 0 }, graph.ErrCorrupt, ":format/version"},
		"another point":           {func(m *Manifest) { m.Point += "x" }, graph.ErrCorrupt, ":snapshot/id"},
		"no database":             {func(m *Manifest) { m.ID = "" }, graph.ErrCorrupt, ":database/id"},
		"no heads":                {func(m *Manifest) { m.Held = nil }, graph.ErrCorrupt, ":heads"},
		"its own parent":          {func(m *Manifest) { m.Parent = m.Point }, graph.ErrCorrupt, ":snapshot/parent"},
		"a younger parent":        {func(m *Manifest) { m.Parent = "2027" + m.Parent[4:] }, graph.ErrCorrupt, ":snapshot/parent"},
		"a parent that leads out": {func(m *Manifest) { m.Parent = "2026-11-20T000000.000Z/../../x" }, graph.ErrCorrupt, ":snapshot/parent"},
		"a head that leads out":   {func(m *Manifest) { m.Held[0].Name = "../x" }, graph.ErrCorrupt, "object name"},
		"an added list outside":   {func(m *Manifest) { m.AddedList[0].Name = "/etc/passwd" }, graph.ErrCorrupt, "object name"},
		"a released list outside": {func(m *Manifest) { m.ReleasedList[0].Name = ".." }, graph.ErrCorrupt, "object name"},
		"a tail outside":          {func(m *Manifest) { m.Tails[0] = "../../etc/passwd" }, graph.ErrCorrupt, ":tails"},
	} {
		t.Run(name, func(t *testing.T) {
			m := whole()
			tc.change(m)
			b, err := m.Encode()
			require.NoError(t, err)
			_, err = DecodeManifest(pointID, b)
			require.ErrorIs(t, err, tc.want)
			assert.ErrorContains(t, err, tc.names)
			assert.ErrorContains(t, err, pointID)
		})
	}
	for name, text := range map[string]string{
		"nothing": "", "no map": "[1 2]", "a number": "7", "half a map": "{:format/version 1", "no text": "\x00\xff",
		"another type": `{:format/version "1"}`, "deep": strings.Repeat("[", 100_000), "deep in a map": "{:x " + strings.Repeat("{:a ", 100_000),
		"too deep for any stack": strings.Repeat("{:a ", 10_000_000),
	} {
		_, err := DecodeManifest(pointID, []byte(text))
		require.ErrorIs(t, err, graph.ErrCorrupt, name)
	}
}

func TestCheckName(t *testing.T) {
	for _, ok := range []string{"a", "a.b", "...", "0594e3b6-9635-5c99-8142-412accf3023b.ksv", "..a", "ä"} {
		require.NoError(t, graph.CheckName(ok))
	}
	for _, bad := range []string{"", ".", "..", "a/b", "/", `a\b`, "c:", "a\x00", "a\nb", "a\tb", strings.Repeat("a", 256)} {
		require.ErrorIs(t, graph.CheckName(bad), graph.ErrCorrupt, "%q", bad)
	}
}

func TestIDs(t *testing.T) {
	at := time.Date(2026, 11, 21, 2, 37, 27, 410_900_000, time.FixedZone("", 3600))
	id := NewID(at, "6b010f3e")
	assert.Equal(t, pointID, id)
	got, err := IDTime(id)
	require.NoError(t, err)
	assert.True(t, got.Equal(at.Truncate(time.Millisecond)))
	assert.Equal(t, "2026-11-21T013727.410Z-6b", NewID(at, "6b"))
	assert.Less(t, NewID(at, "ff"), NewID(at.Add(time.Millisecond), "00"), "ids sort by time")
	for _, bad := range []string{"", "latest", "2026-11-21", "2026-13-21T013727.410Z-x", "2026-11-21T01:37:27.410Z"} {
		_, err := IDTime(bad)
		require.ErrorIs(t, err, graph.ErrCorrupt, bad)
	}
}

func TestEntries(t *testing.T) {
	for _, e := range []graph.Entry{
		{Ref: graph.Ref{ID: "a.ksv", Level: graph.Commit}, Size: 0},
		{Ref: graph.Ref{ID: "b.ksv", Level: graph.Schema}, Size: 1, SHA256: [32]byte{1, 2, 3}},
		{Ref: graph.Ref{ID: "c.ksv", Level: graph.MaxLevel}, Size: 1 << 60, SHA256: [32]byte{31: 0xff}},
	} {
		got, err := graph.ParseEntry(graph.FormatEntry(e))
		require.NoError(t, err)
		assert.Equal(t, e, got)
	}
	sum := strings.Repeat("0", 64)
	for _, bad := range []string{
		"", "\t\t\t", "a\t0\t1", "a\t0\t1\t" + sum + "\t", "../a\t0\t1\t" + sum, "a\t64\t1\t" + sum, "a\t255\t1\t" + sum, "a\tx\t1\t" + sum,
		"a\t0\t-1\t" + sum, "a\t0\t1e3\t" + sum, "a\t0\t99999999999999999999\t" + sum, "a\t0\t1\t" + sum[1:], "a\t0\t1\t" + sum + "00", "a\t0\t1\tz" + sum[1:],
	} {
		_, err := graph.ParseEntry(bad)
		require.ErrorIs(t, err, graph.ErrCorrupt, "%q", bad)
	}
}

func lines(t *testing.T, b []byte) (got []string, err error) {
	t.Helper()
	err = unpack(b, func(l string) error { got = append(got, l); return nil })
	return got, err
}

func TestLists(t *testing.T) {
	for _, want := range [][]string{nil, {"a"}, {"a", "b\tc"}, {strings.Repeat("x", maxLine-1)}} {
		b, err := pack(want)
		require.NoError(t, err)
		got, err := lines(t, b)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	b, err := pack([]string{strings.Repeat("x", maxLine+1)})
	require.NoError(t, err)
	_, err = lines(t, b)
	require.ErrorIs(t, err, graph.ErrCorrupt, "a line without end")

	own := errors.New("own")
	b, err = pack([]string{"a", "b"})
	require.NoError(t, err)
	require.ErrorIs(t, unpack(b, func(string) error { return own }), own)
}

// TestTornLists: a list that is cut or altered anywhere is told as damaged.
func TestTornLists(t *testing.T) {
	var want []string
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		want = append(want, strings.Repeat(string(c), 100))
	}
	b, err := pack(want)
	require.NoError(t, err)
	for cut := range b {
		got, err := lines(t, b[:cut])
		if cut > 0 {
			require.ErrorIs(t, err, graph.ErrCorrupt, "cut at %d", cut)
		}
		require.Less(t, len(got), len(want))
	}
	for at := range b {
		torn := append([]byte(nil), b...)
		torn[at] ^= 0x55
		got, err := lines(t, torn)
		if err == nil {
			// What zstd lets pass, the digest in the manifest does not.
			assert.False(t, Describe("l", b).Matches(torn))
			continue
		}
		require.ErrorIs(t, err, graph.ErrCorrupt, "flipped at %d: %d lines", at, len(got))
	}
}

// TestListBomb: what a list holds beyond any list's size is not unpacked.
func TestListBomb(t *testing.T) {
	line := strings.Repeat("x", 4000)
	var many []string
	for range 2 * maxPart / len(line) {
		many = append(many, line)
	}
	b, err := pack(many)
	require.NoError(t, err)
	got := 0
	_ = unpack(b, func(l string) error { got += len(l); return nil })
	assert.LessOrEqual(t, got, maxPart)
}

func TestMatches(t *testing.T) {
	o := Describe("x", []byte("abc"))
	assert.True(t, o.Matches([]byte("abc")))
	for _, other := range []string{"", "ab", "abd", "abcd"} {
		assert.False(t, o.Matches([]byte(other)))
	}
}

func TestCounts(t *testing.T) {
	var c Count
	c.Add(graph.Entry{Ref: graph.Ref{Level: graph.Commit}, Size: 5})
	c.Add(graph.Entry{Ref: graph.Ref{Level: graph.Leaf}, Size: 7})
	assert.Equal(t, Count{2, 1, 12}, c)
	assert.Equal(t, c, c.Plus(Count{1, 1, 1}).Minus(Count{1, 1, 1}))
}

// FuzzDecodeManifest: what is accepted can be used: its names stay within
// the point's directory, and its parent is older.
func FuzzDecodeManifest(f *testing.F) {
	b, err := whole().Encode()
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{:format/version 1 :snapshot/id "` + pointID + `" :database/id "x" :heads [{:object "a" :size 1 :sha256 ""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeManifest(pointID, b)
		if err != nil {
			if !errors.Is(err, graph.ErrCorrupt) && !errors.Is(err, graph.ErrUnsupported) {
				t.Fatalf("an error of no class: %v", err)
			}
			return
		}
		for _, o := range m.Held {
			require.NoError(t, graph.CheckName(o.Name))
		}
		require.Less(t, m.Parent, m.Point)
	})
}

// FuzzList: no bytes unpack to more than a list has, and an entry that is
// read is written as it was.
func FuzzList(f *testing.F) {
	b, err := pack([]string{graph.FormatEntry(graph.Entry{Ref: graph.Ref{ID: "a", Level: 3}, Size: 9})})
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		_ = unpack(b, func(line string) error {
			n += len(line) + 1
			checkEntry(t, line)
			return nil
		})
		if n > maxPart+maxLine {
			t.Fatalf("%d bytes unpacked", n)
		}
	})
}

// FuzzParseEntry is FuzzList without the compression, which no fuzzer passes.
func FuzzParseEntry(f *testing.F) {
	f.Add(graph.FormatEntry(graph.Entry{Ref: graph.Ref{ID: "a", Level: graph.Commit}, Size: 9}))
	f.Fuzz(checkEntry)
}

func checkEntry(t *testing.T, line string) {
	e, err := graph.ParseEntry(line)
	if err != nil {
		require.ErrorIs(t, err, graph.ErrCorrupt)
		return
	}
	again, err := graph.ParseEntry(graph.FormatEntry(e))
	require.NoError(t, err)
	require.Equal(t, e, again)
	require.NoError(t, graph.CheckName(string(e.ID)))
}
