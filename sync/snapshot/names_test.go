package snapshot

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBranchNames: a branch may have any name, and its point must be read again.
func TestBranchNames(t *testing.T) {
	for _, name := range []string{":db", ":a b", ":a,b", `:a\b`, ":a;b", ":feature/foo/bar", `:fix #12"q`, ":a{}", ":ä∀𝄞"} {
		m := whole()
		m.Branches = map[string]Branch{name: {Commit: "6b010f3e-0000", MaxTx: 536870913}}
		b, err := m.Encode()
		require.NoError(t, err, name)
		require.NoError(t, m.readable(b), name)
		back, err := DecodeManifest(m.Point, b)
		require.NoError(t, err, name)
		assert.Equal(t, m.Branches, back.Branches)
	}
}
