package datacamp

import (
	"context"
	"errors"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/pool"
)

const (
	// DefaultChunk is datacamp's size of chunks.
	DefaultChunk = 64 << 20
	// bytesPerDatom is what datacamp takes a datom for: chunks end after as
	// many as make that size, whatever they are really.
	bytesPerDatom = 100
)

// Output is where an export's files go, below the backup's directory.
type Output interface {
	// Draft begins a file.
	Draft(ctx context.Context, path string) (Draft, error)
	// Put makes or replaces a small file, so that a reader sees all of it.
	Put(ctx context.Context, path string, data []byte) error
}

// Draft is a file that is being written, and appears as a whole.
type Draft interface {
	io.Writer
	// Finish makes it appear; the draft is gone then, whatever it returns.
	Finish(ctx context.Context) error
	// Discard drops the draft.
	Discard()
}

// Export makes a backup.
type Export struct {
	Source Source
	Output Output
	// Manifest has what is known before: all but what depends on the datoms.
	Manifest Manifest
	// Checkpoint is a new one or that of a run which was interrupted.
	Checkpoint *Checkpoint
	// Schema and Config are the contents of their files.
	Schema, Config []byte
	// Chunk is the size of chunks in bytes before compression.
	Chunk int64
	// Parallel is how many chunks are uploaded at a time.
	Parallel int
	// Now is the clock.
	Now func() time.Time

	mu     sync.Mutex // guards the checkpoint
	chunk  *chunkWriter
	draft  Draft
	id, at int64 // of the next chunk, and where it begins
}

// finished is a chunk on its way to the destination.
type finished struct {
	draft Draft
	done  Done
}

// errDone ends a scan before a chunk that is done already.
var errDone = errors.New("done already")

// Run makes the backup, and goes on with one that the checkpoint tells of.
func (e *Export) Run(ctx context.Context) (*Manifest, error) {
	if err := e.save(ctx); err != nil {
		return nil, err
	}
	err := pool.Run(ctx, e.Parallel, func(send func(finished) error) error { return e.scan(ctx, send) }, e.upload)
	if err != nil {
		return nil, err
	}
	m := e.Manifest
	for id := range e.id {
		d := e.Checkpoint.Done[id]
		m.Chunks = append(m.Chunks, d.Chunk)
		m.Skipped += d.Skipped
	}
	m.sum()
	m.Complete, m.Finished = true, e.Now()
	e.Checkpoint.Total = e.id
	maps.DeleteFunc(e.Checkpoint.Done, func(id int64, _ Done) bool { return id >= e.id })
	if err := e.save(ctx); err != nil {
		return nil, err
	}
	text, err := m.Append(nil)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		path string
		data []byte
	}{{SchemaFile, e.Schema}, {ConfigFile, e.Config}, {ManifestFile, text}, {MarkerFile, []byte(Marker)}} {
		if err := e.Output.Put(ctx, f.path, f.data); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// save writes the checkpoint.
func (e *Export) save(ctx context.Context) error {
	text, err := e.Checkpoint.Append(nil, e.Now())
	if err != nil {
		return err
	}
	return e.Output.Put(ctx, CheckpointFile, text)
}

// upload puts a chunk to its place and notes that.
func (e *Export) upload(ctx context.Context, f finished) error {
	if err := context.Cause(ctx); err != nil {
		f.draft.Discard()
		return err
	}
	if err := f.draft.Finish(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Checkpoint.Done[f.done.ID] = f.done
	return e.save(ctx)
}

// scan makes the chunks that are not done.
func (e *Export) scan(ctx context.Context, send func(finished) error) (err error) {
	defer func() {
		if e.draft != nil {
			e.draft.Discard()
		}
	}()
	for {
		e.pass()
		err = e.Source.batches(ctx, e.at, func(b *batch) error { return e.take(ctx, b, send) })
		switch {
		case errors.Is(err, errDone):
		case err != nil || e.chunk == nil:
			return err
		default:
			return e.cut(send)
		}
	}
}

// pass goes to the first chunk that is not done.
func (e *Export) pass() {
	for e.done() {
		e.at = e.Checkpoint.Done[e.id].Next
		e.id++
	}
}

// done tells whether the next chunk is.
func (e *Export) done() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	d, ok := e.Checkpoint.Done[e.id]
	return ok && d.From == e.at
}

// take takes a batch, which begins a chunk if the one before has enough.
func (e *Export) take(ctx context.Context, b *batch, send func(finished) error) (err error) {
	if c := e.chunk; c != nil && (c.raw+b.raw > e.Chunk || c.has.Datoms+b.Datoms > max(e.Chunk/bytesPerDatom, 1)) {
		if err := e.cut(send); err != nil {
			return err
		}
		if e.done() {
			return errDone
		}
	}
	if e.chunk == nil {
		if e.draft, err = e.Output.Draft(ctx, chunkPath(e.id)); err != nil {
			return err
		}
		if e.chunk, err = beginChunk(e.draft, e.id, e.at); err != nil {
			return err
		}
	}
	return e.chunk.add(b)
}

// cut ends the chunk.
func (e *Export) cut(send func(finished) error) error {
	d, err := e.chunk.end()
	if err != nil {
		return err
	}
	draft := e.draft
	e.chunk, e.draft = nil, nil
	e.id, e.at = e.id+1, d.Next
	if err := send(finished{draft, d}); err != nil {
		draft.Discard()
		return err
	}
	return nil
}
