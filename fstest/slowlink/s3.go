package slowlink

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/local" // what is served
	_ "github.com/rclone/rclone/backend/s3"    // what it is asked with
	_ "github.com/rclone/rclone/cmd/serve/s3"
	"github.com/rclone/rclone/fs/rc"
	"github.com/stretchr/testify/require"
)

// Credentials of the servers that S3 starts.
const (
	accessKey = "testkey"
	secretKey = "testsecret"
)

// S3 serves dir, in which it makes the buckets, by rclone's S3 server within
// this process, for the time of the test, and returns where it listens.
func S3(t testing.TB, dir string, buckets ...string) (url string) {
	t.Helper()
	for _, b := range buckets {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, b), 0o700))
	}
	started := call(t, "serve/start", rc.Params{
		"type": "s3", "fs": dir, "addr": "127.0.0.1:0", "auth_key": []string{accessKey + "," + secretKey},
	})
	t.Cleanup(func() { call(t, "serve/stop", rc.Params{"id": started["id"]}) })
	address, ok := started["addr"].(string)
	require.True(t, ok)
	return "http://" + address
}

// SlowS3 is S3 behind a proxy, with the settings of a remote that asks it.
func SlowS3(t testing.TB, dir string, delay time.Duration, buckets ...string) (p *Proxy, remote map[string]string) {
	t.Helper()
	p = Start(t, S3(t, dir, buckets...), delay)
	return p, map[string]string{
		"type": "s3", "provider": "Rclone", "endpoint": p.URL, "access_key_id": accessKey, "secret_access_key": secretKey,
	}
}

// Configure makes the settings those of the remote with a name, for the time of
// the test, by the environment: programs that the test starts have it too.
func Configure(t testing.TB, name string, settings map[string]string) {
	t.Helper()
	for option, value := range settings {
		t.Setenv("RCLONE_CONFIG_"+strings.ToUpper(name+"_"+option), value)
	}
}

// call is a call of rclone's remote control, within this process.
func call(t testing.TB, path string, in rc.Params) rc.Params {
	t.Helper()
	c := rc.Calls.Get(path)
	require.NotNil(t, c, path)
	out, err := c.Fn(context.Background(), in)
	require.NoError(t, err)
	return out
}
