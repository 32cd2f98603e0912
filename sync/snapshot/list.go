package snapshot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// partSegments is how many segments one list object holds: some megabytes,
// so that memory is bounded whatever the list's length.
const partSegments = 100_000

// maxLine bounds a line of a list, in bytes.
const maxLine = 1 << 12

// maxPart bounds a list object's plain bytes.
const maxPart = 2 * partSegments * 256

// unknown stands in a list for a size or a digest that is not known.
const unknown = "-"

// FormatEntry is a segment as a line of a list, without the line's end.
func FormatEntry(e graph.Entry) string {
	b := make([]byte, 0, 160)
	b = append(b, e.ID...)
	b = append(b, '\t')
	b = append(b, e.Level.String()...)
	b = append(b, '\t')
	if e.Size < 0 {
		b = append(b, unknown...)
	} else {
		b = strconv.AppendInt(b, e.Size, 10)
	}
	b = append(b, '\t')
	if !e.Digested() {
		return string(append(b, unknown...))
	}
	return string(hex.AppendEncode(b, e.SHA256[:]))
}

// ParseEntry reads a line of a list.
func ParseEntry(line string) (graph.Entry, error) {
	var e graph.Entry
	bad := func() (graph.Entry, error) {
		return graph.Entry{}, fmt.Errorf("bad line %.60q in a list of segments: %w", line, graph.ErrCorrupt)
	}
	f := strings.Split(line, "\t")
	if len(f) != 4 || CheckName(f[0]) != nil {
		return bad()
	}
	e.ID = graph.ID(f[0])
	var err error
	if e.Level, err = graph.ParseLevel(f[1]); err != nil {
		return bad()
	}
	if f[2] == unknown && f[3] == unknown {
		e.Size = -1
		return e, nil
	}
	if e.Size, err = strconv.ParseInt(f[2], 10, 64); err != nil || e.Size < 0 {
		return bad()
	}
	if f[3] == unknown {
		return e, nil
	}
	if len(f[3]) != hex.EncodedLen(sha256.Size) {
		return bad()
	}
	if _, err := hex.Decode(e.SHA256[:], []byte(f[3])); err != nil || !e.Digested() {
		return bad()
	}
	return e, nil
}

// packer compresses lines as they come.
type packer struct {
	out   bytes.Buffer
	z     *zstd.Encoder
	w     *bufio.Writer
	lines int64
}

func newPacker() (*packer, error) {
	p := &packer{}
	var err error
	// Lines hold digests, in which there is nothing to be found far back: a
	// small window spares some megabytes.
	p.z, err = zstd.NewWriter(&p.out, zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<18))
	p.w = bufio.NewWriter(p.z)
	return p, err
}

func (p *packer) add(line string) {
	_, _ = p.w.WriteString(line) // Flush tells of an error
	_ = p.w.WriteByte('\n')
	p.lines++
}

// take returns what was compressed, until the next call, and begins anew.
func (p *packer) take() ([]byte, error) {
	if err := p.w.Flush(); err != nil {
		return nil, err
	}
	if err := p.z.Close(); err != nil {
		return nil, err
	}
	b := p.out.Bytes()
	p.out.Reset()
	p.z.Reset(&p.out)
	p.lines = 0
	return b, nil
}

// pack compresses a few lines.
func pack(lines []string) ([]byte, error) {
	p, err := newPacker()
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		p.add(l)
	}
	return p.take()
}

// unpack calls fn with every line.
func unpack(data []byte, fn func(line string) error) error {
	z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return err
	}
	defer z.Close()
	sc := bufio.NewScanner(io.LimitReader(z, maxPart))
	sc.Buffer(nil, maxLine)
	for sc.Scan() {
		if err := fn(sc.Text()); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("list of segments: %w: %w", graph.ErrCorrupt, err)
	}
	return nil
}

// Describe returns the manifest's word on an object.
func Describe(name string, data []byte) Object {
	sum := sha256.Sum256(data)
	return Object{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

// Matches tells whether data is what was recorded.
func (o Object) Matches(data []byte) bool {
	return int64(len(data)) == o.Size && Describe(o.Name, data).SHA256 == o.SHA256
}
