//go:build !linux

package snapshot

import "os"

// ProcessSpace names what process ids of this process mean something in: this
// host. It is empty where that cannot be told.
func ProcessSpace() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}
