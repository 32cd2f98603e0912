package view

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// sortedMemory is how many bytes of datoms are sorted in memory.
const sortedMemory = 1 << 20

// sorted is datoms in the order of their keys, however many, each once.
type sorted struct {
	w     fressian.Writer
	few   []sortedDatom
	size  int           // of those
	lines *spill.Sorter // nil while there are few
}

type sortedDatom struct {
	line string
	d    datom.Datom
}

// add takes a datom and its key, which it changes.
func (s *sorted) add(key []byte, d datom.Datom) error {
	line, err := appendLine(key, &s.w, d)
	if err != nil {
		return err
	}
	if s.lines != nil {
		s.lines.Add(string(line))
		return nil
	}
	s.few = append(s.few, sortedDatom{string(line), d})
	if s.size += len(line); s.size > sortedMemory {
		s.lines = spill.NewSorter()
		for _, f := range s.few {
			s.lines.Add(f.line)
		}
		s.few = nil
	}
	return nil
}

// each calls fn with the datoms, once.
func (s *sorted) each(fn func(datom.Datom) error) error {
	if s.lines == nil {
		slices.SortFunc(s.few, func(a, b sortedDatom) int { return cmp.Compare(a.line, b.line) })
		s.few = slices.CompactFunc(s.few, func(a, b sortedDatom) bool { return a.line == b.line })
		for _, f := range s.few {
			if err := fn(f.d); err != nil {
				return err
			}
		}
		return nil
	}
	for line, err := range s.lines.Sorted() {
		if err != nil {
			return fmt.Errorf("failed to sort datoms: %w", err)
		}
		d, err := parseLine(line)
		if err != nil {
			return err
		}
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

func (s *sorted) close() {
	if s.lines != nil {
		s.lines.Close()
	}
}

// appendLine appends to a key the datom that it is of, and that one's length.
func appendLine(key []byte, w *fressian.Writer, d datom.Datom) ([]byte, error) {
	w.Reset()
	if err := w.Write([]any{d.E, d.A, d.V, d.Tx, d.Added}); err != nil {
		return nil, fmt.Errorf("datom of entity %d, attribute %v: %w", d.E, d.A, err)
	}
	key = append(key, w.Bytes()...)
	return binary.BigEndian.AppendUint32(key, uint32(len(w.Bytes()))), nil
}

// parseLine is the way back.
func parseLine(line string) (d datom.Datom, err error) {
	at := len(line) - 4
	n := int(binary.BigEndian.Uint32([]byte(line[at:])))
	v, err := fressian.Decode([]byte(line[at-n : at]))
	if err != nil {
		return d, fmt.Errorf("failed to sort datoms: %w: %w", graph.ErrCorrupt, err)
	}
	row, _ := v.([]any)
	if len(row) != 5 {
		return d, fmt.Errorf("failed to sort datoms: %w: a line of %d values", graph.ErrCorrupt, len(row))
	}
	d.A, d.V = row[1], row[2]
	d.E, _ = row[0].(int64)
	d.Tx, _ = row[3].(int64)
	d.Added, _ = row[4].(bool)
	return d, nil
}
