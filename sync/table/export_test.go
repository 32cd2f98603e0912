package table

import (
	"context"
	"io"
	"net"
	"time"
)

// Impatient makes a table give up after a few quick attempts.
func (t *Table) Impatient() { t.pauses = []time.Duration{time.Millisecond, time.Millisecond} }

// Exec sends any statement over one of the table's sessions.
func (t *Table) Exec(ctx context.Context, statement string) error {
	return t.with(ctx, func(ctx context.Context, s *slot) error {
		_, err := s.exec(ctx, statement)
		return err
	})
}

// Lend takes a connection away until it is given back.
func (t *Table) Lend(ctx context.Context) (giveBack func(), err error) {
	s, err := t.acquire(ctx)
	return func() { t.slots <- s }, err
}

// Waiting is how many wishes no query asks for yet.
func (t *Table) Waiting() int {
	t.queue.mu.Lock()
	defer t.queue.mu.Unlock()
	return len(t.queue.waiting)
}

// Break makes the only connection fail once: after it has read the given number
// of rows (never, if negative), or after it has executed a statement, whose success nobody hears of.
func (t *Table) Break(rows int, statement string) error {
	return t.with(context.Background(), func(_ context.Context, s *slot) error {
		s.session = &brokenSession{session: s.session, rows: rows, statement: statement}
		return nil
	})
}

type brokenSession struct {
	session
	rows      int
	statement string
}

func (b *brokenSession) query(ctx context.Context, query string, args []any, row scanRow) error {
	return b.session.query(ctx, query, args, func(scan func(...any) error) error {
		if b.rows--; b.rows == -1 {
			return io.ErrUnexpectedEOF
		}
		return row(scan)
	})
}

func (b *brokenSession) exec(ctx context.Context, statement string, args []any) (int64, error) {
	n, err := b.session.exec(ctx, statement, args)
	if err == nil && statement == b.statement {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// OpenAsCloudSQL opens a table over connections that are made as Cloud SQL's
// dialer makes them: without regard to host, port and TLS.
func OpenAsCloudSQL(ctx context.Context, c Config, address string) (*Table, error) {
	c.Engine, c.Kind, c.Instance = c.Kind, CloudSQL, "project:region:instance"
	c.Host, c.Port, c.TLS = "", 0, "verify-full"
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	return openOver(ctx, c, plainDialer(address))
}

type plainDialer string

func (d plainDialer) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", string(d))
}

func (d plainDialer) close() {}
