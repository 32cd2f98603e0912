package datomic

import (
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// describe adds the object to an error, and the class that the engine goes by.
func describe[S ~string](id S, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, graph.ErrCorrupt), errors.Is(err, graph.ErrUnsupported),
		errors.Is(err, graph.ErrTooLarge), errors.Is(err, graph.ErrNotFound):
		return fmt.Errorf("%s: %w", id, err)
	}
	return fmt.Errorf("%s: %w: %w", id, graph.ErrCorrupt, err)
}

// corrupt reports bytes that no Datomic writes.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{graph.ErrCorrupt}, args...)...)
}

// unsupported names what is not known here.
func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{graph.ErrUnsupported}, args...)...)
}
