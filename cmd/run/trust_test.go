//go:build unix

package run

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTrusted(t *testing.T) {
	path := file(t, three)
	dir := filepath.Dir(path)
	link := filepath.Join(t.TempDir(), "link.edn")
	require.NoError(t, os.Symlink(path, link))
	for name, tt := range map[string]struct {
		chmod string
		mode  os.FileMode
		want  string
	}{
		"as it is":                       {path, 0o644, ""},
		"group may write":                {path, 0o664, " can be written by others (mode -rw-rw-r--): chmod go-w "},
		"world may write":                {path, 0o602, "can be written by others"},
		"group may replace":              {dir, 0o770, "the directory " + dir + " can be written by others (mode -rwxrwx---): chmod go-w " + dir},
		"world may replace":              {dir, 0o777, "the directory"},
		"nobody may replace what is not": {dir, 0o777 | os.ModeSticky, ""},
		"the way above":                  {filepath.Dir(dir), 0o777, "the directory " + filepath.Dir(dir)},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := os.Stat(tt.chmod)
			require.NoError(t, err)
			require.NoError(t, os.Chmod(tt.chmod, tt.mode))
			defer func() { require.NoError(t, os.Chmod(tt.chmod, info.Mode())) }()
			for _, name := range []string{path, link} {
				_, err = load(name)
				if tt.want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, "names programs to run")
					assert.ErrorContains(t, err, tt.want)
				}
			}
		})
	}
	require.NoError(t, os.Chmod(filepath.Dir(link), 0o777))
	_, err := load(link)
	require.ErrorContains(t, err, "the directory "+filepath.Dir(link), "others may replace the link")
	_, err = load(path)
	require.NoError(t, err)
	_, err = load(dir)
	require.ErrorContains(t, err, "is not a regular file")
}

// TestOwner: what another user owns, that user can change.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	path := file(t, three)
	require.NoError(t, os.Chown(path, 12345, -1))
	_, err := load(path)
	require.ErrorContains(t, err, path+" belongs to user 12345, who is neither you nor root")
	require.NoError(t, os.Chown(path, 0, 12345))
	_, err = load(path)
	require.NoError(t, err)
	require.NoError(t, os.Chown(filepath.Dir(path), 12345, -1))
	_, err = load(path)
	require.ErrorContains(t, err, filepath.Dir(path)+" belongs to user 12345")
}
