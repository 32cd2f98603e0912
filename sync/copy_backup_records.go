package dbsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// records puts back what points of the copy keep besides segments: held heads and
// lists. It takes them from a copy that has the same point.
func (h *healer) records(ctx context.Context, to *copyPlace, run *snapshot.Run) (repaired int64, err error) {
	for _, m := range to.points {
		n, err := h.heads(ctx, to, m)
		if err != nil {
			return repaired, fmt.Errorf("point %s: %w", m.Point, err)
		}
		repaired += n
		err = to.Words(ctx, m, func(bool, string) {})
		if damaged(err) {
			fs.Logf(to.F, "%v", err)
			if err := h.lists(ctx, m, run); err != nil {
				return repaired, fmt.Errorf("point %s: %w", m.Point, err)
			}
			repaired++
		} else if err != nil {
			return repaired, err
		}
	}
	n, err := h.mirror(ctx, to)
	return repaired + n, err
}

// mirror puts back heads and roots where the database finds them.
func (h *healer) mirror(ctx context.Context, to *copyPlace) (repaired int64, err error) {
	if to.Chunked() {
		return 0, nil
	}
	seen := map[string]bool{}
	for _, m := range slices.Backward(to.points) {
		if !m.Copy && m.Kind != snapshot.Datomic && seen[snapshot.StoreDir] {
			continue // a newer point has put its own there
		}
		seen[snapshot.StoreDir] = seen[snapshot.StoreDir] || !m.Copy
		held, err := to.Held(ctx, m)
		if unmended(ctx, err) {
			continue
		}
		if err != nil {
			return repaired, fmt.Errorf("point %s: %w", m.Point, err)
		}
		for _, b := range held {
			name := m.HeadName(b.ID)
			if seen[name] {
				continue
			}
			seen[name] = true
			wrong, err := h.wrong(ctx, to, m, name, b)
			if err == nil && wrong {
				repaired++
				err = h.copier.Replace(ctx, name, b.Data)
			}
			if err != nil {
				return repaired, err
			}
		}
	}
	return repaired, nil
}

// unmended tells whether something is damaged still because nothing is changed.
func unmended(ctx context.Context, err error) bool {
	return damaged(err) && fs.GetConfig(ctx).DryRun
}

// wrong tells whether a mutable object has to be put back. One of Datahike's that
// has other bytes may be what somebody has done to the copy: that is not undone.
func (h *healer) wrong(ctx context.Context, to *copyPlace, m *snapshot.Manifest, name string, b graph.Held) (bool, error) {
	data, err := to.Heads().Get(ctx, graph.ID(name))
	switch {
	case err == nil && bytes.Equal(data, b.Data):
		return false, nil
	case errors.Is(err, graph.ErrNotFound):
		return true, nil
	case err != nil && !damaged(err):
		return false, err
	case m.Kind == snapshot.Datomic && b.ID == store.OwnerName:
		return true, nil
	case m.Kind == snapshot.Datomic:
		err := checkRoot(ctx, to.Place, m, h.native, b.Data, data)
		if err != nil && !damaged(err) {
			return false, err
		}
		return err != nil, nil
	}
	return false, refuse("%s in %s %s", name, to, changed)
}

// heads puts back those that the point holds. In chunks they are in the manifest.
func (h *healer) heads(ctx context.Context, to *copyPlace, m *snapshot.Manifest) (repaired int64, err error) {
	if to.Chunked() {
		return 0, nil
	}
	for _, o := range m.Held {
		data, err := to.HeldBytes(ctx, m.Point, o.Name)
		if err == nil && o.Matches(data) {
			continue
		}
		if err != nil && !damaged(err) {
			return repaired, err
		}
		if data, err = h.held(ctx, m, o); err != nil {
			return repaired, err
		}
		if err := h.copier.Replace(ctx, to.HeldName(m.Point, o.Name), data); err != nil {
			return repaired, err
		}
		repaired++
	}
	return repaired, nil
}

// held finds the bytes of a head in any of the copies.
func (h *healer) held(ctx context.Context, m *snapshot.Manifest, want snapshot.Object) ([]byte, error) {
	for _, from := range h.from {
		have, err := from.Manifest(ctx, m.Point)
		if err != nil {
			continue
		}
		held, err := heldOf(ctx, from, have)
		if err != nil {
			continue
		}
		for _, b := range held {
			if b.ID == graph.ID(want.Name) && want.Matches(b.Data) {
				return b.Data, nil
			}
		}
	}
	return nil, fmt.Errorf("its head %s is damaged, and no other copy has it: %w", want.Name, graph.ErrCorrupt)
}

// lists writes the point's lists anew, from a copy in which it builds on the same
// point. Those in chunks say where segments lie, which only the copy itself knows.
func (h *healer) lists(ctx context.Context, m *snapshot.Manifest, run *snapshot.Run) error {
	err := errors.New("no other copy has it")
	for _, from := range h.from {
		var have *snapshot.Manifest
		if m.Layout == snapshot.Chunked {
			break
		}
		if have, err = from.Manifest(ctx, m.Point); err != nil || have.Parent != m.Parent {
			continue
		}
		if fs.GetConfig(ctx).DryRun {
			return nil
		}
		if err = run.Relink(ctx, m, false, m.Parent, stripped(from.Added(ctx, have)), stripped(from.Released(ctx, have))); err == nil {
			return nil
		}
	}
	return fmt.Errorf("its list is damaged and cannot be made anew (%w): remove the point from the copy, and copy it again: %w", err, graph.ErrCorrupt)
}

// stripped are lines without places in chunks.
func stripped(lines snapshot.Lines) snapshot.Lines {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if err == nil {
				line = placeless(line)
			}
			if !yield(line, err) {
				return
			}
		}
	}
}
