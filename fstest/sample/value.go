package sample

import (
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// temporal is where the trees of history begin in value.trees.
const temporal = int(orders)

// tx0 is the transaction of an empty database; the first real one is tx0+1.
const tx0 = 0x20000000

func indexName(i int) string {
	if i >= temporal {
		return "temporal-" + order(i-temporal).String()
	}
	return order(i).String()
}

// value is a database value: what one record names. It is not changed once it
// is committed.
type value struct {
	trees   []tree // eavt aevt avet, and the same for history if that is kept
	schema  *schema
	maxTx   int64
	maxEid  int64
	opCount int64
	hash    int64
	updated fressian.Inst

	commit  fressian.UUID
	parents []fressian.UUID
}

// next returns a copy to change in a new transaction.
func (v *value) next() *value {
	n := *v
	n.trees = slices.Clone(v.trees)
	n.maxTx++
	n.parents = []fressian.UUID{v.commit}
	return &n
}

func (v *value) history() bool { return len(v.trees) > temporal }

// each calls f with the current trees that have datoms of a, or those of
// history.
func (v *value) each(from int, a *attr, f func(t *tree)) {
	f(&v.trees[from+int(eavt)])
	f(&v.trees[from+int(aevt)])
	if a.indexed {
		f(&v.trees[from+int(avet)])
	}
}

// remember puts d into the trees of history, if it has a place there.
func (v *value) remember(d *datom) {
	if v.history() && !d.a.noHistory {
		v.each(temporal, d.a, func(t *tree) { t.insert(d) })
	}
}

// find returns the current datoms of an attribute of an entity.
func (v *value) find(e int64, a *attr) (found []*datom) {
	v.trees[eavt].root.ascend(
		func(d *datom) bool { return d.e > e || d.e == e && d.a.compare(a) >= 0 },
		func(d *datom) bool {
			if d.e != e || d.a.compare(a) != 0 {
				return false
			}
			found = append(found, d)
			return true
		})
	return found
}

// add asserts d. A single value takes the place of the one before, and goes
// into history at once; of many values history only has those that ended.
func (v *value) add(d *datom) {
	for _, old := range v.find(d.e, d.a) {
		if !d.a.many {
			v.each(0, d.a, func(t *tree) { t.remove(old) })
			v.remember(&datom{d.e, d.a, old.v, d.tx, false})
		} else if compareValues(old.v, d.v) == 0 {
			return
		}
	}
	v.each(0, d.a, func(t *tree) { t.insert(d) })
	if !d.a.many {
		v.remember(d)
	}
	v.count(d)
}

// count takes note of an assertion.
func (v *value) count(d *datom) {
	if d.e < tx0 {
		v.maxEid = max(v.maxEid, d.e)
	}
	v.hash += d.hash()
	v.opCount++
}

// retract ends a current datom.
func (v *value) retract(old *datom, tx int64) {
	v.each(0, old.a, func(t *tree) { t.remove(old) })
	end := &datom{old.e, old.a, old.v, tx, false}
	v.remember(old)
	v.remember(end)
	v.hash -= old.hash()
	v.opCount++
	if v.history() {
		v.hash += end.hash()
		v.opCount++
	} else if old.a.indexed {
		v.opCount++
	}
}

// load adds many new datoms at once to a value without updates: all that it
// has are assertions.
func (v *value) load(added []*datom) {
	for _, d := range added {
		v.count(d)
	}
	v.trees[eavt].root.ascend(func(*datom) bool { return true }, func(d *datom) bool {
		added = append(added, d)
		return true
	})
	slices.SortFunc(added, eavt.compare)
	for from := 0; from < len(v.trees); from += temporal {
		var in []*datom
		for _, d := range added {
			if from == 0 || !d.a.many && !d.a.noHistory {
				in = append(in, d)
			}
		}
		rebuild := func(o order, in []*datom) { v.trees[from+int(o)] = v.trees[from+int(o)].rebuilt(in) }
		rebuild(eavt, in)
		in = byAttribute(in)
		rebuild(aevt, in)
		rebuild(avet, sortedIndexed(in))
	}
}

// byAttribute brings datoms from eavt's order into aevt's.
func byAttribute(sorted []*datom) []*datom {
	groups := map[*attr][]*datom{}
	var attrs []*attr
	for _, d := range sorted {
		if groups[d.a] == nil {
			attrs = append(attrs, d.a)
		}
		groups[d.a] = append(groups[d.a], d)
	}
	slices.SortFunc(attrs, (*attr).compare)
	all := make([]*datom, 0, len(sorted))
	for _, a := range attrs {
		all = append(all, groups[a]...)
	}
	return all
}

// sortedIndexed returns the datoms of indexed attributes in avet's order.
func sortedIndexed(datoms []*datom) []*datom {
	var in []*datom
	for _, d := range datoms {
		if d.a.indexed {
			in = append(in, d)
		}
	}
	slices.SortFunc(in, avet.compare)
	return in
}
