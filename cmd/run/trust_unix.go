//go:build unix

package run

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// trusted returns an error if somebody else than root and this user can write
// to the file, or put another one in its place.
func trusted(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.Name())
	}
	if err := ownedByUs(f.Name(), info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by others (mode %v): chmod go-w %[1]s", f.Name(), info.Mode().Perm())
	}
	path, err := filepath.Abs(f.Name())
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	return cmp.Or(wayTo(path), wayTo(real))
}

// wayTo checks the directories above a path: who may write to one of them can
// replace what is below.
func wayTo(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		// The volumes that Kubernetes mounts for configuration have mode 0777,
		// and are read-only.
		if !errors.Is(unix.Access(dir, unix.W_OK), unix.EROFS) {
			if err := closed(dir); err != nil {
				return err
			}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// closed returns an error if others may replace what is in a directory.
func closed(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if err := ownedByUs(dir, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("the directory %s can be written by others (mode %v): chmod go-w %[1]s", dir, info.Mode().Perm())
	}
	return nil
}

func ownedByUs(path string, info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("it is not known who owns %s", path)
	}
	if stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, who is neither you nor root", path, stat.Uid)
	}
	return nil
}
