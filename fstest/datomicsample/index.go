package datomicsample

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

func key(name string) fressian.Keyword { return fressian.Keyword{Name: name} }

func names(m map[string][]leaf) []string { return slices.Sorted(maps.Keys(m)) }

// tdata is the columns of n datoms.
func (s *Sample) tdata(n int) fressian.Tagged {
	v, e, a, tx, added := fressian.Array{}, []int64{}, []int32{}, []int64{}, []bool{}
	for range n {
		v = append(v, s.value())
		e = append(e, 1<<44|s.rng.Int64N(1e6))
		a = append(a, 62+s.rng.Int32N(40))
		tx = append(tx, 3<<42|s.T)
		added = append(added, true)
	}
	return fressian.Tagged{Tag: "index-tdata", Fields: []any{v, e, a, tx, added}}
}

// value is of one of the types that a walk may stumble over; a uuid among
// them, which is no reference.
func (s *Sample) value() any {
	switch s.rng.IntN(4) {
	case 0:
		return s.uuid()
	case 1:
		return s.rng.Int64()
	case 2:
		return fressian.Keyword{NS: "state", Name: "open"}
	}
	return "text " + string(rune('a'+s.rng.IntN(26)))
}

func (s *Sample) indexLeaf() leaf {
	n := s.options.Datoms
	return leaf{id: s.uuid(), count: int32(n), data: Pack(s.tdata(n), true)}
}

// indexRoot writes the dirs above leaves, and the root.
func (s *Sample) indexRoot(leaves []leaf) fressian.UUID {
	var dirs fressian.Array
	for part := range slices.Chunk(leaves, s.options.Fanout) {
		ids, offsets, counts := fressian.Array{}, make([]int32, len(part)), []int32{}
		for _, l := range part {
			s.Segments[id(l.id)] = l.data
			ids = append(ids, l.id)
			counts = append(counts, l.count)
		}
		dirs = append(dirs, s.node(fressian.Tagged{Tag: "index-dir-node", Fields: []any{keydata(len(ids)), ids, offsets, counts}}))
	}
	return s.node(fressian.Tagged{Tag: "index-root-node", Fields: []any{keydata(len(dirs)), dirs}})
}

// keydata is the first datom of each child.
func keydata(n int) fressian.Tagged {
	return (&Sample{rng: fixed(uint64(n))}).tdata(n)
}

// chunkSize is that of full text, in bytes.
const chunkSize = 54000

// file is a file of full text.
type file struct {
	base   fressian.UUID
	length int
}

func (s *Sample) file() file { return file{s.uuid(), 1 + s.rng.IntN(14*chunkSize)} }

// fullText writes the files of one attribute.
func (s *Sample) fullText() fressian.UUID {
	var files fressian.Map
	for i, f := range s.files {
		entry := fressian.Map{{Key: key("base"), Value: f.base}, {Key: key("length"), Value: int64(f.length)}}
		files = append(files, fressian.Entry{Key: fmt.Sprintf("_%d.cfs", i), Value: entry})
		for n, left := 0, f.length; left > 0; n, left = n+1, left-chunkSize {
			chunk := fressian.Tagged{Tag: "clusterfs-chunk", Fields: []any{make([]byte, min(left, chunkSize))}}
			s.Segments[graph.ID(chunkName(f.base, n))] = Pack(chunk, true)
		}
	}
	fs := s.node(fressian.Tagged{Tag: "clusterfs-root", Fields: []any{files, int64(chunkSize)}})
	return s.node(fressian.Tagged{Tag: "search-root", Fields: []any{fressian.Map{{Key: int64(62), Value: fs}}}})
}
