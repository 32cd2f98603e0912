package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

const (
	storeA = "c0828e03-8173-3bef-91f7-a025057c74fb"
	storeB = "0a0a0a0a-8173-3bef-91f7-a025057c74fb"
)

// TestPrefix: two stores in one place do not see each other.
func TestPrefix(t *testing.T) {
	for name, f := range remotes(t) {
		t.Run(name, func(t *testing.T) {
			for _, id := range []string{storeA, storeB} {
				names, err := store.S3Names(id)
				require.NoError(t, err)
				s := store.Named(f, "bucket", names)
				assert.Equal(t, "bucket/"+id+"_x.ksv", s.Remote("x.ksv"))
				assert.Contains(t, s.String(), "bucket/"+id+"_*")
				put(t, f, s.Remote("x.ksv"), []byte(id))
				put(t, f, s.Remote(names.Marker), []byte(names.Text))
			}
			put(t, f, "bucket/x.ksv", []byte("plain"))
			names, err := store.S3Names(storeA)
			require.NoError(t, err)
			s := store.Named(f, "bucket", names)
			data, err := s.Get(t.Context(), "x.ksv")
			require.NoError(t, err)
			assert.Equal(t, storeA, string(data))
			_, err = s.Size(t.Context(), "y.ksv")
			require.ErrorIs(t, err, graph.ErrNotFound)
			var got []string
			require.NoError(t, s.List(t.Context(), func(id graph.ID, _ fs.Object) error {
				got = append(got, string(id))
				return nil
			}))
			slices.Sort(got)
			assert.Equal(t, []string{".konserve-metadata", "x.ksv"}, got)

			put(t, f, "bucket/not-a-uuid_.konserve-metadata", []byte("konserve"))
			put(t, f, "bucket/_.konserve-metadata", []byte("konserve"))
			ids, err := store.New(f, "bucket").S3Stores(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{storeB, storeA}, ids)
		})
	}
}

func TestS3NamesRefuses(t *testing.T) {
	for _, id := range []string{
		"", "../../x", storeA[:35], storeA + "0", "C0828E03-8173-3BEF-91F7-A025057C74FB", "c0828e03/8173/3bef/91f7/a025057c74fb",
	} {
		_, err := store.S3Names(id)
		assert.ErrorContains(t, err, "no store's id", id)
	}
}

func TestGCSNames(t *testing.T) {
	n := store.GCSNames(time.Date(2026, 11, 21, 2, 57, 47, 466192694, time.UTC))
	assert.Empty(t, n.Prefix)
	assert.Equal(t, graph.ID(".konserve-store-metadata"), n.Marker)
	assert.Equal(t, `{:created-at #object[java.time.Instant 0x0 "2026-11-21T02:57:47.466192694Z"]}`, n.Text)
}
