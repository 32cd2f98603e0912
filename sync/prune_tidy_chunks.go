package dbsync

import (
	"context"
	"path"
	"strings"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// tidyChunks removes leftovers at a place in chunks. Every manifest was read, also
// those of points that can be brought back: what these name stays.
func (l *leftovers) tidyChunks(ctx context.Context) error {
	l.named = map[string]bool{}
	for name := range l.place.KnownChunks() {
		l.named[name] = true
	}
	for _, id := range l.incomplete {
		updated, going, err := l.place.Checkpointed(ctx, id)
		if err != nil {
			return err
		}
		if l.old(id) && (!going || !updated.After(l.before)) {
			l.gone[id] = true
		}
	}
	return l.sweep(ctx, l.isLeftOfChunks)
}

// isLeftOfChunks is isLeft at a place in chunks.
func (l *leftovers) isLeftOfChunks(ctx context.Context, o fs.Object) (bool, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(o.Remote(), l.place.Dir()), "/")
	id, rest, _ := strings.Cut(name, "/")
	young := !o.ModTime(ctx).Before(l.before)
	switch {
	case id == "inflight":
		run, _, _ := strings.Cut(rest, "/")
		return l.gone[run], nil
	case strings.HasSuffix(name, ".new"):
		return l.gone[id] || !young, nil // an upload that was cut off
	case path.Dir(rest) == chunk.Dir:
		return l.isStray(id, path.Base(rest), young), nil
	case path.Dir(rest) == ".":
		return l.gone[id] || l.isSuperseded(ctx, o, id), nil
	}
	return false, nil
}

// isStray tells of a file among a backup's chunks whether nobody needs it: a chunk
// that no point names, or an upload of one that was cut off.
func (l *leftovers) isStray(id, file string, young bool) bool {
	whole, suffix, _ := strings.Cut(file, ".zip")
	name, err := snapshot.ChunkName(id, whole+".zip")
	if err != nil || suffix == "" && l.named[name] {
		return false
	}
	return l.gone[id] || !young && (l.points[id] != nil || suffix != "")
}
