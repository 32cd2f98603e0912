package transfer_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/operations"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// TestDraft: an object appears when it is finished, and no file stays behind.
func TestDraft(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, root := range []string{":memory:draft", t.TempDir()} {
		ctx := context.Background()
		f, err := fs.NewFs(ctx, root)
		require.NoError(t, err)
		c := transfer.NewCopier(f, f, time.Unix(1e9, 0))
		d, err := c.NewDraft(ctx, "dir/one")
		require.NoError(t, err)
		for part := range bytes.SplitSeq(data, []byte("f")) {
			_, _ = d.Write(part)
			_, _ = d.Write([]byte("f"))
		}
		_, err = f.NewObject(ctx, "dir/one")
		require.Error(t, err, "not yet")
		require.NoError(t, d.Finish(ctx))
		o, err := f.NewObject(ctx, "dir/one")
		require.NoError(t, err)
		got, err := operations.ReadFile(ctx, o)
		require.NoError(t, err)
		assert.Equal(t, append(data, 'f'), got)

		d, err = c.NewDraft(ctx, "dir/two")
		require.NoError(t, err)
		_, _ = d.Write(data)
		d.Discard()
		_, err = f.NewObject(ctx, "dir/two")
		require.Error(t, err)
		assert.Empty(t, files(t, temp))
		if !strings.HasPrefix(root, ":") {
			assert.Equal(t, []string{"dir/one"}, files(t, root))
		}
	}
}

// TestDraftAgain: an upload that fails begins anew.
func TestDraftAgain(t *testing.T) {
	ctx, ci := fs.AddConfig(context.Background())
	ci.LowLevelRetries = 3
	f, err := fs.NewFs(ctx, ":memory:again")
	require.NoError(t, err)
	faulty := fault.New(f, fault.Options{})
	faulty.Inject(fault.Rule{N: 1, Mode: fault.During, Match: fault.On(fault.Put, ""), Err: fserrors.RetryErrorf("try again")})
	d, err := transfer.NewCopier(faulty, f, time.Unix(1e9, 0)).NewDraft(ctx, "one")
	require.NoError(t, err)
	_, _ = d.Write([]byte("all of it"))
	require.NoError(t, d.Finish(ctx))
	o, err := f.NewObject(ctx, "one")
	require.NoError(t, err)
	got, err := operations.ReadFile(ctx, o)
	require.NoError(t, err)
	assert.Equal(t, "all of it", string(got))
}

// files are the paths below a directory.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, rerr := filepath.Rel(dir, path)
			require.NoError(t, rerr)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	}))
	return all
}
