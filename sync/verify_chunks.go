package dbsync

import (
	"context"
	"maps"
	"strings"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// presentInChunks compares what the point lists with the directories of its
// chunks, and its copy of the heads with their digest: whoever has nothing but an
// unzip goes by these.
func (v *verify) presentInChunks(ctx context.Context) error {
	there := spill.NewSorter()
	defer there.Close()
	used := map[string]bool{}
	heads := snapshot.HeadsChunk(v.m)
	if heads != "" {
		used[heads] = true
	}
	for line, err := range v.closure.All() {
		if err != nil {
			return err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return err
		}
		used[e.At.Chunk] = true
	}
	v.chunks = used
	infos := v.place.Chunks(used)
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, infos, func(ctx context.Context, info chunk.Info) error {
		entries, err := v.place.Directory(ctx, info, v.m.Kind)
		if err == nil && info.Chunk == heads {
			err = v.place.CheckChunk(ctx, info)
		}
		if err != nil && ctx.Err() == nil {
			v.faultOf(graph.ID(chunkFile(info)), err)
			return nil
		}
		for _, e := range entries {
			there.Add(graph.FormatEntry(e))
		}
		return err
	})
	if err != nil || len(v.faults) > 0 {
		return err
	}
	return v.compareDirectories(there.Sorted())
}

// readChunks reads what the walk has not read, each chunk from its first byte to its
// last, and then the chunks from which nothing was left to be read.
func (v *verify) readChunks(ctx context.Context, chunks *chunk.Segments, unread snapshot.Lines) error {
	whole := map[string]bool{snapshot.HeadsChunk(v.m): true} // which was read before
	noted := func(yield func(string, error) bool) {
		for line, err := range unread {
			if err == nil {
				e, perr := graph.ParseEntry(line)
				if err = perr; e.Level != graph.Value { // a large one is read by itself
					whole[e.At.Chunk] = true
				}
			}
			if !yield(line, err) {
				return
			}
		}
	}
	if err := chunks.EachWhole(ctx, noted, fs.GetConfig(ctx).Checkers, v.readOne); err != nil {
		return err
	}
	rest := map[string]bool{}
	for name := range v.chunks {
		rest[name] = !whole[name]
	}
	maps.DeleteFunc(rest, func(_ string, left bool) bool { return !left })
	return pool.Each(ctx, fs.GetConfig(ctx).Checkers, v.place.Chunks(rest), func(ctx context.Context, info chunk.Info) error {
		if err := v.place.CheckChunk(ctx, info); err != nil {
			v.faultOf(graph.ID(chunkFile(info)), err)
		}
		return context.Cause(ctx)
	})
}

// chunkFile is where a chunk lies below the directory of its database.
func chunkFile(info chunk.Info) string {
	if name, err := chunk.Path(info.Chunk); err == nil {
		return name
	}
	return info.Chunk
}

// compareDirectories looks for every segment of the point among those that the
// directories have. They may have more, and one of them twice.
func (v *verify) compareDirectories(there snapshot.Lines) error {
	last, found := "", true
	end := func() {
		if !found {
			id, _, _ := strings.Cut(last, "\t")
			v.fault(graph.ID(id), "is not in the directory of its chunk as the point lists it")
		}
	}
	err := snapshot.Join(there, v.closure.All(), func(have, want string) error {
		if want == "" {
			return nil
		}
		if want != last {
			end()
			last, found = want, false
		}
		found = found || have == want
		return nil
	})
	end()
	return err
}
