// Package fault wraps a remote so that tests can count its calls and make any
// one of them fail, at the moment of their choice:
//
//	Before   the call fails and has had no effect
//	After    the call takes effect and then fails: the answer was lost
//	During   a write leaves half of its bytes under the object's name, a read
//	         ends half way; calls that are atomic behave as with After
//
// With Dead set, every call after that one fails too and has no effect, as
// after kill -9: no cleaning up.
//
// The wrapper is never local, so no caller goes around it, and has no
// optional features but those that Options turn on.
package fault

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rclone/rclone/fs/fserrors"
)

// ErrInjected is what an injected failure is, unless the rule says otherwise.
// It is of the class that --low-level-retries retry.
var ErrInjected = fserrors.RetryError(errors.New("injected fault"))

// Op is a kind of call.
type Op string

// The calls that are counted. Reading an opened object is one Open.
const (
	Put       Op = "put"
	Update    Op = "update"
	Move      Op = "move"
	Remove    Op = "remove"
	NewObject Op = "new-object"
	Open      Op = "open"
	List      Op = "list"
	Mkdir     Op = "mkdir"
	Rmdir     Op = "rmdir"
)

// Writes tells whether the call changes the remote.
func (o Op) Writes() bool {
	switch o {
	case NewObject, Open, List:
		return false
	}
	return true
}

// Call is one call. Of a move, Path is the target.
type Call struct {
	Op   Op
	Path string
}

func (c Call) String() string { return string(c.Op) + " " + c.Path }

// Mode is the moment of a failure.
type Mode int

// The moments; see the package's comment.
const (
	Before Mode = iota
	After
	During
)

func (m Mode) String() string { return [...]string{"before", "after", "during"}[m] }

// Rule makes calls fail.
type Rule struct {
	// N is which of the matching calls fails, from 1.
	N    int
	Mode Mode
	// Dead: nothing succeeds any more afterwards.
	Dead bool
	// Match restricts the rule; nil means every call.
	Match func(Call) bool
	// Err is returned instead of ErrInjected.
	Err error
}

func (r Rule) String() string {
	s := fmt.Sprintf("call %d fails %s", r.N, r.Mode)
	if r.Dead {
		s += ", then the process is dead"
	}
	return s
}

// On matches calls of one kind below a path.
func On(op Op, prefix string) func(Call) bool {
	return func(c Call) bool { return c.Op == op && strings.HasPrefix(c.Path, prefix) }
}
