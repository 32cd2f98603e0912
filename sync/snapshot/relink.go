package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// Words reads the lists of one point, without those of its parents. They have
// been checked against the manifest.
func (p *Place) Words(ctx context.Context, m *Manifest, fn func(added bool, line string)) error {
	for _, added := range []bool{true, false} {
		lists := m.ReleasedList
		if added {
			lists = m.AddedList
		}
		for _, l := range lists {
			err := p.list(ctx, m, l, func(line string) error {
				_, err := graph.ParseEntry(line)
				if err == nil {
					fn(added, line)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("%s of %s: %w", p.pointName(m.Point, l.Name), p, err)
			}
		}
	}
	return nil
}

// Noted are the lines of what earlier, unfinished runs had acknowledged: a later
// one takes their word for it that it is there.
func (r *Run) Noted() Lines { return r.resume.All() }

// Settle comes between two steps of which the second cannot be taken back: what
// was written is on disk then, and the lease is still ours.
func (r *Run) Settle(ctx context.Context) error {
	if err := transfer.SyncToDisk(r.place.F); err != nil {
		return err
	}
	return r.stillLeased(ctx)
}

// Relink gives a point, parked or not, lists that are relative to another parent
// (or to none), which say the same as the old ones. Whoever reads it meanwhile
// finds the old lists or the new ones; m is the new manifest then.
func (r *Run) Relink(ctx context.Context, m *Manifest, isParked bool, parent string, added, released Lines) error {
	generation := 1 + m.generation()
	now := *m
	now.Parent = parent
	needed := map[string]bool{}
	if r.place.Chunked() {
		added = noteChunks(added, needed)
	}
	var err error
	if now.AddedList, now.New, err = r.writeList(ctx, m.Point, fmt.Sprintf("added-%d", generation), added); err != nil {
		return err
	}
	if now.ReleasedList, now.Released, err = r.writeList(ctx, m.Point, fmt.Sprintf("released-%d", generation), released); err != nil {
		return err
	}
	if r.place.Chunked() {
		if now.Chunks, err = r.place.chunksOf(m.Point, needed); err != nil {
			return err
		}
	}
	if err := r.Settle(ctx); err != nil {
		return err
	}
	if err := r.rewrite(ctx, &now, isParked); err != nil {
		return err
	}
	if err := r.Settle(ctx); err != nil {
		return err
	}
	*m = now
	return r.sweep(ctx, m)
}

// Relinked ends what an interrupted Relink has begun: it removes lists to which
// a point does not refer.
func (r *Run) Relinked(ctx context.Context, m *Manifest) error {
	if m.generation() == 0 {
		return nil
	}
	return r.sweep(ctx, m)
}

func (r *Run) sweep(ctx context.Context, m *Manifest) error {
	return r.place.objects(ctx, r.place.pointName(m.Point), func(o fs.Object) error {
		if !m.isOldList(path.Base(o.Remote())) {
			return nil
		}
		return o.Remove(ctx)
	})
}

// isOldList tells of a list whether the point has had it before it was relinked.
func (m *Manifest) isOldList(name string) bool {
	return path.Ext(name) == listSuffix &&
		!slices.ContainsFunc(slices.Concat(m.AddedList, m.ReleasedList), func(l List) bool { return l.Name == name })
}

// Superseded tells of the name of an object beside a point's manifest whether it
// is of an earlier time: a list, the checkpoint of the run that made the point,
// or of a listed point the record of its having been parked.
func (m *Manifest) Superseded(name string, isParked bool) bool {
	return m.isOldList(name) || name == checkpointName || name == parkedName && !isParked
}

// rewrite replaces a point's manifest, where it is.
func (r *Run) rewrite(ctx context.Context, m *Manifest, isParked bool) error {
	b, err := m.checked()
	if err != nil {
		return err
	}
	if !isParked {
		return r.copier.Replace(ctx, r.place.pointName(m.Point, manifestName), b)
	}
	rec, err := r.place.readParked(ctx, m.Point)
	if err != nil {
		return err
	}
	rec.Manifest = string(b)
	return r.writeParked(ctx, m.Point, rec)
}

// checked is Encode, of what can be read again.
func (m *Manifest) checked() ([]byte, error) {
	b, err := m.Encode()
	if err == nil {
		err = m.readable(b)
	}
	return b, err
}

// generation is how often a point's lists were written anew: their names have it
// between the kind and the number of the part, but for the first.
func (m *Manifest) generation() (n int) {
	for _, l := range slices.Concat(m.AddedList, m.ReleasedList) {
		if f := strings.Split(l.Name, "-"); len(f) == 3 {
			g, _ := strconv.Atoi(f[1])
			n = max(n, g)
		}
	}
	return n
}

// removeBut deletes the objects of a directory but one, many at a time, and the
// directory if it is empty then.
func (p *Place) removeBut(ctx context.Context, dir, but string) error {
	left := false
	err := pool.Run(ctx, fs.GetConfig(ctx).Checkers, func(do func(fs.Object) error) error {
		return p.objects(ctx, dir, func(o fs.Object) error {
			if o.Remote() == but {
				left = true
				return nil
			}
			return do(o)
		})
	}, func(ctx context.Context, o fs.Object) error { return o.Remove(ctx) })
	if err != nil || left {
		return err
	}
	return unlessGone(p.rmdir(ctx, dir))
}

// unlessGone takes it for no error that a directory is not there.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrorDirNotFound) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
