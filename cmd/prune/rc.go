package prune

import (
	"context"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/retain"
)

// span is a duration as on a command line: "30d", "24h", "0".
type span time.Duration

// UnmarshalJSON reads it.
func (s *span) UnmarshalJSON(b []byte) error {
	d, err := fs.ParseDuration(strings.Trim(string(b), `"`))
	*s = span(d)
	return err
}

// call has the parameters of datom/prune.
type call struct {
	Destination string       `json:"destination" rc:"required"`
	Last        retain.Count `json:"keepLast"`
	Hourly      retain.Count `json:"keepHourly"`
	Daily       retain.Count `json:"keepDaily"`
	Weekly      retain.Count `json:"keepWeekly"`
	Monthly     retain.Count `json:"keepMonthly"`
	Yearly      retain.Count `json:"keepYearly"`
	Within      span         `json:"keepWithin"`
	Keep        cli.List     `json:"keep"`
	Confirm     cli.Flag     `json:"confirm"`
	Grace       *span        `json:"grace"`
	MaxDead     *percent     `json:"maxDead"`
	Undo        string       `json:"undo"`
	Incomplete  cli.Flag     `json:"incomplete"`
	OlderThan   *span        `json:"olderThan"`
}

func (c call) options() dbsync.PruneOptions {
	or := func(s *span) time.Duration {
		if s == nil {
			return time.Duration(day)
		}
		return time.Duration(*s)
	}
	dead := mostlyDead
	if c.MaxDead != nil {
		dead = *c.MaxDead
	}
	return dbsync.PruneOptions{
		MaxDead: float64(dead),
		Policy: retain.Policy{
			Last: c.Last, Hourly: c.Hourly, Daily: c.Daily, Weekly: c.Weekly, Monthly: c.Monthly, Yearly: c.Yearly, Within: time.Duration(c.Within),
		},
		Keep: c.Keep, Confirm: bool(c.Confirm), Grace: or(c.Grace),
		Undo: c.Undo, Incomplete: bool(c.Incomplete), OlderThan: or(c.OlderThan),
	}
}

func init() {
	cli.RC("datom/prune", "Remove points of a backup, and what they alone need", `This takes the following parameters:

- destination - a remote, e.g. "s3:bucket/mydb"
- keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly - how
  many to keep, or "unlimited" (optional)
- keepWithin - a duration, e.g. "30d" (optional)
- keep - points to keep: a list (optional)
- confirm - do it; without it the report says what would be done (optional)
- grace - how long points can be brought back ("24h" by default)
- maxDead - how much of a chunk may be dead before it is packed anew ("50%" by default)
- undo - bring this point back (optional)
- incomplete - remove what interrupted runs have left (optional)
- olderThan - with incomplete ("24h" by default)

It returns what rclone-datom prune --json prints.
`, func(ctx context.Context, in call) (*dbsync.PruneReport, error) {
		return prune(ctx, in.Destination, in.options())
	})
}
