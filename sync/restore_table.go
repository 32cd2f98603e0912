package dbsync

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rclone/rclone/fs"
	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// heartbeatFresh is how old a transactor's sign of life may be for it to count
// as running. It gives one every few seconds.
const heartbeatFresh = time.Minute

// How many rows, or bytes, are written to a table at a time.
const (
	rowsAtOnce  = 100
	bytesAtOnce = 4 << 20
)

// RestoreTable writes a point of a Datomic database into SQL storage. The table
// must have been opened for writing.
func RestoreTable(ctx context.Context, dst fs.Fs, t *table.Table, opt RestoreOptions) (*RestoreReport, error) {
	r := &restore{opt: opt, place: snapshot.Open(dst), native: datomic.New(), table: &tableTarget{Table: t}}
	return r.run(ctx)
}

// tableTarget is SQL storage that is restored to.
type tableTarget struct {
	*table.Table
	// name is what the database is called there, id its id.
	name, id string
	catalog  *datomic.Catalog
	// rows are the named rows that are there.
	rows map[string]table.Row
	// there: the database has an entry in the catalog.
	there bool
}

// toTable restores to SQL storage: segments first, then the rows that refer to
// them and the catalog, in one transaction.
func (r *restore) toTable(ctx context.Context, held []graph.Held, closure *spill.Table) error {
	t := r.table
	v, err := heldValue(r.m, held)
	if err != nil {
		return err
	}
	t.id = v.DatabaseID
	t.name = cmp.Or(r.opt.As, r.m.Name, firstName(t.id))
	missing, err := r.createTable(ctx)
	if err != nil {
		return err
	}
	if !missing { // with --dry-run there may still be none
		if err := t.look(ctx); err != nil {
			return err
		}
		if err := r.collides(ctx, v); err != nil {
			return err
		}
		t.warn(r.place.Now())
	}
	if err := r.insertAll(ctx, closure.All(), missing); err != nil {
		return err
	}
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	return t.commit(ctx, v, r.place.Now())
}

// createTable makes the table if that is allowed. It is missing afterwards
// only with --dry-run.
func (r *restore) createTable(ctx context.Context) (missing bool, err error) {
	there, err := r.table.Exists(ctx)
	switch {
	case err != nil || there:
		return false, err
	case !r.opt.CreateTable:
		return false, refuse("there is no such table: %s; create it as Datomic's scripts do, or give --create-table", r.table)
	case fs.GetConfig(ctx).DryRun:
		r.table.catalog = &datomic.Catalog{}
		return true, nil
	}
	return false, r.table.Create(ctx)
}

// look reads the catalog and the named rows.
func (t *tableTarget) look(ctx context.Context) error {
	names := append([]string{datomic.IndexRow(t.id), datomic.LogRow(t.id), datomic.GCRow(t.id), datomic.CatalogRow}, datomic.HeartbeatRows...)
	rows, chain, err := t.Pin(ctx, names, datomic.CatalogRow)
	t.rows = rows
	if _, there := rows[datomic.CatalogRow]; errors.Is(err, table.ErrNoRow) && !there {
		t.catalog = &datomic.Catalog{Names: map[string]string{}}
		return nil
	}
	if err != nil {
		return fmt.Errorf("the catalog cannot be read: %w", err)
	}
	for _, name := range names[:4] {
		if row, there := rows[name]; there && !row.Rev.Valid {
			return fmt.Errorf("%s: row %s has no revision (rev is NULL), from which Datomic itself cannot go on: %w", t, name, graph.ErrCorrupt)
		}
	}
	var text []byte
	for _, link := range slices.Backward(chain) {
		text = append(text, link.Val...)
	}
	if t.catalog, err = datomic.ParseCatalog(text); err != nil {
		return fmt.Errorf("%s: %w", t, err)
	}
	return nil
}

// collides refuses what Datomic refuses: a name that is another database's, and
// a database that is there under another name. Beyond that it refuses to set a
// database back unless that is asked for.
func (r *restore) collides(ctx context.Context, v *datomic.Value) error {
	t := r.table
	if id, ok := t.catalog.Names[t.name]; ok && id != t.id {
		return refuse("%s has another database named %q, %s: restore under a new name with --as", t, t.name, id)
	}
	for name, id := range t.catalog.Names {
		if id == t.id && name != t.name {
			return refuse("%s has database %s already, under the name %q: restore it as that with --as %s, or into another table", t, t.id, name, name)
		}
	}
	_, t.there = t.catalog.Names[t.name]
	if !t.there || r.opt.Rewind {
		return nil
	}
	return r.followed(ctx, v)
}

// followed refuses to replace a database that has a transaction which the point
// does not have.
func (r *restore) followed(ctx context.Context, v *datomic.Value) error {
	t, d := r.table, r.native
	st, err := storage.OpenSQL(ctx, t.Table, t.name)
	if err != nil {
		return err
	}
	now, err := st.Pin(ctx)
	if err != nil {
		return err
	}
	last, err := d.Last(ctx, st.Get, now)
	if err != nil {
		return err
	}
	if last.T > r.m.T {
		return refuse("database %q in %s is at t %d, which the point at t %d would set back: give --rewind to lose what came after, or restore into another table",
			t.name, t, last.T, r.m.T)
	}
	if last.ID == "" {
		return nil // it is as it was created
	}
	known, err := d.At(ctx, r.source.Get, v, last.T)
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		return err
	}
	if known.ID != last.ID {
		return refuse("database %q in %s has transaction %s at t %d, which the point does not have: their logs have parted. Give --rewind to lose it, or restore into another table",
			t.name, t, last.ID, last.T)
	}
	return nil
}

// warn tells of a transactor that seems to run: it would go on from what it
// remembers.
func (t *tableTarget) warn(now time.Time) {
	for _, name := range datomic.HeartbeatRows {
		at, ok := datomic.Heartbeat(t.rows[name].Map)
		if age := now.Sub(at); ok && age < heartbeatFresh {
			fs.Logf(nil, "A transactor seems to run on %s (row %s was written %v ago): it does not see what is restored under it. Stop it, or restart it afterwards",
				t, name, age.Round(time.Second))
			return
		}
	}
}

// insertAll writes the segments, many at a time, in any order: nobody finds
// them before the named rows are there.
func (r *restore) insertAll(ctx context.Context, segments snapshot.Lines, missing bool) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(insertersAtOnce)
	var some []graph.Entry
	bytes := int64(0)
	send := func() {
		batch := some
		some, bytes = nil, 0
		g.Go(func() error { return r.insert(gctx, batch, missing) })
	}
	for line, err := range segments {
		if err == nil {
			var e graph.Entry
			if e, err = graph.ParseEntry(line); err == nil {
				err = datomic.CheckID(e.ID)
			}
			some, bytes = append(some, e), bytes+max(e.Size, 0)
		}
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if gctx.Err() != nil {
			break
		}
		if len(some) == rowsAtOnce || bytes > bytesAtOnce {
			send()
		}
	}
	if len(some) > 0 && gctx.Err() == nil {
		send()
	}
	return g.Wait()
}

// insertersAtOnce is how many batches are on their way: one is read while
// others are written.
const insertersAtOnce = 4

// insert writes some segments, but those that are there.
func (r *restore) insert(ctx context.Context, some []graph.Entry, missing bool) error {
	absent := some
	if !missing {
		var err error
		if absent, err = r.absent(ctx, some); err != nil {
			return err
		}
	}
	rows := make([]table.Row, len(absent))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(fs.GetConfig(ctx).Transfers, 1))
	for i, e := range absent {
		g.Go(func() error {
			data, err := r.segment(gctx, e)
			if err != nil {
				return r.damaged(err)
			}
			rows[i] = table.Row{ID: string(e.ID), Map: "{}", Val: data}
			r.segments.Add(1)
			r.bytes.Add(int64(len(data)))
			return nil
		})
	}
	if err := g.Wait(); err != nil || fs.GetConfig(ctx).DryRun {
		return err
	}
	n, err := r.table.Insert(ctx, rows)
	if err != nil || n == len(rows) {
		return err
	}
	return r.landed(ctx, rows)
}

// landed makes sure that rows which were there after all are whole.
func (r *restore) landed(ctx context.Context, rows []table.Row) error {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	sizes, err := r.table.Sizes(ctx, ids)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if size, ok := sizes[row.ID]; !ok || size != int64(len(row.Val)) {
			return fmt.Errorf("%s has a row %s already that is not what was backed up: delete it if nothing needs it, or restore into another table: %w",
				r.table, row.ID, graph.ErrCorrupt)
		}
	}
	return nil
}

// absent are the segments that the table does not have. One that it has must
// be what was backed up: ids are never used again.
func (r *restore) absent(ctx context.Context, some []graph.Entry) (absent []graph.Entry, err error) {
	ids := make([]string, len(some))
	for i, e := range some {
		ids[i] = string(e.ID)
	}
	sizes, err := r.table.Sizes(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, e := range some {
		if _, there := sizes[string(e.ID)]; !there {
			absent = append(absent, e)
			continue
		}
		data, err := r.table.Get(ctx, string(e.ID))
		if err != nil {
			return nil, err
		}
		if err := checkSegment(e, data, r.native.Check); err != nil {
			return nil, fmt.Errorf("%s has a row of this id already: %w; delete the row if nothing needs it, or restore into another table", r.table, err)
		}
		r.resumed.Add(1)
	}
	return absent, nil
}

// emptyGarbage is a root of garbage without any, as Datomic writes it for a new
// database and when it restores one: struct garbage-root of an empty vec.
const emptyGarbage = "1f8b08000000000000ff7bff98273db12829313d55b7283fbf84f1fdddb2d464c6efe78180818141fc1513ef7b0014d8af6323000000"

// build is the Datomic whose rows these are.
const build = "7622"

// commit makes the database known.
func (t *tableTarget) commit(ctx context.Context, v *datomic.Value, now time.Time) error {
	garbage, err := hex.DecodeString(emptyGarbage)
	if err != nil {
		return err
	}
	tail, gc := newID(now), newID(now)
	rows := []table.Row{
		{ID: string(tail), Map: datomic.FormatPrev(""), Val: v.Tail},
		{ID: string(gc), Map: datomic.FormatPrev(""), Val: garbage},
	}
	changes := []table.Change{
		t.change(datomic.GCRow(t.id), datomic.FormatIndex(gc)),
		t.change(datomic.IndexRow(t.id), datomic.FormatIndex(v.Index)),
		t.change(datomic.LogRow(t.id), datomic.FormatLog(datomic.LogRef{Root: v.Log, Version: v.LogVersion, Tail: tail, Build: build})),
	}
	if t.there {
		// As it is, but counted up: it must not have been deleted meanwhile.
		changes = append(changes, t.change(datomic.CatalogRow, t.rows[datomic.CatalogRow].Map))
	} else {
		t.catalog.Names[t.name] = t.id
		t.catalog.Deleted = slices.DeleteFunc(t.catalog.Deleted, func(id string) bool { return id == t.id })
		text, err := t.catalog.Encode()
		if err != nil {
			return err
		}
		names := newID(now)
		rows = append(rows, table.Row{ID: string(names), Map: datomic.FormatPrev(""), Val: text})
		changes = append(changes, t.change(datomic.CatalogRow, datomic.FormatPod(names)))
	}
	err = t.Commit(ctx, rows, changes)
	if errors.Is(err, table.ErrConflict) {
		err = refuse("%s was changed meanwhile: %w; run the restore again, what it has written is kept", t, err)
	}
	return err
}

// change sets a named row, which must be as it was read.
func (t *tableTarget) change(name, text string) table.Change {
	was := t.rows[name].Rev
	rev := sql.NullInt64{Valid: true} // a new row begins at 0
	if was.Valid {
		rev.Int64 = was.Int64 + 1
	}
	return table.Change{Row: table.Row{ID: name, Rev: rev, Map: text}, Was: was}
}

// newID makes an id as Datomic does: a random uuid that begins with the seconds
// of its making.
func newID(now time.Time) graph.ID {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	binary.BigEndian.PutUint32(u[:4], uint32(now.Unix()))
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80 // version 4, variant 1
	return graph.ID(fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]))
}
