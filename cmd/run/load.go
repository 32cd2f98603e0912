package run

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/rclone-datom/rclone-datom/cmd/run/jobs"
)

// maxFile is the size up to which a job file is read, in bytes.
const maxFile = 1 << 20

// load reads a job file that nobody else can have written.
func load(path string) ([]jobs.Job, error) {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("job file: %s is not a regular file", path) // opening a pipe would wait for its writer
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("job file: %w", err)
	}
	defer func() { _ = f.Close() }()
	// What is checked is the file that was opened, and then the way to it.
	if err := trusted(f); err != nil {
		return nil, fmt.Errorf("the job file is not used, because it names programs to run: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("job file: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than a job file can be (%d bytes)", path, maxFile)
	}
	all, err := jobs.Parse(bytes.TrimPrefix(data, []byte("\ufeff"))) // some editors begin with it
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}
