package datomchunks

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rclone/rclone/fs"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// tree is a point as files: a line "path TAB size TAB sha256" for each, sorted
// by path, and the directories in which they lie.
type tree struct {
	point *dbsync.OpenedPoint
	held  map[string][]byte // the mutable objects, by path
	table *spill.Table
	dirs  []string // all but the root, sorted
}

// newTree takes the point over, unless it fails.
func newTree(p *dbsync.OpenedPoint) (*tree, error) {
	t := &tree{point: p, held: map[string][]byte{}}
	lines := spill.NewSorter()
	defer lines.Close()
	dirs := map[string]bool{}
	add := func(e graph.Entry, at string) {
		lines.Add(format(e, at))
		for dir := parent(at); dir != "" && !dirs[dir]; dir = parent(dir) {
			dirs[dir] = true
		}
	}
	for i, h := range p.Held {
		at := p.HeldPath(h.ID)
		t.held[at] = h.Data
		add(heldEntry(p.Manifest.Held[i], h), at)
	}
	for line, err := range p.Lines() {
		if err != nil {
			return nil, err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return nil, err
		}
		at := p.Path(e.ID)
		if _, ok := t.held[at]; ok || e.Size < 0 {
			return nil, fmt.Errorf("the list has %s as a segment of %d bytes: %w", e.ID, e.Size, graph.ErrCorrupt)
		}
		add(e, at)
	}
	t.dirs = slices.Sorted(maps.Keys(dirs))
	var err error
	t.table, err = spill.NewTable(lines.Sorted())
	return t, err
}

// heldEntry is what a manifest says of a mutable object, which was compared with
// its bytes.
func heldEntry(o snapshot.Object, h graph.Held) graph.Entry {
	e := graph.Entry{Ref: graph.Ref{ID: h.ID, Level: graph.Root}, Size: o.Size}
	if sum, err := hex.DecodeString(o.SHA256); err == nil {
		copy(e.SHA256[:], sum)
	}
	return e
}

// format is a file's line. The digest is empty where it is not known.
func format(e graph.Entry, at string) string {
	sum := ""
	if e.Digested() {
		sum = hex.EncodeToString(e.SHA256[:])
	}
	return at + "\t" + strconv.FormatInt(e.Size, 10) + "\t" + sum
}

// object is what a line lists.
func (t *tree) object(f *Fs, line string) (*Object, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 3 {
		return nil, fmt.Errorf("bad line %q in a listing", line)
	}
	size, err := strconv.ParseInt(fields[1], 10, 64)
	o := f.newObject(path.Join(t.point.Manifest.Point, fields[0]))
	o.size, o.sum, o.time, o.data = size, fields[2], t.point.Manifest.Time, t.held[fields[0]]
	return o, err
}

// find finds a file; it is fs.ErrorIsDir for a directory.
func (t *tree) find(f *Fs, name string) (*Object, error) {
	if name == "" || t.hasDir(name) {
		return nil, fs.ErrorIsDir
	}
	line, ok, err := t.table.Get(name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fs.ErrorObjectNotFound
	}
	return t.object(f, line)
}

func (t *tree) hasDir(name string) bool {
	_, found := slices.BinarySearch(t.dirs, name)
	return found
}

// list emits what is in a directory, and what is below it if deep is set.
func (t *tree) list(f *Fs, dir string, deep bool, emit func(fs.DirEntry) error) error {
	if dir != "" && !t.hasDir(dir) {
		return fs.ErrorDirNotFound
	}
	for _, d := range t.dirs {
		in := parent(d)
		if in == dir || deep && within(in, dir) {
			if err := emit(fs.NewDir(f.relative(path.Join(t.point.Manifest.Point, d)), t.point.Manifest.Time)); err != nil {
				return err
			}
		}
	}
	prefix := dir
	if dir != "" {
		prefix += "/"
	}
	for from, more := prefix, true; more; {
		var err error
		if from, more, err = t.files(f, from, prefix, deep, emit); err != nil {
			return err
		}
	}
	return nil
}

// files emits the files whose paths begin with a prefix, beginning with from. If
// it is not to go deep it ends at a directory, and returns what comes behind it.
func (t *tree) files(f *Fs, from, prefix string, deep bool, emit func(fs.DirEntry) error) (next string, more bool, err error) {
	for line, err := range t.table.From(from) {
		if err != nil {
			return "", false, err
		}
		rest, ok := strings.CutPrefix(line, prefix)
		if !ok {
			break
		}
		if below, _, ok := strings.Cut(rest, "/"); ok && !deep {
			return prefix + below + behindSlash, true, nil
		}
		o, err := t.object(f, line)
		if err == nil {
			err = emit(o)
		}
		if err != nil {
			return "", false, err
		}
	}
	return "", false, nil
}

// behindSlash is the character that follows the slash.
const behindSlash = "0"

// within tells whether a path is below a directory.
func within(name, dir string) bool { return dir == "" || strings.HasPrefix(name, dir+"/") }

func (t *tree) close() error {
	if t == nil {
		return nil
	}
	return errors.Join(t.table.Close(), t.point.Close())
}
