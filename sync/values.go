package dbsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// copyValue copies an object to which datoms refer. That it is not there is no
// error: it may be kept elsewhere, or come later.
func (c *copying) copyValue(ctx context.Context, id graph.ID) error {
	err := c.target.Value(ctx, id, c.findValue, func(head []byte) error { return c.Dialect.CheckValue(id, head) })
	if !errors.Is(err, graph.ErrNotFound) {
		return err
	}
	if ok, err := c.recallValue(ctx, id); ok || err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.absent[id] = true
	if len(c.absent) > snapshot.MaxAbsent {
		return fmt.Errorf("%w: datoms refer to more than %d objects that are not in the store", graph.ErrUnsupported, snapshot.MaxAbsent)
	}
	return nil
}

// recallValue tells whether an object that the source has lost is part of some
// point. What the parent point lacked is not looked for at the destination
// time and again.
func (c *copying) recallValue(ctx context.Context, id graph.ID) (bool, error) {
	if c.target.Old == nil {
		return false, nil
	}
	if c.parent != nil && known(c.parent.Absent, id) {
		return false, nil
	}
	e, ok, err := c.target.Journal.Recall(ctx, id)
	if ok {
		e.Level = graph.Value
		c.target.Journal.Reach(e)
	}
	return ok, err
}

// known tells whether a sorted list of a manifest has the id.
func known(ids []string, id graph.ID) bool {
	_, ok := slices.BinarySearch(ids, string(id))
	return ok
}

func (c *copying) findValue(ctx context.Context, id graph.ID) (fs.Object, error) {
	o, err := c.Store.Object(ctx, id)
	if err == nil && o.Size() >= 0 && o.Size() < minBlob {
		err = fmt.Errorf("%s has only %d bytes: %w", id, o.Size(), graph.ErrNotFound)
	}
	return o, err
}

// copyMissingValues looks again for what the parent point lacked.
func (c *copying) copyMissingValues(ctx context.Context) error {
	return pool.Each(ctx, c.Walker.Workers, c.parent.Absent, func(ctx context.Context, id string) error {
		return c.copyValue(ctx, graph.ID(id))
	})
}

// absentValues are named to the user, once, and to the manifest.
func (c *copying) absentValues() (ids []string) {
	for _, id := range slices.Sorted(maps.Keys(c.absent)) {
		ids = append(ids, string(id))
	}
	if len(ids) > 0 {
		some := ids[:min(len(ids), 3)]
		fs.Logf(c.Fs, "%d objects to which datoms refer are not in the store (%s …): they may be kept elsewhere; each backup looks for them again",
			len(ids), strings.Join(some, " "))
	}
	return ids
}
