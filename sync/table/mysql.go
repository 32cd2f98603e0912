package table

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlSQL is the SQL of MySQL 8 and MariaDB 10.2 and up.
func mysqlSQL() *engine {
	return &engine{
		mark: question,
		ref: func(key, column string) string {
			behind := fmt.Sprintf("SUBSTRING(%[1]s, LOCATE('%[2]s', %[1]s) + %[3]d)", column, key, len(key))
			return fmt.Sprintf(`CASE WHEN LOCATE('%s', %s) > 0 THEN SUBSTRING_INDEX(SUBSTRING_INDEX(%s, '"', 2), '"', -1) END`, key, column, behind)
		},
		snapshot: "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
		begin:    "START TRANSACTION READ WRITE",
		// Not INSERT IGNORE, which also shortens what does not fit.
		insert: "ON DUPLICATE KEY UPDATE id = id",
		columns: "(id varchar(255) NOT NULL PRIMARY KEY, rev integer, map text, val longblob) " +
			"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
		noTable: func(err error) bool { return mysqlCode(err, 1146, 1054) },
		heals: func(err error) bool {
			// Too many connections, a server that goes down, a lock that was
			// not got in time, a deadlock.
			return mysqlCode(err, 1040, 1053, 1077, 1079, 1205, 1213, 1927) ||
				errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn)
		},
	}
}

// mysqlCode reports whether the server's error has one of these numbers.
func mysqlCode(err error, codes ...uint16) bool {
	var refused *mysql.MySQLError
	return errors.As(err, &refused) && slices.Contains(codes, refused.Number)
}

// mysqlConnector connects to MySQL and MariaDB.
type mysqlConnector struct {
	db     *sql.DB
	dial   dialer
	config Config
}

func newMySQL(c Config, dial dialer) (*mysqlConnector, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = c.User, c.Password, c.DBName
	config.Net, config.Addr = "tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	if strings.HasPrefix(c.Host, "/") {
		config.Net, config.Addr = "unix", c.Host
	}
	config.Timeout = dialTimeout
	config.InterpolateParams = true // one trip to the server instead of two
	config.MaxAllowedPacket = 0     // as the server says
	config.ConnectionAttributes = "program_name:rclone-datom"
	config.Logger = &mysql.NopLogger{}
	if dial != nil {
		config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial.dial(ctx) }
		config.AllowCleartextPasswords = c.IAM // the token, over the dialer's TLS
	} else if err := mysqlTLS(config, c); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("settings of the connection: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(-1)
	return &mysqlConnector{db, dial, c}, nil
}

// mysqlTLS sets TLS up as libpq understands the modes.
func mysqlTLS(config *mysql.Config, c Config) error {
	if c.TLS == "disable" || config.Net == "unix" {
		return nil
	}
	config.TLS = &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	config.AllowFallbackToPlaintext = c.TLS == "prefer"
	if c.RootCert != "" {
		pem, err := os.ReadFile(c.RootCert)
		if err != nil {
			return err
		}
		config.TLS.RootCAs = x509.NewCertPool()
		if !config.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s has no certificate", c.RootCert)
		}
	}
	switch {
	case c.TLS == "verify-full":
		config.TLS.InsecureSkipVerify = false
	case c.TLS == "verify-ca" || c.TLS == "require" && c.RootCert != "":
		config.TLS.VerifyConnection = verifyChain(config.TLS.RootCAs)
	}
	return nil
}

// verifyChain verifies a server's certificate but not its name.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}

func (m *mysqlConnector) open(ctx context.Context) (session, error) {
	conn, err := m.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := sqlSession{conn}
	if err := m.prepare(ctx, s); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// prepare sets what a session must have whatever the server's defaults are.
func (m *mysqlConnector) prepare(ctx context.Context, s sqlSession) error {
	var version string
	err := s.query(ctx, "SELECT VERSION()", nil, func(scan func(...any) error) error { return scan(&version) })
	if err != nil {
		return err
	}
	// MariaDB ends a recursion that is too deep without an error.
	setup := []string{"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"}
	if m.config.Write {
		setup = []string{
			"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE",
			"SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_ALL_TABLES')",
		}
	}
	timeout := m.config.Timeout
	limits := fmt.Sprintf("SET SESSION max_execution_time = %d, cte_max_recursion_depth = %d", timeout.Milliseconds(), maxChainRows)
	if strings.Contains(version, "MariaDB") {
		limits = fmt.Sprintf("SET SESSION max_statement_time = %.3f, max_recursive_iterations = %d", timeout.Seconds(), maxChainRows)
	}
	setup = append(setup, limits)
	for _, statement := range setup {
		if _, err := s.exec(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

func (m *mysqlConnector) close() {
	_ = m.db.Close()
	if m.dial != nil {
		m.dial.close()
	}
}

// closeTimeout bounds saying goodbye to a server.
const closeTimeout = 2 * time.Second
