package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// remotes are one that is read around its backend and one that is not.
func remotes(t *testing.T) map[string]fs.Fs {
	all := map[string]fs.Fs{}
	for name, at := range map[string]string{"local": t.TempDir(), "memory": ":memory:" + t.Name()} {
		f, err := fs.NewFs(t.Context(), at)
		require.NoError(t, err)
		require.NoError(t, f.Mkdir(t.Context(), ""))
		all[name] = f
	}
	return all
}

func put(t *testing.T, f fs.Fs, remote string, data []byte) {
	t.Helper()
	o := object.NewStaticObjectInfo(remote, time.Unix(1, 0), int64(len(data)), true, nil, f)
	_, err := f.Put(t.Context(), bytes.NewReader(data), o)
	require.NoError(t, err)
}

func TestGet(t *testing.T) {
	for name, f := range remotes(t) {
		t.Run(name, func(t *testing.T) {
			for _, dir := range []string{"", "store", "a/b"} {
				s := store.New(f, dir)
				for _, data := range []string{"", "x", string(make([]byte, 100_000))} {
					id := graph.ID(fmt.Sprint("s", len(data)))
					put(t, f, s.Remote(id), []byte(data))
					got, err := s.Get(t.Context(), id)
					require.NoError(t, err)
					assert.Equal(t, data, string(got))
					size, err := s.Size(t.Context(), id)
					require.NoError(t, err)
					assert.Equal(t, int64(len(data)), size)
				}
				assert.Equal(t, int64(6), s.Reads())
			}
		})
	}
}

func TestNotFound(t *testing.T) {
	for name, f := range remotes(t) {
		t.Run(name, func(t *testing.T) {
			for _, dir := range []string{"", "no/such/dir"} {
				s := store.New(f, dir)
				_, err := s.Get(t.Context(), "gone")
				require.ErrorIs(t, err, graph.ErrNotFound)
				assert.ErrorContains(t, err, "gone")
				_, err = s.Size(t.Context(), "gone")
				require.ErrorIs(t, err, graph.ErrNotFound)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int64{"fits": 1 << 20, "large": store.MaxSize + 1} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
		require.NoError(t, os.Truncate(filepath.Join(dir, name), size))
	}
	f, err := fs.NewFs(t.Context(), dir)
	require.NoError(t, err)
	for _, f := range []fs.Fs{f, fault.New(f, fault.Options{})} { // past the backend, and through it
		s := store.New(f, "")
		_, err = s.Get(t.Context(), "large")
		require.ErrorIs(t, err, graph.ErrTooLarge)
		assert.ErrorContains(t, err, "large")
		_, err = s.Get(t.Context(), "fits")
		require.NoError(t, err)
	}
}

func TestList(t *testing.T) {
	for name, f := range remotes(t) {
		t.Run(name, func(t *testing.T) {
			s := store.New(f, "store")
			for _, id := range []graph.ID{"a", "b", "c"} {
				put(t, f, s.Remote(id), []byte(id))
			}
			put(t, f, "store/below/d", nil)
			put(t, f, "beside", nil)
			var got []string
			require.NoError(t, s.List(t.Context(), func(id graph.ID, o fs.Object) error {
				got = append(got, fmt.Sprint(id, o.Size()))
				return nil
			}))
			slices.Sort(got)
			assert.Equal(t, []string{"a1", "b1", "c1"}, got)

			own := errors.New("own")
			require.ErrorIs(t, s.List(t.Context(), func(graph.ID, fs.Object) error { return own }), own)
		})
	}
}

// TestRetries: what may succeed next time is tried as often as
// --low-level-retries says, and nothing else is.
func TestRetries(t *testing.T) {
	final := errors.New("final")
	for _, op := range []fault.Op{fault.NewObject, fault.Open} {
		for _, tc := range []struct {
			name    string
			retries int
			fails   error
			calls   int
			want    error
		}{
			{"no retries", 1, nil, 1, fault.ErrInjected},
			{"one is enough", 2, nil, 2, nil},
			{"an error that stays", 9, final, 1, final},
		} {
			t.Run(fmt.Sprint(op, " ", tc.name), func(t *testing.T) {
				ctx, ci := fs.AddConfig(context.Background())
				ci.LowLevelRetries = tc.retries
				base, err := fs.NewFs(ctx, t.TempDir())
				require.NoError(t, err)
				put(t, base, "x", []byte("data"))
				f := fault.New(base, fault.Options{})
				f.Inject(fault.Rule{N: 1, Match: fault.On(op, ""), Err: tc.fails})
				data, err := store.New(f, "").Get(ctx, "x")
				assert.Equal(t, tc.calls, f.Count(fault.On(op, "")))
				require.ErrorIs(t, err, tc.want)
				if tc.want == nil {
					assert.Equal(t, "data", string(data))
				} else {
					assert.ErrorContains(t, err, "x")
				}
			})
		}
	}
}
