package diff

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// side tells where a datom was found.
type side byte

const (
	inFrom side = iota
	inTo
	// inLog: it tells what was done between the older and the newer value.
	inLog
)

// facts are datoms of two values, or of the log between them, sorted outside
// memory. A line is
//
//	key of EAVT, which ends with the transaction and whether it added
//	[e a v] in Fressian, since values that are equal in order may be of other types
//	the length of that, 4 bytes; the side, 1 byte
type facts struct {
	sorter  *spill.Sorter
	writers sync.Pool
	// backwards: the log leads from the value to compare with to the other.
	backwards bool
}

// lineTail is what ends a line: the length and the side.
const lineTail = 5

func newFacts() *facts {
	return &facts{sorter: spill.NewSorter(), writers: sync.Pool{New: func() any { return fressian.NewWriter() }}}
}

// add takes a datom. It is called from many goroutines.
func (f *facts) add(d datom.Datom, s side) error {
	line, err := datoms.AppendKey(nil, datom.EAVT, d)
	if err != nil {
		return err
	}
	w, _ := f.writers.Get().(*fressian.Writer)
	defer f.writers.Put(w)
	w.Reset()
	if err := w.Write([]any{d.E, d.A, d.V}); err != nil {
		return fmt.Errorf("datom of entity %d, attribute %v: %w", d.E, d.A, err)
	}
	line = append(line, w.Bytes()...)
	line = binary.BigEndian.AppendUint32(line, uint32(len(w.Bytes())))
	f.sorter.Add(string(append(line, byte(s))))
	return nil
}

func (f *facts) close() { f.sorter.Close() }

// fact is one of which some datoms were found.
type fact struct {
	value string // [e a v]
	// had tells whether the older value has it, and has whether the newer does.
	had, has bool
	// first and last end its datoms, by time.
	first, last stamp
}

// stamp is the end of a datom.
type stamp struct {
	tx    int64
	added bool
}

// each calls change with every fact that only one value has, and renewed for
// each that both have by other transactions. It ends the facts.
func (f *facts) each(change func(Change) error, renewed func()) error {
	defer f.close()
	var same []fact // in the order of values; more than one if their types differ
	last := ""
	flush := func() error {
		for _, g := range same {
			if err := f.tell(g, change, renewed); err != nil {
				return err
			}
		}
		same = same[:0]
		return nil
	}
	for line, err := range f.sorter.Sorted() {
		if err != nil {
			return err
		}
		at := len(line) - lineTail
		at -= int(binary.BigEndian.Uint32([]byte(line[at : at+4])))
		key, value, from := line[:at], line[at:len(line)-lineTail], side(line[len(line)-1])
		if begin := string(datom.SameFact([]byte(key))); begin != last {
			if err := flush(); err != nil {
				return err
			}
			last = begin
		}
		end := stamp{int64(binary.BigEndian.Uint64([]byte(key[len(last):])) ^ 1<<63), key[len(key)-1] == 1}
		same = noted(same, value, from, end)
	}
	return flush()
}

// noted adds a datom to the facts of the same order. Those of a log come in the
// order of time, retractions first.
func noted(same []fact, value string, from side, end stamp) []fact {
	var g *fact
	for i := range same {
		if same[i].value == value {
			g = &same[i]
		}
	}
	if g == nil {
		same = append(same, fact{value: value, had: from == inLog && !end.added, first: end})
		g = &same[len(same)-1]
	}
	g.last = end
	switch from {
	case inFrom:
		g.had = true
	case inTo:
		g.has = true
	case inLog:
		g.has = end.added
	}
	return same
}

// tell says what has become of a fact.
func (f *facts) tell(g fact, change func(Change) error, renewed func()) error {
	if g.had == g.has {
		if g.had && g.first != g.last {
			renewed()
		}
		return nil
	}
	v, err := fressian.Decode([]byte(g.value))
	row, _ := v.([]any)
	if err != nil || len(row) != 3 {
		return fmt.Errorf("failed to sort datoms: %w", graph.ErrCorrupt)
	}
	e, _ := row[0].(int64)
	return change(Change{g.has != f.backwards, datom.Datom{E: e, A: row[1], V: row[2], Tx: g.last.tx, Added: g.last.added}})
}
