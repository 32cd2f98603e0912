package engine

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/object"
)

// hole is a destination that notes which nodes of a vast store are written, a
// bit each, and forgets their bytes. It refuses a node that comes twice or
// before its children. Everything else goes to the embedded remote.
type hole struct {
	fs.Fs
	of       *vast
	features *fs.Features

	mu    sync.Mutex
	have  []byte
	count int
}

func newHole(base fs.Fs, of *vast) *hole {
	features := &fs.Features{CanHaveEmptyDirectories: base.Features().CanHaveEmptyDirectories}
	return &hole{Fs: base, of: of, features: features, have: make([]byte, of.nodes/8+1)}
}

// Features implements fs.Info: an upload is whole or not there at all.
func (h *hole) Features() *fs.Features { return h.features }

// Hashes implements fs.Info: none, as nobody is to compute what is forgotten.
func (h *hole) Hashes() hash.Set { return hash.Set(hash.None) }

// Put implements fs.Fs.
func (h *hole) Put(ctx context.Context, in io.Reader, src fs.ObjectInfo, options ...fs.OpenOption) (fs.Object, error) {
	name, stored := strings.CutPrefix(src.Remote(), "store/")
	node, ok, err := h.of.find(name)
	if err != nil {
		return nil, err
	}
	if !stored || !ok {
		return h.Fs.Put(ctx, in, src, options...)
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return object.NewMemoryObject(src.Remote(), time.Unix(0, 0), data).SetFs(h), h.note(node)
}

func (h *hole) note(node int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	has := func(i int) bool { return h.have[i/8]&(1<<(i%8)) != 0 }
	if has(node) {
		return fmt.Errorf("node %d comes twice", node)
	}
	for _, from, to := h.of.children(node); from < to; from++ {
		if !has(from) {
			return fmt.Errorf("node %d comes before its child %d", node, from)
		}
	}
	h.have[node/8] |= 1 << (node % 8)
	h.count++
	return nil
}
