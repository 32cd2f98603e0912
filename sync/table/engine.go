package table

import (
	"fmt"
	"strings"
)

// engine spells what the engines' SQL does differently.
type engine struct {
	// mark is the n-th parameter, from 1.
	mark func(n int) string
	// arrays: a parameter may be a whole list.
	arrays bool
	// ref is an expression for the text between the first two quotes behind key
	// in a column, NULL if the key is not there.
	ref func(key, column string) string
	// snapshot begins a transaction that sees one moment, begin one that writes.
	snapshot, begin string
	// insert makes an INSERT leave rows alone that are there.
	insert string
	// columns are the table's, after them what follows in CREATE TABLE.
	columns string
	// noTable and heals tell errors apart: no such table or column; and what may
	// pass when the statement is tried again over a new connection.
	noTable, heals func(error) bool
}

// in is the condition that the id is one of ids, with its parameters.
func (e *engine) in(ids []string) (string, []any) {
	if e.arrays {
		return "id = ANY(" + e.mark(1) + ")", []any{ids}
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return "id IN (" + e.marks(1, len(ids)) + ")", args
}

// marks are count parameters from the given number on.
func (e *engine) marks(from, count int) string {
	var b strings.Builder
	for n := from; n < from+count; n++ {
		if n > from {
			b.WriteByte(',')
		}
		b.WriteString(e.mark(n))
	}
	return b.String()
}

// chain selects all rows of a named row's chain, in any order. UNION (and not
// UNION ALL) ends the recursion where a chain runs into itself. Only ids take
// part in it, so that values are read once, at the end.
func (e *engine) chain(table, columns string) string {
	return fmt.Sprintf(`WITH RECURSIVE chain(id) AS (
  SELECT %[3]s FROM %[1]s k WHERE k.id = %[5]s
  UNION
  SELECT %[4]s FROM chain c JOIN %[1]s k ON k.id = c.id)
SELECT %[2]s FROM chain c JOIN %[1]s k ON k.id = c.id`,
		table, columns, e.ref(tailKey, "k.map"), e.ref(prevKey, "k.map"), e.mark(1))
}

// question is the mark of MySQL and SQLite.
func question(int) string { return "?" }
