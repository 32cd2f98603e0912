package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// sqliteSQL is SQLite's SQL.
func sqliteSQL() *engine {
	return &engine{
		mark: question,
		ref: func(key, column string) string {
			behind := fmt.Sprintf("substr(%[1]s, instr(%[1]s, '%[2]s') + %[3]d)", column, key, len(key))
			opened := fmt.Sprintf(`substr(%[1]s, instr(%[1]s, '"') + 1)`, behind)
			return fmt.Sprintf(`CASE WHEN instr(%[1]s, '%[2]s') > 0 THEN substr(%[3]s, 1, instr(%[3]s, '"') - 1) END`, column, key, opened)
		},
		snapshot: "BEGIN",
		begin:    "BEGIN IMMEDIATE",
		insert:   "ON CONFLICT DO NOTHING",
		columns:  "(id text NOT NULL PRIMARY KEY, rev integer, map text, val blob)",
		noTable: func(err error) bool {
			return strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "no such column")
		},
		heals: func(err error) bool {
			const busy, locked = 5, 6 // SQLITE_BUSY, SQLITE_LOCKED in the low byte
			var failed *sqlite.Error
			return errors.As(err, &failed) && (failed.Code()&0xff == busy || failed.Code()&0xff == locked)
		},
	}
}

// sqliteFile opens a file.
type sqliteFile struct {
	db *sql.DB
	// made is the file's path if there was none when it was opened.
	made string
}

func newSQLite(c Config) (*sqliteFile, error) {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, err
	}
	mode, made := "rwc", ""
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return nil, fmt.Errorf("%s is a directory: name the file", path)
	case !c.Write && err != nil:
		return nil, err
	case !c.Write:
		mode = "ro"
	case errors.Is(err, os.ErrNotExist):
		made = path
	}
	settings := url.Values{"mode": {mode}, "_pragma": {"busy_timeout(10000)"}}
	if !c.Write {
		settings.Add("_pragma", "query_only(1)")
	}
	where := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: settings.Encode()}
	db, err := sql.Open("sqlite", where.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(-1)
	return &sqliteFile{db, made}, nil
}

func (f *sqliteFile) open(ctx context.Context) (session, error) {
	conn, err := f.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return sqlSession{conn}, nil
}

// close takes away a file that SQLite has made and nobody has written to.
func (f *sqliteFile) close() {
	_ = f.db.Close()
	if st, err := os.Stat(f.made); f.made != "" && err == nil && st.Size() == 0 {
		_ = os.Remove(f.made)
	}
}
