package table

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// session is one connection to a server, used by one goroutine at a time. After
// an error it is closed, never used again.
type session interface {
	query(ctx context.Context, query string, args []any, row scanRow) error
	exec(ctx context.Context, query string, args []any) (affected int64, err error)
	close()
}

// scanRow is called for every row of a result. What it scans is its own.
type scanRow = func(scan func(into ...any) error) error

// connector opens sessions.
type connector interface {
	open(ctx context.Context) (session, error)
	close()
}

// slot is the place of one connection, which may be closed for now.
type slot struct {
	table   *Table
	session session
}

const (
	// grace is how much later than the server the client gives a statement up.
	grace = 15 * time.Second
	// dialTimeout bounds the opening of a connection.
	dialTimeout = 20 * time.Second
)

// query runs one statement that returns rows.
func (s *slot) query(ctx context.Context, query string, args []any, row scanRow) error {
	s.table.queries.Add(1)
	ctx, cancel := context.WithTimeout(ctx, s.table.config.Timeout+grace)
	defer cancel()
	return s.session.query(ctx, query, args, row)
}

// exec runs one statement that returns none.
func (s *slot) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s.table.queries.Add(1)
	ctx, cancel := context.WithTimeout(ctx, s.table.config.Timeout+grace)
	defer cancel()
	return s.session.exec(ctx, query, args)
}

// within runs do in a transaction.
func (s *slot) within(ctx context.Context, begin string, do func() error) error {
	if _, err := s.exec(ctx, begin); err != nil {
		return err
	}
	if err := do(); err != nil {
		// The session is closed after an error, which undoes everything too, but
		// at a time of the server's choosing.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = s.exec(ctx, "ROLLBACK")
		return err
	}
	_, err := s.exec(ctx, "COMMIT")
	return err
}

// connect opens the slot's session if there is none.
func (s *slot) connect(ctx context.Context) error {
	if s.session != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	opened, err := s.table.connector.open(ctx)
	if err != nil {
		return &connectError{err}
	}
	s.session = opened
	return nil
}

// drop closes the slot's session if there is one.
func (s *slot) drop() {
	if s.session != nil {
		s.session.close()
		s.session = nil
	}
}

// acquire waits for a connection that is free.
func (t *Table) acquire(ctx context.Context) (*slot, error) {
	select {
	case <-t.ctx.Done():
		return nil, errClosed
	default:
	}
	select {
	case s := <-t.slots:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.ctx.Done():
		return nil, errClosed
	}
}

// with lends a connection to do, and does it again where that may help.
func (t *Table) with(ctx context.Context, do func(context.Context, *slot) error) error {
	s, err := t.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { t.slots <- s }()
	return t.persist(ctx, s, do)
}

// persist does something over a connection, and again over a new one as long as
// the errors are such that heal.
func (t *Table) persist(ctx context.Context, s *slot, do func(context.Context, *slot) error) error {
	for _, pause := range t.pauses {
		err := t.once(ctx, s, do)
		if err == nil || ctx.Err() != nil || !t.heals(err) {
			return t.explain(ctx, err)
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
	}
	return t.explain(ctx, t.once(ctx, s, do))
}

// once does it a single time.
func (t *Table) once(ctx context.Context, s *slot, do func(context.Context, *slot) error) error {
	err := s.connect(ctx)
	if err == nil {
		err = do(ctx, s)
	}
	if err != nil {
		s.drop()
	}
	return err
}

// heals reports whether to try again: the connection broke or could not be
// made, or the server says that it is not ready, or that others were first.
func (t *Table) heals(err error) bool {
	var dialing *connectError
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errors.As(err, &dialing)
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || t.engine.heals(err)
}

// restFor is how long a connection rests after n rows.
func (t *Table) restFor(n int) time.Duration { return time.Duration(n) * t.config.Pace }

// rest waits, unless ctx ends.
func rest(ctx context.Context, pause time.Duration) error {
	if pause <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
