package fressian

import (
	"errors"
	"fmt"
)

// ErrMalformed is matched by every error about the bytes read.
var ErrMalformed = errors.New("malformed fressian")

// ErrValue is matched by the error for a value that has no encoding.
var ErrValue = errors.New("value has no fressian encoding")

// Error tells where and why reading stopped. It matches [ErrMalformed].
type Error struct {
	Offset int // byte offset in the Reader's input
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("fressian: offset %d: %s", e.Offset, e.Reason)
}

// Unwrap returns [ErrMalformed].
func (e *Error) Unwrap() error { return ErrMalformed }

func (r *Reader) fail(format string, args ...any) error {
	return &Error{Offset: r.pos, Reason: fmt.Sprintf(format, args...)}
}

func (r *Reader) truncated() error {
	return &Error{Offset: len(r.buf), Reason: "unexpected end of input"}
}
