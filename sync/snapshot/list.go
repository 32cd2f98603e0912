package snapshot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// partSegments is how many segments one list object holds: some megabytes,
// so that memory is bounded whatever the list's length.
const partSegments = 150_000

// maxLine bounds a line of a list, in bytes.
const maxLine = 1 << 12

// maxPart bounds a list object's plain bytes.
const maxPart = 2 * partSegments * 256

// listWriter compresses lines as they come.
type listWriter struct {
	out   bytes.Buffer
	z     *zstd.Encoder
	w     *bufio.Writer
	lines int64
}

func newListWriter() (*listWriter, error) {
	p := &listWriter{}
	var err error
	// Lines hold digests, in which there is nothing to be found far back: a
	// small window spares some megabytes.
	p.z, err = zstd.NewWriter(&p.out, zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<18))
	p.w = bufio.NewWriter(p.z)
	return p, err
}

func (p *listWriter) add(line string) {
	_, _ = p.w.WriteString(line) // Flush tells of an error
	_ = p.w.WriteByte('\n')
	p.lines++
}

// take returns what was compressed, until the next call, and begins anew.
func (p *listWriter) take() ([]byte, error) {
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
	p, err := newListWriter()
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
