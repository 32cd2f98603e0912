package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/object"
	"github.com/rclone/rclone/fs/walk"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

func TestMain(m *testing.M) {
	// Failing is what these tests are about: thousands of lines otherwise.
	fs.GetConfig(context.Background()).LogLevel = fs.LogLevelEmergency
	os.Exit(m.Run())
}

var number atomic.Int64

// quick is a context in which nothing is tried twice, with statistics of its own.
func quick() context.Context {
	ctx, ci := fs.AddConfig(context.Background())
	ci.LowLevelRetries = 1
	return accounting.WithStatsGroup(ctx, fmt.Sprintf("engine-%d", number.Add(1)))
}

func remote(t testing.TB, path string) fs.Fs {
	t.Helper()
	f, err := fs.NewFs(context.Background(), path)
	require.NoError(t, err)
	return f
}

// memory is a new, empty remote that promises whole uploads.
func memory(t testing.TB) fs.Fs {
	t.Helper()
	return remote(t, fmt.Sprintf(":memory:engine-%d", number.Add(1)))
}

// local is a new, empty directory, in memory where the system has that.
func local(t testing.TB) fs.Fs {
	t.Helper()
	return remote(t, scratch(t))
}

func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "engine-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func source(f fs.Fs, key string) dbsync.Source {
	return dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New(key)}
}

// image is the content of a remote: bytes by path.
type image map[string][]byte

// dump reads everything.
func dump(t testing.TB, f fs.Fs) image {
	t.Helper()
	if f.Features().IsLocal {
		return dumpDir(t, f.Root())
	}
	img := image{}
	err := walk.ListR(context.Background(), f, "", true, -1, walk.ListObjects, func(entries fs.DirEntries) error {
		for _, e := range entries {
			in, err := e.(fs.Object).Open(context.Background())
			if err != nil {
				return err
			}
			b, err := io.ReadAll(in)
			if err != nil {
				return err
			}
			img[e.Remote()] = b
		}
		return nil
	})
	if !errors.Is(err, fs.ErrorDirNotFound) {
		require.NoError(t, err)
	}
	return img
}

func dumpDir(t testing.TB, dir string) image {
	t.Helper()
	img := image{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		img[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	}))
	return img
}

// holding is a new remote with the image's content; call drop when done.
func holding(t testing.TB, empty func(testing.TB) fs.Fs, img image) (f fs.Fs, drop func()) {
	t.Helper()
	f = empty(t)
	for name, data := range img {
		write(t, f, name, data)
	}
	return f, func() { require.NoError(t, purge(f)) }
}

func write(t testing.TB, f fs.Fs, name string, data []byte) {
	t.Helper()
	_, err := f.Put(context.Background(), bytes.NewReader(data), object.NewMemoryObject(name, time.Unix(0, 0), data))
	require.NoError(t, err)
}

// purge removes everything.
func purge(f fs.Fs) error {
	if f.Features().IsLocal {
		return os.RemoveAll(f.Root())
	}
	ctx := context.Background()
	err := walk.ListR(ctx, f, "", true, -1, walk.ListObjects, func(entries fs.DirEntries) error {
		for _, e := range entries {
			if err := e.(fs.Object).Remove(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil
	}
	return err
}

// generations are the fixtures that show one database at four moments.
var generations = []string{"h-gen1", "h-gen2", "h-gen3", "h-gen4"}

// become makes a local source hold another store.
func become(t testing.TB, src fs.Fs, dir string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(src.Root()))
	require.NoError(t, os.CopyFS(src.Root(), os.DirFS(dir)))
}

// keywordOf reads a keyword as it is printed.
func keywordOf(s string) fressian.Keyword {
	ns, name, ok := strings.Cut(strings.TrimPrefix(s, ":"), "/")
	if !ok {
		return fressian.Keyword{Name: ns}
	}
	return fressian.Keyword{NS: ns, Name: name}
}

// below is the part of an image in a directory, by the names there.
func (img image) below(dir string) image {
	part := image{}
	for name, b := range img {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			part[rest] = b
		}
	}
	return part
}

// differs names some objects that are not the same in both.
func (img image) differs(other image) (names []string) {
	for name, b := range img {
		if o, ok := other[name]; !ok {
			names = append(names, "only here: "+name)
		} else if !bytes.Equal(b, o) {
			names = append(names, "other bytes: "+name)
		}
	}
	for name := range other {
		if _, ok := img[name]; !ok {
			names = append(names, "only there: "+name)
		}
	}
	slices.Sort(names)
	return names[:min(5, len(names))]
}
