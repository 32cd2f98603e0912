package prune

import (
	"fmt"
	"strconv"
	"strings"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// percent is a part as on a command line: "50%", or 50.
type percent float64

const mostlyDead = percent(dbsync.DefaultMaxDead)

// String implements pflag.Value.
func (p *percent) String() string { return strconv.FormatFloat(float64(*p), 'f', -1, 64) + "%" }

// Type implements pflag.Value.
func (*percent) Type() string { return "percent" }

// Set implements pflag.Value.
func (p *percent) Set(s string) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || n < 0 || n > 100 {
		return fmt.Errorf("%q is no part: from 0%% to 100%%", s)
	}
	*p = percent(n)
	return nil
}

// UnmarshalJSON reads both forms.
func (p *percent) UnmarshalJSON(b []byte) error { return p.Set(strings.Trim(string(b), `"`)) }
