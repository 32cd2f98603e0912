package datomic_test

import (
	"context"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestCopy: what rclone copies is a backup, of the same content as Datomic's.
func TestCopy(t *testing.T) {
	for _, gen := range fixture.DatomicGens() {
		backup := fixture.DatomicBackup(t, gen.Name)
		file := datomicdb.SQLite(t, datomicdb.Rows(t, backup, gen.T))
		dir := t.TempDir()
		copyDir(t, remote("path="+file), dir)
		copied, all := files(t, dir, gen.T), files(t, backup, gen.T)
		assert.Len(t, copied, gen.Segments+2, gen.Name)
		for name, data := range copied {
			assert.Equal(t, all[name], data, name)
		}
		again := t.TempDir()
		copyDir(t, remote("remote="+dir), again)
		assert.Equal(t, slices.Sorted(maps.Keys(copied)), slices.Sorted(maps.Keys(files(t, again, gen.T))))
	}
}

// TestPinned transacts, indexes and excises while the remote is open.
func TestPinned(t *testing.T) {
	backup := fixture.DatomicBackup(t, "gen3")
	for _, listFirst := range []bool{true, false} {
		file := datomicdb.SQLite(t, datomicdb.Rows(t, backup, 1485))
		f := open(t, remote("path="+file))
		if listFirst {
			names(t, f)
		}
		datomicdb.Replace(t, file, datomicdb.Rows(t, backup, 1708))
		assert.Len(t, names(t, f), 106+2)
		content(t, f, "roots/1485")
		_, err := f.NewObject(context.Background(), "roots/1708")
		require.ErrorIs(t, err, fs.ErrorObjectNotFound)

		now := open(t, remote("path="+file))
		assert.Len(t, names(t, now), 188+2)
		content(t, now, "roots/1708")
	}
}

// TestListingReadsInnerNodesOnly: of leaves only the sizes are asked for.
func TestListingReadsInnerNodesOnly(t *testing.T) {
	dir, want := gen1(t)
	for _, r := range []string{remote("path=" + datomicdb.SQLite(t, datomicdb.Rows(t, dir, 1485))), remote("remote=" + dir)} {
		f := open(t, r)
		before := f.Storage().Reads()
		_, err := f.List(context.Background(), "")
		require.NoError(t, err)
		_, err = f.List(context.Background(), "roots")
		require.NoError(t, err)
		assert.Equal(t, before, f.Storage().Reads(), "the top is known")
		assert.Len(t, names(t, f), len(want))
		var stat struct {
			Trees []struct{ Levels []struct{ Segments int64 } }
		}
		command(t, f, "stat", &stat)
		inner := int64(0)
		for _, tree := range stat.Trees {
			for _, level := range tree.Levels[1:] {
				inner += level.Segments
			}
		}
		assert.Less(t, inner, int64(len(want)))
		if reads := f.Storage().Reads() - before; r[:14] == ":datomic,path=" {
			assert.Equal(t, inner, reads)
		}
	}
}

func TestCollected(t *testing.T) {
	ctx := context.Background()
	file := fixture.DatomicSQLite(t, fixture.DatomicRootA)
	f := open(t, remote("path="+file))
	all := names(t, f)
	require.Len(t, all, 70+2)
	unlisted := open(t, remote("path="+file))
	datomicdb.Delete(t, file, fixture.DatomicGone(t))

	gone := 0
	for _, name := range all {
		o, err := f.NewObject(ctx, name)
		require.NoError(t, err)
		in, err := o.Open(ctx)
		if err == nil {
			require.NoError(t, in.Close())
			continue
		}
		gone++
		require.ErrorIs(t, err, graph.ErrNotFound)
		assert.ErrorContains(t, err, "was collected since")
		assert.ErrorContains(t, err, name)
	}
	assert.Equal(t, 23, gone)
	_, err := unlisted.List(ctx, "values")
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, "open the remote again")
	_, err = fs.NewFs(ctx, remote("path="+file)+all[len(all)-1])
	assert.ErrorIs(t, err, graph.ErrNotFound)
}

// TestCollectedLeaf: what only the sizes tell.
func TestCollectedLeaf(t *testing.T) {
	ctx := context.Background()
	dir, want := gen1(t)
	rows := datomicdb.Rows(t, dir, 1485)
	file := datomicdb.SQLite(t, rows)
	f := open(t, remote("path="+file))
	for name, data := range want {
		id := filepath.Base(name)
		if dialect.CheckID(graph.ID(id)) != nil || dialect.New().Check(graph.Ref{ID: graph.ID(id)}, data) != nil {
			continue // no leaf
		}
		datomicdb.Delete(t, file, []string{id})
		_, err := f.NewObject(ctx, name)
		require.ErrorIs(t, err, graph.ErrNotFound)
		assert.ErrorContains(t, err, id)
		datomicdb.Replace(t, file, rows)
		_, err = f.NewObject(ctx, name)
		require.NoError(t, err, "what has come back is seen")
		return
	}
	require.Fail(t, "no leaf")
}

func TestRefusedSettings(t *testing.T) {
	ctx := context.Background()
	dir, _ := gen1(t)
	rows := datomicdb.Rows(t, dir, 1485)
	file := datomicdb.SQLite(t, rows)
	datomicdb.Row(t, rows, datomicdb.Link2).Val = nil
	damaged := datomicdb.SQLite(t, rows)
	t.Setenv("RCLONE_CONFIG_LOOP_TYPE", "datomic")
	t.Setenv("RCLONE_CONFIG_LOOP_REMOTE", "loop:below")
	secret := "s3cr3t-word"
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := strconv.Itoa(closed.Addr().(*net.TCPAddr).Port)
	require.NoError(t, closed.Close())
	empty := filepath.Join(t.TempDir(), "empty.sqlite")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	server := func(kind string, more ...string) string {
		return remote(append([]string{"storage=" + kind, "host=127.0.0.1", "port=" + port, "user=me", "dbname=x", "pass=" + obscure.MustObscure(secret)}, more...)...)
	}
	for _, tt := range []struct {
		name, remote, message string
		is                    error
	}{
		{"nothing", ":datomic:", "no storage", nil},
		{"two places", remote("path="+file, "remote="+dir), "no storage", nil},
		{"unknown storage", remote("storage=oracle"), `"oracle"`, nil},
		{"backup without remote", remote("storage=backup"), "no remote", nil},
		{"sqlite without path", remote("storage=sqlite"), "path", nil},
		{"a file as remote", remote("remote=" + dir + "/owner"), "names a file", nil},
		{"no backup", remote("remote=" + t.TempDir()), "roots", fs.ErrorObjectNotFound},
		{"unknown remote", remote("remote=nosuchremote:x"), "nosuchremote", fs.ErrorNotFoundInConfigFile},
		{"itself", "loop:", "itself", nil},
		{"no file", remote("path=" + file + ".nowhere"), ".nowhere", nil},
		{"no table", remote("path=" + empty), "datomic_kvs", nil},
		{"other table", remote("path="+file, "table=other"), "other", nil},
		{"bad table", remote("path="+file, "table=a b"), "a b", nil},
		{"damaged", remote("path=" + damaged), datomicdb.Link2, graph.ErrCorrupt},
		{"no database", remote("path=" + datomicdb.SQLite(t, nil)), "no such Datomic database", fs.ErrorObjectNotFound},
		{"other database", remote("path="+file, "database=other"), `"sample"`, fs.ErrorObjectNotFound},
		{"nobody listens", server("postgres"), port, nil},
		{"nobody listens either", server("mysql"), port, nil},
		{"plain password", remote("storage=postgres", "user=me", "dbname=x", "pass=s3cr3t-word"), "not obscured", nil},
		{"bad mode", server("postgres", "sslmode=perhaps"), "perhaps", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fs.NewFs(ctx, tt.remote)
			require.ErrorContains(t, err, tt.message)
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			assert.NotContains(t, err.Error(), secret)
			if tt.message != port { // where nobody listens somebody may do so soon
				assert.False(t, fserrors.ShouldRetry(err))
			}
		})
	}
	_, err = os.Stat(file + ".nowhere")
	assert.ErrorIs(t, err, os.ErrNotExist, "reading makes no file")
}
