//go:build !linux

package store

import "os"

// readSmall reads nothing and says that there may be more: see readLarge.
func readSmall(_ string, buf []byte) (int, error) { return len(buf), nil }

// writeNew makes a file of data. What it has made stays when it fails.
func writeNew(name string, data []byte) (made bool, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return false, err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return true, err
}
