package fault

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func wrapped(t *testing.T, opt Options) *Fs {
	t.Helper()
	base, err := fs.NewFs(context.Background(), ":memory:"+t.Name())
	require.NoError(t, err)
	return New(base, opt)
}

func put(f fs.Fs, remote, data string) error {
	o := object.NewMemoryObject(remote, time.Unix(1, 0), []byte(data))
	_, err := f.Put(context.Background(), bytes.NewReader([]byte(data)), o)
	return err
}

func read(t *testing.T, f fs.Fs, remote string) string {
	t.Helper()
	o, err := f.NewObject(context.Background(), remote)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrorObjectNotFound)
		return ""
	}
	in, err := o.Open(context.Background())
	require.NoError(t, err)
	b, err := io.ReadAll(in)
	require.NoError(t, err)
	return string(b)
}

func TestModes(t *testing.T) {
	for _, test := range []struct {
		name    string
		mode    Mode
		partial bool
		left    string
	}{
		{"before", Before, true, "old!"},
		{"after", After, true, "new-"},
		{"during", During, true, "ne"},
		{"during whole uploads", During, false, "old!"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := wrapped(t, Options{Partial: test.partial})
			require.NoError(t, put(f, "a", "old!"))
			f.Inject(Rule{N: 2, Mode: test.mode, Match: On(Put, "")})
			require.NoError(t, put(f, "b", "counts"))
			err := put(f, "a", "new-")
			require.ErrorIs(t, err, ErrInjected)
			assert.True(t, fserrors.IsRetryError(err))
			assert.Equal(t, &Call{Put, "a"}, f.Tripped())
			assert.Equal(t, test.left, read(t, f, "a"))
			require.NoError(t, put(f, "a", "again"), "one call fails, no more")
		})
	}
}

func TestDead(t *testing.T) {
	f := wrapped(t, Options{})
	f.Inject(Rule{N: 1, Mode: After, Dead: true})
	require.Error(t, put(f, "a", "x"))
	require.ErrorIs(t, put(f, "b", "x"), ErrInjected)
	_, err := f.NewObject(context.Background(), "a")
	require.ErrorIs(t, err, ErrInjected)
	f.Heal()
	assert.Equal(t, "x", read(t, f, "a"), "the call had its effect")
	assert.Empty(t, read(t, f, "b"), "the dead have none")
}

func TestTornRead(t *testing.T) {
	f := wrapped(t, Options{})
	require.NoError(t, put(f, "a", "12345678"))
	f.Inject(Rule{N: 1, Mode: During, Match: On(Open, "a")})
	o, err := f.NewObject(context.Background(), "a")
	require.NoError(t, err)
	in, err := o.Open(context.Background())
	require.NoError(t, err)
	b, err := io.ReadAll(in)
	require.ErrorIs(t, err, ErrInjected)
	assert.Equal(t, "1234", string(b))
}

func TestMoveAndCounts(t *testing.T) {
	ctx := context.Background()
	f := wrapped(t, Options{Partial: true})
	require.NoError(t, put(f, "d/a", "x"))
	o, err := f.NewObject(ctx, "d/a")
	require.NoError(t, err)
	_, err = f.Features().Move(ctx, o, "b")
	require.NoError(t, err)
	_, err = f.List(ctx, "d")
	require.NoError(t, err)
	assert.Equal(t, "list       d\t1\nmove       .\t1\nnew-object d\t1\nput        d\t1\n", f.Report())
	assert.Equal(t, 1, f.Count(On(Put, "d/")))
	assert.Equal(t, 2, f.Count(func(c Call) bool { return c.Op.Writes() }))
	assert.Equal(t, "x", read(t, f, "b"))
	f.Heal()
	assert.Zero(t, f.Count(nil))
	assert.Nil(t, wrapped(t, Options{}).Features().Move, "without partial uploads nothing is renamed")
	assert.False(t, f.Features().IsLocal)
}
