package datahike_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/hash"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// TestPinned writes the next generation of a database over the store.
func TestPinned(t *testing.T) {
	dir := fixture.Unpack(t, "h-gen1")
	for _, listFirst := range []bool{true, false} {
		t.Run(map[bool]string{true: "listed", false: "held"}[listFirst], func(t *testing.T) {
			store := t.TempDir()
			before := files(t, dir)
			write(t, store, before)
			f := open(t, remote(store))
			if listFirst {
				names(t, f)
			}
			after := files(t, fixture.Unpack(t, "h-gen2"))
			write(t, store, after)

			head := headOf(t, f, ":db")
			require.NotEqual(t, before[head], after[head])
			assert.Equal(t, before[head], content(t, f, head))
			assert.Equal(t, slices.Sorted(maps.Keys(before)), names(t, f))
			assert.Equal(t, sums(before), sums(contents(t, f)))
			assert.Equal(t, sums(after), sums(contents(t, open(t, remote(store)))), "opened again")
		})
	}
}

// segment is an object of the store that is neither a head nor :branches.
func segment(t *testing.T, f fs.Fs, held ...string) string {
	t.Helper()
	for _, name := range names(t, f) {
		if name != branchSet && !slices.Contains(held, name) {
			return name
		}
	}
	require.Fail(t, "no segment")
	return ""
}

func TestCollectedAfterListing(t *testing.T) {
	ctx := context.Background()
	dir := small(t)
	f := open(t, remote(dir))
	name := segment(t, f, headOf(t, f, ":db"))
	o, err := f.NewObject(ctx, name)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, name)))

	_, err = o.Open(ctx)
	assert.ErrorIs(t, err, fs.ErrorObjectNotFound)
	assert.ErrorContains(t, err, name+" was collected")
	_, err = o.Hash(ctx, hash.MD5)
	assert.ErrorIs(t, err, fs.ErrorObjectNotFound)
}

func TestCollectedBeforeListing(t *testing.T) {
	ctx := context.Background()
	for what, spoil := range map[string]func(string) error{
		"removed": os.Remove,
		"emptied": func(name string) error { return os.Truncate(name, 0) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := small(t)
			all := open(t, remote(dir))
			for _, name := range names(t, all) {
				if name == branchSet || name == headOf(t, all, ":db") {
					continue
				}
				f := open(t, remote(dir))
				whole, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				require.NoError(t, spoil(filepath.Join(dir, name)))
				_, err = f.List(ctx, "")
				assert.ErrorContains(t, err, name)
				_, err = f.NewObject(ctx, name)
				assert.ErrorContains(t, err, name)
				_, err = fs.NewFs(ctx, remote(dir)+name)
				assert.ErrorContains(t, err, name)
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), whole, 0o600))
				_, err = f.List(ctx, "")
				assert.NoError(t, err, "what has come back is seen")
			}
		})
	}
}

// TestBranch checks that one branch is a store of its own.
func TestBranch(t *testing.T) {
	dir := fixture.Unpack(t, "e-branches")
	facts := fixture.Expected(t, "e-branches")
	whole := files(t, dir)
	for _, branch := range facts.Branches {
		f := open(t, remote(dir, "branch="+strings.TrimPrefix(branch, ":")))
		got := contents(t, f)
		for name, data := range got {
			if name != branchSet {
				assert.Equal(t, whole[name], data)
			}
		}
		copied := t.TempDir()
		write(t, copied, got)
		alone := open(t, remote(copied))
		assert.Equal(t, sums(got), sums(contents(t, alone)))
		heads, err := alone.Dialect().Hold(context.Background(), alone.Store().Get, "")
		require.NoError(t, err)
		require.Len(t, heads.Branches, 1)
		assert.Equal(t, branch, heads.Branches[0].Name)
		assert.Equal(t, facts.ByBranch[branch].MaxTx, heads.Branches[0].MaxTx)
		assert.Equal(t, sums(got), sums(contents(t, open(t, remote(dir, "branch="+strings.TrimPrefix(branch, ":"))))), "not the same twice")
	}
}

func TestRefusedSettings(t *testing.T) {
	ctx := context.Background()
	dir := fixture.Unpack(t, "e-branches")
	aes := fixture.Unpack(t, "d-aes")
	file := filepath.Join(dir, branchSet)
	for _, tt := range []struct {
		name, remote, message string
		is                    error
	}{
		{"no store", ":datahike:", "no store", nil},
		{"a file", remote(file), "names a file", nil},
		{"nothing there", remote(filepath.Join(dir, "nowhere")), "no Datahike database", fs.ErrorObjectNotFound},
		{"something else there", remote(t.TempDir()), "no Datahike database", fs.ErrorObjectNotFound},
		{"unknown remote", remote("nosuchremote:x"), "nosuchremote", fs.ErrorNotFoundInConfigFile},
		{"unknown branch", remote(dir, "branch=nope"), ":db :feature", fs.ErrorObjectNotFound},
		{"no key", remote(aes), "--datahike-encryption-key", nil},
		{"wrong key", remote(aes, "encryption_key="+obscure.MustObscure("other")), "--datahike-encryption-key", nil},
		{"plain key", remote(aes, "encryption_key='s3cr3t-key'"), "not obscured", nil},
	} {
		_, err := fs.NewFs(ctx, tt.remote)
		require.ErrorContains(t, err, tt.message, tt.name)
		if tt.is != nil {
			assert.ErrorIs(t, err, tt.is, tt.name)
		}
		assert.NotContains(t, err.Error(), "s3cr3t", tt.name)
		assert.False(t, fserrors.ShouldRetry(err), tt.name)
	}
}

// TestNotEncryptedWithKey: a key that is not needed does no harm.
func TestNotEncryptedWithKey(t *testing.T) {
	dir := small(t)
	f := open(t, remote(dir, "encryption_key="+obscure.MustObscure("other")))
	assert.Equal(t, sums(files(t, dir)), sums(contents(t, f)))
}

// TestDescriptionHidesSecrets: what is logged shows no settings of the store.
func TestDescriptionHidesSecrets(t *testing.T) {
	files := files(t, small(t))
	write(t, ":memory:hidden", files)
	f := open(t, ":datahike,store=':memory,description=hush:hidden':")
	assert.NotContains(t, f.String(), "hush")
	assert.Contains(t, f.String(), "hidden")
}
