package log

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/local"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// TestRun writes a line for each transaction that is asked for.
func TestRun(t *testing.T) {
	from := ":datahike,store='" + fixture.Unpack(t, "h-gen3") + "':"
	output = filepath.Join(t.TempDir(), "log")
	opt.From, opt.To = "5", "7"
	t.Cleanup(func() { output, opt.From, opt.To, opt.Limit = "", "", "", 0 })
	require.NoError(t, run(t.Context(), from))
	text, err := os.ReadFile(output)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 3)
	for i, tx := range []string{"{:t 5 :tx 536870917 ", "{:t 6 :tx 536870918 ", "{:t 7 :tx 536870919 "} {
		assert.True(t, strings.HasPrefix(lines[i], tx), lines[i])
	}
	opt.Limit = -1
	require.ErrorContains(t, run(t.Context(), from), "negative")
}
