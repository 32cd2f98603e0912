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

func TestCommandUnknown(t *testing.T) {
	f := open(t, remote(small(t)))
	_, err := f.Features().Command(context.Background(), "nonsense", nil, nil)
	assert.ErrorIs(t, err, fs.ErrorCommandNotFound)
}
