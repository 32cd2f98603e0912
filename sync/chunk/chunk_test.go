package chunk

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

func TestNames(t *testing.T) {
	for _, n := range []int{0, 3, graph.MaxChunk} {
		got, err := ParseName(Name(n))
		require.NoError(t, err)
		assert.Equal(t, n, got)
	}
	assert.Equal(t, "segments-000003.zip", Name(3))
	for _, bad := range []string{
		"", "segments-.zip", "segments-3.zip", "segments-0000003.zip", "segments-00000x.zip", "segments-+00003.zip",
		"segments--00003.zip", "segments-000003.zip.zip", "segments-000003", "000003.zip", "Segments-000003.zip", Name(graph.MaxChunk + 1),
	} {
		_, err := ParseName(bad)
		assert.ErrorIs(t, err, graph.ErrCorrupt, bad)
	}
}

func TestPath(t *testing.T) {
	path, err := Path("2026-11-21T013727.410Z-6b010f3e/12")
	require.NoError(t, err)
	assert.Equal(t, "2026-11-21T013727.410Z-6b010f3e/chunks/segments-000012.zip", path)
	for _, bad := range []string{"", "a", "a/", "/1", "../1", "a/b/1", "a/01", "a/-1", "a/1000000", "a/1:2:3", "a:/1", `a\b/1`} {
		_, err := Path(bad)
		assert.ErrorIs(t, err, graph.ErrCorrupt, bad)
	}
}
