//go:build unix

package snapshot

import (
	"errors"
	"syscall"
)

// processExists tells whether a process of this host is running.
func processExists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
