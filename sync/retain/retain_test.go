package retain_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/retain"
)

func points(times ...string) (all []retain.Point) {
	for _, s := range times {
		t, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			panic(err)
		}
		all = append(all, retain.Point{ID: s, Time: t})
	}
	return all
}

func kept(decisions []retain.Decision) map[string][]string {
	all := map[string][]string{}
	for _, d := range decisions {
		if d.Keep {
			all[d.ID] = d.Reasons
		}
	}
	return all
}

func TestRules(t *testing.T) {
	all := points("2026-11-21 10:50", "2024-12-31 09:00", "2026-11-21 10:10", "2026-11-20 23:59", "2026-11-15 12:00",
		"2026-11-16 00:00", "2026-10-01 00:00", "2025-01-01 00:00")
	for name, test := range map[string]struct {
		policy retain.Policy
		want   map[string][]string
	}{
		"nothing": {retain.Policy{}, map[string][]string{}},
		"last": {retain.Policy{Last: 2}, map[string][]string{
			"2026-11-21 10:50": {"last 1"}, "2026-11-21 10:10": {"last 2"}}},
		"hourly": {retain.Policy{Hourly: 2}, map[string][]string{
			"2026-11-21 10:50": {"hourly 1"}, "2026-11-20 23:59": {"hourly 2"}}},
		"daily counts days that have points": {retain.Policy{Daily: 3}, map[string][]string{
			"2026-11-21 10:50": {"daily 1"}, "2026-11-20 23:59": {"daily 2"}, "2026-11-16 00:00": {"daily 3"}}},
		"weeks begin on Monday": {retain.Policy{Weekly: 2}, map[string][]string{
			"2026-11-21 10:50": {"weekly 1"}, "2026-11-15 12:00": {"weekly 2"}}},
		"an ISO week may have days of two years": {retain.Policy{Weekly: retain.Unlimited}, map[string][]string{
			"2026-11-21 10:50": {"weekly 1"}, "2026-11-15 12:00": {"weekly 2"},
			"2026-10-01 00:00": {"weekly 3"}, "2025-01-01 00:00": {"weekly 4"}}},
		"monthly": {retain.Policy{Monthly: 2}, map[string][]string{
			"2026-11-21 10:50": {"monthly 1"}, "2026-10-01 00:00": {"monthly 2"}}},
		"yearly": {retain.Policy{Yearly: retain.Unlimited}, map[string][]string{
			"2026-11-21 10:50": {"yearly 1"}, "2025-01-01 00:00": {"yearly 2"}, "2024-12-31 09:00": {"yearly 3"}}},
		"within": {retain.Policy{Within: 24 * time.Hour}, map[string][]string{
			"2026-11-21 10:50": {"within 1d"}, "2026-11-21 10:10": {"within 1d"}, "2026-11-20 23:59": {"within 1d"}}},
		"several": {retain.Policy{Last: 1, Yearly: 1, Within: time.Hour}, map[string][]string{
			"2026-11-21 10:50": {"last 1", "yearly 1", "within 1h0m0s"}, "2026-11-21 10:10": {"within 1h0m0s"}}},
	} {
		t.Run(name, func(t *testing.T) {
			decisions := test.policy.Apply(all)
			assert.Equal(t, test.want, kept(decisions))
			for i, d := range decisions {
				assert.Equal(t, all[i].ID, d.ID, "the order is the points'")
			}
		})
	}
}

// TestProperties: whatever the points are, what any policy must do.
func TestProperties(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var all []retain.Point
		at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.FixedZone("east", r.IntN(20)*3600))
		for i := range 1 + r.IntN(60) {
			at = at.Add(-time.Duration(r.Int64N(int64(1) << (30 + r.IntN(22)))))
			all = append(all, retain.Point{ID: fmt.Sprintf("%03d", 100-i), Time: at})
		}
		count := func() retain.Count { return retain.Count(r.IntN(5) - 1) }
		p := retain.Policy{Last: count(), Hourly: count(), Daily: count(), Weekly: count(), Monthly: count(), Yearly: count()}
		if r.IntN(2) == 0 {
			p.Within = time.Duration(r.Int64N(int64(1000 * time.Hour)))
		}
		got := kept(p.Apply(all))
		checkLaws(t, p, all, got)

		mixed := slices.Clone(all)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		assert.Equal(t, got, kept(p.Apply(mixed)), "the order of points means nothing")

		left := slices.DeleteFunc(slices.Clone(all), func(p retain.Point) bool { return got[p.ID] == nil })
		assert.Len(t, kept(p.Apply(left)), len(left), "what was kept is kept again")
		if t.Failed() {
			t.Fatalf("seed %d: %+v", seed, p)
		}
	}
}

func checkLaws(t *testing.T, p retain.Policy, all []retain.Point, got map[string][]string) {
	t.Helper()
	if p.Empty() {
		assert.Empty(t, got)
		return
	}
	assert.Contains(t, got, all[0].ID, "every rule keeps the newest point")
	most := 0
	for _, n := range []retain.Count{p.Last, p.Hourly, p.Daily, p.Weekly, p.Monthly, p.Yearly} {
		if n == retain.Unlimited {
			n = retain.Count(len(all))
		}
		most += int(n)
	}
	reasons := 0
	for _, why := range got {
		reasons += len(why)
	}
	for _, q := range all {
		if p.Within > 0 && all[0].Time.Sub(q.Time) <= p.Within {
			assert.Contains(t, got, q.ID)
			most++
		}
	}
	assert.LessOrEqual(t, reasons, most)
	if p.Last == retain.Unlimited {
		assert.Len(t, got, len(all))
	}
}

func TestCount(t *testing.T) {
	var c retain.Count
	for text, want := range map[string]retain.Count{"0": 0, "7": 7, "-1": retain.Unlimited, "unlimited": retain.Unlimited} {
		require.NoError(t, c.Set(text))
		assert.Equal(t, want, c)
		require.NoError(t, c.Set(c.String()))
		assert.Equal(t, want, c)
	}
	for _, bad := range []string{"", "-2", "all", "1.5", "1e3"} {
		require.Error(t, c.Set(bad), bad)
	}
	var p retain.Policy
	require.NoError(t, json.Unmarshal([]byte(`{"keepLast":"3","keepDaily":7,"keepYearly":"unlimited"}`), &p))
	assert.Equal(t, retain.Policy{Last: 3, Daily: 7, Yearly: retain.Unlimited}, p)
	b, err := json.Marshal(p)
	require.NoError(t, err)
	assert.JSONEq(t, `{"keepLast":3,"keepDaily":7,"keepYearly":"unlimited"}`, string(b))
	assert.True(t, retain.Policy{}.Empty())
	assert.False(t, p.Empty())
}
