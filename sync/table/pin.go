package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The keys of the references that chain rows.
const (
	tailKey = ":tail"
	prevKey = ":prev"
)

// A chain is what a transactor appended since the log was last cut: some
// hundred rows, never near these bounds.
const (
	maxChainRows  = 1_000_000
	maxChainBytes = 1 << 30
)

const rowColumns = "k.id, k.rev, k.map, k.val, k.val IS NULL"

// Named returns a named row and the rows of its chain, newest first, as they
// were at one moment. It fails with [ErrNoRow] if there is no such row.
func (t *Table) Named(ctx context.Context, id string) (Row, []Row, error) {
	named, chain, err := t.Pin(ctx, nil, id)
	return named[id], chain, err
}

// Pin returns named rows and the chain of one more, pod, newest first, as they
// were at one moment, in one read-only transaction of two queries. Of refs only
// those that exist are in the map; without a row of pod, or with a chain that
// lacks a row, it fails with [ErrNoRow] and returns the named rows all the same.
func (t *Table) Pin(ctx context.Context, refs []string, pod string) (map[string]Row, []Row, error) {
	var named map[string]Row
	var chain []Row
	err := t.with(ctx, func(ctx context.Context, s *slot) error {
		return s.within(ctx, t.engine.snapshot, func() (err error) {
			if named, err = t.named(ctx, s, append([]string{pod}, refs...)); err != nil {
				return err
			}
			chain, err = t.chain(ctx, s, named, pod)
			return err
		})
	})
	if err != nil && !errors.Is(err, ErrNoRow) {
		return nil, nil, err
	}
	return named, chain, err
}

// named reads rows by their ids.
func (t *Table) named(ctx context.Context, s *slot, ids []string) (map[string]Row, error) {
	condition, args := t.engine.in(ids)
	found := make(map[string]Row, len(ids))
	err := t.rows(ctx, s, "SELECT "+rowColumns+" FROM "+t.config.Table+" k WHERE k."+condition, args, found)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]Row, len(ids))
	for _, id := range ids {
		if row, ok := found[id]; ok {
			wanted[id] = row
		}
	}
	return wanted, nil
}

// chain reads the chain of a named row by one query, and puts it in order.
func (t *Table) chain(ctx context.Context, s *slot, named map[string]Row, pod string) ([]Row, error) {
	row, ok := named[pod]
	if !ok {
		return nil, fmt.Errorf("row %s: %w", pod, ErrNoRow)
	}
	links := make(map[string]Row)
	if err := t.rows(ctx, s, t.engine.chain(t.config.Table, rowColumns), []any{pod}, links); err != nil {
		return nil, err
	}
	var chain []Row
	for next, more := ref(tailKey, row.Map); more; {
		link, ok := links[next]
		if !ok {
			return nil, fmt.Errorf("row %q of the chain of %s, at place %d: %w", next, pod, len(chain)+1, ErrNoRow)
		}
		if len(chain) == len(links) {
			return nil, fmt.Errorf("the chain of %s runs into itself at row %s", pod, next)
		}
		chain = append(chain, link)
		next, more = ref(prevKey, link.Map)
	}
	return chain, nil
}

// rows adds the rows that a query returns.
func (t *Table) rows(ctx context.Context, s *slot, query string, args []any, to map[string]Row) error {
	size := 0
	return s.query(ctx, query, args, func(scan func(...any) error) error {
		var row Row
		var text *string
		var null bool
		if err := scan(&row.ID, &row.Rev, &text, &row.Val, &null); err != nil {
			return err
		}
		if text != nil {
			row.Map = *text
		}
		if !null && row.Val == nil {
			row.Val = []byte{} // SQLite's driver has nil for what is empty
		}
		to[row.ID] = row
		size += len(row.Val) + len(row.Map)
		if len(to) > maxChainRows || size > maxChainBytes {
			return fmt.Errorf("a chain has more than %d rows or %d bytes", maxChainRows, maxChainBytes)
		}
		return nil
	})
}

// ref is the text between the first two quotes behind key, as [engine].ref has
// it in SQL. Whether the map is one that Datomic writes is for others to judge.
func ref(key, edn string) (string, bool) {
	_, rest, ok := strings.Cut(edn, key)
	if !ok {
		return "", false
	}
	parts := strings.SplitN(rest, `"`, 3)
	if len(parts) < 3 {
		return "", false
	}
	return parts[1], true
}
