package render

import (
	"bufio"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// lines writes a line for each datom.
type lines struct {
	out    *bufio.Writer
	line   []byte
	append func(dst []byte, d datom.Datom) ([]byte, error)
}

func newLines(out io.Writer, form func([]byte, datom.Datom) ([]byte, error)) *lines {
	return &lines{out: bufio.NewWriterSize(out, outBuffer), append: form}
}

// outBuffer is how many bytes are written at a time.
const outBuffer = 1 << 16

// Datom implements Writer.
func (l *lines) Datom(d datom.Datom) (err error) {
	if l.line, err = l.append(l.line[:0], d); err != nil {
		return err
	}
	l.line = append(l.line, '\n')
	_, err = l.out.Write(l.line)
	return err
}

// Close implements Writer.
func (l *lines) Close() error { return l.out.Flush() }
