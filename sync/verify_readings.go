package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// status is the state of one VerifyStatus.
type status struct {
	place  *snapshot.Place
	maxAge time.Duration
	report StatusReport
	// readings are what counts, the youngest first.
	readings []reading
	// points are those that readings name, by id; nil is one that is not there.
	points map[string]*membership
	// marks has a line "id TAB number TAB location" for every segment of every
	// point beside the chain, by the point's number.
	marks  *spill.Sorter
	beside int
}

// reading is a record, with the points that it names. A nil since leaves
// nothing out.
type reading struct {
	snapshot.Verified
	of, since *membership
}

// membership tells what a point has to do with a segment.
type membership struct {
	// read: what was read of the point were the bytes that are there now.
	read func(*seen) bool
	// had: the point lists the segment.
	had func(*seen) bool
}

// seen is a segment with all that is known of it.
type seen struct {
	graph.Entry
	snapshot.Reached
	marks []mark
}

// mark says that a point beside the chain lists a segment, and where.
type mark struct {
	point int
	at    graph.Location
}

// load reads the records and what points they name.
func (s *status) load(ctx context.Context, m *snapshot.Manifest, chain []*snapshot.Manifest) error {
	for age, m := range chain {
		s.points[m.Point] = &membership{
			// What was released since and came back may have been written anew.
			read: func(x *seen) bool { return x.Since(age) },
			had:  func(x *seen) bool { return x.By(age) },
		}
	}
	records, err := verified(ctx, s.place)
	if err != nil {
		return err
	}
	latest := s.report.Time.Add(clockSkew)
	for _, r := range records {
		l := reading{Verified: r}
		if l.of, err = s.membership(ctx, m, r.Point); err != nil {
			return err
		}
		if r.Since != "" {
			if l.since, err = s.membership(ctx, m, r.Since); err != nil {
				return err
			}
		}
		if l.of != nil && (r.Since == "" || l.since != nil) && !r.Time.After(latest) {
			s.readings = append(s.readings, l)
		}
	}
	slices.SortStableFunc(s.readings, func(a, b reading) int { return b.Time.Compare(a.Time) })
	s.report.Records = len(s.readings)
	return nil
}

// membership is that of a point, or nil if nothing is known of it any more.
func (s *status) membership(ctx context.Context, m *snapshot.Manifest, id string) (*membership, error) {
	if known, ok := s.points[id]; ok {
		return known, nil
	}
	known, err := s.markAll(ctx, m, id)
	if damaged(err) || errors.Is(err, graph.ErrUnsupported) {
		known, err = nil, nil
	}
	s.points[id] = known
	return known, err
}

// markAll makes marks of what a point lists that is not in the chain of m.
func (s *status) markAll(ctx context.Context, m *snapshot.Manifest, id string) (*membership, error) {
	other, err := s.place.Manifest(ctx, id)
	if err != nil {
		return nil, err
	}
	if other.Copy || m.Copy {
		return nil, nil // they have their own stores
	}
	closure, err := s.place.Closure(ctx, other)
	if err != nil {
		return nil, err
	}
	defer func() { _ = closure.Close() }()
	number := s.beside
	s.beside++
	for line, err := range closure.All() {
		if err != nil {
			return nil, err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return nil, err
		}
		s.marks.Add(fmt.Sprintf("%s\t%d\t%s", e.ID, number, e.At))
	}
	return &membership{
		read: func(x *seen) bool { return slices.Contains(x.marks, mark{number, x.At}) },
		had: func(x *seen) bool {
			return slices.ContainsFunc(x.marks, func(m mark) bool { return m.point == number })
		},
	}, nil
}

// merge goes over the marks in step with the segments, both sorted by id.
type merge struct {
	next func() (string, error, bool)
	line string // the one that was read and not used yet
}

// at returns the marks on a segment.
func (m *merge) at(id graph.ID) (marks []mark, err error) {
	for {
		if m.line == "" {
			line, err, ok := m.next()
			if err != nil || !ok {
				return marks, err
			}
			m.line = line
		}
		f := strings.SplitN(m.line, "\t", 3)
		switch {
		case graph.ID(f[0]) > id:
			return marks, nil
		case graph.ID(f[0]) == id:
			one := mark{}
			if one.point, err = strconv.Atoi(f[1]); err != nil {
				return nil, err
			}
			if f[2] != (graph.Location{}).String() {
				if one.at, err = graph.ParseLocation(f[2]); err != nil {
					return nil, err
				}
			}
			marks = append(marks, one)
		}
		m.line = ""
	}
}
