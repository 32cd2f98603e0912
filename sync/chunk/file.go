package chunk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"
	"sync/atomic"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// file reads one chunk. It may be used from many goroutines.
type file struct {
	f     fs.Fs
	path  string
	info  Info
	reads *atomic.Int64
	hits  atomic.Int64 // how often a segment was asked for by itself

	mu   sync.Mutex
	free []fs.Object // looked up, and not being read
}

func newFile(f fs.Fs, dir string, info Info, reads *atomic.Int64) (*file, error) {
	name, err := Path(info.Chunk)
	if err != nil {
		return nil, err
	}
	return &file{f: f, path: path.Join(dir, name), info: info, reads: reads}, nil
}

// there tells whether the chunk is there: what is not matches graph.ErrNotFound,
// and one that has another size graph.ErrCorrupt.
func (c *file) there(ctx context.Context) error {
	o, err := c.take(ctx)
	if err == nil {
		c.give(o)
	}
	return err
}

// take returns the chunk's object, for one reader: some remotes write into theirs
// when it is opened. It is looked up once for each reader that there is at a time.
func (c *file) take(ctx context.Context) (o fs.Object, err error) {
	c.mu.Lock()
	if n := len(c.free); n > 0 {
		o, c.free = c.free[n-1], c.free[:n-1]
	}
	c.mu.Unlock()
	if o != nil {
		return o, nil
	}
	err = retry(ctx, func() (err error) {
		c.reads.Add(1)
		o, err = c.f.NewObject(ctx, c.path)
		return err
	})
	if err != nil {
		return nil, c.failed(0, err)
	}
	if o.Size() != c.info.Size {
		return nil, c.failed(0, fmt.Errorf("it has %d bytes, not %d: %w", o.Size(), c.info.Size, graph.ErrCorrupt))
	}
	return o, nil
}

// give returns it.
func (c *file) give(o fs.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = append(c.free, o)
}

// open returns n bytes from offset on. Errors while they are read are those of
// the remote; see failed.
func (c *file) open(ctx context.Context, offset, n int64) (io.ReadCloser, error) {
	o, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	var in io.ReadCloser
	err = retry(ctx, func() (err error) {
		in, err = c.request(ctx, o, offset, n)
		return err
	})
	if err != nil {
		c.give(o)
		return nil, c.failed(offset, err)
	}
	return &reader{in, c, o}, nil
}

func (c *file) request(ctx context.Context, o fs.Object, offset, n int64) (io.ReadCloser, error) {
	if n == 0 {
		return io.NopCloser(eof{}), nil
	}
	c.reads.Add(1)
	return operations.Open(ctx, o, &fs.RangeOption{Start: offset, End: offset + n - 1})
}

// reader gives the object back when it is closed, once.
type reader struct {
	io.ReadCloser
	c *file
	o fs.Object
}

// Close implements io.Closer.
func (r *reader) Close() error {
	err := r.ReadCloser.Close()
	if r.o != nil {
		r.c.give(r.o)
		r.o = nil
	}
	return err
}

// eof has nothing to read.
type eof struct{}

// Read implements io.Reader.
func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// read fills to with what begins at offset.
func (c *file) read(ctx context.Context, offset int64, to []byte) error {
	o, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer c.give(o)
	err = retry(ctx, func() error {
		in, err := c.request(ctx, o, offset, int64(len(to)))
		if err != nil {
			return err
		}
		_, err = io.ReadFull(in, to)
		_ = in.Close() // what is wanted was read
		return err
	})
	return c.failed(offset, err)
}

// failed names the chunk and the offset in an error that does not yet.
func (c *file) failed(offset int64, err error) error {
	var named *offsetError
	if err == nil || errors.As(err, &named) {
		return err
	}
	switch {
	case errors.Is(err, fs.ErrorObjectNotFound), errors.Is(err, fs.ErrorDirNotFound), errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("there is no such chunk: %w", graph.ErrNotFound)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the chunk ends early: %w", graph.ErrCorrupt)
	case store.Undecryptable(err):
		err = fmt.Errorf("%w: %w", graph.ErrCorrupt, err)
	}
	return &offsetError{c.path, offset, err}
}

// offsetError says where reading has failed.
type offsetError struct {
	path   string
	offset int64
	err    error
}

// Error implements error.
func (e *offsetError) Error() string {
	return fmt.Sprintf("%s, offset %d: %v", e.path, e.offset, e.err)
}

// Unwrap returns what has failed.
func (e *offsetError) Unwrap() error { return e.err }

// retry repeats what may succeed next time, as --low-level-retries says.
func retry(ctx context.Context, do func() error) (err error) {
	for range max(fs.GetConfig(ctx).LowLevelRetries, 1) {
		if err = do(); err == nil || ctx.Err() != nil || !fserrors.ShouldRetry(err) && !fserrors.IsRetryError(err) {
			return err
		}
	}
	return err
}
