package dbsync

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// mostTimes bounds the periods of a report.
const mostTimes = 60

// days tells on which day a transaction was, in UTC. Transactions are numbered
// in the order of time; one that says that it was before an earlier one counts
// for the day of that.
type days struct {
	starts []day
}

// day is the datoms of a day's transactions.
type day struct {
	tx     int64 // the first
	from   time.Time
	datoms int64
}

func daysOf(ctx context.Context, v view.View) (*days, error) {
	d := &days{}
	var last time.Time
	err := v.Scan(ctx, datom.Query{Index: datom.AEVT, Attr: &txInstant}, func(f datom.Datom) error {
		ms, ok := f.V.(fressian.Inst)
		if !ok {
			return nil
		}
		from := time.UnixMilli(int64(ms)).UTC().Truncate(24 * time.Hour)
		if len(d.starts) == 0 || from.After(last) {
			d.starts = append(d.starts, day{tx: f.E, from: from})
			last = from
		}
		return nil
	})
	return d, err
}

// count counts a datom. What came before the first transaction that tells its
// time counts for that.
func (d *days) count(tx int64) {
	if len(d.starts) == 0 {
		return
	}
	at, found := slices.BinarySearchFunc(d.starts, tx, func(s day, tx int64) int { return cmp.Compare(s.tx, tx) })
	if !found {
		at = max(at-1, 0)
	}
	d.starts[at].datoms++
}

// periods sums the days up to months or years, if there are many.
func (d *days) periods() (name string, times []TimeStat) {
	if len(d.starts) == 0 {
		return "", []TimeStat{}
	}
	for _, p := range []struct {
		name  string
		start func(time.Time) time.Time
	}{
		{"day", func(t time.Time) time.Time { return t }},
		{"month", func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }},
		{"year", func(t time.Time) time.Time { return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC) }},
	} {
		times = []TimeStat{}
		for _, s := range d.starts {
			if s.datoms == 0 {
				continue
			}
			from := p.start(s.from)
			if n := len(times); n == 0 || !times[n-1].From.Equal(from) {
				times = append(times, TimeStat{From: from})
			}
			times[len(times)-1].Datoms += s.datoms
		}
		if name = p.name; len(times) <= mostTimes {
			break
		}
	}
	return name, times
}
