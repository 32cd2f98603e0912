package run

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/rc"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const three = `{:c {:source "c:" :destination "/c"}
 :a {:source "a,pass=hush:" :destination ":s3,secret_access_key=hush:a" :encrypt-with "vault:"}
 :b {:source "b:" :destination "/b"}}`

// file writes a job file.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jobs.edn")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestChoose(t *testing.T) {
	all, err := load(file(t, three))
	require.NoError(t, err)
	for names, want := range map[string][]string{"": {"c", "a", "b"}, "b c b": {"b", "c"}} {
		chosen, err := choose(all, strings.Fields(names))
		require.NoError(t, err)
		assert.Equal(t, want, jobNames(chosen))
	}
	_, err = choose(all, []string{"a", "d"})
	require.EqualError(t, err, "there is no job d; there are: c a b")

	text, err := json.Marshal(listed(all)[1])
	require.NoError(t, err)
	assert.JSONEq(t, `{"job":"a","source":"a,…:","destination":":s3,…:a","encryptWith":"vault:"}`, string(text))
	var out strings.Builder
	require.NoError(t, printList(&out, listed(all)[:2]))
	assert.Equal(t, `JOB  SOURCE  DESTINATION  ENCRYPTED WITH
c    c:      /c           
a    a,…:    :s3,…:a      vault:
`, out.String())
}

func TestComplete(t *testing.T) {
	names, how := complete(command, nil, "jo")
	assert.Equal(t, []string{"edn"}, names)
	assert.Equal(t, cobra.ShellCompDirectiveFilterFileExt, how)
	names, how = complete(command, []string{file(t, three), "a"}, "")
	assert.Equal(t, []string{"c", "b"}, names)
	assert.Equal(t, cobra.ShellCompDirectiveNoFileComp, how)
	_, how = complete(command, []string{file(t, "{")}, "")
	assert.Equal(t, cobra.ShellCompDirectiveError, how)
}

func TestLoadRefuses(t *testing.T) {
	path := file(t, "{:a\n {:sauce 1}}")
	_, err := load(path)
	require.ErrorContains(t, err, path+": line 2: :a has :sauce")
	_, err = load(path + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = load(file(t, three+strings.Repeat(" ", maxFile)))
	require.ErrorContains(t, err, "larger than a job file can be")
	assert.True(t, fserrors.IsNoRetryError(run(t.Context(), path, nil)))
}

// TestNotOverRC: who reaches the remote control must not start programs.
func TestNotOverRC(t *testing.T) {
	for _, call := range rc.Calls.List() {
		assert.False(t, strings.HasPrefix(call.Path, "datom/run"), call.Path)
	}
}
