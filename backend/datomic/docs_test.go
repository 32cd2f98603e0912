package datomic_test

import (
	"os"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocs: the guide names every option and every command.
func TestDocs(t *testing.T) {
	guide, err := os.ReadFile("../../docs/datomic.md")
	require.NoError(t, err)
	info, err := fs.Find("datomic")
	require.NoError(t, err)
	for _, o := range info.Options {
		if o.Name != "description" { // rclone's own
			assert.Contains(t, string(guide), "`"+o.Name+"`")
		}
	}
	for _, c := range info.CommandHelp {
		assert.Contains(t, string(guide), "rclone-datom backend "+c.Name+" ")
	}
}
