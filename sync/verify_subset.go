package dbsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// part is one of so many equal parts of a point's segments, from 1. All parts
// together have every segment once.
type part struct{ n, of int }

// parsePart reads "n/t"; nothing means the whole.
func parsePart(s string) (part, error) {
	if s == "" {
		return part{1, 1}, nil
	}
	a, b, ok := strings.Cut(s, "/")
	n, err1 := strconv.ParseUint(a, 10, 16)
	of, err2 := strconv.ParseUint(b, 10, 16)
	if !ok || err1 != nil || err2 != nil || n < 1 || n > of || of > snapshot.MaxParts {
		return part{}, fserrors.NoRetryError(fmt.Errorf("%q is no part: say n/t, for the part n of t, with 1 ≤ n ≤ t ≤ %d", s, snapshot.MaxParts))
	}
	return part{int(n), int(of)}, nil
}

// partial tells whether segments are read as the point lists them, without a
// walk of its trees.
func (o *VerifyOptions) partial() bool { return o.Subset != "" || o.Since != "" }

// check refuses what makes no sense.
func (o *VerifyOptions) check() error {
	if o.Datoms && (!o.Deep || o.partial()) {
		return fserrors.NoRetryError(errors.New("digests of datoms need --deep as well, and all of the point: what is not verified is not worth comparing"))
	}
	_, err := parsePart(o.Subset)
	return err
}

// readPart reads what the options ask for of what the point lists. Leaves are
// not decoded: their digests are those of segments that were sound.
func (v *verify) readPart(ctx context.Context) error {
	of, err := parsePart(v.opt.Subset)
	if err != nil {
		return err
	}
	if v.closure, err = v.listOf(ctx, v.m); err != nil {
		return err
	}
	defer func() { _ = v.closure.Close() }()
	var had *spill.Table // nil: nothing is left out
	if v.opt.Since != "" {
		if had, err = v.since(ctx); err != nil {
			return err
		}
		defer func() { _ = had.Close() }()
	}
	v.files = v.place.Segments(v.m, v.closure)
	if err := each(ctx, v.files, v.choose(of, had), fs.GetConfig(ctx).Checkers, v.judge); err != nil {
		return err
	}
	return context.Cause(ctx) // what was not read must not count as read
}

// listOf is what a point lists; of one that only Datomic has written, what its
// root reaches.
func (v *verify) listOf(ctx context.Context, m *snapshot.Manifest) (*spill.Table, error) {
	read := v.place.Closure
	if isNative(m) {
		read = func(ctx context.Context, m *snapshot.Manifest) (*spill.Table, error) {
			return closureOf(ctx, v.place, m)
		}
	}
	closure, err := read(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("the lists of point %s cannot be read, so nothing can be checked: %w", m.Point, err)
	}
	return closure, nil
}

// since is what the point of --since lists.
func (v *verify) since(ctx context.Context) (*spill.Table, error) {
	m, err := findPoint(ctx, v.place, v.opt.Since)
	if err != nil {
		return nil, err
	}
	if m.Copy || v.m.Copy {
		return nil, fserrors.NoRetryError(fmt.Errorf("points %s and %s share no segments, as a whole copy is among them: leave --since out", m.Point, v.m.Point))
	}
	v.report.Since = m.Point
	return v.listOf(ctx, m)
}

// choose yields the lines of the point that are in the part, and that had, if
// it is not nil, does not have.
func (v *verify) choose(of part, had *spill.Table) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for line, err := range v.closure.All() {
			wanted := false
			if err == nil {
				wanted, err = v.chooses(line, of, had)
			}
			if (wanted || err != nil) && !yield(line, err) || err != nil {
				return
			}
		}
	}
}

func (v *verify) chooses(line string, of part, had *spill.Table) (bool, error) {
	e, err := graph.ParseEntry(line)
	if err != nil {
		return false, err
	}
	v.report.Segments.Add(e)
	if snapshot.PartOf(e.ID, of.of) != of.n {
		return false, nil
	}
	if had == nil {
		return true, nil
	}
	_, ok, err := had.Get(string(e.ID))
	return !ok, err
}

// judge holds a segment that was read against what the point lists.
func (v *verify) judge(ctx context.Context, e graph.Entry, data []byte, err error) error {
	if errors.Is(err, chunk.ErrLarge) {
		v.checkValue(ctx, e)
		return context.Cause(ctx)
	}
	if err == nil {
		v.reads.Add(1)
		v.readBytes.Add(int64(len(data)))
		err = checkSegment(e, data, v.native.Check)
	}
	if ctx.Err() == nil && err != nil {
		v.faultOf(e.ID, err)
	}
	return context.Cause(ctx)
}
