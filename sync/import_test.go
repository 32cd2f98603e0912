package dbsync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/exchange/migrate"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// at opens a remote.
func at(t *testing.T, remote string) fs.Fs {
	t.Helper()
	f, err := fs.NewFs(t.Context(), remote)
	require.NoError(t, err)
	return f
}

// storeView opens a Datahike store.
func storeView(t *testing.T, f fs.Fs, key string) view.View {
	t.Helper()
	v, err := dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New(key)}.View(t.Context(), dbsync.ViewOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, v.Close()) })
	return v
}

// digests are those of the main branch of a store.
func digests(t *testing.T, f fs.Fs) *datoms.Digests {
	t.Helper()
	s, d := store.New(f, ""), datahike.New("")
	heads, err := d.Hold(t.Context(), s.Get, "")
	require.NoError(t, err)
	require.Len(t, heads.Branches, 1)
	sums, err := (&datoms.Reader{Dialect: d, Get: s.GetInto, Workers: 2}).Digests(t.Context(), heads.Branches[0].Head, heads.Branches[0].Record)
	require.NoError(t, err)
	return sums
}

// TestImportOfRealStores: the copy of a store that the real Datahike wrote has
// the datoms that Datahike itself reports, now and in history, and nothing in
// it is missing or lies there for nothing.
func TestImportOfRealStores(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			to := local(t, t.TempDir())
			rep, err := dbsync.Import(t.Context(), storeView(t, local(t, fixture.Unpack(t, name)), fixture.Key(name)), to, dbsync.ImportOptions{})
			require.NoError(t, err)
			want := fixture.Expected(t, name).ByBranch[":db"]
			got := digests(t, to)
			assert.Equal(t, want.CurrentSHA256, got.Current)
			assert.Equal(t, want.HistorySHA256, got.History)
			assert.Equal(t, want.DatomsCurrent, rep.Datoms)
			assert.Equal(t, want.DatomsHistory, rep.History)
			backup := local(t, t.TempDir())
			made, err := dbsync.Backup(t.Context(), dbsync.Source{Fs: to, Store: store.New(to, ""), Dialect: datahike.New("")}, backup, dbsync.BackupOptions{})
			require.NoError(t, err)
			assert.Len(t, objects(t, to), int(rep.Segments+rep.Objects)+2, "and the two heads")
			assert.Equal(t, rep.Segments+rep.Objects, made.Total.Segments, "all of them are reached")
		})
	}
}

// TestImportCurrentOnly: without history the datoms of now are left.
func TestImportCurrentOnly(t *testing.T) {
	to := local(t, t.TempDir())
	_, err := dbsync.Import(t.Context(), storeView(t, local(t, fixture.Unpack(t, "a-default")), ""), to, dbsync.ImportOptions{CurrentOnly: true})
	require.NoError(t, err)
	got := digests(t, to)
	assert.Equal(t, fixture.Expected(t, "a-default").ByBranch[":db"].CurrentSHA256, got.Current)
	assert.Empty(t, got.History)
}

// TestImportNames: the objects are called as Datahike's store does.
func TestImportNames(t *testing.T) {
	const id = "6b010f3e-93c1-514a-9e45-c68633467605"
	src := storeView(t, local(t, fixture.Unpack(t, "g2-storeref")), "")
	bucket := at(t, ":memory:import-bucket")
	rep, err := dbsync.Import(t.Context(), src, bucket, dbsync.ImportOptions{ObjectNames: dbsync.NamesS3, StoreID: id})
	require.NoError(t, err)
	assert.Equal(t, id, rep.StoreID)
	assert.Equal(t, "import-bucket", rep.Bucket)
	all := objects(t, bucket)
	assert.Contains(t, all, id+"_.konserve-metadata")
	for name := range all {
		assert.True(t, strings.HasPrefix(name, id+"_"), name)
		assert.NotContains(t, name, "importing")
	}
	_, err = dbsync.Import(t.Context(), src, at(t, ":memory:import-bucket/below"), dbsync.ImportOptions{ObjectNames: dbsync.NamesS3})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	_, err = dbsync.Import(t.Context(), src, bucket, dbsync.ImportOptions{StoreID: "no uuid"})
	require.ErrorIs(t, err, dbsync.ErrRefused)
}

// TestImportRefusesWhatIsThere: nothing that lies at the target is touched.
func TestImportRefusesWhatIsThere(t *testing.T) {
	src := storeView(t, local(t, fixture.Unpack(t, "g2-storeref")), "")
	to := local(t, fixture.Unpack(t, "b-nohist"))
	before := objects(t, to)
	_, err := dbsync.Import(t.Context(), src, to, dbsync.ImportOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.ErrorContains(t, err, "purge")
	assert.Equal(t, before, objects(t, to))
}

// TestImportDryRun writes nothing and tells what it would have done.
func TestImportDryRun(t *testing.T) {
	ctx, ci := fs.AddConfig(t.Context())
	ci.DryRun = true
	to := local(t, t.TempDir())
	rep, err := dbsync.Import(ctx, storeView(t, local(t, fixture.Unpack(t, "a-default")), ""), to, dbsync.ImportOptions{})
	require.NoError(t, err)
	assert.True(t, rep.DryRun)
	assert.Equal(t, fixture.Expected(t, "a-default").ByBranch[":db"].DatomsCurrent, rep.Datoms)
	assert.Empty(t, objects(t, to))
}

// TestImportInterrupted: whichever write fails, nothing can be opened, and the
// same command makes the database when it is run again.
func TestImportInterrupted(t *testing.T) {
	src := storeView(t, local(t, fixture.Unpack(t, "g2-storeref")), "")
	want := fixture.Expected(t, "g2-storeref").ByBranch[":db"].CurrentSHA256
	heads := 0
	for n := 1; ; n++ {
		to := at(t, ":memory:import-interrupted/"+strings.Repeat("x", n))
		f := fault.New(to, fault.Options{})
		f.Inject(fault.Rule{N: n, Mode: fault.After, Dead: true, Match: func(c fault.Call) bool { return c.Op.Writes() }})
		if _, err := dbsync.Import(t.Context(), src, f, dbsync.ImportOptions{}); err == nil {
			assert.Greater(t, n, 9)
			break
		}
		_, err := store.New(to, "").Get(t.Context(), datahike.BranchesID())
		opened := err == nil
		_, err = dbsync.Import(t.Context(), src, to, dbsync.ImportOptions{})
		if opened || errors.Is(err, dbsync.ErrRefused) { // it has got as far as its heads
			assert.ErrorContains(t, err, "purge")
			heads++
			continue
		}
		require.NoError(t, err, "write %d failed", n)
		assert.Equal(t, want, digests(t, to).Current)
	}
	assert.LessOrEqual(t, heads, 3)
}

// overtaken runs something when its datoms are asked for.
type overtaken struct {
	view.View
	first func()
}

func (v overtaken) Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error {
	v.first()
	return v.View.Scan(ctx, q, fn)
}

// TestImportOvertaken: an import does not publish its heads where another one
// has taken away what it had written.
func TestImportOvertaken(t *testing.T) {
	src := storeView(t, local(t, fixture.Unpack(t, "g2-storeref")), "")
	to := local(t, t.TempDir())
	_, err := dbsync.Import(t.Context(), overtaken{src, func() {
		_, err := dbsync.Import(t.Context(), src, to, dbsync.ImportOptions{})
		require.NoError(t, err)
	}}, to, dbsync.ImportOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.ErrorContains(t, err, "another import")
	assert.Equal(t, fixture.Expected(t, "g2-storeref").ByBranch[":db"].CurrentSHA256, digests(t, to).Current)
}

// TestImportOfDatomicExport: an export of a Datomic database is imported as the
// database itself is, with its history and without.
func TestImportOfDatomicExport(t *testing.T) {
	src := opened(t, local(t, fixture.DatomicBackup(t, fixture.DatomicGens()[0].Name)))
	made := local(t, t.TempDir())
	_, err := dbsync.Import(t.Context(), src, made, dbsync.ImportOptions{})
	require.NoError(t, err)
	for _, history := range []bool{true, false} {
		camp, to := local(t, t.TempDir()), local(t, t.TempDir())
		_, err := dbsync.Export(t.Context(), src, camp, dbsync.ExportOptions{Format: "datacamp", History: history})
		require.NoError(t, err)
		_, err = dbsync.Import(t.Context(), opened(t, camp), to, dbsync.ImportOptions{})
		require.NoError(t, err)
		assert.Equal(t, current(t, storeView(t, made, "")), current(t, storeView(t, to, "")))
	}
}

// source is a view of some datoms.
type source struct {
	view.View
	all    []datom.Datom
	schema *datom.Schema
}

func (s source) Info() view.Info {
	return view.Info{Kind: view.Datahike, Database: "source", History: true, MaxE: -1}
}
func (s source) Schema() *datom.Schema { return s.schema }
func (s source) Scan(_ context.Context, _ datom.Query, fn func(datom.Datom) error) error {
	for _, d := range s.all {
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

// TestImportRefusesDatoms: what no Datahike database can have is named, or left
// out and counted.
func TestImportRefusesDatoms(t *testing.T) {
	attr := fressian.Keyword{NS: "p", Name: "name"}
	tx := int64(536870913)
	schema := []datom.Datom{
		{E: 1, A: fressian.Keyword{NS: "db", Name: "ident"}, V: attr, Tx: tx, Added: true},
		{E: 1, A: fressian.Keyword{NS: "db", Name: "valueType"}, V: fressian.Keyword{NS: "db.type", Name: "string"}, Tx: tx, Added: true},
		{E: 1, A: fressian.Keyword{NS: "db", Name: "cardinality"}, V: fressian.Keyword{NS: "db.cardinality", Name: "one"}, Tx: tx, Added: true},
	}
	for name, c := range map[string]struct {
		d    datom.Datom
		want string
	}{
		"large entity":      {datom.Datom{E: 1 << 31, A: attr, V: "x", Tx: tx, Added: true}, "entity 2147483648"},
		"negative entity":   {datom.Datom{E: -1, A: attr, V: "x", Tx: tx, Added: true}, "entity -1"},
		"Datomic's tx":      {datom.Datom{E: 2, A: attr, V: "x", Tx: 3<<42 | 7, Added: true}, "transaction 13194139533319"},
		"unknown attribute": {datom.Datom{E: 2, A: fressian.Keyword{NS: "p", Name: "gone"}, V: "x", Tx: tx, Added: true}, ":p/gone"},
		"text as attribute": {datom.Datom{E: 2, A: "name", V: "x", Tx: tx, Added: true}, `"name"`},
		"no order":          {datom.Datom{E: 2, A: attr, V: fressian.Map{}, Tx: tx, Added: true}, "entity 2"},
		"no attribute":      {datom.Datom{E: 2, V: "x", Tx: tx, Added: true}, "entity 2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := source{all: append(schema[:3:3], c.d), schema: datom.NewSchema(nil)}
			to := local(t, t.TempDir())
			_, err := dbsync.Import(t.Context(), s, to, dbsync.ImportOptions{})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "--on-error")
			rep, err := dbsync.Import(t.Context(), s, to, dbsync.ImportOptions{SkipErrors: true})
			require.NoError(t, err)
			assert.EqualValues(t, 1, rep.Skipped)
			assert.EqualValues(t, 3, rep.Datoms)
		})
	}
}

// TestImportOfDatomic: a migrated database has the datoms that the migration
// gives, now and in history.
func TestImportOfDatomic(t *testing.T) {
	for _, gen := range fixture.DatomicGens() {
		v := pointView(t, fixture.DatomicBackup(t, "gen3"), fmt.Sprint(gen.T))
		to := local(t, t.TempDir())
		rep, err := dbsync.Import(t.Context(), v, to, dbsync.ImportOptions{SkipErrors: true})
		require.NoError(t, err)
		want, _, err := migrate.FromDatomic(t.Context(), v, func(datom.Datom, error) {})
		require.NoError(t, err)
		got := storeView(t, to, "")
		for _, q := range []datom.Query{{}, {History: true}, {Index: datom.AEVT}, {Index: datom.AEVT, History: true}} {
			assert.Equal(t, textsOf(t, want, q), textsOf(t, got, q), "%+v", q)
		}
		assert.NotZero(t, rep.Datoms)
		assert.NotEmpty(t, rep.Notes)
		require.NoError(t, want.Close())
	}
}

func textsOf(t *testing.T, v view.View, q datom.Query) (texts []string) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), q, func(d datom.Datom) error {
		text, err := datom.AppendText(nil, d)
		texts = append(texts, string(text))
		return err
	}))
	return texts
}

// TestImportObjects: the objects that datoms name come along.
func TestImportObjects(t *testing.T) {
	from, to := local(t, fixture.Unpack(t, "g-storeref")), local(t, t.TempDir())
	rep, err := dbsync.Import(t.Context(), storeView(t, from, ""), to, dbsync.ImportOptions{})
	require.NoError(t, err)
	assert.NotZero(t, rep.Objects)
	assert.EqualValues(t, 1, rep.Absent)
	before, after, same := objects(t, from), objects(t, to), int64(0)
	for name, data := range after {
		was, ok := before[name]
		if !ok {
			continue
		}
		a, err := konserve.NewCodec("").Open([]byte(was))
		require.NoError(t, err)
		b, err := konserve.NewCodec("").Open([]byte(data))
		require.NoError(t, err)
		if b.Meta.Type == konserve.TypeBinary {
			assert.Equal(t, a.Value, b.Value)
			assert.Equal(t, a.Meta.Key, b.Meta.Key)
			same++
		}
	}
	assert.Equal(t, rep.Objects, same)
}

// TestImportOfDumps: a store that was dumped and imported has the same datoms,
// and the same schema.
func TestImportOfDumps(t *testing.T) {
	for _, name := range fixture.Names() {
		if strings.HasPrefix(name, "z-legacy") {
			continue // its history lacks some of what is true now
		}
		t.Run(name, func(t *testing.T) {
			want := fixture.Expected(t, name).ByBranch[":db"]
			from, dumped, to := local(t, fixture.Unpack(t, name)), local(t, t.TempDir()), local(t, t.TempDir())
			src := storeView(t, from, fixture.Key(name))
			_, err := dbsync.Export(t.Context(), src, dumped, asDump(src.Info().History))
			require.NoError(t, err)
			v, err := dbsync.OpenView(t.Context(), dumped, dbsync.ViewOptions{})
			require.NoError(t, err)
			_, err = dbsync.Import(t.Context(), v, to, dbsync.ImportOptions{})
			require.NoError(t, err)
			require.NoError(t, v.Close())
			got := digests(t, to)
			assert.Equal(t, want.CurrentSHA256, got.Current)
			assert.Equal(t, want.HistorySHA256, got.History)
			was, _ := view.As[*view.DatahikeView](src)
			is, _ := view.As[*view.DatahikeView](storeView(t, to, ""))
			assert.Equal(t, was.Record().SchemaID, is.Record().SchemaID)
		})
	}
}
