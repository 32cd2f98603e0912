package datacamp

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	kf "github.com/klauspost/compress/flate"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(0, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestZZ(t *testing.T) {
	if os.Getenv("H5DIR") == "" {
		t.Skip()
	}
	v := databases(t, os.Getenv("H5DIR"), "")[":db"]
	c0 := cpu()
	m, err := exporting(v, newPlace(), false, DefaultChunk).Run(t.Context())
	fmt.Println("ours", m.Size, err, "cpu", cpu()-c0)
	w := fressian.NewWriter()
	n := 0
	v.Scan(context.Background(), datom.Query{}, func(d datom.Datom) error {
		if n++; n > 671088 {
			return nil
		}
		x, _ := portable(d.V)
		return w.Write([]any{d.E, d.A, x, d.Tx, d.Added})
	})
	raw := w.Bytes()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(raw)
	z.Close()
	fmt.Println("theirs: chunk0", b.Len(), "raw", len(raw), "ours chunk0", m.Chunks[0].Size)
	for l := 4; l <= 9; l++ {
		b.Reset()
		c0 := cpu()
		k, _ := kf.NewWriter(&b, l)
		k.Write(raw)
		k.Close()
		fmt.Println("k level", l, b.Len(), cpu()-c0)
		for _, bs := range []int{128 << 10, 256 << 10, 1 << 20} {
			b.Reset()
			for p := raw; len(p) > 0; {
				x := min(bs, len(p))
				k.Reset(&b)
				k.Write(p[:x])
				k.Flush()
				p = p[x:]
			}
			fmt.Println("   blocks", bs, b.Len())
		}
	}
}
