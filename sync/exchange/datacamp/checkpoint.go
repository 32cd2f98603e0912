package datacamp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Checkpoint is what a run leaves behind for the next one.
type Checkpoint struct {
	Backup string
	// Token names the value that is exported, and all choices on which the
	// chunks depend: a run with another token does not go on.
	Token   string
	Started time.Time
	// Retries is how often the export was begun again.
	Retries int64
	// Total is how many chunks there are, 0 while that is not known.
	Total int64
	// Done are the chunks that are at the destination, by their numbers.
	Done map[int64]Done
}

// Done is a chunk at the destination.
type Done struct {
	Chunk
	Skipped int64
	// From is the place in the source where it begins, Next where the next one
	// does: numbers of leaves or of datoms.
	From, Next int64
}

// Append appends the checkpoint's text: datacamp's keys, which it never reads,
// and what going on needs.
func (c *Checkpoint) Append(dst []byte, now time.Time) ([]byte, error) {
	ids := slices.Sorted(maps.Keys(c.Done))
	done, chunks := make(fressian.Set, len(ids)), make(fressian.Vector, len(ids))
	for i, id := range ids {
		d := c.Done[id]
		done[i] = id
		chunks[i] = append(d.edn(), entry("chunk/skipped", d.Skipped), entry("chunk/from", d.From), entry("chunk/next", d.Next))
	}
	var total any = keyword("unknown")
	if c.Total > 0 {
		total = c.Total
	}
	dst, err := edn.Append(dst, fressian.Map{
		entry("checkpoint/version", version),
		entry("checkpoint/operation", keyword("backup")),
		entry("checkpoint/backup-id", c.Backup),
		entry("checkpoint/started-at", inst(c.Started)),
		entry("checkpoint/updated-at", inst(now)),
		entry("_comment", "What is done; do not change it"),
		entry("progress/total-chunks", total),
		entry("progress/completed", int64(len(ids))),
		entry("progress/current-chunk", nil),
		entry("state/completed-chunks", done),
		entry("state/failed-chunks", fressian.Map{}),
		entry("state/s3-multipart", nil),
		entry("resume/token", c.Token),
		entry("resume/retry-count", c.Retries),
		entry("chunks", chunks),
	})
	return append(dst, '\n'), err
}

// ParseCheckpoint reads a checkpoint. One of datacamp itself has no token.
func ParseCheckpoint(text []byte) (*Checkpoint, error) {
	v, err := edn.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", CheckpointFile, graph.ErrCorrupt, err)
	}
	f, err := fieldsOf(v)
	if err == nil && f.text("checkpoint/version") != version {
		f.wrong("checkpoint/version")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", CheckpointFile, graph.ErrCorrupt, err)
	}
	c := &Checkpoint{Backup: f.text("checkpoint/backup-id"), Started: f.time("checkpoint/started-at"), Retries: f.optional("resume/retry-count"), Done: map[int64]Done{}}
	c.Token, _ = f.value("resume/token").(string)
	chunks, _ := f.value("chunks").(fressian.Vector)
	for _, v := range chunks {
		d, err := parseDone(v)
		if err != nil {
			f.err = err
			break
		}
		c.Done[d.ID] = d
	}
	if f.err != nil {
		return nil, fmt.Errorf("%s: %w: %w", CheckpointFile, graph.ErrCorrupt, f.err)
	}
	return c, nil
}

func parseDone(v any) (d Done, err error) {
	if d.Chunk, err = parseChunk(v); err != nil {
		return d, err
	}
	f, err := fieldsOf(v)
	if err != nil {
		return d, err
	}
	d.Skipped, d.From, d.Next = f.count("chunk/skipped"), f.count("chunk/from"), f.count("chunk/next")
	if d.Next <= d.From {
		f.wrong("chunk/next")
	}
	return d, f.err
}

// ReadCheckpoint reads the checkpoint of a backup.
func ReadCheckpoint(ctx context.Context, open Open) (*Checkpoint, error) {
	text, err := readSmall(ctx, open, CheckpointFile)
	if err != nil {
		return nil, err
	}
	return ParseCheckpoint(text)
}
