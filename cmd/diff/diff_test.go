package diff

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/local"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/diff"
)

// TestCompare: the lines and the summary count the same, for people and for
// programs.
func TestCompare(t *testing.T) {
	printed := func(sum, js bool) string {
		summary, asJSON = sum, js
		t.Cleanup(func() { summary, asJSON = false, false })
		a, err := cli.View(t.Context(), ":datahike,store='"+fixture.Unpack(t, "h-gen1")+"':", "", "")
		require.NoError(t, err)
		b, err := cli.View(t.Context(), ":datahike,store='"+fixture.Unpack(t, "h-gen3")+"':", "", "")
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, compare(t.Context(), &out, a, b))
		return out.String()
	}
	lines := printed(false, false)
	added := strings.Count(lines, "\n+ [") + 1
	assert.Equal(t, strings.Count(lines, "\n"), added, "nothing was retracted")
	assert.Equal(t, added, strings.Count(printed(false, true), `{"op":"+","e":`))
	var rep diff.Report
	require.NoError(t, json.Unmarshal([]byte(printed(true, true)), &rep))
	assert.EqualValues(t, added, rep.Added)
	text := printed(true, false)
	assert.Contains(t, text, "ATTRIBUTE      ADDED  RETRACTED\n:db/txInstant  15     0\n")
	assert.True(t, strings.HasSuffix(text, "From t 8 to t 23: 145 added, 0 retracted, 0 renewed\n"), text)
}

func TestBothTheSame(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), []string{"x:"}), "both are the same")
}
