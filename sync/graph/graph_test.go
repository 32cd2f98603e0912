package graph_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

func TestLevelIsReadAsWritten(t *testing.T) {
	levels := []graph.Level{graph.Commit, graph.Schema}
	for l := graph.Leaf; l <= graph.MaxLevel; l++ {
		levels = append(levels, l)
	}
	for _, l := range levels {
		got, err := graph.ParseLevel(l.String())
		require.NoError(t, err)
		assert.Equal(t, l, got)
	}
	assert.Equal(t, "r", graph.Root.String())
}

func TestParseLevelRefuses(t *testing.T) {
	// 128 and above would turn negative in a Level: 255 into Root, 253 into Commit.
	for _, s := range []string{"", "r", "C", "cc", "-1", "+1", "1.0", " 1", "0x1", "64", "127", "128", "200", "253", "254", "255", "256", "99999999999999999999"} {
		_, err := graph.ParseLevel(s)
		assert.ErrorIs(t, err, graph.ErrCorrupt, "%q", s)
	}
}
