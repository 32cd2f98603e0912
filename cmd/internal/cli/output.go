package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/rclone/rclone/lib/terminal"
)

// Terminal tells whether standard output is one.
func Terminal() bool {
	return terminal.IsTerminal(int(os.Stdout.Fd()))
}

// Output lets write write to a file, or to standard output where the name is
// empty. That nobody reads on, as in a pipe to head, is the end and no error. A
// regular file of which the writing failed is removed.
func Output(name string, write func(io.Writer) error) error {
	if name == "" {
		if err := write(os.Stdout); !errors.Is(err, syscall.EPIPE) {
			return err
		}
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	err = errors.Join(err, write(f), f.Close())
	if err != nil && info != nil && info.Mode().IsRegular() {
		_ = os.Remove(name) // the first error tells more
	}
	return err
}

// WriteJSON writes a report for programs.
func WriteJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "\t")
	return enc.Encode(v)
}
