package datahike_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/conformance"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// litter puts beside a store what may lie there and is not part of it: what a
// writer has begun, what konserve keeps for a moment, and garbage.
func litter(t *testing.T, dir string) {
	blob := content(t, open(t, remote(dir)), branchSet)
	for name, data := range map[string][]byte{
		"00000000-0000-5000-8000-000000000001.ksv":        {},
		"00000000-0000-5000-8000-000000000002.ksv":        blob, // nothing refers to it
		"00000000-0000-5000-8000-000000000003.ksv.new":    blob,
		"00000000-0000-5000-8000-000000000004.ksv.backup": blob,
		"konserve-probe":   []byte("1"),
		branchSet + ".new": blob,
		"README":           []byte("mine"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
}

func TestConformanceLocal(t *testing.T) {
	for _, name := range []string{"a-default", "c-crypto", "j-fused"} {
		t.Run(name, func(t *testing.T) {
			dir := fixture.Unpack(t, name)
			want := files(t, dir)
			litter(t, dir)
			conformance.Run(t, remote(dir), want)
		})
	}
}

func TestConformanceMemory(t *testing.T) {
	want := files(t, fixture.Unpack(t, "a-default"))
	conformance.Run(t, remote(memory(t, want)), want)
}

func TestConformanceEncrypted(t *testing.T) {
	dir := fixture.Unpack(t, "d-aes")
	key := "encryption_key=" + obscure.MustObscure(fixture.AESKey)
	conformance.Run(t, remote(dir, key), files(t, dir))
}

func TestConformanceBranch(t *testing.T) {
	dir := fixture.Unpack(t, "e-branches")
	r := remote(dir, "branch=feature")
	want := contents(t, open(t, r))
	assert.Less(t, len(want), len(files(t, dir)))
	conformance.Run(t, r, want)
}

// TestFeaturesFollowTheStore checks what a snapshot can do only as well as the
// store below it.
func TestFeaturesFollowTheStore(t *testing.T) {
	ctx := context.Background()
	want := files(t, small(t))
	for _, store := range []string{memory(t, want), t.TempDir()} {
		write(t, store, want)
		base, err := fs.NewFs(ctx, store)
		require.NoError(t, err)
		f := open(t, remote(store))
		assert.Equal(t, base.Hashes(), f.Hashes())
		assert.Equal(t, base.Features().SlowHash, f.Features().SlowHash)
		assert.True(t, f.Features().Overlay)
		assert.False(t, f.Features().IsLocal)
		assert.Equal(t, slices.Sorted(maps.Keys(want)), names(t, f))
	}
}
