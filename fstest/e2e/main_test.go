package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test. RCLONE_DATOM_BIN names one that is built
// already; else it is built once, from the working tree.
var binary string

func TestMain(m *testing.M) { os.Exit(withBinary(m.Run)) }

func withBinary(run func() int) int {
	if binary = os.Getenv("RCLONE_DATOM_BIN"); binary != "" {
		return run()
	}
	dir, err := os.MkdirTemp("", "rclone-datom-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "rclone-datom")
	build := exec.Command("go", "build", "-tags", "noselfupdate", "-o", binary, "./cmd/rclone-datom")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // shares the Makefile's build cache
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	return run()
}
