package datomic

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// readSearch reads the field of a full-text root: for each attribute, the
// files of its index.
func readSearch(r *fressian.Reader) (refs []graph.Ref, err error) {
	err = r.ReadMap(func(any) error {
		u, err := readUUID(r, len(refs))
		refs = append(refs, graph.Ref{ID: uuidID(u), Level: 1})
		return err
	})
	return refs, err
}

// file is one file of a full-text index. It lies in chunks of one size, which
// are numbered from 0.
type file struct {
	base   fressian.UUID
	length int64 // bytes
}

// readFiles reads the fields of a file system: its files, and the size of
// their chunks in bytes.
func readFiles(r *fressian.Reader) ([]graph.Ref, error) {
	var files []file
	err := r.ReadMap(func(any) error {
		f, err := readFile(r, len(files))
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	at := r.Offset()
	size, err := r.ReadInt()
	if err != nil {
		return nil, err
	}
	if size <= 0 {
		return nil, corrupt("chunks of %d bytes at offset %d", size, at)
	}
	return chunks(files, size)
}

// readFile reads where file number i lies.
func readFile(r *fressian.Reader, i int) (f file, err error) {
	at, base := r.Offset(), false
	f.length = -1
	err = r.ReadMap(func(key any) (err error) {
		switch key {
		case fressian.Keyword{Name: "base"}:
			base = true
			f.base, err = readUUID(r, i)
		case fressian.Keyword{Name: "length"}:
			f.length, err = r.ReadInt()
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil && (!base || f.length < 0) {
		err = corrupt("a file of full text at offset %d has no base or %d bytes", at, f.length)
	}
	return f, err
}

// chunks names the chunks of all files.
func chunks(files []file, size int64) (refs []graph.Ref, err error) {
	for _, f := range files {
		count := f.length / size // rounded up below, where nothing overflows
		if f.length%size > 0 {
			count++
		}
		if count > int64(maxChildren-len(refs)) {
			return nil, corrupt("a file of full text has %d chunks of %d bytes; %d is the limit of all files", count, size, maxChildren)
		}
		base := uuidID(f.base)
		for n := range count {
			id := graph.ID(fmt.Sprintf("%s_%0*X", base, chunkLen, n))
			refs = append(refs, graph.Ref{ID: id, Level: graph.Leaf})
		}
	}
	return refs, nil
}
