package dbsync

import (
	"context"
	"errors"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/list"
	"github.com/rclone/rclone/fs/object"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/exchange/dump"
	"github.com/rclone-datom/rclone-datom/sync/exchange/migrate"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// exportDump writes a dump that Datahike's import-db takes. A Datomic database
// is migrated on the way.
func exportDump(ctx context.Context, v view.View, dst fs.Fs, opt ExportOptions) (*ExportReport, error) {
	var skipped atomic.Int64
	var skip func(datom.Datom, error)
	if opt.SkipErrors {
		skip = func(d datom.Datom, err error) {
			skipped.Add(1)
			fs.Logf(dst, "left out %s: %v", datomText(d), err)
		}
	}
	var notes []string
	if v.Info().Kind == view.Datomic {
		m, said, err := migrate.FromDatomic(ctx, v, skip)
		if err != nil {
			return nil, err
		}
		v, notes = m, said
	}
	to, err := newDumpSink(ctx, dst)
	if err != nil {
		return nil, err
	}
	m, err := dumpManifest(ctx, v, opt.History)
	if err != nil {
		return nil, err
	}
	if len(notes) > 0 {
		m.Extra = fressian.Map{{Key: fressian.Keyword{NS: "rclone-datom", Name: "notes"}, Value: vectorOf(notes)}}
		m.Stats.Transformed = true
	}
	o := dump.Options{Uploads: opt.Parallel, RawBytes: opt.ChunkSize, Skip: skip}
	if opt.ChunkSize > 0 {
		o.Records = math.MaxInt64
	}
	if objects, ok := view.As[view.Objects](v); ok {
		o.Blob = objects.Object
	}
	if err := dump.Write(ctx, dumpSource{v, opt.History}, m, to, o); err != nil {
		return nil, err
	}
	rep := &ExportReport{Datoms: m.Stats.Datoms, Chunks: int64(len(m.Chunks)), Bytes: to.bytes.Load(), Skipped: skipped.Load(), Notes: notes}
	return rep, transfer.SyncToDisk(dst)
}

// dumpSource is a view's datoms in any order.
type dumpSource struct {
	v       view.View
	history bool
}

// Each implements dump.Source.
func (s dumpSource) Each(ctx context.Context, fn func([]datom.Datom) error) error {
	return view.Each(ctx, s.v, s.history, fn)
}

// dumpManifest says what is known of a view before its datoms are read.
func dumpManifest(ctx context.Context, v view.View, history bool) (*dump.Manifest, error) {
	info := v.Info()
	m := &dump.Manifest{History: history, Stats: dump.Stats{MaxE: max(info.MaxE, 0), MaxTx: info.MaxTx}}
	if id, err := hasch.Parse(info.Database); err == nil {
		m.Meta = fressian.Map{{Key: fressian.Keyword{NS: "datahike", Name: "id"}, Value: id}}
	}
	m.Config = fressian.Map{
		{Key: fressian.Keyword{Name: "attribute-refs?"}, Value: false},
		{Key: fressian.Keyword{Name: "index"}, Value: fressian.Keyword{NS: "datahike.index", Name: "persistent-set"}},
		{Key: fressian.Keyword{Name: "keep-history?"}, Value: info.History},
		{Key: fressian.Keyword{Name: "schema-flexibility"}, Value: fressian.Keyword{Name: "write"}},
	}
	if d, ok := view.AtAnyTime[*dump.View](v); ok {
		m.Config, m.Meta, m.SystemIdents = d.Dump().Manifest.Config, d.Dump().Manifest.Meta, d.Dump().Manifest.SystemIdents
	}
	if d, ok := view.AtAnyTime[*view.DatahikeView](v); ok {
		for i, e := range m.Config {
			if k, ok := e.Key.(fressian.Keyword); ok {
				m.Config[i].Value = setting(d.Record().Config.Settings[k.Name])
			}
		}
		idents, err := d.SystemIdents(ctx)
		if err != nil {
			return nil, err
		}
		m.SystemIdents = idents
	}
	if len(m.SystemIdents) == 0 && refersToAttributes(v.Schema()) {
		return nil, refuse("its attributes are entities (:attribute-refs?), and what Datahike itself defines among them is only named by the database, a backup of its segments, or a dump: export one of those")
	}
	for _, a := range v.Schema().Attributes {
		props := a.Props
		if a.System && m.SystemIdents == nil { // it is no entity
			props = slices.DeleteFunc(slices.Clone(props), func(e fressian.Entry) bool {
				return e.Key == any(fressian.Keyword{NS: "db", Name: "ident"})
			})
		}
		m.Schema = append(m.Schema, fressian.Entry{Key: a.Ident, Value: props})
	}
	return m, nil
}

// setting is a setting of a record as a value: keywords are kept as text.
func setting(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	ns, name, has := strings.Cut(strings.TrimPrefix(s, ":"), "/")
	if !has {
		ns, name = "", ns
	}
	return fressian.Keyword{NS: ns, Name: name}
}

// dumpSink writes the files of a dump to a remote.
type dumpSink struct {
	dst    fs.Fs
	copier *transfer.Copier
	names  map[string]bool // those that were begun
	bytes  atomic.Int64
}

// newDumpSink refuses a place that has anything but what is left of a dump that
// was interrupted.
func newDumpSink(ctx context.Context, dst fs.Fs) (*dumpSink, error) {
	s := &dumpSink{dst: dst, copier: transfer.NewCopier(dst, object.MemoryFs, time.Now()), names: map[string]bool{}}
	return s, s.others(ctx, func(o fs.Object) error {
		if o.Remote() == dump.ManifestName {
			return refuse("%s has a dump already: give another place, or remove it with rclone-datom purge", dst)
		}
		if !dumpFileName.MatchString(o.Remote()) {
			return refuse("%s has other files, such as %s: give the dump a directory of its own", dst, o.Remote())
		}
		return nil
	})
}

// dumpFileName is the name of what a dump that was interrupted leaves: chunks,
// and what rclone and we call a file before it is whole.
var dumpFileName = regexp.MustCompile(`^(datoms-\d{6,18}\.cbor(\.gz)?|(datoms-\d{6,18}\.cbor(\.gz)?|manifest\.edn)(\.[0-9a-f]{8})?\.new)$`)

// others calls fn with the files at the top that were not begun here. A
// directory other than that of objects is refused.
func (s *dumpSink) others(ctx context.Context, fn func(fs.Object) error) error {
	entries, err := list.DirSorted(ctx, s.dst, true, "")
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		o, isFile := e.(fs.Object)
		switch {
		case !isFile && path.Base(e.Remote()) != "store-refs":
			return refuse("%s has other directories, such as %s: give the dump one of its own", s.dst, e.Remote())
		case isFile && !s.names[o.Remote()]:
			if err := fn(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// Create implements dump.Sink. Before the manifest, all else must be there, and
// no chunk that it does not name: an import refuses those.
func (s *dumpSink) Create(ctx context.Context, name string) (dump.File, error) {
	if name == dump.ManifestName {
		err := s.others(ctx, func(o fs.Object) error { return operations.DeleteFile(ctx, o) })
		if err == nil {
			err = transfer.SyncToDisk(s.dst)
		}
		if err != nil {
			return nil, err
		}
	}
	s.names[name] = true
	d, err := s.copier.NewDraft(ctx, name)
	if err != nil {
		return nil, err
	}
	return &dumpFile{d, s}, nil
}

// dumpFile counts what is written.
type dumpFile struct {
	*transfer.Draft
	sink *dumpSink
}

// Write implements io.Writer.
func (f *dumpFile) Write(p []byte) (int, error) {
	f.sink.bytes.Add(int64(len(p)))
	return f.Draft.Write(p)
}

func vectorOf(texts []string) fressian.Vector {
	v := make(fressian.Vector, len(texts))
	for i, text := range texts {
		v[i] = text
	}
	return v
}
