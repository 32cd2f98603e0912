package dbsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// datomicBackup is a backup of a Datomic database, in Datomic's own layout:
// what others have written there counts as Datomic counts it.
type datomicBackup struct {
	*backup
	dialect *datomic.Dialect

	value *datomic.Value
	last  datomic.Transaction
	root  []byte // of the value, as roots/<t> has it
	// was is the parent point's value, or nil.
	was *datomic.Value
	// foreign is the newest root at the destination that no point of ours is
	// for, or nil.
	foreign *nativeRoot
	// owned: the place has been claimed.
	owned bool
}

var errNotWhole = fserrors.NoRetryError(errors.New("--online-gc-copy is for Datahike: Datomic never uses an id again"))

// newDatomicBackup refuses what has no meaning for Datomic.
func newDatomicBackup(b *backup) (*datomicBackup, error) {
	switch {
	case b.opt.OnlineGCCopy:
		return nil, errNotWhole
	case len(b.opt.Accept) > 0:
		return nil, fserrors.NoRetryError(errors.New("--accept is for Datahike: Datomic itself takes the newest root of a backup for granted, so nothing but the same database may follow it. Choose another destination"))
	}
	b.place.Kind = snapshot.Datomic
	return &datomicBackup{backup: b, dialect: datomic.New()}, nil
}

// hold pins the newest value.
func (b *datomicBackup) hold(ctx context.Context) (err error) {
	value, err := b.Datomic.Pin(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", b.Datomic, err)
	}
	b.value, b.was, b.foreign = value, nil, nil
	if b.root, err = b.value.EncodeRoot(); err != nil {
		return err
	}
	b.last, err = b.dialect.Last(ctx, b.get, b.value)
	return err
}

func (b *datomicBackup) held() []graph.Held {
	if b.value == nil {
		return nil
	}
	return heldAt(b.value.DatabaseID, b.last.T, b.root)
}

func (b *datomicBackup) id() string { return b.value.DatabaseID }

func (b *datomicBackup) moment() string { return moment(b.last.T) }

func (b *datomicBackup) reads() int64 { return b.Datomic.Reads() }

func (b *datomicBackup) get(ctx context.Context, id graph.ID) ([]byte, error) {
	data, err := b.Datomic.Get(ctx, id)
	if errors.Is(err, graph.ErrNotFound) {
		return nil, &goneError{[]graph.ID{id}}
	}
	return data, err
}

func (b *datomicBackup) sound(ref graph.Ref, data []byte) error { return b.dialect.Check(ref, data) }

// describe fills in where the database stands.
func (b *datomicBackup) describe(m *snapshot.Manifest, _ *found) {
	m.Name, m.T, m.Tx = b.name(), b.last.T, b.last.ID
	m.Settings[edn.Keyword("index/version")] = b.value.IndexVersion
	m.Settings[edn.Keyword("log/version")] = b.value.LogVersion
}

// beside refuses: a backup in Datomic's layout has one owner.
func (b *datomicBackup) beside(ctx context.Context, id string) error { return b.claimed(ctx, id) }

// claimed refuses a place that another database has claimed, and says so if it
// is one that had the same name and was deleted.
func (b *datomicBackup) claimed(ctx context.Context, owner string) error {
	const remedy = "choose another destination"
	catalog, err := b.Datomic.Catalog(ctx)
	if err == nil && catalog != nil && slices.Contains(catalog.Deleted, owner) {
		return refuse("%s is claimed by database %s, which was deleted: the source is %s, another database that was created under the name %q since; %s",
			b.place, owner, b.id(), b.Datomic.Database(), remedy)
	}
	if name := firstName(owner); name != "" && name == firstName(b.id()) {
		return refuse("%s is claimed by database %s: the source is %s, another database that was created with the same name %q, as if the first had been deleted and re-created; %s",
			b.place, owner, b.id(), name, remedy)
	}
	return refuse("%s is claimed by database %s, the source is database %s; %s", b.place, owner, b.id(), remedy)
}

// firstName is the name with which a database was created: its id without the
// uuid at the end.
func firstName(id string) string {
	const uuid = len("-2a0d8a3b-8e48-4023-8f28-a65b96dd31ba")
	return id[:max(len(id)-uuid, 0)]
}

// complete tells whether owner and root lie where Datomic looks for them.
func (b *datomicBackup) complete(ctx context.Context) (bool, error) {
	if b.place.Chunked() {
		return true, nil
	}
	data, err := b.place.Heads().Get(ctx, graph.ID(store.RootName(b.last.T)))
	if errors.Is(err, graph.ErrNotFound) {
		return false, nil
	}
	return b.owned && string(data) == string(b.root), err
}

// check has nothing to ask: Pin has understood the versions.
func (b *datomicBackup) check(context.Context) error { return nil }

// copyWhole is refused at the start already.
func (b *datomicBackup) copyWhole(context.Context) error { return errNotWhole }

// fits refuses a place that is another database's, and one that is ahead of
// the source or has another past: a storage that was restored from an old copy.
func (b *datomicBackup) fits(ctx context.Context) error {
	if b.place.Chunked() {
		return b.followsParent(ctx)
	}
	owner, err := b.place.Heads().Get(ctx, store.OwnerName)
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		return err
	}
	b.owned = err == nil
	if b.owned && string(owner) != b.id() {
		return b.claimed(ctx, string(owner))
	}
	roots, err := store.Roots(ctx, b.place.F)
	if err != nil {
		return err
	}
	if err := b.followsParent(ctx); err != nil {
		return err
	}
	if len(roots) == 0 || b.parent != nil && roots[len(roots)-1].T <= b.parent.T {
		return nil
	}
	return b.fitsForeign(ctx, roots[len(roots)-1])
}

func (b *datomicBackup) followsParent(ctx context.Context) error {
	if b.parent == nil {
		return nil
	}
	return b.follows(ctx, datomic.Transaction{T: b.parent.T, ID: b.parent.Tx}, "point "+b.parent.Point)
}

// fitsForeign looks at a root that is newer than every point of ours.
func (b *datomicBackup) fitsForeign(ctx context.Context, at store.Root) error {
	root := nativeRoot{Root: at}
	name := store.RootName(root.T)
	err := root.read(ctx, b.place)
	if err == nil {
		root.last, err = b.dialect.Last(ctx, b.destination.Get, root.value)
	}
	if err != nil {
		if b.opt.Repair && (damaged(err)) {
			fs.Errorf(b.place.F, "%s cannot be read, so it is not built on: %v", name, err)
			return nil
		}
		return fmt.Errorf("%s of %s, which Datomic has written, cannot be read: %w; --repair puts back what the source still has; a root that was cut off when Datomic was may be deleted", name, b.place, err)
	}
	if root.value.DatabaseID != b.id() {
		return b.claimed(ctx, root.value.DatabaseID)
	}
	b.foreign = &root
	if root.T == b.last.T && reflect.DeepEqual(root.value, b.value) {
		b.root = root.data // the same, written in another order
	}
	return b.follows(ctx, root.last, name)
}

// follows refuses a source whose log does not have a transaction that the
// destination has.
func (b *datomicBackup) follows(ctx context.Context, tx datomic.Transaction, what string) error {
	if tx.T > b.last.T {
		return refuse("%s of %s is at t %d, the source at t %d: it has gone back, as if its storage had been restored from an old copy; choose another destination",
			what, b.place, tx.T, b.last.T)
	}
	now := b.last
	if tx.T < b.last.T {
		var err error
		now, err = b.dialect.At(ctx, b.get, b.value, tx.T)
		var gone *goneError
		if errors.As(err, &gone) || err != nil && !errors.Is(err, graph.ErrNotFound) {
			return err
		}
	}
	if now.ID != tx.ID {
		return refuse("%s of %s has transaction %s at t %d, the source has %s: their logs have parted, as if one were restored from an old copy and written to; choose another destination",
			what, b.place, tx.ID, tx.T, cmp.Or(now.ID, "none"))
	}
	return nil
}

// inspect reads what the parent was, and claims the place.
func (b *datomicBackup) inspect(ctx context.Context) error {
	b.present = map[graph.ID]snapshot.Object{}
	if b.place.Chunked() {
		return b.readParent(ctx)
	}
	for _, h := range b.held() {
		data, err := b.place.Heads().Get(ctx, graph.ID(snapshot.DatomicName(h.ID)))
		if errors.Is(err, graph.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		b.present[h.ID] = snapshot.Describe(string(h.ID), data)
	}
	owner := b.held()[0]
	if have := b.present[owner.ID]; !have.Matches(owner.Data) {
		if err := b.copier.Replace(ctx, store.OwnerName, owner.Data); err != nil {
			return err
		}
		b.present[owner.ID] = snapshot.Describe(string(owner.ID), owner.Data)
	}
	return b.readParent(ctx)
}

// readParent reads what the parent was.
func (b *datomicBackup) readParent(ctx context.Context) error {
	if b.parent == nil || b.was != nil {
		return nil
	}
	value, err := pointValue(ctx, b.place, b.parent)
	if b.opt.Repair && (damaged(err)) {
		b.standAlone(err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the root of point %s is lost: %w; --repair makes a point that does not need it", b.parent.Point, err)
	}
	b.was = value
	return nil
}

// copyNew walks the value's trees against those of the parent's.
func (b *datomicBackup) copyNew(ctx context.Context) (*found, error) {
	released := spill.NewSorter()
	var haves []graph.Tree
	if b.was != nil {
		haves = b.was.Trees()
	}
	if err := b.walk(ctx, haves, released); err != nil {
		released.Close()
		return nil, err
	}
	reached, err := b.reached()
	if err != nil {
		released.Close()
		return nil, err
	}
	return &found{added: reached, released: b.sized(ctx, released.Sorted(), false), close: released.Close}, nil
}

// name is what the database is called, as far as that is known.
func (b *datomicBackup) name() string { return cmp.Or(b.Datomic.Database(), firstName(b.id())) }
