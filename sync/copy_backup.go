package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// CopyOptions are the choices of a copy of backups.
type CopyOptions struct {
	// From are other copies of the same backups: what is damaged in the first is
	// taken from them.
	From []fs.Fs
	// Layout and Packing are those of the copy; see BackupOptions.
	Layout  string
	Packing snapshot.Packing
	// Repair reads everything that is in the copy first, and puts back what is
	// missing or damaged.
	Repair bool
}

// CopyReport says what a copy of backups did.
type CopyReport struct {
	// Points are those that the copy got, oldest first, and Reused is how many it
	// had.
	Points   []CopiedPoint  `json:"points"`
	Reused   int            `json:"reused"`
	Written  snapshot.Count `json:"written"`
	Repaired int64          `json:"repaired"`
	// Healed counts segments that were damaged in the first copy and taken from
	// another.
	Healed  int64   `json:"healed"`
	DryRun  bool    `json:"dryRun"`
	Seconds float64 `json:"seconds"`
}

// CopiedPoint is a point that a copy got.
type CopiedPoint struct {
	ID    string         `json:"id"`
	New   snapshot.Count `json:"new"`
	Total snapshot.Count `json:"total"`
}

// CopyBackup gives dst the points of src that it lacks, and their segments.
func CopyBackup(ctx context.Context, src, dst fs.Fs, opt CopyOptions) (*CopyReport, error) {
	if err := checkLayout(opt.Layout, opt.Packing); err != nil {
		return nil, err
	}
	for _, f := range append([]fs.Fs{src}, opt.From...) {
		if overlap(ctx, f, dst) {
			return nil, refuse("%s and the destination overlap: choose another destination", fs.ConfigString(f))
		}
	}
	ctx, cancel, err := begin(ctx, "copy-backup", fs.ConfigString(dst))
	if err != nil {
		return nil, err
	}
	defer cancel()
	c := &copyBackup{opt: opt, dst: dst, native: datomic.New(), places: map[string]*copyPlace{}}
	c.started, c.report.Points = snapshot.Open(dst).Now(), []CopiedPoint{}
	c.copier = transfer.NewCopier(dst, src, c.started)
	if err := c.do(ctx, src); err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	accounting.Stats(ctx).ResetErrors()
	c.report.DryRun = fs.GetConfig(ctx).DryRun
	c.report.Seconds = snapshot.Open(dst).Now().Sub(c.started).Seconds()
	c.report.Healed = c.healed.Load()
	return &c.report, nil
}

// do copies point after point, oldest first: each is complete before the next
// one begins that builds on it.
func (c *copyBackup) do(ctx context.Context, src fs.Fs) error {
	for _, f := range append([]fs.Fs{src}, c.opt.From...) {
		p, err := snapshot.Find(ctx, f)
		if err != nil {
			return err
		}
		c.from = append(c.from, p)
	}
	var err error
	if c.all, err = c.points(ctx); err != nil {
		return err
	}
	for _, m := range c.all {
		to, err := c.placeOf(ctx, m)
		if err != nil {
			return err
		}
		if to.has(m) {
			c.report.Reused++
			continue
		}
		if err := c.copyPoint(ctx, to, m); err != nil {
			return fmt.Errorf("point %s: %w", m.Point, err)
		}
	}
	return nil
}

// points are those of the first copy, and those that only Datomic has written.
func (c *copyBackup) points(ctx context.Context) ([]*snapshot.Manifest, error) {
	from := c.from[0]
	ids, err := from.IDs(ctx)
	if err != nil {
		return nil, err
	}
	var points []*snapshot.Manifest
	for _, id := range ids {
		m, err := from.Manifest(ctx, id)
		if damaged(err) {
			m, err = c.elsewhere(ctx, id, err)
		}
		if err != nil {
			return nil, err
		}
		if m != nil {
			points = append(points, m)
		}
	}
	native, err := nativeManifests(ctx, from, ids)
	if err != nil {
		return nil, err
	}
	points = append(points, native...)
	if len(points) == 0 {
		if err := checkKey(ctx, from.F); err != nil {
			return nil, err
		}
		return nil, noPoint(ctx, from, "")
	}
	slices.SortStableFunc(points, byMoment)
	return points, nil
}

// byMoment orders the points of a Datomic database by t, and others by their
// ids: those that a point builds on come before it.
func byMoment(a, b *snapshot.Manifest) int {
	if a.T != b.T && a.ID == b.ID {
		return int(a.T - b.T)
	}
	return strings.Compare(a.Point, b.Point)
}

// elsewhere reads a manifest that is damaged or missing in the first copy. If it
// is missing the point may be incomplete, or pruned, and is passed by.
func (c *copyBackup) elsewhere(ctx context.Context, id string, damage error) (*snapshot.Manifest, error) {
	missing := errors.Is(damage, graph.ErrNotFound)
	if missing {
		if _, err := c.from[0].Parked(ctx, id); !errors.Is(err, graph.ErrNotFound) {
			return nil, err
		}
	}
	for _, p := range c.from[1:] {
		if m, err := p.Manifest(ctx, id); err == nil {
			fs.Logf(p.F, "Taking the manifest of point %s from here: %v", id, damage)
			return m, nil
		}
	}
	if missing {
		return nil, nil //nolint:nilnil // it is no point
	}
	return nil, fmt.Errorf("%w; a copy that has it can be named with --from", damage)
}

// placeOf prepares the place of a database at the destination.
func (c *copyBackup) placeOf(ctx context.Context, m *snapshot.Manifest) (*copyPlace, error) {
	if to, ok := c.places[m.ID]; ok {
		return to, nil
	}
	to, err := c.openPlace(ctx, m)
	if err == nil {
		err = to.look(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	c.places[m.ID] = to
	if c.opt.Repair {
		n, err := c.repair(ctx, to)
		c.report.Repaired += n
		return to, err
	}
	return to, nil
}

// openPlace finds out which layout the destination has, or is to get.
func (c *copyBackup) openPlace(ctx context.Context, m *snapshot.Manifest) (*copyPlace, error) {
	p := snapshot.Open(c.dst)
	native, chunked, err := p.Layouts(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	switch {
	case native && c.opt.Layout == LayoutChunked:
		return nil, refuse("%s holds something in the native layout: choose another destination", p)
	case chunked && c.opt.Layout == LayoutNative:
		return nil, refuse("%s holds backups in chunks: choose another destination", p)
	}
	toChunks := c.opt.Layout == LayoutChunked || chunked
	if c.opt.Layout == "" && !native && !chunked { // nothing is there
		toChunks = m.Layout == snapshot.Chunked
	}
	if toChunks {
		if err := p.Chunk(m.ID); err != nil {
			return nil, refuse("%w", err)
		}
	}
	p.Kind = m.Kind
	c.copier.Whole = m.Kind == snapshot.Datomic
	sources := map[string]bool{}
	for _, m := range c.all {
		sources[m.ID] = true
	}
	return &copyPlace{Place: p, sources: sources, repair: c.opt.Repair}, nil
}
