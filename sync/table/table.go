package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Table is an open table. Its methods may be called by many goroutines.
type Table struct {
	config    Config
	engine    *engine
	connector connector
	slots     chan *slot // those that are free
	queue     queue
	queries   atomic.Int64
	pauses    []time.Duration // between attempts

	// ctx ends when the table is closed. What is fetched for many callers goes
	// by it, not by the context of any of them.
	ctx    context.Context
	cancel context.CancelFunc
}

var errClosed = errors.New("table was closed")

// Open connects. It fails at once if the server cannot be reached or refuses;
// if the table is missing it fails with [ErrNoTable], unless c.Write is set.
func Open(ctx context.Context, c Config) (*Table, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	var dial dialer
	if c.Kind == CloudSQL {
		if dial, err = dialCloudSQL(ctx, c); err != nil {
			return nil, fmt.Errorf("%s: %w", c.place(), &connectError{err})
		}
	}
	return openOver(ctx, c, dial)
}

// openOver opens over the dialer's connections, if there is one.
func openOver(ctx context.Context, c Config, dial dialer) (t *Table, err error) {
	t = &Table{config: c, slots: make(chan *slot, c.Connections)}
	if t.engine, t.connector, err = connectorOf(c, dial); err != nil {
		return nil, fmt.Errorf("%s: %w", t, &connectError{err})
	}
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for range c.Connections {
		t.slots <- &slot{table: t}
	}
	if err := t.look(ctx); err != nil {
		_ = t.Close()
		return nil, err
	}
	t.pauses = pauses()
	return t, nil
}

// look connects for the first time. There are no pauses yet: what is wrong is
// said at once.
func (t *Table) look(ctx context.Context) error {
	there, err := t.Exists(ctx)
	if err == nil && !there && !t.config.Write {
		return fmt.Errorf("%s: %w", t, ErrNoTable)
	}
	return err
}

// connectorOf returns what speaks to the configured kind of database.
func connectorOf(c Config, dial dialer) (*engine, connector, error) {
	switch c.engine() {
	case Postgres:
		conn, err := newPostgres(c, dial)
		return postgresSQL(), conn, err
	case MySQL:
		conn, err := newMySQL(c, dial)
		return mysqlSQL(), conn, err
	}
	conn, err := newSQLite(c)
	return sqliteSQL(), conn, err
}

// pauses are those between attempts, 25 s together.
func pauses() []time.Duration {
	var all []time.Duration
	for pause := 100 * time.Millisecond; pause < 20*time.Second; pause *= 2 {
		all = append(all, pause)
	}
	return all
}

// Close ends what is being fetched and closes the connections.
func (t *Table) Close() error {
	t.cancel()
	for range t.config.Connections {
		s := <-t.slots
		s.drop()
	}
	t.connector.close()
	// Whoever closes twice must not wait for slots that nobody returns.
	for range t.config.Connections {
		t.slots <- &slot{table: t}
	}
	return nil
}

// String names the table and where it is, without user and password.
func (t *Table) String() string { return t.config.place() }

// Queries counts the statements that were sent, but for those that set a
// connection up.
func (t *Table) Queries() int64 { return t.queries.Load() }

// Exists reports whether there is such a table, with the columns of Datomic.
func (t *Table) Exists(ctx context.Context) (there bool, err error) {
	err = t.with(ctx, func(ctx context.Context, s *slot) error {
		return s.query(ctx, "SELECT "+rowColumns+" FROM "+t.config.Table+" k WHERE 1 = 0", nil,
			func(func(...any) error) error { return nil })
	})
	if errors.Is(err, ErrNoTable) {
		return false, nil
	}
	return err == nil, err
}

// Sizes returns how long the values of rows are, in bytes. Rows that are not
// there, or whose value is NULL, are left out.
func (t *Table) Sizes(ctx context.Context, ids []string) (map[string]int64, error) {
	sizes := make(map[string]int64, len(ids))
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	for batch := range slices.Chunk(ids, t.config.Batch) {
		condition, args := t.engine.in(batch)
		query := "SELECT id, LENGTH(val) FROM " + t.config.Table + " WHERE val IS NOT NULL AND " + condition
		err := t.with(ctx, func(ctx context.Context, s *slot) error {
			return s.query(ctx, query, args, func(scan func(...any) error) error {
				var id string
				var size int64
				err := scan(&id, &size)
				if wanted[id] {
					sizes[id] = size
				}
				return err
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return sizes, nil
}
