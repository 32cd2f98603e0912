package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Names is how one of konserve's stores names its objects; their bytes are the
// same everywhere. The zero value is the file store: the ids themselves. The
// forms are those of objects that konserve-s3 and konserve-gcs wrote.
type Names struct {
	// Prefix stands before every id.
	Prefix string
	// Marker is the object, named like an id, without which konserve does not
	// connect, and Text is what it holds. A file store has none.
	Marker graph.ID
	Text   string
	// Folders: each object lies in a folder that is named by the last two
	// characters of its id.
	Folders bool
}

const (
	s3Marker  = ".konserve-metadata"
	gcsMarker = ".konserve-store-metadata"
)

// S3Names are the names of a store on S3: "<store id>_<uuid>.ksv", at the root
// of a bucket that may hold other stores as well. The id must be a uuid in
// canonical form: it becomes a part of names.
func S3Names(storeID string) (Names, error) {
	if _, err := hasch.Parse(storeID); err != nil {
		return Names{}, fmt.Errorf("%q is no store's id: a uuid in lower case is (%w)", storeID, err)
	}
	return Names{Prefix: storeID + "_", Marker: s3Marker, Text: "konserve"}, nil
}

// GCSNames are the names of a store on Google Cloud Storage: those of files,
// and a marker that tells when the store was made. konserve prints it and looks
// only whether it is there.
func GCSNames(made time.Time) Names {
	text := fmt.Sprintf("{:created-at #object[java.time.Instant 0x0 %q]}", made.UTC().Format(time.RFC3339Nano))
	return Names{Marker: gcsMarker, Text: text}
}

// S3Stores returns the ids of the stores that have S3's marker directly below
// the root, sorted. It lists all that is there.
func (s *Files) S3Stores(ctx context.Context) (ids []string, err error) {
	err = s.List(ctx, func(name graph.ID, _ fs.Object) error {
		id, marks := strings.CutSuffix(string(name), "_"+s3Marker)
		if _, err := hasch.Parse(id); marks && err == nil {
			ids = append(ids, id)
		}
		return nil
	})
	slices.Sort(ids)
	return ids, err
}
