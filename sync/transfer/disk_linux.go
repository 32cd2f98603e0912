package transfer

import (
	"fmt"
	"os"

	"github.com/rclone/rclone/fs"
	"golang.org/x/sys/unix"

	"github.com/rclone-datom/rclone-datom/sync/store"
)

// SyncToDisk makes what was written to a local remote survive a power cut. On
// other remotes an acknowledged write is durable already.
func SyncToDisk(f fs.Fs) error {
	root, ok := store.LocalRoot(f)
	if !ok {
		return nil
	}
	dir, err := os.Open(root)
	if os.IsNotExist(err) {
		return nil // nothing was written yet
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("failed to sync %s to disk: %w", f.Root(), err)
	}
	return nil
}
