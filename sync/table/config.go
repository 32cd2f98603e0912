package table

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The kinds of database that a table may be in.
const (
	Postgres = "postgres"
	MySQL    = "mysql" // and MariaDB
	CloudSQL = "cloudsql"
	SQLite   = "sqlite"
)

// Config says where a table is and how it is read. The zero value of a field
// means its default.
type Config struct {
	// Kind is Postgres, MySQL, CloudSQL or SQLite.
	Kind string

	// Host is a name, an address, or the directory (PostgreSQL) or path (MySQL)
	// of a Unix socket; the default is localhost. Port is the engine's own by
	// default.
	Host string
	Port int
	// User, Password and DBName are the server's. An empty password is looked
	// for in ~/.pgpass on PostgreSQL.
	User, Password, DBName string
	// TLS is disable, prefer, require, verify-ca or verify-full, as in libpq;
	// the default is prefer. RootCert is a PEM file of certificates to verify
	// against instead of the system's.
	TLS, RootCert string

	// Path is SQLite's file.
	Path string

	// Instance is Cloud SQL's "project:region:instance", Engine its Postgres or
	// MySQL. IAM logs in with the account's token instead of a password,
	// PrivateIP connects over the VPC.
	Instance, Engine string
	IAM, PrivateIP   bool

	// Table is the table's name, perhaps with a schema; the default is
	// datomic_kvs.
	Table string
	// Connections bounds how many are open at a time; the default is 2.
	Connections int
	// Batch is how many rows one query fetches or writes; the default is 256.
	Batch int
	// Pace spares the server: after a query for n rows its connection rests for
	// n times as long as this, however long the query itself took. As with
	// Datomic's backupPaceMsec, each connection paces by itself.
	Pace time.Duration
	// Timeout bounds a statement; the default is 5 minutes.
	Timeout time.Duration
	// Write allows Create, Insert and Commit; other sessions are read-only.
	Write bool
}

// identifier is the form of a table's name, which goes into SQL as it stands.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$`)

// complete returns c with defaults, or says what is wrong with it.
func (c Config) complete() (Config, error) {
	defaultTo(&c.Table, "datomic_kvs")
	defaultTo(&c.TLS, "prefer")
	defaultTo(&c.Host, "localhost")
	defaultTo(&c.Connections, 2)
	defaultTo(&c.Batch, 256)
	defaultTo(&c.Timeout, 5*time.Minute)
	if !identifier.MatchString(c.Table) {
		return c, fmt.Errorf("table name %q is not a plain name or schema.name", c.Table)
	}
	switch c.TLS {
	case "disable", "prefer", "require", "verify-ca", "verify-full":
	default:
		return c, fmt.Errorf("TLS mode %q is none of disable, prefer, require, verify-ca, verify-full", c.TLS)
	}
	if err := c.checkRanges(); err != nil {
		return c, err
	}
	return c.completeKind()
}

// Bounds of what can be meant. A pace of seconds would be one of milliseconds
// without its unit.
const (
	maxConnections = 1000
	maxPace        = time.Second
	minTimeout     = time.Millisecond
	maxTimeout     = 24 * time.Hour
)

func (c Config) checkRanges() error {
	switch {
	case c.Connections < 0 || c.Connections > maxConnections:
		return fmt.Errorf("connections is %d: it must be from 1 to %d", c.Connections, maxConnections)
	case c.Batch < 0 || c.Batch > maxBatch:
		return fmt.Errorf("batch is %d: it must be from 1 to %d", c.Batch, maxBatch)
	case c.Pace < 0 || c.Pace > maxPace:
		return fmt.Errorf("pace is %v a row: it must be from 0 to %v, with its unit as in 5ms", c.Pace, maxPace)
	case c.Timeout < minTimeout || c.Timeout > maxTimeout:
		return fmt.Errorf("timeout is %v: it must be from %v to %v", c.Timeout, minTimeout, maxTimeout)
	}
	return nil
}

// maxBatch keeps a query's ids below every server's limit of parameters.
const maxBatch = 10000

// completeKind checks what depends on the kind of database.
func (c Config) completeKind() (Config, error) {
	switch c.Kind {
	case Postgres:
		defaultTo(&c.Port, 5432)
	case MySQL:
		defaultTo(&c.Port, 3306)
	case SQLite:
		if c.Path == "" {
			return c, errors.New("sqlite needs the path of its file")
		}
		return c, nil
	case CloudSQL:
		if strings.Count(c.Instance, ":") < 2 {
			return c, fmt.Errorf("cloudsql instance %q is not project:region:instance", c.Instance)
		}
		if c.Engine != Postgres && c.Engine != MySQL {
			return c, fmt.Errorf("cloudsql engine %q is neither postgres nor mysql", c.Engine)
		}
	default:
		return c, fmt.Errorf("database kind %q is none of postgres, mysql, cloudsql, sqlite", c.Kind)
	}
	if c.User == "" || c.DBName == "" {
		return c, fmt.Errorf("%s needs a user and the name of the database", c.Kind)
	}
	return c, nil
}

// defaultTo sets what is zero.
func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// engine is the SQL that is spoken: Postgres, MySQL or SQLite.
func (c Config) engine() string {
	if c.Kind == CloudSQL {
		return c.Engine
	}
	return c.Kind
}

// place names the table for reports, without anything that is secret.
func (c Config) place() string {
	switch {
	case c.Kind == SQLite:
		return fmt.Sprintf("sqlite %s, table %s", c.Path, c.Table)
	case c.Kind == CloudSQL:
		return fmt.Sprintf("cloudsql %s/%s, table %s", c.Instance, c.DBName, c.Table)
	case strings.HasPrefix(c.Host, "/"):
		return fmt.Sprintf("%s %s/%s, table %s", c.Kind, c.Host, c.DBName, c.Table)
	}
	address := net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	return fmt.Sprintf("%s %s/%s, table %s", c.Kind, address, c.DBName, c.Table)
}
