package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the module's root, seen from the folder that tests run in.
const root = "../.."

// foreign are paths of a developer's machine, on which nothing here may depend.
// They are spelled in halves so that this file does not hold them itself.
var foreign = []string{"/wo" + "rk/", "../sha" + "red"}

// namesForeign reports whether content holds one of the foreign paths.
func namesForeign(content []byte) bool {
	for _, path := range foreign {
		if bytes.Contains(content, []byte(path)) {
			return true
		}
	}
	return false
}

func TestNoForeignPaths(t *testing.T) {
	read := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || path == filepath.Join(root, "bin")):
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		assert.False(t, namesForeign(content), path)
		return nil
	})
	require.NoError(t, err)
	assert.NotZero(t, read)
}

func TestNamesForeign(t *testing.T) {
	assert.True(t, namesForeign([]byte("see /wo"+"rk/main")))
	assert.True(t, namesForeign([]byte("cp ../sha"+"red/x .")))
	assert.False(t, namesForeign([]byte("workspace, shared")))
}
