package dbsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/rclone/rclone/fs"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// datahikeBackup is a backup of a Datahike database.
type datahikeBackup struct {
	*backup
	heads   *datahike.Heads
	schemas *walk.Schemas
	was     *datahike.Heads // of the parent
	// tails tells whether those of a point are gone; see pruned.
	tails struct {
		of   *snapshot.Manifest
		gone bool
	}
}

func (b *datahikeBackup) held() []graph.Held { return b.heads.Held() }

func (b *datahikeBackup) id() string { return b.heads.Main().DatabaseID }

func (b *datahikeBackup) moment() string { return datahike.Text(b.heads.Main().Commit)[:8] }

func (b *datahikeBackup) reads() int64 { return b.Store.Reads() }

func (b *datahikeBackup) get(ctx context.Context, id graph.ID) ([]byte, error) {
	return b.Store.Get(ctx, id)
}

// sound refuses: a point of a Datahike database has a digest of everything.
func (b *datahikeBackup) sound(ref graph.Ref, _ []byte) error {
	return fmt.Errorf("%s has no digest: %w", ref.ID, graph.ErrCorrupt)
}

// adopt has nothing to do: nobody else writes backups of this layout.
func (b *datahikeBackup) adopt(context.Context) error { return nil }

func (b *datahikeBackup) hold(ctx context.Context) (err error) {
	b.tails.of = nil
	if b.heads, err = b.Dialect.Hold(ctx, b.Store.Get, b.Branch); err != nil {
		return fmt.Errorf("%s: %w", b.Store, err)
	}
	b.warnOfSecrets()
	if b.onlineGC() {
		return b.acceptOnlineGC()
	}
	return nil
}

func (b *datahikeBackup) beside(_ context.Context, id string) error {
	if b.accepts(AcceptOtherDatabase) {
		return nil
	}
	return refuse("%s holds backups of database %s, the source is database %s; choose another destination, or give --accept %s to keep both there",
		b.place, id, b.id(), AcceptOtherDatabase)
}

// fits refuses to build on a whole copy.
func (b *datahikeBackup) fits(ctx context.Context) error {
	if b.newest != nil || b.place.Chunked() {
		return b.checkCopy()
	}
	owner, err := b.place.Heads().Get(ctx, store.OwnerName)
	if errors.Is(err, graph.ErrNotFound) {
		return b.checkCopy()
	}
	if err == nil {
		err = refuse("%s is claimed by the Datomic database %s, the source is a Datahike database; choose another destination", b.place, owner)
	}
	return err
}

// describe fills in branches, commits and settings.
func (b *datahikeBackup) describe(m *snapshot.Manifest, found *found) {
	main := b.heads.Main()
	m.StoreID, m.Tails, m.Absent = main.Config.StoreID, found.tails, found.values
	for _, br := range b.heads.Branches {
		m.Branches[br.Name] = snapshot.Branch{
			Commit: datahike.Text(br.Commit), MaxTx: br.MaxTx, Absent: found.absent[datahike.AddressID(br.Commit)],
		}
	}
	for k, v := range main.Config.Settings {
		if s, ok := v.(string); ok && strings.HasPrefix(s, ":") {
			v = edn.Keyword(s[1:])
		}
		m.Settings[edn.Keyword(k)] = v
	}
}

func (b *datahikeBackup) warnOfSecrets() {
	found := map[string]bool{}
	for _, br := range b.heads.Branches {
		for _, s := range br.Config.Secrets {
			found[s] = true
		}
	}
	if len(found) > 0 && b.report.Point == "" && b.run == nil {
		names := strings.Join(slices.Sorted(maps.Keys(found)), ", ")
		fs.Logf(b.Fs, "Datahike stores its connect configuration in every head and commit, here with what looks like credentials (%s): "+
			"whoever reads the backup can read them. Use a crypt remote as destination", names)
	}
}

// complete tells whether what the parent point reached is still there and what
// it lacked still is not, and whether its heads lie in the store: without
// reading them.
func (b *datahikeBackup) complete(ctx context.Context) (bool, error) {
	if pruned, err := b.pruned(ctx); pruned || err != nil {
		return false, err
	}
	var lacking []graph.ID
	for _, br := range b.heads.Branches {
		if br.Config.CommitGraph && b.parent.Branches[br.Name].Absent {
			lacking = append(lacking, datahike.AddressID(br.Commit))
		}
	}
	for _, id := range b.parent.Absent {
		lacking = append(lacking, graph.ID(id))
	}
	come := atomic.Bool{}
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, lacking, func(ctx context.Context, id graph.ID) error {
		size, err := b.Store.Size(ctx, id)
		if err == nil && size >= minBlob {
			come.Store(true)
		}
		if errors.Is(err, graph.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil || come.Load() {
		return false, err
	}
	if b.place.Chunked() {
		return true, nil
	}
	return b.headsThere(ctx)
}

// pruned tells whether commits that the parent reaches are gone at the
// source. Collection removes the oldest first, so looking at the tails is
// enough (DESIGN.md §6).
func (b *datahikeBackup) pruned(ctx context.Context) (bool, error) {
	if b.parent == nil {
		return false, nil
	}
	if b.tails.of != b.parent {
		gone, err := b.tailsGone(ctx)
		if err != nil {
			return false, err
		}
		b.tails.of, b.tails.gone = b.parent, gone
	}
	return b.tails.gone, nil
}

func (b *datahikeBackup) tailsGone(ctx context.Context) (bool, error) {
	for _, t := range b.parent.Tails {
		size, err := b.Store.Size(ctx, graph.ID(t))
		if errors.Is(err, graph.ErrNotFound) || err == nil && size < minBlob {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// inspect reads the heads that lie at the destination, and refuses if
// somebody else has moved them.
func (b *datahikeBackup) inspect(ctx context.Context) error {
	b.present = map[graph.ID]snapshot.Object{}
	b.was = nil
	if b.place.Chunked() {
		return b.readParent(ctx)
	}
	if b.parent == nil {
		return b.checkUnclaimed(ctx)
	}
	var have []graph.Held
	intact := true
	for _, o := range b.parent.Held {
		id := graph.ID(o.Name)
		data, err := b.destination.Get(ctx, id)
		if err != nil && !damaged(err) {
			return err
		}
		b.present[id] = snapshot.Describe(o.Name, data)
		have = append(have, graph.Held{ID: id, Data: data})
		if o.Matches(data) {
			continue
		}
		intact = false
		if err := b.checkMoved(ctx, id, data); err != nil {
			return err
		}
	}
	if !intact {
		var err error
		if have, err = b.place.Held(ctx, b.parent); err != nil {
			return err
		}
	}
	var err error
	b.was, err = b.Dialect.Parse(have, "")
	return err
}

// readParent reads what the parent's heads were.
func (b *datahikeBackup) readParent(ctx context.Context) error {
	if b.parent == nil {
		return nil
	}
	held, err := b.place.Held(ctx, b.parent)
	if err == nil {
		b.was, err = b.Dialect.Parse(held, "")
	}
	return err
}

// checkUnclaimed refuses a place where a database lies that is no backup.
func (b *datahikeBackup) checkUnclaimed(ctx context.Context) error {
	data, err := b.destination.Get(ctx, datahike.BranchesID())
	if errors.Is(err, graph.ErrNotFound) || b.newest != nil {
		return nil
	}
	if err != nil {
		return err
	}
	explained, err := b.explained(ctx, datahike.BranchesID(), data)
	if err == nil && !explained {
		err = refuse("%s holds a database that no backup has put there; choose another destination, or give --accept %s to write over its heads",
			b.place.Store(), AcceptMovedHeads)
	}
	return err
}

// check looks at the heads' schemas before anything is written: what
// is refused leaves the destination as it was.
func (b *datahikeBackup) check(ctx context.Context) error {
	b.schemas = &walk.Schemas{Dialect: b.Dialect, Read: b.readSchema}
	for _, br := range b.heads.Branches {
		if _, err := b.schemas.StoreRefsOf(ctx, br.Record); err != nil {
			return err
		}
	}
	return nil
}

// readSchema gets a schema blob, whether it is wanted or had.
func (b *datahikeBackup) readSchema(ctx context.Context, ref graph.Ref) ([]byte, error) {
	data, err := datahike.Present(ctx, b.Store.Get, ref.ID)
	if errors.Is(err, graph.ErrNotFound) {
		data, err = b.old(ctx, ref.ID)
	}
	if errors.Is(err, graph.ErrNotFound) {
		err = &goneError{[]graph.ID{ref.ID}}
	}
	return data, err
}

// checkMoved refuses a head that is not what the parent point has put there.
func (b *datahikeBackup) checkMoved(ctx context.Context, id graph.ID, data []byte) error {
	explained, err := b.explained(ctx, id, data)
	if err != nil || explained {
		return err
	}
	if data == nil {
		return refuse("%s is missing in %s: put back what is lost there with --repair", id, b.place.Store())
	}
	return refuse("%s in %s is not what the last backup has put there: a database was opened there and written to, or the file is damaged. "+
		"Move it away, or give --accept %s to put the backup's heads back", id, b.place.Store(), AcceptMovedHeads)
}

// explained tells whether other bytes than the last point's are no surprise:
// the user has said so, or an unfinished run of ours has put them there.
func (b *datahikeBackup) explained(ctx context.Context, id graph.ID, data []byte) (bool, error) {
	if b.opt.Repair || b.accepts(AcceptMovedHeads) || b.accepts(AcceptOtherDatabase) {
		return true, nil
	}
	for _, point := range b.incomplete {
		held, err := b.place.HeldBytes(ctx, point, string(id))
		if err == nil && string(held) == string(data) {
			return true, nil
		}
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}
