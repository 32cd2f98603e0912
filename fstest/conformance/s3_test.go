package conformance_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/s3"
	_ "github.com/rclone/rclone/cmd/serve/s3"
	rclonefs "github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/rclone/rclone/fs/rc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone-datom/rclone-datom/backend/datahike"
	"github.com/rclone-datom/rclone-datom/fstest/conformance"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// call is a call of rclone's remote control, within this process.
func call(t *testing.T, path string, in rc.Params) rc.Params {
	t.Helper()
	c := rc.Calls.Get(path)
	require.NotNil(t, c, path)
	out, err := c.Fn(context.Background(), in)
	require.NoError(t, err)
	return out
}

// server serves a new directory, in which there are the buckets, as the remote
// "place" for the time of the test.
func server(t *testing.T, buckets ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, b := range buckets {
		require.NoError(t, os.Mkdir(filepath.Join(dir, b), 0o700))
	}
	started := call(t, "serve/start", rc.Params{
		"type": "s3", "fs": dir, "addr": "127.0.0.1:0", "auth_key": []string{"testkey,testsecret"},
	})
	t.Cleanup(func() { call(t, "serve/stop", rc.Params{"id": started["id"]}) })
	for name, value := range map[string]string{
		"TYPE": "s3", "PROVIDER": "Rclone", "ENDPOINT": "http://" + started["addr"].(string),
		"ACCESS_KEY_ID": "testkey", "SECRET_ACCESS_KEY": "testsecret",
	} {
		t.Setenv("RCLONE_CONFIG_PLACE_"+name, value)
	}
}

// upload writes a directory's files and returns them, by path.
func upload(t *testing.T, dir, remote string) map[string][]byte {
	t.Helper()
	ctx := context.Background()
	f, err := rclonefs.NewFs(ctx, remote)
	require.NoError(t, err)
	files := map[string][]byte{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(os.DirFS(dir), name)
		require.NoError(t, err)
		files[name] = data
		_, err = f.Put(ctx, bytes.NewReader(data), object.NewStaticObjectInfo(name, time.Unix(0, 0), int64(len(data)), true, nil, nil))
		return err
	}))
	return files
}

// TestS3 reads stores over the network: files below a bucket, and as Datahike
// itself keeps them on S3 and on Google Cloud Storage.
func TestS3(t *testing.T) {
	server(t, "files", "dh-bucket", "gcs")
	t.Run("file", func(t *testing.T) {
		want := upload(t, fixture.Unpack(t, "h-gen4"), "place:files/stores/mydb")
		conformance.Run(t, ":datahike,store='place:files/stores/mydb':", want)
	})
	t.Run("s3", func(t *testing.T) {
		dir, _ := fixture.UnpackBucket(t, "s3")
		want := map[string][]byte{}
		for name, data := range upload(t, dir, "place:dh-bucket") {
			if id, ok := strings.CutPrefix(name, fixture.S3StoreID+"_"); ok && strings.HasSuffix(id, ".ksv") {
				want[id] = data
			}
		}
		upload(t, fixture.Unpack(t, "l-nocommitgraph"), "place:dh-bucket/below")
		conformance.Run(t, ":datahike,store='place:dh-bucket',store_id="+fixture.S3StoreID+":", want)
		found, err := rclonefs.NewFs(context.Background(), ":datahike,store='place:dh-bucket':")
		require.NoError(t, err)
		entries, err := found.List(context.Background(), "")
		require.NoError(t, err)
		assert.Len(t, entries, len(want))
	})
	t.Run("gcs", func(t *testing.T) {
		dir, _ := fixture.UnpackBucket(t, "gcs")
		want := upload(t, filepath.Join(dir, filepath.FromSlash(fixture.GCSPath)), "place:gcs/"+fixture.GCSPath)
		delete(want, ".konserve-store-metadata")
		conformance.Run(t, ":datahike,store='place:gcs/"+fixture.GCSPath+"':", want)
	})
}
