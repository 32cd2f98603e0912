package render

import (
	"bufio"
	"fmt"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// Changes writes how two values differ, a change a line. It is for one goroutine.
type Changes struct {
	lines
	added bool
}

// NewChanges returns a writer of changes to out, in EDN
//
//   - [17 :user/name "Ann" 536870917 true]
//   - [17 :user/name "Anne" 536870914 true]
//
// or in JSON, where "op" is "+" or "-" and the rest as in the format json.
func NewChanges(out io.Writer, f Format, schema *datom.Schema) *Changes {
	c := &Changes{lines: lines{out: bufio.NewWriterSize(out, outBuffer)}}
	r := refs{schema}
	c.append = func(dst []byte, d datom.Datom) ([]byte, error) {
		op := byte('-')
		if c.added {
			op = '+'
		}
		if f != JSON {
			return datom.AppendText(append(dst, op, ' '), d)
		}
		dst = fmt.Appendf(dst, `{"op":"%c",`, op)
		at := len(dst)
		dst, err := r.appendJSON(dst, d)
		return append(dst[:at], dst[min(at+1, len(dst)):]...), err // without the brace
	}
	return c
}

// Change writes one, as [Writer] does.
func (c *Changes) Change(added bool, d datom.Datom) error {
	c.added = added
	return c.Datom(d)
}
