package datahike_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/cache"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

const otherStore = "0a0a0a0a-8173-3bef-91f7-a025057c74fb"

// TestFindStore: which store is meant where nothing says it, and what is said
// where that cannot be known.
func TestFindStore(t *testing.T) {
	want, bucket := s3Store(t)
	_, facts := fixture.UnpackBucket(t, "s3")
	dir := t.TempDir()
	write(t, dir, bucket)

	f := open(t, remote(dir))
	assert.Equal(t, sums(want), sums(contents(t, f)))
	var heads []struct{ Commit string }
	command(t, f, "heads", &heads)
	assert.Equal(t, facts.CommitID, heads[0].Commit)
	assert.Contains(t, f.String(), fixture.S3StoreID)

	write(t, dir, map[string][]byte{otherStore + "_.konserve-metadata": []byte("konserve")})
	_, err := fs.NewFs(context.Background(), remote(dir))
	require.ErrorContains(t, err, "set store_id to one of "+otherStore+" "+fixture.S3StoreID)
	assert.True(t, fserrors.IsNoRetryError(err))
	assert.Equal(t, sums(want), sums(contents(t, open(t, remote(dir, "store_id="+fixture.S3StoreID)))))

	plain := files(t, small(t))
	write(t, dir, plain)
	assert.Equal(t, slices.Sorted(maps.Keys(plain)), names(t, open(t, remote(dir))), "plain names come first")
	_, err = fs.NewFs(context.Background(), remote(dir, "branch=nope"))
	require.ErrorContains(t, err, "no branch", "the store is there, so no other is looked for")
	_, err = fs.NewFs(context.Background(), remote(dir, "store_id="+otherStore))
	require.ErrorContains(t, err, "no Datahike database")
	assert.ErrorIs(t, err, fs.ErrorObjectNotFound)
	for _, id := range []string{"../x", strings.ToUpper(fixture.S3StoreID), fixture.S3StoreID + "_"} {
		_, err = fs.NewFs(context.Background(), remote(dir, "store_id="+id))
		require.ErrorContains(t, err, "store_id", id)
	}
}

// TestFindStoreLost: a marker of a store whose objects are gone is no store.
func TestFindStoreLost(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, fixture.S3StoreID+"_.konserve-metadata")
	require.NoError(t, os.WriteFile(name, []byte("konserve"), 0o600))
	_, err := fs.NewFs(context.Background(), remote(dir))
	require.ErrorIs(t, err, fs.ErrorObjectNotFound)
	assert.ErrorContains(t, err, fixture.S3StoreID)
}

// TestFindStoreUnlistable: what cannot be looked at is not empty.
func TestFindStoreUnlistable(t *testing.T) {
	base, err := fs.NewFs(context.Background(), t.TempDir())
	require.NoError(t, err)
	f := fault.New(base, fault.Options{})
	denied := errors.New("denied")
	f.Inject(fault.Rule{N: 1, Match: fault.On(fault.List, ""), Err: denied})
	cache.Put("faulty:", f)
	_, err = fs.NewFs(context.Background(), remote("faulty:"))
	require.ErrorIs(t, err, denied)
}
