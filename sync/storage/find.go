package storage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// found is a database of a catalog.
type found struct {
	id   string // does not change when the database is renamed
	name string // empty if it was deleted
}

// String is the name, or the id where there is none.
func (f found) String() string {
	if f.name == "" {
		return f.id
	}
	return f.name
}

// find looks for a database by its name, or by its id.
func find(c *datomic.Catalog, database string) (found, error) {
	names := slices.Sorted(maps.Keys(c.Names))
	if database == "" {
		return only(c, names)
	}
	if id, ok := c.Names[database]; ok {
		return found{id, database}, nil
	}
	for _, name := range names {
		if c.Names[name] == database {
			return found{database, name}, nil
		}
	}
	if slices.Contains(c.Deleted, database) {
		return found{id: database}, nil
	}
	if ids := deleted(c, database); len(ids) > 0 {
		return found{}, fmt.Errorf("database %q was deleted; what collection has left of it can be read by its id, %s: %w",
			database, strings.Join(ids, " or "), ErrNoDatabase)
	}
	return found{}, fmt.Errorf("there is no database %q, but %s: %w", database, list(names), ErrNoDatabase)
}

// only takes the database that need not be named.
func only(c *datomic.Catalog, names []string) (found, error) {
	switch {
	case len(names) == 1:
		return found{c.Names[names[0]], names[0]}, nil
	case len(names) > 1:
		return found{}, fmt.Errorf("%w: set database to one of %s", ErrSeveral, list(names))
	case len(c.Deleted) > 0:
		return found{}, fmt.Errorf("all databases were deleted: %s: %w", list(c.Deleted), ErrNoDatabase)
	}
	return found{}, fmt.Errorf("the catalog is empty: %w", ErrNoDatabase)
}

// deleted are the ids of deleted databases that once had the name. An id is a
// database's first name, "-" and a uuid.
func deleted(c *datomic.Catalog, name string) (ids []string) {
	for _, id := range c.Deleted {
		if rest, ok := strings.CutPrefix(id, name+"-"); ok && datomic.CheckID(graph.ID(rest)) == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// list quotes names as far as a message should be long.
func list(names []string) string {
	const most = 20
	if len(names) == 0 {
		return "none"
	}
	out := make([]string, 0, most)
	for _, n := range names[:min(len(names), most)] {
		out = append(out, fmt.Sprintf("%q", n))
	}
	if len(names) > most {
		out = append(out, fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(out, " ")
}
