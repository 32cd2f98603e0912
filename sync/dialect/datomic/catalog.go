package datomic

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxCatalog bounds the text of a catalog, in bytes.
const maxCatalog = 16 << 20

// Keys of the catalog.
const (
	catalogID      = ":db-id"
	catalogDeleted = ":datomic/deleted"
)

// Catalog are the databases of a storage.
//
//	{"name" {:db-id "name-<uuid>"}, :datomic/deleted #{"other-<uuid>"}}
type Catalog struct {
	// Names has the id of each database by its name.
	Names map[string]string
	// Deleted are the ids of databases that were deleted but not yet removed.
	Deleted []string

	// What is not known here is kept as it was written: keys of the catalog
	// with their values, and of each database.
	other   []string
	details map[string][]string
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
	f, err := parseMap(string(text))
	if err != nil {
		return nil, err
	}
	c := &Catalog{Names: map[string]string{}, details: map[string][]string{}}
	for i := 0; i < len(f.items); i += 2 {
		key, value := f.items[i], f.items[i+1]
		switch {
		case key.kind == '"':
			err = c.add(key.text, value)
		case key.source == catalogDeleted:
			err = c.setDeleted(value)
		default:
			c.other = append(c.other, key.source+" "+value.source)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// add takes the entry of a database.
func (c *Catalog) add(name string, entry form) error {
	if name == "" || entry.kind != '{' {
		return corrupt("database %q has %s, no map", name, entry.source)
	}
	for i := 0; i < len(entry.items); i += 2 {
		key, value := entry.items[i], entry.items[i+1]
		switch {
		case key.source != catalogID:
			c.details[name] = append(c.details[name], key.source+" "+value.source)
		case value.kind != '"' || value.text == "":
			return corrupt("database %q has %s for its id", name, value.source)
		default:
			c.Names[name] = value.text
		}
	}
	if c.Names[name] == "" {
		return corrupt("database %q has no id", name)
	}
	return nil
}

func (c *Catalog) setDeleted(set form) error {
	if set.kind == '{' || set.kind == '"' || set.kind == ':' {
		return corrupt("%s is %s", catalogDeleted, set.source)
	}
	for _, f := range set.items {
		if f.kind != '"' {
			return corrupt("%s has %s", catalogDeleted, f.source)
		}
		c.Deleted = append(c.Deleted, f.text)
	}
	return nil
}

// Encode returns the content of the catalog's pod, names in order. What the
// catalog was read from had more in it, is written again.
func (c *Catalog) Encode() ([]byte, error) {
	var pairs []string
	for name, id := range c.Names {
		if name == "" || id == "" || !utf8.ValidString(name) || !utf8.ValidString(id) {
			return nil, corrupt("a catalog cannot name a database %q with the id %q", name, id)
		}
		entry := append([]string{catalogID + " " + quote(id)}, c.details[name]...)
		pairs = append(pairs, quote(name)+" {"+strings.Join(entry, ", ")+"}")
	}
	slices.Sort(pairs)
	var ids []string
	for _, id := range c.Deleted {
		ids = append(ids, quote(id))
	}
	pairs = append(pairs, catalogDeleted+" #{"+strings.Join(ids, " ")+"}")
	pairs = append(pairs, c.other...)
	return []byte("{" + strings.Join(pairs, ", ") + "}"), nil
}
