package datahike_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/rclone/rclone/backend/crypt"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/conformance"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/store"
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

// TestConformanceStoreRefs shows objects to which datoms refer. One of those in
// the fixture is kept elsewhere, and to another nothing refers.
func TestConformanceStoreRefs(t *testing.T) {
	dir := fixture.Unpack(t, "g-storeref")
	all := files(t, dir)
	want := contents(t, open(t, remote(dir)))
	var orphans []string
	for name, data := range all {
		if _, ok := want[name]; ok {
			continue
		}
		blob, err := konserve.NewCodec("").Open(data)
		require.NoError(t, err)
		assert.Equal(t, konserve.TypeBinary, blob.Meta.Type, name)
		orphans = append(orphans, name)
	}
	assert.Len(t, orphans, 1)
	conformance.Run(t, remote(dir), want)
}

// TestConformanceBucket shows a store with the names that it has on S3, beside
// what else lies in the bucket.
func TestConformanceBucket(t *testing.T) {
	want, bucket := s3Store(t)
	other, err := store.S3Names("0a0a0a0a-8173-3bef-91f7-a025057c74fb")
	require.NoError(t, err)
	for name, data := range files(t, small(t)) {
		bucket[other.Prefix+name] = data
	}
	bucket["README"] = []byte("mine")
	bucket["below/"+branchSet] = []byte("not mine")
	dir := t.TempDir()
	write(t, dir, bucket)
	for where, at := range map[string]string{"local": dir, "memory": memory(t, bucket)} {
		t.Run("s3 "+where, func(t *testing.T) { conformance.Run(t, remote(at, "store_id="+fixture.S3StoreID), want) })
	}
	t.Run("s3 found", func(t *testing.T) { conformance.Run(t, remote(dir), want) })
}

func TestConformanceGCS(t *testing.T) {
	gcs, _ := fixture.UnpackBucket(t, "gcs")
	dir := filepath.Join(gcs, filepath.FromSlash(fixture.GCSPath))
	want := files(t, dir)
	require.Contains(t, want, ".konserve-store-metadata")
	at := memory(t, want)
	delete(want, ".konserve-store-metadata")
	t.Run("local", func(t *testing.T) { conformance.Run(t, remote(dir), want) })
	t.Run("memory", func(t *testing.T) { conformance.Run(t, remote(at), want) })
}

// s3Store is what the fixture's store on S3 must be shown as, and the bucket.
func s3Store(t *testing.T) (want, bucket map[string][]byte) {
	t.Helper()
	dir, _ := fixture.UnpackBucket(t, "s3")
	want, bucket = map[string][]byte{}, files(t, dir)
	for name, data := range bucket {
		if id, ok := strings.CutPrefix(name, fixture.S3StoreID+"_"); ok && id != ".konserve-metadata" {
			want[id] = data
		}
	}
	require.Len(t, want, len(bucket)-1)
	return want, bucket
}

// TestConformanceCrypt shows a store on a remote that encrypts names and bytes.
func TestConformanceCrypt(t *testing.T) {
	t.Setenv("RCLONE_CONFIG_VAULT_TYPE", "crypt")
	t.Setenv("RCLONE_CONFIG_VAULT_REMOTE", t.TempDir())
	t.Setenv("RCLONE_CONFIG_VAULT_PASSWORD", obscure.MustObscure("correct horse"))
	want := files(t, fixture.Unpack(t, "a-default"))
	write(t, "vault:stores/mydb", want)
	conformance.Run(t, remote("vault:stores/mydb"), want)
	shown, bucket := s3Store(t)
	write(t, "vault:bucket", bucket)
	t.Run("s3", func(t *testing.T) { conformance.Run(t, remote("vault:bucket", "store_id="+fixture.S3StoreID), shown) })
}

// TestFeaturesFollowTheStore checks what a snapshot can do only as well as the
// store below it.
func TestFeaturesFollowTheStore(t *testing.T) {
	ctx := context.Background()
	want := files(t, small(t))
	for _, at := range []string{memory(t, want), t.TempDir()} {
		write(t, at, want)
		base, err := fs.NewFs(ctx, at)
		require.NoError(t, err)
		f := open(t, remote(at))
		assert.Equal(t, base.Hashes(), f.Hashes())
		assert.Equal(t, base.Features().SlowHash, f.Features().SlowHash)
		assert.True(t, f.Features().Overlay)
		assert.False(t, f.Features().IsLocal)
		assert.Equal(t, slices.Sorted(maps.Keys(want)), names(t, f))
	}
}
