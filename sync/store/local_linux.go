package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// An os.File asks for readiness, which regular files do not have, and for a
// finalizer: five calls more for each file, of some nine.

// readSmall reads a file into buf and returns how many bytes it has; when that
// is all of buf there may be more.
func readSmall(name string, buf []byte) (n int, err error) {
	fd, err := open(name, unix.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	// A read may return less than there is: only 0 is the end.
	for n < len(buf) {
		k, err := uninterrupted(func() (int, error) { return unix.Read(fd, buf[n:]) })
		if err != nil {
			return 0, &os.PathError{Op: "read", Path: name, Err: err}
		}
		if k == 0 {
			break
		}
		n += k
	}
	return n, nil
}

// writeNew makes a file of data. What it has made stays when it fails.
func writeNew(name string, data []byte) (made bool, err error) {
	fd, err := open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return false, err
	}
	for err == nil && len(data) > 0 {
		var n int
		n, err = uninterrupted(func() (int, error) { return unix.Write(fd, data) })
		data = data[max(n, 0):]
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		err = &os.PathError{Op: "write", Path: name, Err: err}
	}
	return true, err
}

func open(name string, mode int) (fd int, err error) {
	fd, err = uninterrupted(func() (int, error) { return unix.Open(name, mode|unix.O_CLOEXEC, 0o666) })
	if err != nil {
		err = &os.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, err
}

// uninterrupted repeats a call that a signal has interrupted.
func uninterrupted(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
