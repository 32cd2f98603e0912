package cli

import (
	"fmt"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// Layout is how a command is told in which layout to write. Its fields are
// parameters of rc calls as well.
type Layout struct {
	// Layout is dbsync.LayoutNative or dbsync.LayoutChunked, or empty.
	Layout        string        `json:"layout"`
	ChunkSize     fs.SizeSuffix `json:"chunkSize"`
	ChunkParallel Number        `json:"chunkParallel"`
	// ChunkCompress is "zstd", "none" or empty.
	ChunkCompress string `json:"chunkCompress"`
}

// Flags adds the flags to a command; otherwise says which layout it is without them.
func (l *Layout) Flags(c *cobra.Command, otherwise string) {
	f := c.Flags()
	flags.StringVarP(f, &l.Layout, "layout", "", "", "native: an object for each segment; chunked: many in one ("+otherwise+")", "")
	flags.FVarP(f, &l.ChunkSize, "chunk-size", "", "With --layout chunked: how large a chunk gets (default 64Mi)", "")
	flags.IntVarP(f, (*int)(&l.ChunkParallel), "chunk-parallel", "", 0, "With --layout chunked: how many chunks are uploaded at a time (default 4)", "")
	flags.StringVarP(f, &l.ChunkCompress, "chunk-compress", "", "", "With --layout chunked: zstd, for databases that do not compress themselves (default none)", "")
	for flag, values := range map[string][]string{"layout": {dbsync.LayoutNative, dbsync.LayoutChunked}, "chunk-compress": {"none", "zstd"}} {
		Choices(c, flag, values...)
	}
}

// Packing is how chunks are to be packed.
func (l Layout) Packing() (snapshot.Packing, error) {
	p := snapshot.Packing{Size: int64(l.ChunkSize), Parallel: int(l.ChunkParallel)}
	switch l.ChunkCompress {
	case "zstd":
		p.Compress = true
	case "", "none":
	default:
		return p, fserrors.NoRetryError(fmt.Errorf("unknown --chunk-compress %q: there are none and zstd", l.ChunkCompress))
	}
	return p, nil
}

// LayoutHelp tells of the parameters in the help of rc calls.
const LayoutHelp = `- layout - native or chunked (optional; what is there, or native)
- chunkSize, chunkParallel, chunkCompress - of layout chunked (optional)
`
