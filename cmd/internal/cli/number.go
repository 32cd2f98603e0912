package cli

import (
	"strconv"
	"strings"
)

// Number is a parameter that is a number. On a command line it arrives as a
// string.
type Number int

// UnmarshalJSON reads both forms.
func (n *Number) UnmarshalJSON(b []byte) error {
	v, err := strconv.Atoi(strings.Trim(string(b), `"`))
	*n = Number(v)
	return err
}
