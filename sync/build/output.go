package build

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
)

// inFlight bounds the bytes of nodes that wait to be written.
const inFlight = 8 << 20

// output writes the objects of a store.
type output struct {
	o      *Options
	codec  *konserve.Codec
	pool   *pool.Pool[blob]
	room   *semaphore.Weighted
	mu     sync.Mutex
	random *bufio.Reader

	blobs, bytes atomic.Int64
}

type blob struct {
	id   graph.ID
	data []byte
}

func newOutput(ctx context.Context, o *Options) *output {
	out := &output{
		o: o, codec: konserve.NewCodec(""),
		room: semaphore.NewWeighted(inFlight), random: bufio.NewReader(o.Random),
	}
	out.pool = pool.New(ctx, o.Workers, func(ctx context.Context, b blob) error {
		defer out.room.Release(share(b.data))
		return out.put(ctx, b.id, b.data)
	})
	return out
}

func share(data []byte) int64 { return min(int64(len(data)), inFlight) }

// wait returns when all nodes are written.
func (out *output) wait() error { return out.pool.Wait() }

func (out *output) put(ctx context.Context, id graph.ID, data []byte) error {
	out.blobs.Add(1)
	out.bytes.Add(int64(len(data)))
	return out.o.Put(ctx, id, data)
}

// node hands over the value of a node, and returns the address that it gets.
func (out *output) node(ctx context.Context, b *Builder, value []byte) (fressian.UUID, error) {
	u, err := out.address()
	if err != nil {
		return u, err
	}
	u = b.timed(u)
	data, err := out.seal(u, value, true)
	if err != nil {
		return u, err
	}
	if err := out.room.Acquire(ctx, share(data)); err != nil {
		return u, context.Cause(ctx)
	}
	if err := out.pool.Do(blob{datahike.AddressID(u), data}); err != nil {
		out.room.Release(share(data))
		return u, err
	}
	return u, nil
}

// address returns a random UUID.
func (out *output) address() (u fressian.UUID, err error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if _, err = io.ReadFull(out.random, u[:]); err != nil {
		err = fmt.Errorf("no random numbers: %w", err)
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u, err
}

// write writes an immutable object that is no node.
func (out *output) write(ctx context.Context, u fressian.UUID, v any) error {
	value, err := encode(v)
	if err != nil {
		return err
	}
	data, err := out.seal(u, value, true)
	if err != nil {
		return err
	}
	return out.put(ctx, datahike.AddressID(u), data)
}

// mutable returns an object that commits replace.
func (out *output) mutable(k fressian.Keyword, v any) ([]byte, error) {
	value, err := encode(v)
	if err != nil {
		return nil, err
	}
	return out.seal(k, value, false)
}

func (out *output) seal(key any, value []byte, immutable bool) ([]byte, error) {
	m := konserve.Meta{Key: key, Type: konserve.TypeEDN, LastWrite: fressian.Inst(out.o.Now.UnixMilli()), Immutable: immutable}
	return out.codec.Seal(konserve.Header{Serializer: konserve.Fressian}, m, value, nil)
}

func encode(v any) ([]byte, error) {
	w := fressian.NewWriter()
	err := w.Write(v)
	return w.Bytes(), err
}
