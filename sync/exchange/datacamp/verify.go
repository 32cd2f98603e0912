package datacamp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
)

// ErrIncomplete is matched when a backup was not finished.
var ErrIncomplete = errors.New("the backup is not complete: it was interrupted, or goes on")

// ReadManifest reads the manifest of a backup. One that was not finished is
// ErrIncomplete.
func ReadManifest(ctx context.Context, open Open) (*Manifest, error) {
	marker, err := readSmall(ctx, open, MarkerFile)
	if errors.Is(err, graph.ErrNotFound) {
		return nil, fmt.Errorf("%s is missing: %w", MarkerFile, ErrIncomplete)
	}
	if err != nil {
		return nil, err
	}
	if string(bytes.TrimSpace(marker)) != Marker {
		return nil, fmt.Errorf("%s: %w: it does not say %q", MarkerFile, graph.ErrCorrupt, Marker)
	}
	text, err := readSmall(ctx, open, ManifestFile)
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(text)
	if err == nil && !m.Complete {
		err = fmt.Errorf("%s: %w", ManifestFile, ErrIncomplete)
	}
	return m, err
}

// readSmall reads a file that is none of datoms.
func readSmall(ctx context.Context, open Open, path string) ([]byte, error) {
	in, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(in, MaxManifest+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(text) > MaxManifest {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", path, graph.ErrTooLarge, MaxManifest)
	}
	return text, nil
}

// Fault is something that is wrong with a file.
type Fault struct {
	Path string
	Err  error
}

// Verified is what Verify found.
type Verified struct {
	Manifest *Manifest
	// Chunks, Datoms and Bytes are those of sound chunks.
	Chunks, Datoms, Bytes int64
	Faults                []Fault
}

// Verify reads a whole backup and holds it against its manifest: that all chunks
// are there, have their checksums and what is stated of them, go on in the order
// of EAVT where the one before ends, and add up. workers chunks are read at a
// time, each in memory. The error is for what leaves nothing to look at.
func Verify(ctx context.Context, open Open, workers int) (*Verified, error) {
	m, err := ReadManifest(ctx, open)
	if err != nil {
		return nil, err
	}
	edges := make([]edge, len(m.Chunks))
	readers := sync.Pool{New: func() any { return &Reader{Open: open} }}
	err = pool.Run(ctx, workers, func(do func(int) error) error {
		for i := range m.Chunks {
			if err := do(i); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, i int) error {
		r, _ := readers.Get().(*Reader)
		defer readers.Put(r)
		err := r.Chunk(ctx, m.Chunks[i], edges[i].take)
		if err == nil {
			err = edges[i].err
		}
		if err != nil && !isFault(err) {
			return err
		}
		edges[i].fault = err
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := &Verified{Manifest: m}
	v.judge(edges)
	return v, v.checkSchema(ctx, open)
}

// checkSchema reads the schema, if there is one: nothing can be read without.
func (v *Verified) checkSchema(ctx context.Context, open Open) error {
	text, err := readSmall(ctx, open, SchemaFile)
	if errors.Is(err, graph.ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = ParseSchema(text)
	}
	if err != nil && isFault(err) {
		v.Faults = append(v.Faults, Fault{SchemaFile, err})
		err = nil
	}
	return err
}

// isFault tells what is wrong with a backup from what keeps it from being read.
func isFault(err error) bool {
	return errors.Is(err, graph.ErrCorrupt) || errors.Is(err, graph.ErrNotFound) ||
		errors.Is(err, graph.ErrTooLarge) || errors.Is(err, graph.ErrUnsupported)
}

// edge is how a chunk begins and ends.
type edge struct {
	n           int64
	first, last int64
	retracted   bool
	err, fault  error
}

func (e *edge) take(d datom.Datom) error {
	if e.n == 0 {
		e.first = d.E
	} else if d.E < e.last && e.err == nil {
		e.err = fmt.Errorf("%w: datom %d, of entity %d, comes after one of entity %d", graph.ErrCorrupt, e.n, d.E, e.last)
	}
	e.last = d.E
	e.retracted = e.retracted || !d.Added
	e.n++
	return nil
}

// judge gathers what is wrong.
func (v *Verified) judge(edges []edge) {
	m := v.Manifest
	for i, c := range m.Chunks {
		e := edges[i]
		if e.fault == nil && i > 0 && edges[i-1].n > 0 && e.n > 0 && e.first < edges[i-1].last {
			e.fault = fmt.Errorf("%s: %w: it begins with entity %d, and the chunk before ends with %d", c.Path, graph.ErrCorrupt, e.first, edges[i-1].last)
		}
		if e.fault == nil && e.retracted && !m.History {
			e.fault = fmt.Errorf("%s: %w: it has retractions, and the manifest no history", c.Path, graph.ErrCorrupt)
		}
		if e.fault != nil {
			v.Faults = append(v.Faults, Fault{c.Path, e.fault})
			continue
		}
		v.Chunks++
		v.Datoms += c.Datoms
		v.Bytes += c.Size
	}
	if err := m.checkSums(); err != nil {
		v.Faults = append(v.Faults, Fault{ManifestFile, fmt.Errorf("%s: %w", ManifestFile, err)})
	}
}

// checkSums holds what a manifest says of all chunks against what it says of
// each. datacamp does not fill in the range of transactions.
func (m *Manifest) checkSums() error {
	sums := Manifest{Chunks: m.Chunks}
	sums.sum()
	for _, s := range []struct {
		what         string
		stated, sums int64
	}{{"datoms", m.Datoms, sums.Datoms}, {"bytes", m.Size, sums.Size}} {
		if s.stated != s.sums {
			return fmt.Errorf("%w: it states %d %s, and its chunks have %d", graph.ErrCorrupt, s.stated, s.what, s.sums)
		}
	}
	if m.MaxE != sums.MaxE || m.MaxTx != sums.MaxTx {
		return fmt.Errorf("%w: it states entity %d and transaction %d as the largest, and its chunks have %d and %d", graph.ErrCorrupt, m.MaxE, m.MaxTx, sums.MaxE, sums.MaxTx)
	}
	return nil
}
