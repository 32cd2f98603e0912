package table

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresSQL is PostgreSQL's SQL.
func postgresSQL() *engine {
	return &engine{
		mark:   func(n int) string { return "$" + strconv.Itoa(n) },
		arrays: true,
		ref: func(key, column string) string {
			return fmt.Sprintf(`substring(%s from '%s[^"]*"([^"]*)"')`, column, key)
		},
		snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		begin:    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
		insert:   "ON CONFLICT DO NOTHING",
		columns:  "(id text NOT NULL PRIMARY KEY, rev integer, map text, val bytea)",
		noTable:  func(err error) bool { return postgresCode(err, "42P01", "42703", "3F000") },
		heals: func(err error) bool {
			// Connection lost, too many of them, a server that goes down, starts
			// or has crashed; a conflict of transactions, a deadlock.
			return postgresCode(err, "08", "53300", "57P01", "57P02", "57P03", "40") ||
				errors.Is(err, pgconn.ErrConnClosed)
		},
	}
}

// postgresCode reports whether the server's error has one of these SQLSTATEs,
// or is of such a class.
func postgresCode(err error, codes ...string) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return false
	}
	for _, code := range codes {
		if strings.HasPrefix(refused.Code, code) {
			return true
		}
	}
	return false
}

// postgres connects to PostgreSQL.
type postgres struct {
	config *pgx.ConnConfig
	dial   dialer
}

// newPostgres prepares connecting. What libpq takes from its environment and
// from ~/.pgpass is taken where the configuration is silent.
func newPostgres(c Config, dial dialer) (*postgres, error) {
	mode := c.TLS
	if dial != nil {
		mode = "disable" // the dialer's connections are encrypted already
	}
	settings := [][2]string{{"host", c.Host}, {"user", c.User}, {"dbname", c.DBName}, {"sslmode", mode}, {"sslrootcert", c.RootCert}}
	if c.Port != 0 {
		settings = append(settings, [2]string{"port", strconv.Itoa(c.Port)})
	}
	var dsn strings.Builder
	for _, s := range settings {
		if s[1] != "" {
			fmt.Fprintf(&dsn, "%s='%s' ", s[0], strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s[1]))
		}
	}
	config, err := pgx.ParseConfig(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("settings of the connection (PG… variables are among them): %w", reason(err))
	}
	if c.Password != "" {
		config.Password = c.Password // not in the text that errors may cite
	}
	// Descriptions of statements are cached, but no statement is kept at the
	// server: nothing is left there for a pooler to mix up.
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	config.RuntimeParams["application_name"] = "rclone-datom"
	config.RuntimeParams["statement_timeout"] = strconv.FormatInt(c.Timeout.Milliseconds(), 10)
	if !c.Write {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	if dial != nil {
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
		config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial.dial(ctx) }
	}
	return &postgres{config, dial}, nil
}

func (p *postgres) open(ctx context.Context) (session, error) {
	conn, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return nil, err
	}
	return postgresSession{conn}, nil
}

func (p *postgres) close() {
	if p.dial != nil {
		p.dial.close()
	}
}

// postgresSession speaks the binary protocol: values arrive as they are.
type postgresSession struct{ conn *pgx.Conn }

func (s postgresSession) query(ctx context.Context, query string, args []any, row scanRow) error {
	rows, err := s.conn.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s postgresSession) exec(ctx context.Context, query string, args []any) (int64, error) {
	tag, err := s.conn.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (s postgresSession) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.conn.Close(ctx)
}

// reason is an error without the settings, which the text around it cites.
func reason(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return errors.New("one of them has no meaning")
}
