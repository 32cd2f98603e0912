package dump

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

// blockSize is about how many bytes of lines are compressed at a time: each
// block is a member of gzip of its own, which costs 0.1 % of space at 1 MiB.
const blockSize = 1 << 20

// packer makes chunks of sorted lines: workers make blocks of them, which the
// collector puts into files in the order in which they were cut.
type packer struct {
	sink Sink
	opt  Options

	chunks      []Chunk
	digest      Digest
	maxE, maxTx int64
}

// block is some neighbouring records of a chunk.
type block struct {
	lines []byte // each with its length before it
	last  bool   // of its chunk
	done  chan struct{}

	raw, packed []byte
	digest      Digest
	maxE, maxTx int64
}

// run reads the lines. The collector's error ends it all.
func (p *packer) run(ctx context.Context, each func(fn func(line []byte) error) error) error {
	g, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	work, ordered := make(chan *block), make(chan *block, workers)
	for range workers {
		g.Go(func() error {
			z, err := gzip.NewWriterLevel(nil, gzip.DefaultCompression)
			if err != nil {
				return err
			}
			for b := range work {
				b.pack(z)
			}
			return nil
		})
	}
	g.Go(func() error { return p.collect(ctx, ordered) })
	g.Go(func() error {
		defer close(work)
		defer close(ordered)
		return p.cut(ctx, each, work, ordered)
	})
	return g.Wait()
}

// cut makes blocks of lines. A block is always ordered before it is worked on,
// and always worked on once it is ordered.
func (p *packer) cut(ctx context.Context, each func(fn func(line []byte) error) error, work, ordered chan<- *block) error {
	b := &block{}
	send := func(last bool) error {
		b.last, b.done = last, make(chan struct{})
		select {
		case ordered <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		work <- b
		b = &block{lines: make([]byte, 0, blockSize)}
		return nil
	}
	var records, size int64 // of the chunk
	err := each(func(line []byte) error {
		b.lines = append(binary.AppendUvarint(b.lines, uint64(len(line))), line...)
		records++
		size += int64(len(line))
		switch {
		case records >= p.opt.Records || size >= p.opt.RawBytes:
			records, size = 0, 0
			return send(true)
		case len(b.lines) >= blockSize-1024:
			return send(false)
		}
		return nil
	})
	if err == nil && records > 0 {
		err = send(true)
	}
	return err
}

// pack makes records of the lines, and compresses them.
func (b *block) pack(z *gzip.Writer) {
	defer close(b.done)
	b.raw = make([]byte, 0, len(b.lines)+len(b.lines)/2)
	for lines := b.lines; len(lines) > 0; {
		n, size := binary.Uvarint(lines)
		line := lines[size : size+int(n)]
		lines = lines[size+int(n):]
		from := len(b.raw)
		var e, t int64
		b.raw, e, t = appendRecord(b.raw, line)
		b.digest.Add(b.raw[from:])
		if b.maxTx = max(b.maxTx, t); e < tx0 {
			b.maxE = max(b.maxE, e)
		}
	}
	b.lines = nil
	if len(b.raw) == 0 {
		return
	}
	var packed bytes.Buffer
	z.Reset(&packed)
	_, _ = z.Write(b.raw) // memory takes all
	_ = z.Close()
	b.packed = packed.Bytes()
}

// collect writes blocks into files, a few of which are finished at a time.
func (p *packer) collect(ctx context.Context, blocks <-chan *block) error {
	uploads, ctx := errgroup.WithContext(ctx)
	uploads.SetLimit(p.opt.Uploads)
	var c chunkFile
	for b := range blocks {
		<-b.done
		if err := p.take(ctx, &c, b, uploads); err != nil {
			_ = uploads.Wait() // the first error was returned as ctx's, if it is theirs
			c.discard()
			return err
		}
	}
	err := uploads.Wait()
	c.discard()
	return err
}

// chunkFile is the chunk that is being written.
type chunkFile struct {
	Chunk
	file File
	sum  hash.Hash
}

func (c *chunkFile) discard() {
	if c.file != nil {
		c.file.Discard()
	}
}

func (p *packer) take(ctx context.Context, c *chunkFile, b *block, uploads *errgroup.Group) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.file == nil {
		name := fmt.Sprintf("datoms-%06d.cbor.gz", len(p.chunks)+1)
		f, err := p.sink.Create(ctx, name)
		if err != nil {
			return err
		}
		*c = chunkFile{Chunk{File: name}, f, sha256.New()}
	}
	if _, err := c.file.Write(b.packed); err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	c.sum.Write(b.raw)
	c.Count += b.digest.Count
	c.Bytes += int64(len(b.packed))
	c.RawBytes += int64(len(b.raw))
	p.digest.Join(b.digest)
	p.maxE, p.maxTx = max(p.maxE, b.maxE), max(p.maxTx, b.maxTx)
	if b.last {
		c.SHA256 = hex.EncodeToString(c.sum.Sum(nil))
		p.chunks = append(p.chunks, c.Chunk)
		f := c.file
		*c = chunkFile{}
		uploads.Go(func() error { return f.Finish(ctx) })
	}
	return nil
}
