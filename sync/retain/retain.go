// Package retain decides which points of a backup are kept, by their times
// alone. The rules are those of restic's "forget":
//
//   - last: the newest n points;
//   - hourly, daily, weekly, monthly, yearly: the newest point of each of the
//     last n hours, days, ISO weeks, months or years that have points, in UTC;
//   - within: every point that is not older than the newest one by more than a
//     duration.
//
// A point that any rule keeps is kept.
package retain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy says what is kept. The zero value keeps nothing.
type Policy struct {
	Last    Count `json:"keepLast,omitempty"`
	Hourly  Count `json:"keepHourly,omitempty"`
	Daily   Count `json:"keepDaily,omitempty"`
	Weekly  Count `json:"keepWeekly,omitempty"`
	Monthly Count `json:"keepMonthly,omitempty"`
	Yearly  Count `json:"keepYearly,omitempty"`
	// Within is counted from the newest point, which no clock that goes wrong
	// can make old; 0 means no such rule.
	Within time.Duration `json:"keepWithin,omitempty"`
}

// Empty tells whether the policy has no rule.
func (p Policy) Empty() bool { return p == Policy{} }

// Point is what a policy looks at.
type Point struct {
	ID   string
	Time time.Time
}

// Decision is what becomes of a point.
type Decision struct {
	ID   string
	Keep bool
	// Reasons are the rules that keep it, as a person may read them: "last 1",
	// "daily 3" (of the third of the days that have points), "within 30d".
	Reasons []string
}

// rule keeps the newest point of each of the last count spans of time.
type rule struct {
	name  string
	count Count
	// span names the one in which a moment lies; points that have the same
	// name follow each other. The first rule takes each point for itself.
	span func(t time.Time, nth int) string
}

func (p Policy) rules() []rule {
	layout := func(form string) func(time.Time, int) string {
		return func(t time.Time, _ int) string { return t.Format(form) }
	}
	return []rule{
		{"last", p.Last, func(_ time.Time, nth int) string { return fmt.Sprint(nth) }},
		{"hourly", p.Hourly, layout("2006-01-02 15")},
		{"daily", p.Daily, layout("2006-01-02")},
		{"weekly", p.Weekly, func(t time.Time, _ int) string { y, w := t.ISOWeek(); return fmt.Sprint(y, "-", w) }},
		{"monthly", p.Monthly, layout("2006-01")},
		{"yearly", p.Yearly, layout("2006")},
	}
}

// Apply decides about points of one database, which come in any order; the
// decisions come in that order.
func (p Policy) Apply(points []Point) []Decision {
	decisions := make([]Decision, len(points))
	newest := make([]int, len(points)) // places in points
	for i := range points {
		decisions[i].ID, newest[i] = points[i].ID, i
	}
	slices.SortStableFunc(newest, func(a, b int) int {
		return cmp.Or(points[b].Time.Compare(points[a].Time), strings.Compare(points[b].ID, points[a].ID))
	})
	for _, r := range p.rules() {
		r.apply(points, newest, decisions)
	}
	for _, i := range newest {
		if p.Within > 0 && !points[i].Time.Before(points[newest[0]].Time.Add(-p.Within)) {
			decisions[i].keep("within " + short(p.Within))
		}
	}
	return decisions
}

func (r rule) apply(points []Point, newest []int, decisions []Decision) {
	last, spans := "", Count(0)
	for nth, i := range newest {
		if r.count != Unlimited && spans >= r.count {
			return
		}
		if span := r.span(points[i].Time.UTC(), nth); span != last {
			last = span
			spans++
			decisions[i].keep(fmt.Sprintf("%s %d", r.name, spans))
		}
	}
}

func (d *Decision) keep(why string) { d.Keep, d.Reasons = true, append(d.Reasons, why) }

// short writes whole days as such.
func short(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}
