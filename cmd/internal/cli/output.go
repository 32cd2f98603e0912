package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/rclone/rclone/lib/terminal"
)

// Terminal tells whether standard output is one.
func Terminal() bool {
	return terminal.IsTerminal(int(os.Stdout.Fd()))
}

// Output lets write write to standard output, or to a file if name is not
// empty. A file takes its name when it is whole, so that what has that name is
// replaced by nothing less.
func Output(name string, write func(io.Writer) error) error {
	if name == "" {
		return write(os.Stdout)
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return into(name, os.O_WRONLY, write) // a pipe, or /dev/null
	}
	part := name + ".partial"
	err := into(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, write)
	if err == nil {
		return os.Rename(part, name)
	}
	_ = os.Remove(part) // the first error tells more
	return err
}

func into(name string, flag int, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, flag, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// WriteJSON writes a report for programs.
func WriteJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "\t")
	return enc.Encode(v)
}
