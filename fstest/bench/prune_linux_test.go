package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/require"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// A year of daily backups of a million segments.
const (
	prunePoints   = 365
	pruneSegments = 1_000_000
	pruneDaily    = 1_000 // that a point adds; it releases half as many
	pruneDatabase = "5afc4be5-674f-4616-88af-b2cf36ece432"
)

// BenchmarkPrunePlan is what goes if a month and some months are kept: the whole
// program, in seconds and MiB. There are lists of segments and nothing else,
// for nothing else is read.
func BenchmarkPrunePlan(b *testing.B) {
	for _, layout := range []string{"native", "chunked"} {
		b.Run(layout, func(b *testing.B) { planPrune(b, layout == "chunked") })
	}
}

func planPrune(b *testing.B, chunked bool) {
	b.Helper()
	bin, dst := binary(b), tmpfs(b)
	makeLists(b, dst, chunked)
	for b.Loop() {
		cmd := exec.Command(bin, "prune", dst, "--keep-daily", "30", "--keep-monthly", "6", "--json")
		cmd.Env = append(os.Environ(), "RCLONE_CONFIG=", "LC_ALL=C", "TMPDIR="+b.TempDir())
		took, mib := watched(b, cmd)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(mib, "MiB")
	}
}

// makeLists writes a place whose points are a chain.
func makeLists(b *testing.B, dir string, chunked bool) {
	b.Helper()
	ctx := context.Background()
	f, err := fs.NewFs(ctx, dir)
	require.NoError(b, err)
	place, at := snapshot.Open(f), time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	if chunked {
		require.NoError(b, place.Chunk(pruneDatabase))
	}
	run, ctx, err := place.Begin(ctx, transfer.NewCopier(f, f, at))
	require.NoError(b, err)
	defer run.End(ctx)
	var parent *snapshot.Manifest
	next := 0
	for n := range prunePoints {
		m := &snapshot.Manifest{
			FormatVersion: snapshot.FormatVersion, Kind: snapshot.Datahike, ID: pruneDatabase, Time: at, Point: snapshot.NewID(at, "6b010f3e"),
			Branches: map[string]snapshot.Branch{}, Settings: map[edn.Keyword]any{},
		}
		adds, releases := pruneDaily, pruneDaily/2
		if n == 0 {
			adds, releases = pruneSegments-(prunePoints-1)*pruneDaily, 0
		} else {
			m.Parent = parent.Point
		}
		added := listOf(next, adds)
		if chunked {
			m.Layout, added = snapshot.Chunked, packed(b, run, place, m.Point, added)
		}
		held := []graph.Held{{ID: "0594e3b6-9635-5c99-8142-412accf3023b.ksv", Data: []byte(m.Point)}}
		require.NoError(b, run.Commit(ctx, m, parent, held, nil, added, listOf(next-adds, releases)))
		parent, next, at = m, next+adds, at.AddDate(0, 0, 1)
	}
}

// packed packs what some lines list, with hardly any bytes, and returns the lines
// with the places.
func packed(b *testing.B, run *snapshot.Run, place *snapshot.Place, point string, lines snapshot.Lines) snapshot.Lines {
	b.Helper()
	found := spill.NewSorter()
	p := run.NewWholePacker(context.Background(), point, place.Store().Remote, snapshot.Packing{Size: 64 << 20, Parallel: 4}, found.Add)
	for line, err := range lines {
		require.NoError(b, err)
		e, err := graph.ParseEntry(line)
		require.NoError(b, err)
		e.Size = 1
		require.NoError(b, p.Pack(context.Background(), e, []byte("x")))
	}
	require.NoError(b, p.Close())
	return found.Sorted()
}

// listOf are the lines of so many segments, from the one with a number.
func listOf(from, n int) snapshot.Lines {
	return func(yield func(string, error) bool) {
		for i := range n {
			e := graph.Entry{Ref: graph.Ref{ID: graph.ID(fmt.Sprintf("%08x-8173-4bef-91f7-a025057c74fb.ksv", from+i)), Level: graph.Level((from + i) % 100 / 99)}, Size: 4096}
			for j := range e.SHA256 {
				e.SHA256[j] = byte((from + i + 1) * (j + 7) >> (j % 8))
			}
			e.SHA256[31] = 1 // or it may be that of something unknown
			if !yield(graph.FormatEntry(e), nil) {
				return
			}
		}
	}
}
