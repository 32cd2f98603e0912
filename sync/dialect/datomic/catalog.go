package datomic

import (
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// maxCatalog bounds the text of a catalog, in bytes.
const maxCatalog = 16 << 20

// Keys of the catalog.
var (
	catalogID      any = fressian.Keyword{Name: "db-id"}
	catalogDeleted any = fressian.Keyword{NS: "datomic", Name: "deleted"}
)

// Catalog are the databases of a storage.
//
//	{"name" {:db-id "name-<uuid>"}, :datomic/deleted #{"other-<uuid>"}}
type Catalog struct {
	// Names has the id of each database by its name.
	Names map[string]string
	// Deleted are the ids of databases that were deleted but not yet removed.
	Deleted []string

	// What is not known here is kept: keys of the catalog with their values,
	// and of each database.
	other   fressian.Map
	details map[string]fressian.Map
}

// ParseCatalog reads the content of the catalog's pod.
func ParseCatalog(text []byte) (*Catalog, error) {
	c, err := parseCatalog(text)
	if err != nil {
		return nil, describe("catalog", err)
	}
	return c, nil
}

func parseCatalog(text []byte) (*Catalog, error) {
	if len(text) > maxCatalog {
		return nil, corrupt("%d bytes", len(text))
	}
	m, err := parseMap(string(text))
	if err != nil {
		return nil, err
	}
	c := &Catalog{Names: map[string]string{}, details: map[string]fressian.Map{}}
	for _, e := range m {
		name, isName := e.Key.(string)
		switch {
		case isName:
			err = c.add(name, e.Value)
		case e.Key == catalogDeleted:
			err = c.setDeleted(e.Value)
		default:
			c.other = append(c.other, e)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// add takes the entry of a database.
func (c *Catalog) add(name string, entry any) error {
	m, ok := entry.(fressian.Map)
	if name == "" || !ok {
		return corrupt("database %q has %v, no map", name, entry)
	}
	for _, e := range m {
		id, isText := e.Value.(string)
		switch {
		case e.Key != catalogID:
			c.details[name] = append(c.details[name], e)
		case !isText || id == "":
			return corrupt("database %q has %v for its id", name, e.Value)
		default:
			c.Names[name] = id
		}
	}
	if c.Names[name] == "" {
		return corrupt("database %q has no id", name)
	}
	return nil
}

func (c *Catalog) setDeleted(v any) error {
	var ids []any
	switch v := v.(type) {
	case nil:
	case fressian.Set:
		ids = v
	case fressian.Vector:
		ids = v
	case fressian.Seq:
		ids = v
	default:
		return corrupt(":datomic/deleted is %v", v)
	}
	for _, v := range ids {
		id, ok := v.(string)
		if !ok {
			return corrupt(":datomic/deleted has %v", v)
		}
		c.Deleted = append(c.Deleted, id)
	}
	return nil
}

// Encode returns the content of the catalog's pod, names in order. What the
// catalog was read from had more in it, is written again.
func (c *Catalog) Encode() ([]byte, error) {
	var m fressian.Map
	for _, name := range slices.Sorted(maps.Keys(c.Names)) {
		id := c.Names[name]
		if name == "" || id == "" || !utf8.ValidString(name) || !utf8.ValidString(id) {
			return nil, corrupt("a catalog cannot name a database %q with the id %q", name, id)
		}
		entry := append(fressian.Map{{Key: catalogID, Value: id}}, c.details[name]...)
		m = append(m, fressian.Entry{Key: name, Value: entry})
	}
	ids := fressian.Set{}
	for _, id := range c.Deleted {
		ids = append(ids, id)
	}
	m = append(append(m, fressian.Entry{Key: catalogDeleted, Value: ids}), c.other...)
	return edn.AppendLine(nil, m)
}
