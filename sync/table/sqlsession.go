package table

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// sqlSession is a connection of database/sql, which is kept to itself: the
// database must not keep idle ones.
type sqlSession struct{ conn *sql.Conn }

func (s sqlSession) query(ctx context.Context, query string, args []any, row scanRow) error {
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for err == nil && rows.Next() {
		err = row(rows.Scan)
	}
	if err == nil {
		err = rows.Err()
	}
	if closing := rows.Close(); err == nil {
		err = closing
	}
	return err
}

func (s sqlSession) exec(ctx context.Context, query string, args []any) (int64, error) {
	result, err := s.conn.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// close discards the connection: whatever state it has must not be met again.
func (s sqlSession) close() {
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close()
}
