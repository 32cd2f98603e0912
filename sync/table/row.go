package table

import (
	"database/sql"
	"errors"
)

// Sentinel errors; match them with errors.Is.
var (
	// ErrNoRow: the table has no row of that id.
	ErrNoRow = errors.New("no such row")
	// ErrNull: the row is there and its val is NULL.
	ErrNull = errors.New("row has no value")
	// ErrConflict: a row is not at the revision that a change requires.
	ErrConflict = errors.New("row was changed by someone else")
	// ErrNoTable: the database has no table of that name, or one of other columns.
	ErrNoTable = errors.New("no such table")
	// ErrDenied: the server refuses the user, or what the user wants to do.
	ErrDenied = errors.New("not allowed")
)

// Row is one row of the table. Its bytes belong to whoever got it.
type Row struct {
	ID  string
	Rev sql.NullInt64 // of named rows; NULL in rows of values
	Map string        // EDN; empty for NULL
	Val []byte        // nil for NULL
}

// Change replaces a named row, or makes it.
type Change struct {
	Row Row
	// Was is the revision that the row must have; invalid means that there must
	// be no such row.
	Was sql.NullInt64
}
