package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// statementBytes bounds what one INSERT carries, a single row aside. MySQL takes
// packets of 16 MB by default, in which escaping may double every byte.
const statementBytes = 4 << 20

var errReadOnly = errors.New("table was opened for reading only")

// Create makes the table, as Datomic's own scripts do, if there is none.
func (t *Table) Create(ctx context.Context) error {
	if !t.config.Write {
		return errReadOnly
	}
	return t.with(ctx, func(ctx context.Context, s *slot) error {
		_, err := s.exec(ctx, "CREATE TABLE IF NOT EXISTS "+t.config.Table+" "+t.engine.columns)
		return err
	})
}

// Insert adds rows and leaves alone those whose ids are there. It returns how
// many it added; those of a statement that had to be repeated are not counted.
// Every statement commits by itself, in the order of the rows.
func (t *Table) Insert(ctx context.Context, rows []Row) (inserted int, err error) {
	if !t.config.Write {
		return 0, errReadOnly
	}
	for batch := range t.batches(rows) {
		err := t.with(ctx, func(ctx context.Context, s *slot) error {
			n, err := t.insert(ctx, s, batch)
			inserted += int(n)
			return err
		})
		if err != nil {
			return inserted, err
		}
		if err := rest(ctx, t.restFor(len(batch))); err != nil {
			return inserted, err
		}
	}
	return inserted, nil
}

// Commit adds rows, where they are absent, and makes the changes, all in one
// transaction or not at all. If a row is not at the revision that its change
// requires, it fails with [ErrConflict] and names the row.
func (t *Table) Commit(ctx context.Context, rows []Row, changes []Change) error {
	if !t.config.Write {
		return errReadOnly
	}
	again := false // an attempt came as far as its COMMIT
	return t.with(ctx, func(ctx context.Context, s *slot) error {
		return s.within(ctx, t.engine.begin, func() error {
			for batch := range t.batches(rows) {
				if _, err := t.insert(ctx, s, batch); err != nil {
					return err
				}
			}
			for _, change := range changes {
				if err := t.change(ctx, s, change, again); err != nil {
					return err
				}
			}
			again = true
			return nil
		})
	})
}

// batches cuts rows into what one statement adds.
func (t *Table) batches(rows []Row) func(yield func([]Row) bool) {
	return func(yield func([]Row) bool) {
		for len(rows) > 0 {
			n, size := 1, len(rows[0].Val)
			for n < min(len(rows), t.config.Batch) && size+len(rows[n].Val) <= statementBytes {
				size += len(rows[n].Val)
				n++
			}
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// insert adds rows by one statement.
func (t *Table) insert(ctx context.Context, s *slot, rows []Row) (int64, error) {
	var b strings.Builder
	b.WriteString("INSERT INTO " + t.config.Table + " (id, rev, map, val) VALUES ")
	args := make([]any, 0, 4*len(rows))
	for i, row := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("(" + t.engine.marks(len(args)+1, 4) + ")")
		args = append(args, row.ID, row.Rev, textArg(row.Map), valArg(row.Val))
	}
	b.WriteString(" " + t.engine.insert)
	return s.exec(ctx, b.String(), args...)
}

// change makes one change, or finds that an attempt has made it whose commit
// was not acknowledged.
func (t *Table) change(ctx context.Context, s *slot, c Change, again bool) error {
	done, err := t.compareAndSet(ctx, s, c)
	if err != nil || done {
		return err
	}
	now, err := t.named(ctx, s, []string{c.Row.ID})
	if err != nil {
		return err
	}
	row, there := now[c.Row.ID]
	if again && there && row.Rev == c.Row.Rev && row.Map == c.Row.Map && slices.Equal(row.Val, c.Row.Val) {
		return nil
	}
	return fmt.Errorf("row %s is %s and should be %s: %w", c.Row.ID, revision(there, row.Rev), revision(c.Was.Valid, c.Was), ErrConflict)
}

// compareAndSet reports whether the row was as it should be, and is changed.
func (t *Table) compareAndSet(ctx context.Context, s *slot, c Change) (bool, error) {
	if !c.Was.Valid {
		n, err := t.insert(ctx, s, []Row{c.Row})
		return n == 1, err
	}
	query := fmt.Sprintf("UPDATE %s SET rev = %s, map = %s, val = %s WHERE id = %s AND rev = %s", t.config.Table,
		t.engine.mark(1), t.engine.mark(2), t.engine.mark(3), t.engine.mark(4), t.engine.mark(5))
	n, err := s.exec(ctx, query, c.Row.Rev, textArg(c.Row.Map), valArg(c.Row.Val), c.Row.ID, c.Was)
	return n == 1, err
}

// revision is a row's state in words.
func revision(there bool, rev sql.NullInt64) string {
	switch {
	case !there:
		return "absent"
	case !rev.Valid:
		return "without revision"
	}
	return fmt.Sprintf("at revision %d", rev.Int64)
}

// textArg and valArg are NULL for what is not there.
func textArg(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func valArg(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
