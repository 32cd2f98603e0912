//go:build !unix

package snapshot

import "os"

// processExists tells whether a process of this host is running.
func processExists(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
