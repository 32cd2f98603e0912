package conformance

import (
	"context"
	"fmt"
	"path"
	"strings"
	"testing"

	_ "github.com/rclone/rclone/backend/combine" // wraps remotes as a user's configuration may
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/vfs"
	"github.com/rclone/rclone/vfs/vfscommon"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// vfs reads as mount and serve do.
func (s *suite) vfs(t *testing.T) {
	opt := vfscommon.Opt
	opt.ReadOnly = true
	v := vfs.New(context.Background(), s.fs(t), &opt)
	defer v.Shutdown()
	for name, data := range s.files {
		got, err := v.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, data, got, name)
	}
	entries, err := v.ReadDir("")
	require.NoError(t, err)
	assert.Len(t, entries, len(s.entries("", false)))
	s.readBackwards(t, v)
}

// readBackwards reads at random offsets, as a program over a mount may.
func (s *suite) readBackwards(t *testing.T, v *vfs.VFS) {
	o, data := s.object(t, 100)
	h, err := v.Open(o.Remote())
	require.NoError(t, err)
	defer func() { assert.NoError(t, h.Close()) }()
	for _, at := range []int{len(data) - 10, len(data) / 2, 0} {
		got := make([]byte, 10)
		_, err := h.ReadAt(got, int64(at))
		require.NoError(t, err)
		assert.Equal(t, data[at:at+10], got)
	}
}

// combine checks the remote below another one.
func (s *suite) combine(t *testing.T) {
	ctx := context.Background()
	upstreams := fs.SpaceSepList{"db=" + s.remote}.String()
	f, err := fs.NewFs(ctx, fmt.Sprintf(":combine,upstreams='%s':", strings.ReplaceAll(upstreams, "'", "''")))
	require.NoError(t, err)
	entries, err := f.List(ctx, "db")
	require.NoError(t, err)
	assert.Len(t, entries, len(s.entries("", false)))
	for name, data := range s.files {
		o, err := f.NewObject(ctx, path.Join("db", name))
		require.NoError(t, err)
		assert.NoError(t, read(ctx, o, data))
	}
}
