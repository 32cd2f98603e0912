package dbsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// StatusOptions are the choices of [VerifyStatus].
type StatusOptions struct {
	// At names the point; empty means the newest.
	At string
	// MaxAge is how long ago the last reading may be; 0 means any time.
	MaxAge time.Duration
}

// StatusReport says when the bytes of a point were read last.
type StatusReport struct {
	Point         string `json:"point"`
	Segments      int64  `json:"segments"`
	Bytes         int64  `json:"bytes"`
	ReadSegments  int64  `json:"readSegments"`
	ReadBytes     int64  `json:"readBytes"`
	NeverSegments int64  `json:"neverSegments"`
	NeverBytes    int64  `json:"neverBytes"`
	// Time is when this was found out; Oldest and Newest are the times of what
	// was read, nil if that is nothing.
	Time   time.Time  `json:"time"`
	Oldest *time.Time `json:"oldest,omitempty"`
	Newest *time.Time `json:"newest,omitempty"`
	// Ages has what was read, by the time that has passed since.
	Ages []Age `json:"ages"`
	// Overdue is what was not read within MaxAge, or never.
	OverdueSegments int64 `json:"overdueSegments"`
	OverdueBytes    int64 `json:"overdueBytes"`
	// Records is how many records of verifications tell something of the point.
	Records int `json:"records"`
}

// Age counts segments that were last read longer ago than those of the Age
// before, and not longer than so many days; 0 means any time.
type Age struct {
	Days     int   `json:"days"`
	Segments int64 `json:"segments"`
	Bytes    int64 `json:"bytes"`
}

// ages are the limits of StatusReport.Ages, in days.
var ages = [...]int{1, 7, 30, 90, 0}

// ErrOverdue is what VerifyStatus returns beside its report if something was
// not read within MaxAge.
var ErrOverdue = errors.New("the backup was not read as a whole lately")

// clockSkew is how far the clock of another host may be ahead: what claims to
// be read later than that counts for nothing.
const clockSkew = 5 * time.Minute

// VerifyStatus tells for every segment of a point when [Verify] last read it.
// It reads lists and no segments.
func VerifyStatus(ctx context.Context, dst fs.Fs, opt StatusOptions) (*StatusReport, error) {
	place, err := snapshot.Find(ctx, dst)
	if err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	s := &status{place: place, maxAge: opt.MaxAge, points: map[string]*membership{}, marks: spill.NewSorter()}
	defer s.marks.Close()
	s.report.Time = s.place.Now().UTC()
	if err := s.do(ctx, opt.At); err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	if opt.MaxAge > 0 && s.report.OverdueSegments > 0 {
		return &s.report, fserrors.NoRetryError(fmt.Errorf("%w: %d of %d segments of point %s of %s were not read within %v: read them with verify --deep, or part by part with --subset",
			ErrOverdue, s.report.OverdueSegments, s.report.Segments, s.report.Point, s.place, opt.MaxAge))
	}
	return &s.report, nil
}

// do fills in the report.
func (s *status) do(ctx context.Context, at string) error {
	m, err := findPoint(ctx, s.place, at)
	if err != nil {
		return err
	}
	if isNative(m) {
		return refuse("%s was made by Datomic alone, and nobody has recorded what was read of it: make a backup with rclone-datom, then verify that", m.Point)
	}
	s.report.Point = m.Point
	chain, err := s.place.Chain(ctx, m)
	if err != nil {
		return err
	}
	if err := s.load(ctx, m, chain); err != nil {
		return err
	}
	reached, err := s.place.Reached(ctx, chain)
	if err != nil {
		return err
	}
	return s.count(reached)
}

// count looks at every segment.
func (s *status) count(reached iter.Seq2[snapshot.Reached, error]) error {
	s.report.Ages = make([]Age, len(ages))
	for i, days := range ages {
		s.report.Ages[i].Days = days
	}
	next, stop := iter.Pull2(s.marks.Sorted())
	defer stop()
	m := merge{next: next}
	for r, err := range reached {
		if err != nil {
			return err
		}
		x := seen{Reached: r}
		if x.Entry, err = graph.ParseEntry(r.Line); err == nil {
			x.marks, err = m.at(x.ID)
		}
		if err != nil {
			return err
		}
		s.add(&x)
	}
	return nil
}

// add counts one segment. The readings are sorted, so the first that had it is
// the last in time.
func (s *status) add(x *seen) {
	r, size := &s.report, max(x.Size, 0)
	r.Segments++
	r.Bytes += size
	i := slices.IndexFunc(s.readings, func(l reading) bool {
		return l.of.read(x) && (l.since == nil || !l.since.had(x)) && snapshot.PartOf(x.ID, l.Parts) == l.Part
	})
	if i < 0 {
		r.NeverSegments++
		r.NeverBytes += size
		r.OverdueSegments++
		r.OverdueBytes += size
		return
	}
	at := s.readings[i].Time
	age := max(r.Time.Sub(at), 0)
	if s.maxAge > 0 && age > s.maxAge {
		r.OverdueSegments++
		r.OverdueBytes += size
	}
	r.ReadSegments++
	r.ReadBytes += size
	if r.Oldest == nil || at.Before(*r.Oldest) {
		r.Oldest = &at
	}
	if r.Newest == nil || at.After(*r.Newest) {
		r.Newest = &at
	}
	a := slices.IndexFunc(ages[:], func(days int) bool { return days == 0 || age <= time.Duration(days)*24*time.Hour })
	r.Ages[a].Segments++
	r.Ages[a].Bytes += size
}
