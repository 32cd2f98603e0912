// Command readall reads every file of a konserve store in turn, takes its
// SHA-256 and scans its value: the least that a deep verification can cost.
//
//	readall DIR
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	codec := konserve.NewCodec("")
	seen := map[[sha256.Size]byte]bool{} // so that the sums are used
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		seen[sha256.Sum256(data)] = true
		blob, err := codec.Open(data)
		if err == nil {
			err = fressian.Scan(blob.Value)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	fmt.Println(len(seen))
	return nil
}
