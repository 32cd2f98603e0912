//go:build !linux

package transfer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	rclone "github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/store"
)

// recent is how far back files are synced one by one: nothing that a run has
// written and not yet synced is older.
const recent = 7 * 24 * time.Hour

// SyncToDisk makes what was written to a local remote survive a power cut. On
// other remotes an acknowledged write is durable already. Systems without
// syncfs sync file by file.
func SyncToDisk(f rclone.Fs) error {
	root, ok := store.LocalRoot(f)
	if !ok {
		return nil
	}
	since := time.Now().Add(-recent)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return syncDir(name)
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.ModTime().Before(since) {
			return err
		}
		file, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// syncDir makes the names in a directory durable, where a directory can be
// synced.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	_ = dir.Sync() // Windows cannot
	return dir.Close()
}
