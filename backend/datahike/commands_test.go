package datahike_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

func TestCommandHeads(t *testing.T) {
	facts := fixture.Expected(t, "e-branches")
	f := open(t, remote(fixture.Unpack(t, "e-branches")))
	var heads []struct {
		Branch, Commit, Object string
		MaxTx                  int64
	}
	command(t, f, "heads", &heads)
	require.Len(t, heads, len(facts.Branches))
	for _, h := range heads {
		want := facts.ByBranch[h.Branch]
		assert.Equal(t, want.CommitID, h.Commit)
		assert.Equal(t, want.MaxTx, h.MaxTx)
		assert.Equal(t, headOf(t, f, h.Branch), h.Object)
	}
}

func TestCommandCommits(t *testing.T) {
	for _, name := range []string{"a-default", "e-branches", "h-gen3", "h-gen4"} {
		facts := fixture.Expected(t, name)
		f := open(t, remote(fixture.Unpack(t, name)))
		var commits []struct {
			Commit, Object string
			Parents        []string
			MaxTx          int64
		}
		command(t, f, "commits", &commits)
		want := map[string]fixture.Commit{}
		for _, b := range facts.ByBranch {
			for _, c := range b.Commits {
				if !strings.HasPrefix(c.ID, ":") { // a forced branch names another one as its parent
					want[c.ID] = c
				}
			}
		}
		assert.Len(t, commits, len(want), name)
		seen := map[string]bool{}
		for _, c := range commits {
			assert.Equal(t, want[c.Commit].MaxTx, c.MaxTx, name)
			var parents []string
			for _, p := range want[c.Commit].Parents {
				if _, present := want[p]; present {
					parents = append(parents, p)
				}
			}
			assert.ElementsMatch(t, parents, c.Parents, name)
			for _, p := range c.Parents {
				assert.True(t, seen[p], "%s: parent %s comes after its child", name, p)
			}
			seen[c.Commit] = true
			_, err := f.NewObject(context.Background(), c.Object)
			assert.NoError(t, err)
		}
	}
}

func TestCommandStat(t *testing.T) {
	facts := fixture.Expected(t, "e-branches")
	f := open(t, remote(fixture.Unpack(t, "e-branches"), "branch=feature"))
	var stat struct {
		Segments struct{ Segments, Commits, Bytes int64 }
		Kinds    []struct {
			Kind                   string
			Level, Segments, Bytes int64
		}
		Branches []struct {
			Branch, Commit string
			Trees          []struct {
				Tree          string
				Datoms, Depth int64
				Levels        []struct {
					Level, Nodes, Items, Bytes int64
					Fill                       float64
				}
			}
		}
	}
	command(t, f, "stat", &stat)
	require.Len(t, stat.Branches, 1, "the remote shows no other")
	b := stat.Branches[0]
	assert.Equal(t, ":feature", b.Branch)
	assert.Equal(t, facts.ByBranch[":feature"].CommitID, b.Commit)
	assert.Equal(t, facts.ByBranch[":feature"].DatomsCurrent, b.Trees[0].Datoms)
	assert.EqualValues(t, 2, b.Trees[0].Depth)
	assert.InDelta(t, float64(b.Trees[0].Datoms)/512/float64(b.Trees[0].Levels[1].Nodes), b.Trees[0].Levels[1].Fill, 1e-9)
	assert.EqualValues(t, len(names(t, f)), stat.Segments.Segments+2, "the heads are counted for themselves")
}

func TestCommandUnknown(t *testing.T) {
	f := open(t, remote(small(t)))
	_, err := f.Features().Command(context.Background(), "nonsense", nil, nil)
	assert.ErrorIs(t, err, fs.ErrorCommandNotFound)
}
