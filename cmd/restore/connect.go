package restore

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// advice tells how to open the copy.
func advice(rep *dbsync.RestoreReport) string {
	switch {
	case rep.Kind == "datomic":
		return datomicAdvice(rep)
	case rep.ObjectNames != dbsync.NamesFile:
		return fmt.Sprintf("Connect with (fill in the dots, and what else your store's connection needs):\n%s\n", connect(rep))
	case rep.Bucket == "" && rep.Path != "":
		return fmt.Sprintf("Connect with:\n%s\n", connect(rep))
	}
	return fmt.Sprintf("Datahike opens a store of files in a local directory only: copy it to one with\n"+
		"  rclone-datom copy %s /path/of/the/directory\n"+
		"or, for Datahike to open it on S3 or Google Cloud Storage, restore with --object-names s3 or gcs.\n"+
		"Connect then with:\n%s\n", rep.Target, connect(rep))
}

// connect is the configuration that opens the copy. Datahike compares these
// settings with the stored ones, and refuses what differs.
func connect(rep *dbsync.RestoreReport) string {
	var b strings.Builder
	b.WriteString("{:store {" + place(rep))
	if rep.StoreID != "" {
		fmt.Fprintf(&b, "\n         :id %s", storeID(rep.StoreID))
	}
	b.WriteString("}")
	if rep.Branch != "" && rep.Branch != ":db" {
		fmt.Fprintf(&b, "\n :branch %s", rep.Branch)
	}
	for _, name := range slices.Sorted(maps.Keys(rep.Settings)) {
		if v, ok := plain(rep.Settings[name]); ok && slices.Contains(compared, name) {
			fmt.Fprintf(&b, "\n :%s %s", name, v)
		}
	}
	b.WriteString("}")
	return b.String()
}

// place is where konserve finds the store.
func place(rep *dbsync.RestoreReport) string {
	bucket, path := rep.Bucket, rep.Path
	if bucket == "" && rep.ObjectNames != dbsync.NamesFile {
		bucket, path = "...", "..." // it is still to be uploaded
	}
	switch {
	case rep.ObjectNames == dbsync.NamesS3:
		return fmt.Sprintf(":backend :s3 :bucket %q :region \"...\"", bucket)
	case rep.ObjectNames == dbsync.NamesGCS:
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

// datomicAdvice says how Datomic gets at what was restored.
func datomicAdvice(rep *dbsync.RestoreReport) string {
	switch {
	case rep.Name != "":
		return fmt.Sprintf("Connect, with a transactor on this storage, to:\n  datomic:sql://%s?jdbc:…\n", rep.Name)
	case rep.Path != "" && rep.Bucket == "":
		return fmt.Sprintf("It is a backup of this point alone. Datomic restores it from, or opens it read-only at:\n  file://%s\n  datomic:backup:file://%s?t=%d\n", rep.Path, rep.Path, rep.T)
	case rep.Bucket != "":
		return fmt.Sprintf("It is a backup of this point alone. If the bucket is on S3 Datomic restores it from:\n  s3://%s\n", strings.TrimSuffix(rep.Bucket+"/"+rep.Path, "/"))
	}
	return "It is a backup of this point alone, in Datomic's own layout.\n"
}
