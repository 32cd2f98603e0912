package datomic_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// command runs a backend command and returns what a user would be shown.
func command(t *testing.T, f fs.Fs, name string, out any) {
	t.Helper()
	got, err := f.Features().Command(context.Background(), name, nil, nil)
	require.NoError(t, err)
	text, err := json.Marshal(got)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, out))
}

func TestCommandDatabases(t *testing.T) {
	dir, _ := gen1(t)
	type database struct {
		Name, ID string
		Deleted  bool
	}
	var got []database
	command(t, open(t, remote("path="+datomicdb.SQLite(t, datomicdb.Rows(t, dir, 1485)))), "databases", &got)
	assert.Equal(t, []database{{datomicdb.Name, fixture.DatomicID, false}, {"", "gone-" + datomicdb.Catalog, true}}, got)
	got = nil
	command(t, open(t, remote("remote="+dir)), "databases", &got)
	assert.Equal(t, []database{{"", fixture.DatomicID, false}}, got)
}

// TestCommandDatabasesUnnamed: where a name is missing, the command that tells
// the names works, and whatever else is tried names them.
func TestCommandDatabasesUnnamed(t *testing.T) {
	dir, _ := gen1(t)
	rows := datomicdb.Rows(t, dir, 1485)
	for i, row := range rows {
		if row.ID == datomicdb.Catalog {
			rows[i].Val = []byte(`{"b" {:db-id "b-1"}, "a" {:db-id "a-1"}, :datomic/deleted #{"c-1"}}`)
		}
	}
	f, err := fs.NewFs(t.Context(), remote("path="+datomicdb.SQLite(t, rows)))
	require.NoError(t, err)
	got, err := f.Features().Command(t.Context(), "databases", nil, nil)
	require.NoError(t, err)
	text, err := json.Marshal(got)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"name":"a","id":"a-1","deleted":false},{"name":"b","id":"b-1","deleted":false},{"id":"c-1","deleted":true}]`, string(text))

	_, err = f.Features().Command(t.Context(), "roots", nil, nil)
	require.ErrorContains(t, err, `set database to one of "a" "b"`)
	_, err = f.List(t.Context(), "")
	require.ErrorContains(t, err, `set database to one of "a" "b"`)
	_, err = f.NewObject(t.Context(), "owner")
	require.ErrorContains(t, err, `set database to one of "a" "b"`)
}

func TestCommandRoots(t *testing.T) {
	var got map[string]any
	command(t, open(t, remote("remote="+fixture.DatomicBackup(t, "gen3"))), "roots", &got)
	assert.EqualValues(t, 1708, got["t"])
	assert.EqualValues(t, 349, got["tailBytes"])
	assert.Equal(t, fixture.DatomicID, got["database"])
	assert.Equal(t, "6b00f51f-7d86-4ff1-9443-48d3c1acd0e9", got["index"])
	assert.Equal(t, "6b00f51f-a8b4-466f-b599-ad804c07c650", got["log"])
	assert.Len(t, got["transaction"], 36)
}

func TestCommandStat(t *testing.T) {
	type amount struct{ Segments, Bytes int64 }
	dir, want := gen1(t)
	var got struct {
		amount
		T, TailBytes int64
		Trees        []struct {
			Tree string
			amount
			Levels []struct {
				Level int
				amount
			}
		}
	}
	command(t, open(t, remote("path="+datomicdb.SQLite(t, datomicdb.Rows(t, dir, 1485)))), "stat", &got)
	bytes := int64(0)
	for name, data := range want {
		if name != "owner" && name != "roots/1485" {
			bytes += int64(len(data))
		}
	}
	assert.EqualValues(t, 1485, got.T)
	require.Len(t, got.Trees, 2)
	sum, levels := amount{}, amount{}
	for _, tree := range got.Trees {
		sum.Segments, sum.Bytes = sum.Segments+tree.Segments, sum.Bytes+tree.Bytes
		top := tree.Levels[len(tree.Levels)-1]
		assert.EqualValues(t, 1, top.Segments, tree.Tree)
		for i, level := range tree.Levels {
			assert.Equal(t, i, level.Level)
			levels.Segments, levels.Bytes = levels.Segments+level.Segments, levels.Bytes+level.Bytes
		}
	}
	all := amount{106, bytes}
	assert.Equal(t, []amount{all, all, all}, []amount{got.amount, sum, levels})
}

func TestCommandUnknown(t *testing.T) {
	dir, _ := gen1(t)
	_, err := open(t, remote("remote="+dir)).Features().Command(context.Background(), "nonsense", nil, nil)
	assert.ErrorIs(t, err, fs.ErrorCommandNotFound)
}
