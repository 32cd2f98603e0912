package judge_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
)

func TestFixtureFactsAreThoseOnRecord(t *testing.T) {
	data, err := os.ReadFile("../fixture/testdata/datomic/backup-gen3.expected.json")
	require.NoError(t, err)
	var want struct {
		Results []judge.Facts `json:"results"`
	}
	require.NoError(t, json.Unmarshal(data, &want))
	require.Len(t, want.Results, len(fixture.DatomicGens()))
	assert.Equal(t, want.Results, judge.Backup(t, fixture.DatomicBackup(t, "gen3")))
}

func TestTornLeafIsRefusedAfterItWasReadWhole(t *testing.T) {
	j := judge.Start(t)
	dir := fixture.DatomicBackup(t, "gen1")
	_, err := j.Backup(t.Context(), dir)
	require.NoError(t, err)

	leaf := biggest(t, dir)
	require.NoError(t, os.Truncate(leaf, 0))
	_, err = j.Backup(t.Context(), dir)
	require.ErrorAs(t, err, new(*judge.Refusal))
	assert.ErrorContains(t, err, filepath.Base(leaf))
}

// biggest returns the biggest file of a backup: surely a leaf.
func biggest(t *testing.T, dir string) (path string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "values", "*", "*"))
	require.NoError(t, err)
	var most int64
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		if info.Size() > most {
			path, most = file, info.Size()
		}
	}
	return path
}
