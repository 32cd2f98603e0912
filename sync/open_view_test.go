package dbsync_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/render"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// TestOpenViewAt: a number is a transaction of the history, though rclone takes
// numbers for ages in seconds, and two points may begin with it; a time before
// all points is one of the history.
func TestOpenViewAt(t *testing.T) {
	dst := t.TempDir()
	for _, gen := range []string{"h-gen1", "h-gen3"} {
		f := local(t, fixture.Unpack(t, gen))
		_, err := dbsync.Backup(t.Context(), dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New("")}, local(t, dst), dbsync.BackupOptions{})
		require.NoError(t, err)
	}
	first := viewed(t, fixture.Unpack(t, "h-gen1"), "", dbsync.ViewOptions{})
	for _, n := range []int64{2, 5, first.Info().T - 1} {
		want := textOf(t, viewed(t, fixture.Unpack(t, "h-gen1"), "", dbsync.ViewOptions{At: fmt.Sprint(n)}), false)
		for _, at := range []string{fmt.Sprint(n), fmt.Sprintf("t%d", n), fmt.Sprint(n + 1<<29)} {
			v := pointView(t, dst, at)
			assert.Equal(t, n, v.Info().T, at)
			assert.Equal(t, want, textOf(t, v, false), at)
		}
	}
	instant := instantOf(t, first, first.Info().MaxTx-2) // years before the points were made
	assert.Equal(t, first.Info().T-2, pointView(t, dst, instant).Info().T)
	points, err := dbsync.Points(t.Context(), local(t, dst))
	require.NoError(t, err)
	assert.Equal(t, points[0].ID, pointView(t, dst, points[0].Branches[":db"].Commit).Info().Point)

	for _, opt := range []dbsync.ViewOptions{{At: "9999"}, {At: "-5"}, {At: "5", Branch: "none"}} {
		opt.Dialect = datahike.New("")
		_, err := dbsync.OpenView(context.Background(), local(t, dst), opt)
		assert.ErrorIs(t, err, fs.ErrorObjectNotFound, opt)
	}
}

// TestOpenViewBranch: what has no branches is not taken for one of them.
func TestOpenViewBranch(t *testing.T) {
	_, err := dbsync.OpenView(t.Context(), local(t, fixture.DatomicBackup(t, "gen3")), dbsync.ViewOptions{Branch: "db", Dialect: datahike.New("")})
	assert.ErrorIs(t, err, dbsync.ErrRefused)
}

// TestWriteDatomsUndated: Datahike without history does not know when its
// transactions were, so that times name none.
func TestWriteDatomsUndated(t *testing.T) {
	v := viewed(t, fixture.Unpack(t, "b-nohist"), "", dbsync.ViewOptions{})
	_, err := dbsync.WriteDatoms(t.Context(), v, io.Discard, dbsync.DatomsOptions{From: "2000-01-01"})
	assert.ErrorIs(t, err, dbsync.ErrRefused)
	_, err = dbsync.WriteLog(t.Context(), v, io.Discard, dbsync.LogOptions{To: "2200-01-01"})
	assert.ErrorIs(t, err, dbsync.ErrRefused)
}

// TestWriteDatomsUndeclared: attributes that no schema declares have datoms, too.
func TestWriteDatomsUndeclared(t *testing.T) {
	v := viewed(t, fixture.Unpack(t, "a-default"), "", dbsync.ViewOptions{})
	valueType := fressian.Keyword{NS: "db", Name: "valueType"}
	require.Nil(t, v.Schema().Attr(valueType))
	var want []string
	require.NoError(t, v.Scan(t.Context(), datom.Query{}, func(d datom.Datom) error {
		if d.A == any(valueType) {
			text, err := datom.AppendText(nil, d)
			want = append(want, string(text))
			return err
		}
		return nil
	}))
	require.NotEmpty(t, want)
	assert.Equal(t, want, datomLines(t, v, dbsync.DatomsOptions{Attr: ":db/valueType"}))
	for _, opt := range []dbsync.DatomsOptions{{Attr: ":db/none"}, {Attr: ":db/valueType", Index: datom.AVET}} {
		_, err := dbsync.WriteDatoms(t.Context(), v, io.Discard, opt)
		assert.ErrorIs(t, err, dbsync.ErrRefused, opt.Attr)
	}
}

// failing is a view whose reading fails behind some datoms.
type failing struct{ view.View }

func (v failing) Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error {
	n := 0
	return v.View.Scan(ctx, q, func(d datom.Datom) error {
		if n++; n > 10 {
			return graph.ErrCorrupt
		}
		return fn(d)
	})
}

// TestWriteDatomsCut: what was read before an error is no whole Parquet file.
func TestWriteDatomsCut(t *testing.T) {
	v := failing{viewed(t, fixture.Unpack(t, "a-default"), "", dbsync.ViewOptions{})}
	for form, end := range map[render.Format]string{render.EDN: "true]\n", render.Parquet: "PAR1"} {
		var out bytes.Buffer
		_, err := dbsync.WriteDatoms(t.Context(), v, &out, dbsync.DatomsOptions{Format: form})
		require.ErrorIs(t, err, graph.ErrCorrupt)
		assert.Equal(t, form == render.EDN, strings.HasSuffix(out.String(), end), form)
	}
}
