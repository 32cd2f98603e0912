package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// TestAsFiles uses a database with rclone's own commands.
func TestAsFiles(t *testing.T) {
	u := newUser(t)
	store := fixture.Unpack(t, "a-default")
	u.configure("[mydb]\ntype = datahike\nstore = " + store)
	require.NoError(t, os.WriteFile(filepath.Join(store, "11111111-0000-5000-8000-000000000000.ksv.new"), []byte("x"), 0o600))
	want := u.tree(store)
	delete(want, "11111111-0000-5000-8000-000000000000.ksv.new")
	name := ""
	for name = range want {
		break
	}

	assert.Equal(t, len(want), strings.Count(u.ok("ls", "mydb:").out, "\n"))
	var listed []struct {
		Path, Name, ID string
		Size           int64
		IsDir          bool
		Hashes         map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(u.ok("lsjson", "-R", "--hash", "mydb:").out), &listed))
	require.Len(t, listed, len(want))
	for _, o := range listed {
		assert.Contains(t, want[o.Path], o.Hashes["sha256"])
		assert.False(t, o.IsDir)
		assert.Equal(t, strings.TrimSuffix(o.Path, ".ksv"), o.ID)
	}
	data, err := os.ReadFile(filepath.Join(store, name))
	require.NoError(t, err)
	assert.Equal(t, string(data), u.ok("cat", "mydb:"+name).out)
	assert.Equal(t, string(data[5:15]), u.ok("cat", "--offset", "5", "--count", "10", "mydb:"+name).out)

	u.ok("copy", "mydb:", u.path("copied"))
	assert.Equal(t, want, u.tree(u.path("copied")))
	u.ok("check", "mydb:", u.path("copied"))
	u.ok("copyto", "mydb:"+name, u.path("one"))
	assert.FileExists(t, u.path("one"))
	u.ok("sync", "mydb:", u.path("copied"), "--fast-list")
	u.damage(u.path("copied"), 1)
	u.fails(1, "1 differences found", "check", "mydb:", u.path("copied"))
	u.fails(3, "directory not found", "ls", "mydb:nowhere")
}

// TestReadOnly: what would write is told why not and is not tried again, and
// nothing changes. rclone asks for each file that it would delete.
func TestReadOnly(t *testing.T) {
	u := newUser(t)
	store := fixture.Unpack(t, "a-default")
	before := u.tree(store)
	for _, args := range [][]string{
		{"copy", fixture.Unpack(t, "c-crypto"), database(store)},
		{"sync", fixture.Unpack(t, "c-crypto"), database(store)},
		{"mkdir", database(store) + "x"},
		{"touch", database(store) + "new"},
		{"purge", database(store)},
		{"move", database(store), u.path("moved")},
	} {
		o := u.fails(6, "cannot be written to", args...)
		assert.LessOrEqual(t, strings.Count(o.stderr, "cannot be written to"), len(before)+1, "%q", args)
		assert.NotContains(t, o.stderr, "Attempt 2", "%q", args)
	}
	u.fails(1, "cannot be written to", "delete", "--retries", "1", database(store))
	assert.Equal(t, before, u.tree(store))
}

func TestServeHTTP(t *testing.T) {
	u := newUser(t)
	store := fixture.Unpack(t, "a-default")
	address := u.serve("serve", "http", database(store), "--addr", "127.0.0.1:0", "-v")
	get := func(name, part string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/"+name, nil)
		require.NoError(t, err)
		if part != "" {
			r.Header.Set("Range", part)
		}
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	_, index := get("", "")
	for name := range u.tree(store) {
		assert.Contains(t, index, name)
		data, err := os.ReadFile(filepath.Join(store, name))
		require.NoError(t, err)
		code, body := get(name, "")
		assert.Equal(t, http.StatusOK, code)
		assert.Equal(t, len(data), len(body))
		assert.True(t, string(data) == body, name)
		code, body = get(name, "bytes=5-14")
		assert.Equal(t, http.StatusPartialContent, code)
		assert.Equal(t, string(data[5:15]), body)
	}
	code, _ := get("nosuch.ksv", "")
	assert.Equal(t, http.StatusNotFound, code)
}

func TestBackendCommands(t *testing.T) {
	u := newUser(t)
	facts := fixture.Expected(t, "e-branches")
	store := database(fixture.Unpack(t, "e-branches"))
	var heads []struct{ Branch, Commit string }
	require.NoError(t, json.Unmarshal([]byte(u.ok("backend", "heads", store).out), &heads))
	require.Len(t, heads, len(facts.Branches))
	for _, h := range heads {
		assert.Equal(t, facts.ByBranch[h.Branch].CommitID, h.Commit)
	}
	var commits []struct{ Commit string }
	require.NoError(t, json.Unmarshal([]byte(u.ok("backend", "commits", store).out), &commits))
	assert.NotEmpty(t, commits)
	u.fails(1, "command not found", "backend", "nonsense", store)
	assert.Contains(t, u.ok("backend", "features", store).out, `"Overlay": true`)
}
