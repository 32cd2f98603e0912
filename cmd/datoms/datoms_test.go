package datoms

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/local"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
)

func remote(store string) string { return ":datahike,store='" + store + "':" }

func TestCheck(t *testing.T) {
	good := options{format: "csv", index: "avet", onError: "skip", json: true}
	require.NoError(t, good.check())
	assert.Equal(t, render.JSON, good.Format)
	assert.Equal(t, datom.AVET, good.Index)
	assert.True(t, good.SkipErrors)
	for want, o := range map[string]options{
		"unknown format":   {format: "xml", onError: "fail"},
		`--on-error "yes"`: {format: "edn", onError: "yes"},
		`--index "tea"`:    {format: "edn", onError: "fail", index: "tea"},
		"negative":         {format: "edn", onError: "fail", DatomsOptions: dbsync.DatomsOptions{Limit: -1}},
	} {
		require.ErrorContains(t, o.check(), want)
	}
}

// TestRun writes to a file, which stays as it was if that fails.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "out.csv")
	from := remote(fixture.Unpack(t, "h-gen3"))
	o := options{format: "csv", onError: "fail", output: file}
	o.Attr, o.Limit = ":db/ident", 2
	require.NoError(t, run(t.Context(), from, o))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	assert.Len(t, lines, 4, "a header, two datoms, an end")
	assert.Contains(t, lines[1], ",:db/ident,keyword,:")

	o.at = "3"
	o.Attr = ":no/such"
	require.ErrorIs(t, run(t.Context(), from, o), dbsync.ErrRefused)
	was, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(text), string(was))
	assert.NoFileExists(t, file+".partial")
	o.format = "xml"
	assert.True(t, fserrors.IsNoRetryError(run(t.Context(), from, o)))
}
