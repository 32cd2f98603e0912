package dbsync

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"

	builder "github.com/rclone-datom/rclone-datom/sync/build" // build is a type here
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/exchange/migrate"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// ImportOptions are an import's choices.
type ImportOptions struct {
	// CurrentOnly makes a database with :keep-history? false, of what is true
	// now. Otherwise it keeps history if the source does.
	CurrentOnly bool
	// AnyAttribute makes one with :schema-flexibility :read.
	AnyAttribute bool
	// ObjectNames is as in RestoreOptions.
	ObjectNames string
	// StoreID is the :store :id, a uuid; empty means a new one.
	StoreID string
	// SkipErrors leaves out datoms that Datahike could not have, logs and counts
	// them. Otherwise the first one ends the import.
	SkipErrors bool
}

// ImportReport says what was imported, and what opening the database needs.
type ImportReport struct {
	// Source names the database that was read, and Point that of a backup.
	Source string `json:"source"`
	Point  string `json:"point,omitempty"`
	Target string `json:"target"`
	// Bucket and Path are where the target lies, as in RestoreReport.
	Bucket      string         `json:"bucket,omitempty"`
	Path        string         `json:"path,omitempty"`
	ObjectNames string         `json:"objectNames"`
	StoreID     string         `json:"storeId"`
	Commit      string         `json:"commit"`
	Settings    map[string]any `json:"settings"`
	// Datoms are those that are true now, and History all.
	Datoms  int64 `json:"datoms"`
	History int64 `json:"history,omitempty"`
	Skipped int64 `json:"skipped,omitempty"`
	// Objects are those that datoms refer to, Absent those of them that the
	// source does not have.
	Objects  int64 `json:"objects,omitempty"`
	Absent   int64 `json:"absentObjects,omitempty"`
	Segments int64 `json:"segments"`
	Bytes    int64 `json:"bytes"`
	MaxTx    int64 `json:"maxTx"`
	MaxEid   int64 `json:"maxEid"`
	// Notes say what could not be taken over from a database of another kind.
	Notes   []string `json:"notes,omitempty"`
	DryRun  bool     `json:"dryRun"`
	Seconds float64  `json:"seconds"`
}

// Import makes a Datahike store of the datoms of a value at target, an empty
// place. Its heads come last, so that nothing half imported can be opened.
func Import(ctx context.Context, v view.View, target fs.Fs, opt ImportOptions) (*ImportReport, error) {
	i := &importing{opt: opt, target: target, view: v, copier: transfer.NewCopier(target, nil, time.Now())}
	ctx, cancel, err := begin(ctx, "import", fs.ConfigString(target))
	if err != nil {
		return nil, err
	}
	defer cancel()
	started := time.Now()
	if err := i.do(ctx); err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	accounting.Stats(ctx).ResetErrors()
	i.rep.DryRun = fs.GetConfig(ctx).DryRun
	i.rep.Seconds = time.Since(started).Seconds()
	return &i.rep, nil
}

// importing is one import.
type importing struct {
	opt    ImportOptions
	target fs.Fs
	view   view.View
	copier *transfer.Copier
	names  store.Names
	files  *store.Files
	id     fressian.UUID // of the store
	// database is the :datahike/id.
	database fressian.UUID

	attrs   sourceAttrs
	skipped atomic.Int64
	rep     ImportReport
}

func (i *importing) do(ctx context.Context) (err error) {
	if i.view.Info().Kind == view.Datomic {
		m, notes, err := migrate.FromDatomic(ctx, i.view, i.skipper())
		if err != nil {
			return err
		}
		defer m.Close() //nolint:errcheck // what it has is temporary
		i.view, i.rep.Notes = m, notes
	}
	if i.attrs, err = attrsOf(i.view); err != nil {
		return err
	}
	defer i.attrs.close()
	if i.database, err = newUUID(); err != nil {
		return err
	}
	if err := i.name(); err != nil {
		return err
	}
	o := i.options(ctx)
	b, err := builder.New(o)
	if err != nil {
		return fserrors.NoRetryError(err)
	}
	defer b.Close()
	if err := i.prepare(ctx); err != nil {
		return err
	}
	if err := i.read(ctx, b, o); err != nil {
		return err
	}
	r, err := b.Finish(ctx)
	if err != nil {
		return refused(err)
	}
	if err := i.copyObjects(ctx); err != nil {
		return err
	}
	i.report(ctx, r, o)
	return i.finish(ctx, r.Heads)
}

// options say what is built.
func (i *importing) options(ctx context.Context) builder.Options {
	info := i.view.Info()
	_, told := view.As[*view.DatahikeView](i.view)
	o := builder.Options{
		History: info.History && !i.opt.CurrentOnly, AnyAttribute: i.opt.AnyAttribute,
		MaxTx: info.MaxTx, MaxEid: max(info.MaxE, 0),
		StoreID: i.id, DatabaseID: i.database, Store: i.storeConfig(),
		Now: time.Now(), Random: rand.Reader, Workers: fs.GetConfig(ctx).Transfers,
		Put: func(ctx context.Context, id graph.ID, data []byte) error {
			if fs.GetConfig(ctx).DryRun {
				return nil // each would be logged
			}
			return i.copier.Segment(ctx, i.files.Remote(id), data)
		},
	}
	// What was true at the end of a history is what it asserted last; but the
	// database itself may know better (see datoms.CurrentOnly).
	o.Told = told || !o.History
	if i.attrs.refs {
		o.Refs = i.attrs.name(i.view)
	}
	if i.opt.SkipErrors {
		o.Skip = i.skip
	}
	return o
}

// read adds the source's datoms.
func (i *importing) read(ctx context.Context, b *builder.Builder, o builder.Options) error {
	if o.Told {
		if err := i.add(ctx, b, builder.Now); err != nil {
			return err
		}
	}
	if !o.History {
		return i.addSystem(b, builder.Now)
	}
	if err := i.add(ctx, b, builder.Past); err != nil {
		return err
	}
	return i.addSystem(b, builder.Past)
}

// addSystem adds what the source need not say.
func (i *importing) addSystem(b *builder.Builder, m builder.Mark) error {
	a := b.Adder()
	defer a.Done()
	for _, d := range i.attrs.systemDatoms(i.view) {
		if err := a.Add(d, m); err != nil {
			return err
		}
	}
	return nil
}

// add adds what is true now, or the history.
func (i *importing) add(ctx context.Context, b *builder.Builder, m builder.Mark) error {
	return view.Each(ctx, i.view, m == builder.Past, func(all []datom.Datom) error {
		a := b.Adder()
		defer a.Done()
		for _, d := range all {
			err := i.attrs.resolve(&d)
			if err == nil {
				err = a.Add(d, m)
			}
			if err == nil {
				continue
			}
			if !i.opt.SkipErrors || !hopeless(err) {
				return refused(err)
			}
			i.skipped.Add(1)
			i.skip(err)
		}
		return ctx.Err()
	})
}

// skipper is what is told of datoms that cannot be migrated, if these are left
// out.
func (i *importing) skipper() func(datom.Datom, error) {
	if !i.opt.SkipErrors {
		return nil
	}
	return func(_ datom.Datom, err error) {
		i.skipped.Add(1)
		i.skip(err)
	}
}

func (i *importing) skip(err error) { fs.Logf(i.target, "Left out: %v", err) }

// hopeless tells of errors with a datom.
func hopeless(err error) bool {
	return errors.Is(err, builder.ErrRefused) || errors.Is(err, datom.ErrNoOrder) || errors.Is(err, fressian.ErrValue) || errors.Is(err, migrate.ErrRefused)
}

// refused says of an error with a datom how to go on.
func refused(err error) error {
	switch {
	case err == nil || !hopeless(err):
		return err
	case errors.Is(err, builder.ErrSame): // which of them to leave out nobody knows
		return fserrors.NoRetryError(err)
	}
	return fserrors.NoRetryError(fmt.Errorf("%w (--on-error skip leaves such datoms out; a database with --any-attribute may have attributes that its schema does not declare)", err))
}

// report says what was built.
func (i *importing) report(ctx context.Context, r *builder.Result, o builder.Options) {
	info := i.view.Info()
	n := &i.rep
	n.Source, n.Point, n.Target, n.ObjectNames = info.Database, info.Point, fs.ConfigString(i.target), i.opt.ObjectNames
	n.Bucket, n.Path = placeOf(i.target)
	n.StoreID, n.Commit = hasch.String(i.id), hasch.String(r.Commit)
	flexibility := ":write"
	if o.AnyAttribute {
		flexibility = ":read"
	}
	n.Settings = map[string]any{
		"keep-history?": o.History, "attribute-refs?": o.Refs != nil, "crypto-hash?": false,
		"schema-flexibility": flexibility, "index": ":datahike.index/persistent-set",
	}
	n.Datoms, n.History, n.Skipped = r.Datoms, r.History, r.Skipped+i.skipped.Load()
	n.Segments, n.Bytes, n.MaxTx, n.MaxEid = r.Blobs, r.Bytes, r.MaxTx, r.MaxEid
	if !o.History {
		n.History = 0
	}
}

func newUUID() (u fressian.UUID, err error) {
	_, err = rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u, err
}
