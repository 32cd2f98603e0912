package retain

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Count is how many spans a rule keeps points of: 0 none, [Unlimited] all.
type Count int

// Unlimited keeps points of every span.
const Unlimited Count = -1

// String is the count as Set reads it.
func (c Count) String() string {
	if c == Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(int(c))
}

// Set reads a number that is not negative, "unlimited", or -1 for that. It
// makes a Count a flag.
func (c *Count) Set(s string) error {
	if s == "unlimited" {
		*c = Unlimited
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < int(Unlimited) {
		return fmt.Errorf("%q is neither a number of points nor \"unlimited\"", s)
	}
	*c = Count(n)
	return nil
}

// Type names the values of such a flag.
func (c *Count) Type() string { return "N" }

// UnmarshalJSON reads what Set does, as a number or as a string.
func (c *Count) UnmarshalJSON(b []byte) error { return c.Set(strings.Trim(string(b), `"`)) }

// MarshalJSON writes a number, or "unlimited".
func (c Count) MarshalJSON() ([]byte, error) {
	if c == Unlimited {
		return json.Marshal(c.String())
	}
	return json.Marshal(int(c))
}
