// Package store reads segments that lie one object each below a root on any
// rclone remote: konserve's file layout, locally or elsewhere. It knows
// nothing of what the bytes mean.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/rclone/rclone/backend/crypt"
	"github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/operations"
	"github.com/rclone/rclone/fs/walk"
	"github.com/rclone/rclone/lib/encoder"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// MaxSize bounds a segment, in bytes. Databases write some kilobytes each; the
// bound keeps a damaged or hostile store from filling the memory.
const MaxSize = 256 << 20

// Files is a set of segments kept as objects. It may be used from many
// goroutines.
type Files struct {
	f       fs.Fs
	dir     string
	prefix  string
	folders bool
	// local is the directory in the operating system's terms, where there is
	// one: it is read directly, which spares looking at the file three times.
	local string
	reads atomic.Int64
}

// Reads is the number of objects that were asked for.
func (s *Files) Reads() int64 { return s.reads.Load() }

// New returns the segments below dir of f, named as files are.
func New(f fs.Fs, dir string) *Files { return Named(f, dir, Names{}) }

// Named returns the segments below dir of f whose names begin with those of n.
func Named(f fs.Fs, dir string, n Names) *Files {
	s := &Files{f: f, dir: dir, prefix: n.Prefix, folders: n.Folders}
	if root, ok := LocalRoot(f); ok {
		s.local = filepath.Join(root, filepath.FromSlash(dir))
	}
	return s
}

// LocalRoot is the directory that a remote is, if it is one of this computer's
// and nothing lies between. That a remote says of itself that it is local does
// not suffice: wrappers say so too, and their roots are not directories.
func LocalRoot(f fs.Fs) (dir string, ok bool) {
	if _, ok := f.(*local.Fs); !ok {
		return "", false
	}
	// A remote's root is in rclone's encoding: ".." is spelt with wide dots, as a
	// directory of that name is, and what some systems cannot have in names is
	// spelt otherwise too. A clean path has ".." at its beginning alone.
	parts, leading := strings.Split(f.Root(), "/"), true
	for i, part := range parts {
		plain := encoder.Standard.Decode(part)
		leading = leading && plain == ".."
		here := plain == "." && len(parts) == 1
		if plain != part && !leading && !here {
			return "", false
		}
		parts[i] = plain
	}
	return filepath.FromSlash(strings.Join(parts, "/")), true
}

// Fs is the remote on which the segments lie.
func (s *Files) Fs() fs.Fs { return s.f }

// String names the place, for messages.
func (s *Files) String() string {
	at := s.dir
	if s.prefix != "" {
		at = path.Join(s.dir, s.prefix+"*")
	}
	if at != "" {
		at = "/" + at
	}
	return fs.ConfigString(s.f) + at
}

// Remote is the object's path below the remote's root.
func (s *Files) Remote(id graph.ID) string { return path.Join(s.dir, s.name(id)) }

// name is the object's path below the directory.
func (s *Files) name(id graph.ID) string {
	if s.folders {
		return string(id[max(len(id)-2, 0):]) + "/" + string(id)
	}
	return s.prefix + string(id)
}

// GetInto is Get into the memory of buf, as far as that reaches: for those who
// are done with one segment before they read the next.
func (s *Files) GetInto(ctx context.Context, id graph.ID, buf []byte) ([]byte, error) {
	if s.local == "" {
		return s.Get(ctx, id)
	}
	s.reads.Add(1)
	return s.getLocal(id, buf)
}

// Get reads a whole segment. It returns graph.ErrNotFound where there is none
// and graph.ErrTooLarge beyond MaxSize.
func (s *Files) Get(ctx context.Context, id graph.ID) ([]byte, error) {
	s.reads.Add(1)
	if s.local != "" {
		return s.getLocal(id, nil)
	}
	var data []byte
	err := retry(ctx, func() error {
		o, err := s.f.NewObject(ctx, s.Remote(id))
		if err != nil {
			return notFound(id, err)
		}
		data, err = readObject(ctx, o)
		return notFound(id, err)
	})
	return data, err
}

// ReadObject reads a whole object that was found by listing.
func (s *Files) ReadObject(ctx context.Context, o fs.Object) (data []byte, err error) {
	s.reads.Add(1)
	err = retry(ctx, func() error {
		data, err = readObject(ctx, o)
		return notFound(graph.ID(o.Remote()), err)
	})
	return data, err
}

func readObject(ctx context.Context, o fs.Object) (data []byte, err error) {
	if o.Size() > MaxSize {
		return nil, fmt.Errorf("%s has %d bytes: %w", o.Remote(), o.Size(), graph.ErrTooLarge)
	}
	in, err := operations.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer fs.CheckClose(in, &err)
	data, err = io.ReadAll(io.LimitReader(in, MaxSize+1))
	if err == nil && len(data) > MaxSize {
		err = fmt.Errorf("%s: %w", o.Remote(), graph.ErrTooLarge)
	}
	return data, err
}

// retry repeats what may succeed next time, as --low-level-retries says.
func retry(ctx context.Context, do func() error) (err error) {
	for range max(fs.GetConfig(ctx).LowLevelRetries, 1) {
		if err = do(); err == nil || ctx.Err() != nil || !fserrors.ShouldRetry(err) && !fserrors.IsRetryError(err) {
			return err
		}
	}
	return err
}

// notFound maps the ways in which a store says that it has no such object.
func notFound(id graph.ID, err error) error {
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) || errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	if Undecryptable(err) {
		return fmt.Errorf("failed to read %s: %w: %w", id, graph.ErrCorrupt, err)
	}
	if err != nil {
		return fmt.Errorf("failed to read %s: %w", id, err)
	}
	return nil
}

// Undecryptable tells whether a crypt remote found bytes that are not what it
// has written. With another key all are; for that there is a check of its own.
func Undecryptable(err error) bool {
	for _, damage := range []error{
		crypt.ErrorEncryptedBadBlock, crypt.ErrorEncryptedBadMagic, crypt.ErrorEncryptedFileTooShort, crypt.ErrorEncryptedFileBadHeader,
	} {
		if errors.Is(err, damage) {
			return true
		}
	}
	return false
}

// Size returns a segment's size without reading it.
func (s *Files) Size(ctx context.Context, id graph.ID) (int64, error) {
	s.reads.Add(1)
	o, err := s.f.NewObject(ctx, s.Remote(id))
	if err != nil {
		return 0, notFound(id, err)
	}
	return o.Size(), nil
}

// List calls fn for every object directly below the root, or in its folders, in
// no order. It is the one method that costs what the store is large.
func (s *Files) List(ctx context.Context, fn func(id graph.ID, o fs.Object) error) error {
	if s.folders {
		return s.listFolders(ctx, fn)
	}
	return s.Entries(ctx, func(name string, e fs.DirEntry) error {
		if o, ok := e.(fs.Object); ok {
			return fn(graph.ID(name), o)
		}
		return nil
	})
}

// listFolders lists a store whose objects lie in folders. An object that is in
// another than its own is not the store's; where names differ in letter case
// alone, 0a may be 0A.
func (s *Files) listFolders(ctx context.Context, fn func(id graph.ID, o fs.Object) error) error {
	err := walk.ListR(ctx, s.f, s.dir, true, 2, walk.ListObjects, func(entries fs.DirEntries) error {
		for _, e := range entries {
			id := graph.ID(path.Base(e.Remote()))
			if o, ok := e.(fs.Object); ok && strings.EqualFold(s.Remote(id), e.Remote()) {
				if err := fn(id, o); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to list %s: %w", s, err)
	}
	return nil
}

// Entries is List with the directories. What does not begin with the store's
// prefix is not its own and left out, and the prefix is cut from names.
func (s *Files) Entries(ctx context.Context, fn func(name string, e fs.DirEntry) error) error {
	page := func(entries fs.DirEntries) error {
		for _, e := range entries {
			name := strings.TrimPrefix(strings.TrimPrefix(e.Remote(), s.dir), "/")
			name, own := strings.CutPrefix(name, s.prefix)
			if !own {
				continue
			}
			if err := fn(name, e); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	if listP := s.f.Features().ListP; listP != nil {
		err = listP(ctx, s.dir, page)
	} else {
		var entries fs.DirEntries
		if entries, err = s.f.List(ctx, s.dir); err == nil {
			err = page(entries)
		}
	}
	if err != nil {
		return fmt.Errorf("failed to list %s: %w", s, err)
	}
	return nil
}
