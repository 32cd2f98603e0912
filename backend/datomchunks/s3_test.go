package datomchunks_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/rclone/rclone/backend/s3"
	_ "github.com/rclone/rclone/cmd/serve/s3"
	"github.com/rclone/rclone/fs/rc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/conformance"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// serve serves a remote as S3, and names the server for the time of the test.
func serve(t *testing.T, name, remote string) {
	t.Helper()
	call := func(path string, in rc.Params) rc.Params {
		c := rc.Calls.Get(path)
		require.NotNil(t, c, path)
		out, err := c.Fn(context.Background(), in)
		require.NoError(t, err)
		return out
	}
	started := call("serve/start", rc.Params{
		"type": "s3", "fs": remote, "addr": "127.0.0.1:0", "auth_key": []string{"testkey,testsecret"},
	})
	t.Cleanup(func() { call("serve/stop", rc.Params{"id": started["id"]}) })
	for key, value := range map[string]string{
		"TYPE": "s3", "PROVIDER": "Rclone", "ENDPOINT": "http://" + started["addr"].(string),
		"ACCESS_KEY_ID": "testkey", "SECRET_ACCESS_KEY": "testsecret",
	} {
		t.Setenv("RCLONE_CONFIG_"+strings.ToUpper(name)+"_"+key, value)
	}
}

// TestServed: a backup in a bucket, and a point of it served as buckets, with the
// point's tree in them.
func TestServed(t *testing.T) {
	bucket := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(bucket, "backups"), 0o700))
	serve(t, "place", bucket)
	dir := fixture.Unpack(t, "l-nocommitgraph")
	point := pack(t, dir, "", "place:backups/mydb", small)
	want := native(t, dir, "")
	t.Run("below", func(t *testing.T) {
		conformance.Run(t, remote("place:backups/mydb", "at=latest"), below("store", want))
	})
	serve(t, "one", remote("place:backups/mydb", "at=latest"))
	assert.Equal(t, sums(want), sums(shown(t, at(t, "one:store"))))
	serve(t, "all", remote("place:backups/mydb"))
	assert.Equal(t, sums(below("store", want)), sums(shown(t, at(t, "all:"+point))))
}
