package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/rclone/rclone/fs/rc"
)

// RC makes a command callable over rclone's remote control, where it can run
// as a job with statistics of its own. In is read from the call's parameters
// and Out becomes its result, both by their JSON names.
func RC[In, Out any](path, title, help string, do func(ctx context.Context, in In) (Out, error)) {
	rc.Add(rc.Call{
		Path:  path,
		Title: title,
		Help:  help,
		Fn: func(ctx context.Context, params rc.Params) (rc.Params, error) {
			var in In
			if err := rc.Reshape(&in, params); err != nil {
				return nil, err
			}
			report, err := do(ctx, in)
			if err != nil {
				return nil, err
			}
			out := rc.Params{}
			return out, rc.Reshape(&out, report)
		},
	})
}

// Flag is a parameter that is true or false. On a command line
// (rclone rc datom/verify deep=true) it arrives as a string.
type Flag bool

// UnmarshalJSON reads both forms.
func (f *Flag) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseBool(strings.Trim(string(b), `"`))
	*f = Flag(v)
	return err
}
