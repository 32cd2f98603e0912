package restore

import (
	"fmt"
	"strings"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// advice tells how to open the copy.
func advice(rep *dbsync.RestoreReport) string {
	if rep.Kind == "datomic" {
		return datomicAdvice(rep)
	}
	return cli.Opening{
		Target: rep.Target, Bucket: rep.Bucket, Path: rep.Path, ObjectNames: rep.ObjectNames,
		StoreID: rep.StoreID, Branch: rep.Branch, Settings: rep.Settings,
	}.Advice()
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
