package e2e

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

const otherStore = "0a0a0a0a-8173-3bef-91f7-a025057c74fb"

// TestStoreOnS3 backs up a database that Datahike itself keeps on S3, finds it
// among others, and puts it back there.
func TestStoreOnS3(t *testing.T) {
	u := newUser(t)
	u.s3()
	bucket, facts := fixture.UnpackBucket(t, "s3")
	u.ok("copy", bucket, "s3:live")
	o := u.ok("backup", database("s3:live"), u.path("backup"))
	assert.Contains(t, o.stderr, "store_id="+fixture.S3StoreID)
	assert.Contains(t, u.ok("verify", u.path("backup"), "--deep").out, "0 faults")

	u.ok("copyto", filepath.Join(bucket, fixture.S3StoreID+"_.konserve-metadata"), "s3:live/"+otherStore+"_.konserve-metadata")
	u.fails(6, "set store_id to one of "+otherStore, "backup", database("s3:live"), u.path("backup"))
	u.configure("[mydb]\ntype = datahike\nstore = s3:live\nstore_id = " + fixture.S3StoreID)
	o = u.ok("backup", "mydb:", u.path("backup"))
	assert.NotContains(t, o.stderr, "by a listing")
	var heads []struct{ Commit string }
	require.NoError(t, json.Unmarshal([]byte(u.ok("backend", "heads", "mydb:").out), &heads))
	assert.Equal(t, facts.CommitID, heads[0].Commit)

	u.fails(6, "not the root of a bucket", "restore", u.path("backup"), "s3:again/below", "--object-names", "s3")
	o = u.ok("restore", u.path("backup"), "s3:again", "--object-names", "s3")
	assert.Contains(t, o.out, `:backend :s3 :bucket "again" :region "..."`)
	assert.Contains(t, o.out, `:id #uuid "`+fixture.S3StoreID+`"`)
	u.ok("check", "--download", bucket, "s3:again")
	u.ok("check", "--download", "mydb:", database("s3:again"))
}

// TestRestoreForGCS: the same bytes under the names of another store.
func TestRestoreForGCS(t *testing.T) {
	u := newUser(t)
	u.s3() // any bucket will do
	store := fixture.Unpack(t, "h-gen4")
	u.ok("backup", database(store), u.path("backup"))
	var rep restoreReport
	u.report(&rep, "restore", u.path("backup"), "s3:bucket/stores/mydb", "--object-names", "gcs")
	assert.Equal(t, []string{"bucket", "stores/mydb", "gcs"}, []string{rep.Bucket, rep.Path, rep.ObjectNames})
	assert.Contains(t, u.ok("lsf", "s3:bucket/stores/mydb").out, ".konserve-store-metadata\n")
	u.ok("check", "--download", "--one-way", store, "s3:bucket/stores/mydb")
	u.ok("check", "--download", database("s3:bucket/stores/mydb"), store)
	o := u.ok("restore", u.path("backup"), "s3:bucket/stores/mine", "--object-names", "gcs", "--dry-run")
	assert.Contains(t, o.out, `:backend :gcs :bucket "bucket" :store-path "stores/mine"`)
}

// TestConnectAdvice: nobody is told to open what cannot be opened.
func TestConnectAdvice(t *testing.T) {
	u := newUser(t)
	u.ok("backup", database(fixture.Unpack(t, "e-branches")), u.path("backup"))
	assert.Contains(t, u.ok("restore", u.path("backup"), u.path("whole")).out, `:backend :file :path "`+u.path("whole")+`"`)
	o := u.ok("restore", u.path("backup"), ":memory:bucket/mydb")
	assert.Contains(t, o.out, "rclone-datom copy :memory:bucket/mydb")
	assert.Contains(t, o.out, "--object-names s3 or gcs")
	assert.NotContains(t, o.out, `:path "bucket`)
	o = u.ok("restore", u.path("backup"), u.path("upload"), "--object-names", "s3")
	assert.Contains(t, o.out, `:backend :s3 :bucket "..."`)
	u.fails(6, "file, s3 and gcs", "restore", u.path("backup"), u.path("none"), "--object-names", "azure")
	for _, kind := range []string{"file", "s3", "gcs"} {
		assert.Contains(t, u.ok("__complete", "restore", "--object-names", "").out, kind)
	}
}

// TestRestoreCommit restores the past, from the terminal and over the remote
// control.
func TestRestoreCommit(t *testing.T) {
	u := newUser(t)
	facts := fixture.Expected(t, "e-branches").ByBranch[":feature"]
	past := facts.Commits[3]
	u.ok("backup", database(fixture.Unpack(t, "e-branches")), u.path("backup"))
	o := u.ok("restore", u.path("backup"), u.path("past"), "--commit", past.ID[:18])
	assert.Contains(t, o.out, "commit   "+past.ID+", as branch :db")
	var heads []struct {
		Branch, Commit string
		MaxTx          int64
	}
	require.NoError(t, json.Unmarshal([]byte(u.ok("backend", "heads", database(u.path("past"))).out), &heads))
	require.Len(t, heads, 1)
	assert.Equal(t, past.MaxTx, heads[0].MaxTx)
	o = u.ok("restore", u.path("backup"), u.path("branch"), "--commit", past.ID, "--branch", "feature")
	assert.Contains(t, o.out, ":branch :feature")
	u.fails(4, "backend commits", "restore", u.path("backup"), u.path("none"), "--commit", "00000000")
	u.fails(6, "beginning of", "restore", u.path("backup"), u.path("none"), "--commit", past.ID[:7])

	address := u.serve("rcd", "--rc-no-auth", "--rc-addr", "127.0.0.1:0")
	var rep restoreReport
	out := u.ok("rc", "--url", "http://"+address, "datom/restore", "destination="+u.path("backup"),
		"target="+u.path("remote"), "commit="+past.ID, "objectNames=gcs").out
	require.NoError(t, json.Unmarshal([]byte(out), &rep))
	assert.Equal(t, []string{past.ID, ":db", "gcs"}, []string{rep.Commit, rep.Branch, rep.ObjectNames})
	assert.FileExists(t, u.path("remote/.konserve-store-metadata"))
	u.ok("check", database(u.path("past")), database(u.path("remote")))
}
