package dbsync_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

func datomLines(t *testing.T, v view.View, opt dbsync.DatomsOptions) []string {
	t.Helper()
	var out bytes.Buffer
	if opt.Format == "" {
		opt.Format = render.EDN
	}
	p, err := dbsync.WriteDatoms(t.Context(), v, &out, opt)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if out.Len() == 0 {
		lines = nil
	}
	assert.EqualValues(t, len(lines), p.Datoms)
	return lines
}

// TestWriteDatoms: what is asked for is what is printed.
func TestWriteDatoms(t *testing.T) {
	v := viewed(t, fixture.Unpack(t, "h-gen3"), "", dbsync.ViewOptions{})
	all := datomLines(t, v, dbsync.DatomsOptions{})
	assert.Equal(t, textOf(t, v, false), all)
	history := datomLines(t, v, dbsync.DatomsOptions{History: true})
	assert.Equal(t, textOf(t, v, true), history)
	assert.Greater(t, len(history), len(all))
	assert.Equal(t, all[:3], datomLines(t, v, dbsync.DatomsOptions{Limit: 3}))

	with := func(lines []string, part string) (some []string) {
		for _, l := range lines {
			if strings.Contains(l, part) {
				some = append(some, l)
			}
		}
		return some
	}
	instants := with(all, " :db/txInstant ")
	require.NotEmpty(t, instants)
	for _, name := range []string{":db/txInstant", "db/txInstant"} {
		assert.Equal(t, instants, datomLines(t, v, dbsync.DatomsOptions{Attr: name}))
		assert.Equal(t, instants, datomLines(t, v, dbsync.DatomsOptions{Attr: name, Index: datom.EAVT}))
	}
	tx := v.Info().MaxTx
	assert.Len(t, datomLines(t, v, dbsync.DatomsOptions{Attr: ":db/txInstant", Entity: &tx}), 1)
	want := with(history, fmt.Sprintf(" %d ", tx))
	require.NotEmpty(t, want)
	at := fmt.Sprint(instantOf(t, v, tx))
	for _, opt := range []dbsync.DatomsOptions{
		{From: fmt.Sprint(tx)}, {From: fmt.Sprint(v.Info().T)}, {From: at}, {From: at, To: at}, {From: fmt.Sprint(tx), To: fmt.Sprint(v.Info().T)},
	} {
		opt.History = true
		assert.Equal(t, want, datomLines(t, v, opt), opt)
	}
	assert.Empty(t, datomLines(t, v, dbsync.DatomsOptions{From: "2200-01-01"}))
	assert.Empty(t, datomLines(t, v, dbsync.DatomsOptions{To: "1999-01-01"}))
	assert.Equal(t, all, datomLines(t, v, dbsync.DatomsOptions{To: "2200-01-01"}))
}

// instantOf is when a transaction was, as rclone reads it.
func instantOf(t *testing.T, v view.View, tx int64) (text string) {
	require.NoError(t, v.Scan(t.Context(), datom.Query{Entity: &tx}, func(d datom.Datom) error {
		if ms, ok := d.V.(fressian.Inst); ok {
			text = time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano)
		}
		return nil
	}))
	require.NotEmpty(t, text)
	return text
}

func TestWriteDatomsRefused(t *testing.T) {
	v := viewed(t, fixture.Unpack(t, "b-nohist"), "", dbsync.ViewOptions{})
	for want, opt := range map[string]dbsync.DatomsOptions{
		"keeps no history":                 {Format: render.EDN, History: true},
		"no attribute :no/such":            {Format: render.EDN, Attr: ":no/such"},
		`"yesterdayish" is no transaction`: {Format: render.EDN, From: "yesterdayish"},
		`to: "x" is no transaction`:        {Format: render.EDN, To: "x"},
		"Datahike has no index VAET":       {Format: render.EDN, Index: datom.VAET},
		`unknown format "xml"`:             {Format: "xml"},
	} {
		var out bytes.Buffer
		_, err := dbsync.WriteDatoms(t.Context(), v, &out, opt)
		require.ErrorContains(t, err, want)
		assert.Empty(t, out.String())
	}
	o := odd{v}
	var out bytes.Buffer
	_, err := dbsync.WriteDatoms(t.Context(), o, &out, dbsync.DatomsOptions{Format: render.JSON})
	require.ErrorIs(t, err, datom.ErrNoText)
	require.ErrorContains(t, err, "--on-error skip")
	p, err := dbsync.WriteDatoms(t.Context(), o, &out, dbsync.DatomsOptions{Format: render.JSON, SkipErrors: true, Limit: 5})
	require.NoError(t, err)
	assert.Equal(t, dbsync.Printed{Datoms: 5, Skipped: 1}, p)
}

// TestWriteLog: each transaction is a line, with all its datoms.
func TestWriteLog(t *testing.T) {
	v := viewed(t, fixture.Unpack(t, "h-gen3"), "", dbsync.ViewOptions{})
	var out bytes.Buffer
	p, err := dbsync.WriteLog(t.Context(), v, &out, dbsync.LogOptions{JSON: true})
	require.NoError(t, err)
	type line struct {
		T, Tx  int64
		Inst   string
		Datoms []struct{ Tx int64 }
	}
	dec, n, last := json.NewDecoder(&out), int64(0), int64(-1)
	for dec.More() {
		var l line
		require.NoError(t, dec.Decode(&l))
		assert.Greater(t, l.T, last)
		last = l.T
		for _, d := range l.Datoms {
			assert.Equal(t, l.Tx, d.Tx)
		}
		n += int64(len(l.Datoms))
	}
	assert.Equal(t, v.Info().T, last)
	assert.Equal(t, p.Datoms, n)
	assert.Len(t, textOf(t, v, true), int(n))

	out.Reset()
	p, err = dbsync.WriteLog(t.Context(), v, &out, dbsync.LogOptions{From: fmt.Sprint(last - 2), Limit: 2})
	require.NoError(t, err)
	assert.EqualValues(t, 2, p.Transactions)
	assert.True(t, strings.HasPrefix(out.String(), fmt.Sprintf("{:t %d :tx ", last-2)), out.String())
	assert.Equal(t, 2, strings.Count(out.String(), "\n"))
}
