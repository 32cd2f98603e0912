package datomic_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/rclone/rclone/backend/crypt"
	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/sync"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/conformance"
	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// gen1 is the first moment of the fixture's database: its backup has what this
// reaches, and nothing else.
func gen1(t *testing.T) (backup string, want map[string][]byte) {
	t.Helper()
	gen := fixture.DatomicGens()[0]
	backup = fixture.DatomicBackup(t, gen.Name)
	want = files(t, backup, gen.T)
	require.Len(t, want, gen.Segments+2)
	return backup, want
}

// litter is what may lie in a table beside a database's rows.
func litter(rows []table.Row) []table.Row {
	return append(rows,
		table.Row{ID: "e0000000-0000-4000-8000-000000000000", Map: "{}", Val: []byte("garbage")},
		table.Row{ID: "pod-coord", Map: `{:key "not ours"}`},
		table.Row{ID: "pod-log-tail/other-" + datomicdb.Catalog, Map: `{:d/l 1}`},
	)
}

func TestConformanceSQLite(t *testing.T) {
	dir, want := gen1(t)
	file := datomicdb.SQLite(t, litter(datomicdb.Rows(t, dir, 1485)))
	conformance.Run(t, remote("path="+file), want)
}

func TestConformanceBackup(t *testing.T) {
	dir, want := gen1(t)
	for name, data := range map[string]string{
		"README": "mine", "roots/1485.tmp": "x", "roots/junk": "x", "roots/01999": "x",
		"values/fd/e0000000-0000-4000-8000-0000000000fd": "garbage", "snapshots/x/manifest.edn": "{}",
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(data), 0o600))
	}
	conformance.Run(t, remote("remote="+dir), want)
}

func TestConformanceMemory(t *testing.T) {
	dir, want := gen1(t)
	at := ":memory:" + strings.ReplaceAll(t.Name(), "/", "-") + "/below"
	copyDir(t, dir, at)
	conformance.Run(t, remote("remote="+at), want)
}

func TestConformanceCrypt(t *testing.T) {
	dir, want := gen1(t)
	t.Setenv("RCLONE_CONFIG_VAULT_TYPE", "crypt")
	t.Setenv("RCLONE_CONFIG_VAULT_REMOTE", t.TempDir())
	t.Setenv("RCLONE_CONFIG_VAULT_PASSWORD", obscure.MustObscure("correct horse"))
	copyDir(t, dir, "vault:mydb")
	conformance.Run(t, remote("remote=vault:mydb"), want)
}

// copyDir copies everything as "rclone copy" does.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	src, err := fs.NewFs(t.Context(), from)
	require.NoError(t, err)
	dst, err := fs.NewFs(t.Context(), to)
	require.NoError(t, err)
	require.NoError(t, sync.CopyDir(t.Context(), dst, src, false))
}
