package datacamp

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// gzipHeader is that of a member without name and time, from an unknown system.
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// chunkWriter writes one chunk as its batches come.
type chunkWriter struct {
	out io.Writer
	sum hash.Hash
	Done
	has stats
	crc uint32
	raw int64
}

// beginChunk writes what comes before the datoms.
func beginChunk(out io.Writer, id, from int64) (*chunkWriter, error) {
	c := &chunkWriter{sum: sha256.New(), Done: Done{Chunk: Chunk{ID: id, Path: chunkPath(id)}, From: from}}
	c.out = io.MultiWriter(out, c.sum)
	if err := c.write(gzipHeader); err != nil {
		return nil, err
	}
	w := fressian.NewWriter()
	w.WriteMapHeader(5)
	for _, v := range []any{
		keyword("format/type"), keyword("datom-chunk"), keyword("format/version"), version,
		keyword("format/serialization"), keyword("fressian"), keyword("chunk/id"), id, keyword("datoms"),
	} {
		if err := w.Write(v); err != nil {
			return nil, err
		}
	}
	w.BeginList()
	return c, c.deflate(w.Bytes(), false)
}

func (c *chunkWriter) write(b []byte) error {
	n, err := c.out.Write(b)
	c.Size += int64(n)
	return err
}

// deflate writes a few bytes as blocks of their own, the last ones or not.
func (c *chunkWriter) deflate(raw []byte, last bool) error {
	var blocks bytes.Buffer
	zip, err := flate.NewWriter(&blocks, fastLevel)
	if err == nil {
		_, err = zip.Write(raw)
	}
	if err == nil && last {
		err = zip.Close()
	} else if err == nil {
		err = zip.Flush()
	}
	if err != nil {
		return err
	}
	return c.blocks(blocks.Bytes(), crc32.ChecksumIEEE(raw), int64(len(raw)))
}

func (c *chunkWriter) blocks(b []byte, crc uint32, raw int64) error {
	c.crc = joinCRC(c.crc, crc, raw)
	c.raw += raw
	return c.write(b)
}

// add writes a batch.
func (c *chunkWriter) add(b *batch) error {
	c.has.join(b.stats)
	c.Next = b.next
	return c.blocks(b.blocks, b.crc, b.raw)
}

// end writes what comes after the datoms and returns what a manifest says of
// the chunk.
func (c *chunkWriter) end() (Done, error) {
	w := fressian.NewWriter()
	w.EndList()
	if err := c.deflate(w.Bytes(), true); err != nil {
		return Done{}, err
	}
	trailer := binary.LittleEndian.AppendUint32(nil, c.crc)
	trailer = binary.LittleEndian.AppendUint32(trailer, uint32(c.raw)) // modulo 2^32
	if err := c.write(trailer); err != nil {
		return Done{}, err
	}
	d := c.Done
	d.SHA256 = hex.EncodeToString(c.sum.Sum(nil))
	d.Datoms, d.MinTx, d.MaxTx, d.MaxE, d.Skipped = c.has.Datoms, c.has.MinTx, c.has.MaxTx, c.has.MaxE, c.has.Skipped
	return d, nil
}
