package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// TestKeyIsNotShown backs up an encrypted store with everything logged.
func TestKeyIsNotShown(t *testing.T) {
	u := newUser(t)
	store, dest := fixture.Unpack(t, "d-aes"), u.path("backup")
	obscured := strings.TrimSpace(u.ok("obscure", fixture.AESKey).out)
	wrong := strings.TrimSpace(u.ok("obscure", "not-the-key").out)
	u.configure("[mydb]\ntype = datahike\nstore = " + store + "\nencryption_key = " + obscured)
	u.configure("[wrong]\ntype = datahike\nstore = " + store + "\nencryption_key = " + wrong)
	u.configure("[keyless]\ntype = datahike\nstore = " + store)

	show := func(level string, secrets []string, commands ...[]string) {
		for _, args := range commands {
			o := u.run(append(args, level)...)
			if args[1] == "wrong:" || args[1] == "keyless:" {
				assert.Equal(t, 6, o.code)
				assert.Contains(t, o.stderr, "encryption_key")
			} else {
				require.Zero(t, o.code, "%q %s", args, o.stderr)
			}
			for _, secret := range secrets {
				assert.NotContains(t, o.out+o.stderr, secret, "%q", args)
			}
		}
	}
	show("-vv", []string{fixture.AESKey, obscured, wrong}, [][]string{
		{"backup", "wrong:", dest}, {"backup", "keyless:", dest}, {"backup", "mydb:", u.path("dry"), "--dry-run"},
		{"backup", "mydb:", dest}, {"backup", "mydb:", dest}, {"backup", "mydb:", dest, "--repair"},
		{"backups", dest}, {"restore", dest, u.path("restored")}, {"check", "mydb:", u.path("restored")},
		{"ls", "mydb:"}, {"backend", "heads", "mydb:"},
	}...)
	// At -vv rclone shows how flags are set from the environment, obscured.
	u.env = append(u.env, "RCLONE_DATAHIKE_ENCRYPTION_KEY="+obscured)
	key := [][]string{{"verify", dest, "--deep"}, {"restore", dest, u.path("branch"), "--branch", "db"}}
	show("-v", []string{fixture.AESKey, obscured}, key...)
	u.absent(dest, fixture.AESKey, obscured)
	assert.Equal(t, u.tree(store), u.tree(u.path("restored")))
	assert.Equal(t, u.tree(store), u.tree(u.path("branch")))
}

// absent checks that a backup's own records, what is not the database's bytes,
// do not hold the secrets.
func (u *user) absent(dest string, secrets ...string) {
	u.Helper()
	checked := 0
	for name := range u.tree(dest) {
		if strings.HasPrefix(name, "store/") || strings.Contains(name, "/heads/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dest, name))
		require.NoError(u, err)
		for _, secret := range secrets {
			assert.NotContains(u, string(data), secret, name)
		}
		checked++
	}
	assert.GreaterOrEqual(u, checked, 2, "a manifest and a list")
}

// withPassword puts a password into the configuration that a head holds, as
// Datahike does if it connects with one.
func withPassword(t *testing.T, store, password string) {
	t.Helper()
	file := filepath.Join(store, string(dialect.KeyID(fressian.Keyword{Name: "db"})))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	codec := konserve.NewCodec("")
	blob, err := codec.Open(data)
	require.NoError(t, err)
	v, err := fressian.Decode(blob.Value)
	require.NoError(t, err)
	set(t, v, fressian.Map{
		{Key: fressian.Keyword{Name: "backend"}, Value: fressian.Keyword{Name: "jdbc"}},
		{Key: fressian.Keyword{Name: "jdbcUrl"}, Value: "jdbc:postgresql://db/x?user=me&password=" + password},
		{Key: fressian.Keyword{Name: "password"}, Value: password},
	})
	w := fressian.NewWriter()
	require.NoError(t, w.Write(v))
	data, err = codec.Seal(blob.Header, blob.Meta, w.Bytes(), nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))
}

// set replaces :config :store of a record.
func set(t *testing.T, record any, store fressian.Map) {
	t.Helper()
	require.IsType(t, fressian.Map{}, record)
	for _, e := range record.(fressian.Map) {
		if e.Key != (fressian.Keyword{Name: "config"}) {
			continue
		}
		for i, c := range e.Value.(fressian.Map) {
			if c.Key == (fressian.Keyword{Name: "store"}) {
				e.Value.(fressian.Map)[i].Value = store
				return
			}
		}
	}
	require.Fail(t, "no :config :store")
}

func TestPasswordInDatabase(t *testing.T) {
	u := newUser(t)
	store, dest := fixture.Unpack(t, "a-default"), u.path("backup")
	assert.NotContains(t, u.ok("backup", database(store), u.path("clean")).stderr, "credentials")
	withPassword(t, store, "gopher-tango")
	for _, args := range [][]string{
		{"backup", database(store), dest}, {"verify", dest, "--deep"}, {"restore", dest, u.path("restored")},
		{"backups", dest}, {"ls", database(store)},
	} {
		o := u.ok(append(args, "-vv")...)
		assert.NotContains(t, o.out+o.stderr, "gopher-tango", "%q", args)
		if args[0] == "backup" {
			assert.Contains(t, o.stderr, ":password")
			assert.Contains(t, o.stderr, ":jdbcUrl")
			assert.Contains(t, o.stderr, "crypt")
		}
	}
	u.absent(dest, "gopher-tango")
}

// TestSettingsAreNotShown: messages name a remote without its connection
// string's settings.
func TestSettingsAreNotShown(t *testing.T) {
	u := newUser(t)
	secret := "tell-nobody"
	for _, args := range [][]string{
		{"backup", ":datahike,encryption_key=" + secret + ",store=/nowhere:", u.path("x")},
		{"backup", ":memory,description=" + secret + ":x", u.path("x")},
		{"backup", database(":memory,description=" + secret + ":x"), u.path("x")},
		{"restore", ":memory,description=" + secret + ":x", u.path("x")},
		{"verify", ":memory,description=" + secret + ":x"},
	} {
		o := u.run(args...)
		assert.NotZero(t, o.code)
		assert.NotContains(t, o.out+o.stderr, secret, "%q", args)
	}
}
