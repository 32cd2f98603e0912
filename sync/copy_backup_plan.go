package dbsync

import (
	"context"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// plan says what copying the point would do, from the lists alone.
func (p *pointCopy) plan(ctx context.Context, m *snapshot.Manifest) error {
	parent := p.parent(m)
	m.Parent, m.New, m.Released = pointID(parent), snapshot.Count{}, snapshot.Count{}
	released := spill.NewSorter()
	defer released.Close()
	lines, err := p.differences(ctx, parent, released)
	if err != nil {
		return err
	}
	defer func() { _ = lines.Close() }()
	if err := countLines(&m.New, lines.All()); err != nil {
		return err
	}
	if err := countLines(&m.Released, released.Sorted()); err != nil {
		return err
	}
	m.Total = m.New.Minus(m.Released)
	if parent != nil {
		m.Total = m.Total.Plus(parent.Total)
	}
	p.to.planned[m.Point] = p.m
	p.copied(m)
	return nil
}

func countLines(count *snapshot.Count, lines snapshot.Lines) error {
	for line, err := range lines {
		if err != nil {
			return err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return err
		}
		count.Add(e)
	}
	return nil
}

// unpark makes a pruned point one again: the copy has all of it.
func (p *pointCopy) unpark(ctx context.Context, run *snapshot.Run, m *snapshot.Manifest) error {
	m.New = snapshot.Count{} // of segments that are sent
	if fs.GetConfig(ctx).DryRun {
		p.copied(m)
		return nil
	}
	if _, err := p.to.Chain(ctx, m); err != nil {
		return err
	}
	if m.Kind == snapshot.Datomic && !p.to.Chunked() {
		held, err := p.to.Held(ctx, m)
		if err != nil {
			return err
		}
		if err := p.putRoot(ctx, m, held); err != nil {
			return err
		}
	}
	if err := run.Unpark(ctx, m.Point); err != nil {
		return err
	}
	p.copied(m)
	return nil
}

// putRoot writes the root of a pruned point where Datomic finds it, but for one
// that a newer point has put there.
func (p *pointCopy) putRoot(ctx context.Context, m *snapshot.Manifest, held []graph.Held) error {
	present := p.to.present(m, held)
	for _, h := range held {
		if _, ok := present[h.ID]; ok || h.ID == store.OwnerName {
			continue
		}
		if err := p.copier.Replace(ctx, m.HeadName(h.ID), h.Data); err != nil {
			return err
		}
	}
	return nil
}
