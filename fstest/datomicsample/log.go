package datomicsample

import (
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// txn is a transaction in the tail.
type txn struct {
	data   []byte
	datoms int32
}

// transact puts a transaction into the tail.
func (s *Sample) transact() {
	s.T++
	data := []any{}
	for range 1 + s.rng.IntN(3) {
		data = append(data, fressian.Tagged{Tag: "datum", Fields: []any{true, int64(4), s.rng.Int64N(1e6), int64(72), s.value(), s.T}})
	}
	w := fressian.NewWriter()
	must(w.Write(fressian.Map{
		{Key: key("id"), Value: s.uuid()},
		{Key: key("t"), Value: s.T},
		{Key: key("data"), Value: data},
	}))
	s.tail = append(s.tail, txn{append([]byte{resetCaches}, w.Bytes()...), int32(len(data))})
}

// Codes of Fressian for what its writer has no call for.
const (
	resetCaches = 0xfe
	closedList  = 0xed
	endList     = 0xfd
)

// segment moves the tail into leaves of the log.
func (s *Sample) segment() {
	t := s.T + 1 - int64(len(s.tail))
	for part := range slices.Chunk(s.tail, segmented) {
		content := []byte{closedList}
		count := int32(0)
		for _, tx := range part {
			content = append(content, tx.data...)
			count += tx.datoms
		}
		s.log = append(s.log, leaf{id: s.uuid(), t: t, count: count, data: gzipped(append(content, endList))})
		t += int64(len(part))
	}
	s.tail = nil
}

// logRoot writes the dirs and the root of the log.
func (s *Sample) logRoot() fressian.UUID {
	root := []any{}
	dir := func(t int64, entries []any) {
		root = append(root, fressian.Tagged{Tag: "log-dir", Fields: []any{t, s.node(entries)}})
	}
	for part := range slices.Chunk(s.log, s.options.Fanout) {
		entries := []any{}
		for _, l := range part {
			s.Segments[id(l.id)] = l.data
			s.LogDatoms += int64(l.count)
			entries = append(entries, fressian.Tagged{Tag: "log-dir", Fields: []any{l.t, l.id}})
		}
		dir(part[0].t, entries)
	}
	if len(s.log) == 0 {
		dir(0, []any{})
	}
	return s.node(root)
}
