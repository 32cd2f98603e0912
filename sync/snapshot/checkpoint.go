package snapshot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/rclone/rclone/fs"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

func sha256sum(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

// checkpoint names the chunks that an unfinished backup has finished: the next
// run need not send them again.
type checkpoint struct {
	Version   int         `edn:"checkpoint/version"`
	Operation edn.Keyword `edn:"checkpoint/operation"`
	Backup    string      `edn:"checkpoint/backup-id"`
	Started   time.Time   `edn:"checkpoint/started-at"`
	Updated   time.Time   `edn:"checkpoint/updated-at"`
	Kind      edn.Keyword `edn:"database/kind"`
	ID        string      `edn:"database/id"`
	Finished  []Chunk     `edn:"state/completed-chunks"`
}

// packed takes note of a chunk that was acknowledged, and of what is in it.
func (r *Run) packed(ctx context.Context, info chunk.Info, lines []string) error {
	for _, l := range lines {
		r.reached.Add(l)
	}
	r.finish(info)
	if r.dryRun {
		return nil
	}
	now := r.place.Now()
	r.mu.Lock()
	due := now.Sub(r.since) >= noteAfter
	if due {
		r.since = now
	}
	r.mu.Unlock()
	if !due {
		return nil
	}
	return r.writeCheckpoint(ctx)
}

func (r *Run) finish(info chunk.Info) {
	r.place.chunks.put(info)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = append(r.finished, chunkOf(r.point, info))
}

// writeCheckpoint writes down which chunks are finished.
func (r *Run) writeCheckpoint(ctx context.Context) error {
	r.checkpoints.Lock()
	defer r.checkpoints.Unlock()
	r.mu.Lock()
	c := checkpoint{
		Version: 1, Operation: "backup", Backup: r.point, Started: r.lease.Started, Updated: r.place.Now(),
		Kind: r.place.Kind, ID: r.place.dir, Finished: r.finished[:len(r.finished):len(r.finished)],
	}
	r.mu.Unlock()
	// It must not outlive what it vouches for.
	if err := transfer.SyncToDisk(r.place.F); err != nil {
		return err
	}
	b, err := edn.MarshalPPrint(c, nil)
	if err != nil {
		return err
	}
	r.checkpointed = true
	return r.copier.Replace(ctx, r.place.pointName(r.point, checkpointName), b)
}

// Resume takes up what backups have left that were interrupted: the chunks that
// their checkpoints name. A checkpoint that is not sound costs sending its chunks
// again, no more.
func (r *Run) Resume(ctx context.Context, points []string) error {
	if len(points) == 0 {
		return nil
	}
	s := spill.NewSorter()
	defer s.Close()
	for _, id := range points {
		err := r.resumePoint(ctx, id, s)
		if errors.Is(err, graph.ErrCorrupt) || errors.Is(err, graph.ErrUnsupported) || errors.Is(err, graph.ErrNotFound) {
			fs.Logf(r.place.F, "Not going on with the unfinished backup %s: %v", id, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("failed to read what the unfinished backup %s has written: %w", id, err)
		}
	}
	_ = r.resume.Close()
	var err error
	r.resume, err = spill.NewTable(FirstOfEach(s.Sorted()))
	return err
}

// resumePoint collects what the finished chunks of one backup have.
func (r *Run) resumePoint(ctx context.Context, id string, s *spill.Sorter) error {
	p := r.place
	b, err := p.files.Get(ctx, graph.ID(p.pointName(id, checkpointName)))
	if errors.Is(err, graph.ErrNotFound) {
		return nil // it was interrupted before there was anything to go on with
	}
	if err != nil {
		return err
	}
	c, err := decodeCheckpoint(b)
	if err != nil {
		return err
	}
	switch {
	case c.Version != 1:
		return fmt.Errorf("%s has version %d: %w", checkpointName, c.Version, graph.ErrUnsupported)
	case c.Backup != id || p.dir != "" && c.ID != p.dir || c.Kind != p.Kind:
		return fmt.Errorf("%s is that of backup %q of the %s database %q: %w", checkpointName, c.Backup, string(c.Kind), c.ID, graph.ErrCorrupt)
	}
	for _, ch := range c.Finished {
		if err := r.resumeChunk(ctx, id, ch, s); err != nil {
			return err
		}
	}
	return nil
}

func decodeCheckpoint(b []byte) (*checkpoint, error) {
	c := new(checkpoint)
	if len(b) > maxManifest || nests(b) {
		return nil, fmt.Errorf("%s has %d bytes, or nests too deeply: %w", checkpointName, len(b), graph.ErrCorrupt)
	}
	if err := edn.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", checkpointName, graph.ErrCorrupt, err)
	}
	return c, nil
}

func (r *Run) resumeChunk(ctx context.Context, id string, ch Chunk, s *spill.Sorter) error {
	info, err := ch.info(id)
	if err != nil {
		return err
	}
	entries, err := r.place.Directory(ctx, info, r.place.Kind)
	if err != nil {
		return err
	}
	r.place.chunks.put(info)
	for _, e := range entries {
		s.Add(graph.FormatEntry(e))
	}
	return nil
}

// resumeAt makes point the one whose chunks are written, and returns the number
// of the next. Those that an earlier attempt at it has finished are part of it.
func (r *Run) resumeAt(point string) (next int) {
	r.point = point
	for name, info := range r.place.chunks.all() {
		if Owns(point, name) {
			r.finished = append(r.finished, chunkOf(point, info))
		}
	}
	return r.place.nextChunk(point)
}

// segmentOf tells which segment an entry of a chunk is, by its name. Datomic's
// owner and roots are none; Datahike's heads are named like segments.
func segmentOf(names *store.Files, kind edn.Keyword, name string) (id graph.ID, segment bool, err error) {
	id = graph.ID(path.Base(name))
	if err := graph.CheckName(string(id)); err != nil {
		return "", false, err
	}
	if name == names.Remote(id) {
		return id, true, nil
	}
	if _, isT := store.ParseT(string(id)); kind == Datomic && name == DatomicName(id) && (isT || id == store.OwnerName) {
		return "", false, nil
	}
	return "", false, fmt.Errorf("%q is no name that a %s database has: %w", name, string(kind), graph.ErrCorrupt)
}
