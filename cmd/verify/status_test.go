package verify

import (
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

func TestPassed(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0: "second", 900 * time.Millisecond: "second", time.Second: "1s", 61 * time.Second: "1m 1s",
		time.Hour: "1h 0m", 6*day + 3*time.Hour + time.Minute: "6d 3h", 400 * day: "400d 0h",
	} {
		assert.Equal(t, want, passed(d))
	}
}

// TestAsking: --status stands alone, and --max-age needs it.
func TestAsking(t *testing.T) {
	for _, a := range []asking{{}, {Status: true}, {Status: true, MaxAge: fs.Duration(time.Hour)}} {
		assert.NoError(t, a.check(dbsync.VerifyOptions{At: "latest"}))
	}
	assert.Error(t, asking{MaxAge: 1}.check(dbsync.VerifyOptions{}))
	assert.Error(t, asking{Status: true, MaxAge: -1}.check(dbsync.VerifyOptions{}))
	for _, opt := range []dbsync.VerifyOptions{{Deep: true}, {Datoms: true}, {Subset: "1/2"}, {Since: "x"}} {
		assert.Error(t, asking{Status: true}.check(opt))
		assert.NoError(t, asking{}.check(opt))
	}
}
