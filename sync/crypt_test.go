package dbsync

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/chunker"
	"github.com/rclone/rclone/backend/crypt"
	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
)

// key is how a crypt remote is configured.
type key struct {
	password, password2 string
	names               string // filename_encryption
	dirs                bool   // directory_name_encryption
}

func (k key) String() string { return fmt.Sprintf("%s names, dirs %v", k.names, k.dirs) }

// remote is path in a crypt remote over dir.
func (k key) remote(dir, path string) string {
	at := fmt.Sprintf(":crypt,remote='%s',password=%s,filename_encryption=%s,directory_name_encryption=%v", dir, obscure.MustObscure(k.password), k.names, k.dirs)
	if k.password2 != "" {
		at += ",password2=" + obscure.MustObscure(k.password2)
	}
	return at + ":" + path
}

func open(t *testing.T, remote string) fs.Fs {
	t.Helper()
	f, err := fs.NewFs(t.Context(), remote)
	require.NoError(t, err)
	return f
}

func keep(t *testing.T, f fs.Fs, name, data string) {
	t.Helper()
	info := object.NewStaticObjectInfo(name, time.Unix(0, 0), int64(len(data)), true, nil, nil)
	_, err := f.Put(t.Context(), bytes.NewReader([]byte(data)), info)
	require.NoError(t, err)
}

// everyKey calls test with each way to encrypt names, and a directory in which
// that key has written below "db".
func everyKey(t *testing.T, test func(t *testing.T, k key, dir string)) {
	for _, names := range []string{"standard", "obfuscate", "off"} {
		for _, dirs := range []bool{true, false} {
			k := key{password: "right", names: names, dirs: dirs}
			t.Run(k.String(), func(t *testing.T) {
				dir := t.TempDir()
				for _, name := range []string{"store/a.ksv", "store/b.ksv", "snapshots/1/manifest.edn"} {
					keep(t, open(t, k.remote(dir, "db")), name, name)
				}
				test(t, k, dir)
			})
		}
	}
}

func TestRightKey(t *testing.T) {
	everyKey(t, func(t *testing.T, k key, dir string) {
		for _, path := range []string{"", "db", "new", "db/store"} {
			assert.NoError(t, checkKey(t.Context(), open(t, k.remote(dir, path))), path)
		}
	})
}

// TestWrongKey: what was written with another key looks as if nothing were
// there, or as if nothing were whole.
func TestWrongKey(t *testing.T) {
	everyKey(t, func(t *testing.T, k key, dir string) {
		for _, wrong := range []key{{"wrong", "", k.names, k.dirs}, {"right", "salt", k.names, k.dirs}} {
			paths := []string{"", "db"}
			if k.dirs && k.names != "off" {
				paths = append(paths, "new") // where the right key would find db is not known
			}
			for _, path := range paths {
				err := checkKey(t.Context(), open(t, wrong.remote(dir, path)))
				require.ErrorIs(t, err, ErrRefused, path)
				assert.True(t, fserrors.IsNoRetryError(err))
				assert.ErrorContains(t, err, "password or password2")
				assert.ErrorContains(t, err, dir)
				assert.NotContains(t, err.Error(), obscure.MustObscure("wrong"))
			}
		}
	})
}

// TestManyNames: of many names that another key has encrypted some seem to
// decrypt.
func TestManyNames(t *testing.T) {
	k, wrong := key{password: "right", names: "standard", dirs: true}, key{password: "wrong", names: "standard", dirs: true}
	dir := t.TempDir()
	f := open(t, k.remote(dir, ""))
	for i := range 1000 {
		keep(t, f, fmt.Sprint(i), "")
	}
	seem, err := open(t, wrong.remote(dir, "")).List(t.Context(), "")
	require.NoError(t, err)
	require.NotEmpty(t, seem)
	require.ErrorIs(t, checkKey(t.Context(), open(t, wrong.remote(dir, "db"))), ErrRefused)
	require.NoError(t, checkKey(t.Context(), open(t, k.remote(dir, "db"))))
}

// TestKeyBelowLayers: a crypt remote below another remote, and below itself.
func TestKeyBelowLayers(t *testing.T) {
	k, wrong := key{password: "right", names: "standard", dirs: true}, key{password: "wrong", names: "standard", dirs: true}
	dir := t.TempDir()
	// A connection string within another one doubles its quotes.
	chunked := func(k key) string { return `:chunker,remote="` + k.remote(dir, "") + `":db` }
	keep(t, open(t, chunked(k)), "a", "data")
	require.NoError(t, checkKey(t.Context(), open(t, chunked(k))))
	require.ErrorIs(t, checkKey(t.Context(), open(t, chunked(wrong))), ErrRefused)
}

// TestNothingEncrypted: what nobody has encrypted says nothing of a key.
func TestNothingEncrypted(t *testing.T) {
	for _, names := range []string{"standard", "obfuscate", "off"} {
		k := key{password: "right", names: names, dirs: true}
		dir := t.TempDir()
		require.NoError(t, checkKey(t.Context(), open(t, dir)), "not a crypt remote")
		require.NoError(t, checkKey(t.Context(), open(t, k.remote(dir, "db"))), "empty")
		require.NoError(t, checkKey(t.Context(), open(t, k.remote(filepath.Join(dir, "none"), "db"))), "no directory")
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "lost+found"), 0o700))
		for _, name := range []string{".DS_Store", "notes.txt.bin", "lost+found/x.bin", "short.bin"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), make([]byte, 100), 0o600))
		}
		require.NoError(t, checkKey(t.Context(), open(t, k.remote(dir, "db"))), "other files")
	}
}

// TestKeyLookIsShort: where nothing proves anything it ends all the same.
func TestKeyLookIsShort(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		sub := filepath.Join(dir, fmt.Sprint("d", i))
		require.NoError(t, os.Mkdir(sub, 0o700))
		for j := range 40 {
			require.NoError(t, os.WriteFile(filepath.Join(sub, fmt.Sprint(j, ".bin")), nil, 0o600))
		}
	}
	cipher, err := crypt.NewCipher(configmap.Simple{"password": obscure.MustObscure("x"), "filename_encryption": "off", "filename_encoding": "base32", "suffix": ".bin"})
	require.NoError(t, err)
	f := fault.New(open(t, dir), fault.Options{})
	k := &keyCheck{cipher: cipher, plainDirs: true}
	require.ErrorIs(t, k.look(t.Context(), f, ""), errLookedEnough)
	assert.Equal(t, maxKeyLists, f.Count(fault.On(fault.List, "")))
	assert.Zero(t, f.Count(fault.On(fault.Open, "")), "an empty file proves nothing")
	assert.False(t, k.own || k.other)

	for i := range 40 {
		keep(t, open(t, key{password: "y", names: "off"}.remote(dir, "")), fmt.Sprint("e", i), "data")
	}
	f = fault.New(open(t, dir), fault.Options{})
	k = &keyCheck{cipher: cipher, plainDirs: true}
	require.ErrorIs(t, k.look(t.Context(), f, ""), errLookedEnough)
	assert.Equal(t, maxKeyBodies, f.Count(fault.On(fault.Open, "")))
	assert.True(t, k.other)
}

// TestKeyLookFails: a place that cannot be looked at is not taken for empty.
func TestKeyLookFails(t *testing.T) {
	cipher, err := crypt.NewCipher(configmap.Simple{"password": obscure.MustObscure("x"), "filename_encryption": "off", "filename_encoding": "base32", "suffix": ".bin"})
	require.NoError(t, err)
	for _, op := range []fault.Op{fault.List, fault.Open} {
		dir := t.TempDir()
		keep(t, open(t, key{password: "x", names: "off"}.remote(dir, "")), "a", "data")
		f := fault.New(open(t, dir), fault.Options{})
		f.Inject(fault.Rule{N: 1, Match: fault.On(op, "")})
		require.ErrorIs(t, (&keyCheck{cipher: cipher}).look(t.Context(), f, ""), fault.ErrInjected, op)
	}
}
