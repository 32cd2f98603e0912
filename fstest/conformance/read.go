package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/walk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// info checks what an object says about itself.
func (s *suite) info(t *testing.T) {
	ctx := context.Background()
	f := s.fs(t)
	entries, err := f.List(ctx, "")
	require.NoError(t, err)
	when := entries[0].ModTime(ctx)
	objects, _, err := walk.GetAll(ctx, f, "", true, -1)
	require.NoError(t, err)
	require.Len(t, objects, len(s.files))
	for _, o := range objects {
		assert.Equal(t, o.Remote(), o.String())
		assert.Equal(t, f.Name(), o.Fs().Name())
		assert.True(t, o.Storable())
		assert.Equal(t, when, o.ModTime(ctx), "times are not supported, so all have one")
	}
}

// hash compares every hash that is announced with the bytes' own.
func (s *suite) hash(t *testing.T) {
	ctx := context.Background()
	f := s.fs(t)
	for name, data := range s.files {
		o, err := f.NewObject(ctx, name)
		require.NoError(t, err)
		want, err := hash.StreamTypes(bytes.NewReader(data), f.Hashes())
		require.NoError(t, err)
		for _, kind := range f.Hashes().Array() {
			got, err := o.Hash(ctx, kind)
			require.NoError(t, err)
			assert.Equal(t, want[kind], got, "%s of %s", kind, name)
		}
		for _, kind := range hash.Supported().Array() {
			if !f.Hashes().Contains(kind) {
				_, err := o.Hash(ctx, kind)
				assert.ErrorIs(t, err, hash.ErrUnsupported, "%s of %s", kind, name)
			}
		}
	}
}

// read opens and reads an object, and compares.
func read(ctx context.Context, o fs.Object, want []byte, options ...fs.OpenOption) error {
	in, err := o.Open(ctx, options...)
	if err != nil {
		return fmt.Errorf("%s: %w", o, err)
	}
	got, err := io.ReadAll(in)
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	if err == nil && !bytes.Equal(want, got) {
		err = fmt.Errorf("%s %v: got %d bytes, want %d, or other ones", o, options, len(got), len(want))
	}
	return err
}

func (s *suite) open(t *testing.T) {
	f := s.fs(t)
	for name, data := range s.files {
		o, err := f.NewObject(context.Background(), name)
		require.NoError(t, err)
		assert.NoError(t, read(context.Background(), o, data))
	}
}

// openPart checks seeks, ranges and suffixes of every file.
func (s *suite) openPart(t *testing.T) {
	f := s.fs(t)
	g, ctx := errgroup.WithContext(context.Background())
	g.SetLimit(16) // over a network most of the time is waiting
	for name, data := range s.files {
		g.Go(func() error {
			o, err := f.NewObject(ctx, name)
			if err != nil {
				return err
			}
			return readParts(ctx, o, data)
		})
	}
	assert.NoError(t, g.Wait())
}

func readParts(ctx context.Context, o fs.Object, data []byte) error {
	n := int64(len(data))
	for _, part := range []struct {
		option   fs.OpenOption
		from, to int64
	}{
		{&fs.SeekOption{Offset: 0}, 0, n},
		{&fs.SeekOption{Offset: n / 2}, n / 2, n},
		{&fs.SeekOption{Offset: n}, n, n},
		{&fs.RangeOption{Start: 0, End: 0}, 0, 1},
		{&fs.RangeOption{Start: 3, End: n / 2}, 3, n/2 + 1},
		{&fs.RangeOption{Start: 5, End: -1}, 5, n},
		{&fs.RangeOption{Start: -1, End: 7}, n - 7, n},
		{&fs.RangeOption{Start: n - 1, End: n + 100}, n - 1, n},
		{&fs.HTTPOption{Key: "X-Other", Value: "y"}, 0, n},
	} {
		if err := read(ctx, o, data[part.from:part.to], part.option); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) openConcurrently(t *testing.T) {
	f := s.fs(t)
	g, ctx := errgroup.WithContext(context.Background())
	for range 4 {
		for name, data := range s.files {
			g.Go(func() error {
				o, err := f.NewObject(ctx, name)
				if err != nil {
					return err
				}
				return read(ctx, o, data)
			})
		}
	}
	require.NoError(t, g.Wait())
}

// openAndGiveUp checks that leaving early is no error, that a context which has
// ended gives an error or the right bytes, and that both leave the object sound.
func (s *suite) openAndGiveUp(t *testing.T) {
	o, data := s.object(t, 100)
	in, err := o.Open(context.Background())
	require.NoError(t, err)
	first := make([]byte, 1)
	_, err = io.ReadFull(in, first)
	require.NoError(t, err)
	assert.Equal(t, data[:1], first)
	require.NoError(t, in.Close())

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if in, err := o.Open(ctx); err == nil {
		if got, err := io.ReadAll(in); err == nil {
			assert.Equal(t, data, got)
		}
		_ = in.Close()
	}
	assert.NoError(t, read(context.Background(), o, data))
}
