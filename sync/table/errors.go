package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// connectError is why there is no connection. Its text has neither a password
// nor the parameters of the connection, which the driver's may have.
type connectError struct{ err error }

func (e *connectError) Unwrap() error { return e.err }

func (e *connectError) Error() string {
	text := e.err.Error()
	var refused *pgconn.PgError
	var dialing *pgconn.ConnectError
	switch {
	case errors.As(e.err, &refused):
		text = refused.Message
	case errors.As(e.err, &dialing):
		// One line for each address that was tried; what matters is behind the
		// name of the last.
		lines := strings.Split(strings.TrimSpace(text), "\n")
		text = strings.TrimSpace(lines[len(lines)-1])
		if _, reason, ok := strings.Cut(text, "): "); ok {
			text = reason
		}
	case errors.Is(e.err, mysql.ErrNoTLS):
		text = "the server does not offer TLS"
	}
	return "cannot connect: " + text
}

// explain names the table in an error, and the sentinel if there is one.
func (t *Table) explain(ctx context.Context, err error) error {
	var connecting *connectError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", t, ctx.Err())
	case errors.As(err, &connecting) && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: no connection within %v: is it another host or port, or does a firewall drop it? %w", t, dialTimeout, err)
	case t.engine.noTable(err):
		return fmt.Errorf("%s: %w: %w", t, ErrNoTable, err)
	case denied(err):
		return fmt.Errorf("%s: %w: %w", t, ErrDenied, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: no answer in time (%s for a statement): %w", t, t.config.Timeout, err)
	}
	return fmt.Errorf("%s: %w", t, err)
}

// denied tells whether the server, or the file system, does not let the user.
// (In WAL mode SQLite writes beside the file even to read it.)
func denied(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "42501" || strings.HasPrefix(pg.Code, "28") // insufficient_privilege, invalid authorization
	}
	const readOnly = 8 // SQLITE_READONLY in the low byte
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code()&0xff == readOnly
	}
	var my *mysql.MySQLError
	return errors.As(err, &my) && slices.Contains([]uint16{1044, 1045, 1142, 1143, 1227}, my.Number)
}
