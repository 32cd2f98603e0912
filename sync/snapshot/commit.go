package snapshot

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/rclone/rclone/fs"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// Lines is a sorted sequence of lines of a list.
type Lines = iter.Seq2[string, error]

// Reached ends the collecting and returns what the run's walk reached: what
// it wrote, and what it found written.
func (r *Run) Reached() Lines { return FirstOfEach(r.reached.Sorted()) }

// FirstOfEach drops the later lines of an id that comes more than once.
func FirstOfEach(lines Lines) Lines {
	return func(yield func(string, error) bool) {
		last := ""
		for line, err := range lines {
			if id := lineID(line); err != nil || id != last {
				last = id
				if !yield(line, err) {
					return
				}
			}
		}
	}
}

func lineID(line string) string {
	for i := range len(line) {
		if line[i] == '\t' {
			return line[:i]
		}
	}
	return line
}

// Split compares what is reached now with what was before, by id: it calls
// added for lines that are new and released for those that are gone.
func Split(now, before Lines, added, released func(line string)) error {
	return Join(now, before, func(line, old string) error {
		switch {
		case old == "":
			added(line)
		case line == "":
			released(old)
		}
		return nil
	})
}

// Join pairs two sequences by id and calls fn with a line of each, or with an
// empty one where the other side has no such id. Several lines of an id may be
// in the first sequence, each of them is paired.
func Join(left, right Lines, fn func(left, right string) error) error {
	next, stop := iter.Pull2(right)
	defer stop()
	r, err, ok := next()
	paired := false
	pass := func() error { // go on to the next line at the right
		var ferr error
		if !paired {
			ferr = fn("", r)
		}
		r, err, ok = next()
		paired = false
		return ferr
	}
	for l, lerr := range left {
		if lerr != nil {
			return lerr
		}
		id := lineID(l)
		for ok && err == nil && lineID(r) < id {
			if err := pass(); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		match := ""
		if ok && lineID(r) == id {
			match, paired = r, true
		}
		if err := fn(l, match); err != nil {
			return err
		}
	}
	for ok && err == nil {
		if err := pass(); err != nil {
			return err
		}
	}
	return err
}

// Commit makes a point of what the run has written. The manifest comes with
// everything set but the lists and the counts that follow from them. present
// has the digests of the mutable objects that lie in the store now: those
// which would not change are not written.
func (r *Run) Commit(ctx context.Context, m, parent *Manifest, held []graph.Held, present map[graph.ID]Object, added, released Lines) error {
	if err := r.writePoint(ctx, m, held, added, released); err != nil {
		return err
	}
	m.Total = m.New.Minus(m.Released)
	if parent != nil {
		m.Total = m.Total.Plus(parent.Total)
	}
	if err := transfer.SyncToDisk(r.place.F); err != nil {
		return err
	}
	if err := r.stillLeased(ctx); err != nil {
		return err
	}
	if !r.place.Chunked() {
		for _, h := range held {
			if have, ok := present[h.ID]; ok && have.Matches(h.Data) {
				continue
			}
			if err := r.copier.Replace(ctx, m.HeadName(h.ID), h.Data); err != nil {
				return err
			}
		}
		if err := transfer.SyncToDisk(r.place.F); err != nil {
			return err
		}
	}
	return r.writeManifest(ctx, m)
}

// writeManifest writes what makes the point one: the manifest, and in chunks the
// marker after it.
func (r *Run) writeManifest(ctx context.Context, m *Manifest) error {
	b, err := m.Encode()
	if err == nil {
		err = m.readable(b)
	}
	if err != nil {
		return err
	}
	if r.place.Chunked() {
		if err := r.writeConfig(ctx, m); err != nil {
			return err
		}
	}
	if err := r.stillLeased(ctx); err != nil {
		return err
	}
	if err := r.copier.Replace(ctx, r.place.pointName(m.Point, manifestName), b); err != nil {
		return err
	}
	if err := transfer.SyncToDisk(r.place.F); err != nil || !r.place.Chunked() {
		return err
	}
	if err := r.stillLeased(ctx); err != nil {
		return err
	}
	if err := r.copier.Replace(ctx, r.place.pointName(m.Point, markerName), []byte("complete\n")); err != nil {
		return err
	}
	if err := r.place.chunks.add(m); err != nil {
		return err
	}
	return transfer.SyncToDisk(r.place.F)
}

// config is what opening a copy needs, for those who read no manifest.
type config struct {
	Version  int                 `edn:"config/version"`
	Exported time.Time           `edn:"config/exported-at"`
	Config   map[edn.Keyword]any `edn:"config"`
}

func (r *Run) writeConfig(ctx context.Context, m *Manifest) error {
	b, err := edn.MarshalPPrint(config{1, m.Time, m.Settings}, nil)
	if err != nil {
		return err
	}
	return r.copier.Replace(ctx, r.place.pointName(m.Point, configName), append(b, '\n'))
}

// writePoint writes what the manifest refers to, and fills in the references.
func (r *Run) writePoint(ctx context.Context, m *Manifest, held []graph.Held, added, released Lines) (err error) {
	m.Held = nil
	for _, h := range held {
		o := Describe(string(h.ID), h.Data)
		if r.place.Chunked() {
			o.Bytes = h.Data
			m.Held = append(m.Held, o)
			continue
		}
		m.Held = append(m.Held, o)
		if err := r.copier.Replace(ctx, r.place.pointName(m.Point, headsDir, string(h.ID)), h.Data); err != nil {
			return err
		}
	}
	if r.place.Chunked() {
		needed := map[string]bool{}
		for _, c := range r.finished { // all it has may be in others as well
			if info, err := c.info(m.Point); err == nil {
				needed[info.Chunk] = true
			}
		}
		added = noteChunks(added, needed)
		defer func() {
			if err == nil {
				m.Chunks, err = r.place.chunksOf(m.Point, needed)
			}
		}()
	}
	if m.AddedList, m.New, err = r.writeList(ctx, m.Point, "added", added); err != nil {
		return err
	}
	m.ReleasedList, m.Released, err = r.writeList(ctx, m.Point, "released", released)
	return err
}

// writeList writes lines in parts of bounded size.
func (r *Run) writeList(ctx context.Context, point, kind string, lines Lines) (lists []List, count Count, err error) {
	part, err := newListWriter()
	if err != nil {
		return nil, count, err
	}
	flush := func() error {
		n := part.lines
		b, err := part.take()
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s-%04d%s", kind, len(lists)+1, listSuffix)
		lists = append(lists, List{Describe(name, b), n})
		return r.copier.Replace(ctx, r.place.pointName(point, name), b)
	}
	for line, err := range lines {
		if err != nil {
			return nil, count, err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return nil, count, err
		}
		count.Add(e)
		if part.add(line); part.lines == partSegments {
			if err := flush(); err != nil {
				return nil, count, err
			}
		}
	}
	if part.lines > 0 {
		err = flush()
	}
	return lists, count, err
}

// stillLeased guards the step that cannot be taken back.
func (r *Run) stillLeased(ctx context.Context) error {
	if r.dryRun {
		return nil
	}
	if r.place.Now().After(r.expires()) {
		return errLeaseLost
	}
	return context.Cause(ctx)
}

// Tidy removes the run's notes, what stale runs have left, and points that
// never became complete. It is called after the point is committed, and what
// it cannot remove does no harm.
func (r *Run) Tidy(ctx context.Context, incomplete []string) {
	if r.dryRun {
		return
	}
	r.mu.Lock()
	r.pending = nil
	notes := r.notes
	r.mu.Unlock()
	warn := func(err error) {
		if err != nil {
			fs.Logf(nil, "Failed to tidy up %s: %v", r.place, err)
		}
	}
	for n := 1; n <= notes; n++ {
		warn(r.place.remove(ctx, r.place.runName(r.ID, fmt.Sprintf("%06d%s", n, listSuffix))))
	}
	for _, run := range r.stale {
		warn(r.place.removeAll(ctx, r.place.runName(run)))
	}
	if r.place.Chunked() {
		r.mu.Lock()
		r.finished = nil
		r.mu.Unlock()
		warn(r.tidyChunks(ctx, incomplete))
		return
	}
	for _, id := range incomplete {
		warn(r.place.removeAll(ctx, r.place.pointName(id, headsDir)))
		warn(r.place.removeAll(ctx, r.place.pointName(id)))
	}
}

// removeAll deletes the objects of a directory, and the directory where
// there are such things.
func (p *Place) removeAll(ctx context.Context, dir string) error {
	if err := p.objects(ctx, dir, func(o fs.Object) error { return o.Remove(ctx) }); err != nil {
		return err
	}
	return p.rmdir(ctx, dir)
}

// rmdir removes an empty directory on remotes that have them.
func (p *Place) rmdir(ctx context.Context, dir string) error {
	if !p.F.Features().CanHaveEmptyDirectories {
		return nil
	}
	return p.F.Rmdir(ctx, dir)
}
