package conformance

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
)

// writes checks that every way to write is refused with one error that says
// so, that no retry is attempted after, and that changes nothing.
func (s *suite) writes(t *testing.T) {
	ctx := context.Background()
	o, data := s.object(t, 1)
	f := o.Fs().(fs.Fs)
	info := object.NewStaticObjectInfo("new", time.Unix(0, 0), 1, true, nil, nil)
	in := func() *bytes.Reader { return bytes.NewReader([]byte("x")) }

	for name, write := range map[string]func() error{
		"Put":        func() error { _, err := f.Put(ctx, in(), info); return err },
		"Mkdir":      func() error { return f.Mkdir(ctx, "new") },
		"MkdirRoot":  func() error { return f.Mkdir(ctx, "") },
		"Rmdir":      func() error { return f.Rmdir(ctx, "") },
		"Purge":      func() error { return f.Features().Purge(ctx, "") },
		"Update":     func() error { return o.Update(ctx, in(), info) },
		"SetModTime": func() error { return o.SetModTime(ctx, time.Unix(0, 0)) },
		"Remove":     func() error { return o.Remove(ctx) },
	} {
		err := write()
		assert.ErrorIs(t, err, fs.ErrorPermissionDenied, name)
		assert.True(t, fserrors.IsNoRetryError(err), name)
		assert.False(t, fserrors.ShouldRetry(err), name)
		assert.ErrorContains(t, err, "cannot be written to", name)
	}
	assert.NoError(t, read(ctx, o, data))
}
