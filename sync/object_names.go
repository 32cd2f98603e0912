package dbsync

import (
	"strings"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/store"
)

// namesAt is what a store of konserve's (NamesFile, NamesS3 or NamesGCS) calls
// its objects at a target. Places where Datahike would not find them are
// refused. made is when the store was made.
func namesAt(target fs.Fs, objectNames, storeID string, made time.Time) (n store.Names, err error) {
	bucket := target.Features().BucketBased
	switch objectNames {
	case NamesFile:
	case NamesS3:
		if root := target.Root(); bucket && (root == "" || strings.Contains(root, "/")) {
			return n, refuse("%s is not the root of a bucket: Datahike keeps its objects on S3 there and nowhere else", fs.ConfigString(target))
		}
		return store.S3Names(storeID)
	case NamesGCS:
		if bucket && !strings.Contains(target.Root(), "/") {
			return n, refuse("%s names no path in a bucket: Datahike keeps a store on Google Cloud Storage below its :store-path", fs.ConfigString(target))
		}
		n = store.GCSNames(made)
	default:
		return n, refuse("unknown --object-names %q: there are %s, %s and %s", objectNames, NamesFile, NamesS3, NamesGCS)
	}
	return n, nil
}
