package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// Opening is what opening a Datahike store that was written needs to know; the
// fields are those of dbsync.RestoreReport.
type Opening struct {
	Target, Bucket, Path, ObjectNames, StoreID, Branch string
	Settings                                           map[string]any
}

// Advice tells how to open the store.
func (o Opening) Advice() string {
	switch {
	case o.ObjectNames != dbsync.NamesFile:
		return fmt.Sprintf("Connect with (fill in the dots, and what else your store's connection needs):\n%s\n", o.config())
	case o.Bucket == "" && o.Path != "":
		return fmt.Sprintf("Connect with:\n%s\n", o.config())
	}
	return fmt.Sprintf("Datahike opens a store of files in a local directory only: copy it to one with\n"+
		"  rclone-datom copy %s /path/of/the/directory\n"+
		"or, for Datahike to open it on S3 or Google Cloud Storage, write it with --object-names s3 or gcs.\n"+
		"Connect then with:\n%s\n", o.Target, o.config())
}

// config is the configuration that opens the copy. Datahike compares these
// settings with the stored ones, and refuses what differs.
func (o Opening) config() string {
	var b strings.Builder
	b.WriteString("{:store {" + o.place())
	if o.StoreID != "" {
		fmt.Fprintf(&b, "\n         :id %s", storeID(o.StoreID))
	}
	b.WriteString("}")
	if o.Branch != "" && o.Branch != ":db" {
		fmt.Fprintf(&b, "\n :branch %s", o.Branch)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Settings)) {
		if v, ok := plain(o.Settings[name]); ok && slices.Contains(compared, name) {
			fmt.Fprintf(&b, "\n :%s %s", name, v)
		}
	}
	b.WriteString("}")
	return b.String()
}

// place is where konserve finds the store.
func (o Opening) place() string {
	bucket, path := o.Bucket, o.Path
	if bucket == "" && o.ObjectNames != dbsync.NamesFile {
		bucket, path = "...", "..." // it is still to be uploaded
	}
	switch {
	case o.ObjectNames == dbsync.NamesS3:
		return fmt.Sprintf(":backend :s3 :bucket %q :region \"...\"", bucket)
	case o.ObjectNames == dbsync.NamesGCS:
		return fmt.Sprintf(":backend :gcs :bucket %q :store-path %q :location \"...\" :project-id \"...\"", bucket, path)
	case bucket != "" || path == "":
		path = "/path/of/the/directory"
	}
	return fmt.Sprintf(":backend :file :path %q", path)
}

// compared are the settings that connecting compares; the rest are adopted
// from the store.
var compared = []string{"keep-history?", "schema-flexibility", "attribute-refs?", "crypto-hash?", "index"}

// plain prints a setting as EDN.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case bool, int64:
		return fmt.Sprint(v), true
	case fmt.Stringer:
		return v.String(), true
	case string:
		return v, true
	}
	return "", false
}

// storeID is how the id is written: most are uuids.
func storeID(id string) string {
	if _, err := hasch.Parse(id); err == nil {
		return fmt.Sprintf("#uuid %q", id)
	}
	return fmt.Sprintf("%q", id)
}
