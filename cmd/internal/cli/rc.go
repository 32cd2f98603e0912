package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
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
			if err := parameters(&in, params); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
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

// parameters fills in with a call's parameters. One that is not known may be a
// misspelt one that matters; those with an underscore are rclone's own.
func parameters(in any, params rc.Params) error {
	own := rc.Params{}
	for name, v := range params {
		if !strings.HasPrefix(name, "_") {
			own[name] = v
		}
	}
	b, err := json.Marshal(own)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return err
	}
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Tag.Get("rc") == "required" && v.Field(i).IsZero() {
			return fmt.Errorf("the parameter %q is missing", f.Tag.Get("json"))
		}
	}
	return nil
}

// List is a parameter of several words: a list, or a string with commas.
type List []string

// UnmarshalJSON reads both forms.
func (l *List) UnmarshalJSON(b []byte) error {
	var words []string
	if err := json.Unmarshal(b, &words); err == nil {
		*l = words
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	for word := range strings.SplitSeq(text, ",") {
		*l = append(*l, strings.TrimSpace(word))
	}
	return nil
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
