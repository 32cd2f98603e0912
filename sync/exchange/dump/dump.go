package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
)

// Get opens a file of a dump by its name. What is not there matches
// graph.ErrNotFound. It is called from many goroutines.
type Get func(ctx context.Context, name string) (io.ReadCloser, error)

// Dump is a dump that is read.
type Dump struct {
	Manifest *Manifest
	get      Get
	workers  int
	idents   map[fressian.Keyword]int64
}

// Open reads the manifest. Where there is none the error matches
// graph.ErrNotFound: there is no dump, or one that was interrupted. So many
// workers read chunks at a time, but no more than there are cores: each may
// take some hundred megabytes for a record that claims to be large. 0 means 1.
func Open(ctx context.Context, get Get, workers int) (*Dump, error) {
	text, err := readAll(ctx, get, ManifestName, maxManifest)
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(text)
	if err != nil {
		return nil, err
	}
	d := &Dump{Manifest: m, get: get, workers: max(min(workers, runtime.GOMAXPROCS(0)), 1), idents: make(map[fressian.Keyword]int64, len(m.SystemIdents))}
	for id, name := range m.SystemIdents {
		d.idents[name] = id
	}
	return d, nil
}

func readAll(ctx context.Context, get Get, name string, limit int64) ([]byte, error) {
	in, err := get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", graph.ErrTooLarge, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// chunk calls fn with the records of a chunk, in order, and returns their
// digest when all of them are what the manifest says.
func (d *Dump) chunk(ctx context.Context, c Chunk, fn func(datom.Datom) error) (Digest, error) {
	in, err := d.get(ctx, c.File)
	if err != nil {
		return Digest{}, fmt.Errorf("%s: %w", c.File, err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	r, err := openChunk(c, d.idents, d.Manifest.Compressed, in)
	if err != nil {
		return Digest{}, err
	}
	for {
		record, err := r.next()
		if errors.Is(err, io.EOF) && err == io.EOF { //nolint:errorlint // wrapped, it is another file's end
			return r.digest, nil
		}
		if err != nil {
			return r.digest, err
		}
		if err := fn(record); err != nil {
			return r.digest, err
		}
	}
}

// Each implements Source: chunks are read at once, so that the records come in
// no order. Whether they are all that the manifest tells of is known at the end.
func (d *Dump) Each(ctx context.Context, fn func([]datom.Datom) error) error {
	var mu sync.Mutex
	var all Digest
	err := pool.Each(ctx, d.workers, d.Manifest.Chunks, func(ctx context.Context, c Chunk) error {
		some := make([]datom.Datom, 0, batch)
		digest, err := d.chunk(ctx, c, func(record datom.Datom) error {
			if some = append(some, record); len(some) < batch {
				return nil
			}
			defer func() { some = some[:0] }()
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			return fn(some)
		})
		if err == nil && len(some) > 0 {
			err = fn(some)
		}
		mu.Lock()
		defer mu.Unlock()
		all.Join(digest)
		return err
	})
	if err == nil {
		err = errors.Join(d.Manifest.whole(all)...)
	}
	return err
}

// batch is how many datoms are handed over at a time.
const batch = 1024
