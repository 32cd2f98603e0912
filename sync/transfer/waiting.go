package transfer

import (
	"encoding/binary"
	"errors"
	"iter"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// waiting are inner nodes whose children may not be written yet, by level. Put
// may be called from many goroutines.
type waiting [graph.MaxLevel + 1]spill.Queue

// put takes a node as one blob: digest, length of the id, id, bytes.
func (w *waiting) put(e graph.Entry, data []byte) error {
	b := make([]byte, 0, len(e.SHA256)+binary.MaxVarintLen64+len(e.ID)+len(data))
	b = append(b, e.SHA256[:]...)
	b = binary.AppendUvarint(b, uint64(len(e.ID)))
	b = append(b, e.ID...)
	return w[e.Level].Put(append(b, data...))
}

// level yields the nodes of one level.
func (w *waiting) level(l graph.Level) iter.Seq2[segment, error] {
	return func(yield func(segment, error) bool) {
		for b, err := range w[l].All() {
			var s segment
			if err == nil {
				s = unpack(l, b)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// unpack is the reverse of put.
func unpack(l graph.Level, b []byte) segment {
	s := segment{entry: graph.Entry{Ref: graph.Ref{Level: l}}}
	rest := b[copy(s.entry.SHA256[:], b):]
	n, used := binary.Uvarint(rest)
	end := used + int(n)
	s.entry.ID, s.data = graph.ID(rest[used:end]), rest[end:]
	s.entry.Size = int64(len(s.data))
	return s
}

func (w *waiting) close() (err error) {
	for l := range w {
		err = errors.Join(err, w[l].Close())
	}
	return err
}
