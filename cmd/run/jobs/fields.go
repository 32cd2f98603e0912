package jobs

import (
	"maps"
	"slices"
	"strings"
	"time"

	"olympos.io/encoding/edn"
)

// field reads the value of a key. The path is the keys that lead to it, for
// errors.
type field func(path string, n node) error

// entries returns a map's entries in their order. Keys are keywords, and each
// is there once.
func entries(path string, n node) ([]entry, error) {
	m, ok := n.value.(form)
	if !ok || m.kind != aMap {
		return nil, wrong(path, n, "a map")
	}
	lines := map[edn.Keyword]int{}
	var out []entry
	for i := 0; i < len(m.items); i += 2 {
		key, ok := m.items[i].value.(edn.Keyword)
		if !ok {
			return nil, wrong("a key of "+path, m.items[i], "a keyword")
		}
		line := m.items[i].line
		if before, twice := lines[key]; twice {
			return nil, at(line, "%s has %s a second time; the first is in line %d", path, key, before)
		}
		lines[key] = line
		out = append(out, entry{line, key, m.items[i+1]})
	}
	return out, nil
}

// fields reads a map of which every key is known.
func fields(path string, n node, known map[edn.Keyword]field) error {
	all, err := entries(path, n)
	if err != nil {
		return err
	}
	for _, e := range all {
		read, ok := known[e.key]
		if !ok {
			var names []string
			for _, key := range slices.Sorted(maps.Keys(known)) {
				names = append(names, key.String())
			}
			return at(e.line, "%s has %s, which is not known; there are %s", path, e.key, strings.Join(names, " "))
		}
		if err := read(path+" "+e.key.String(), e.value); err != nil {
			return err
		}
	}
	return nil
}

func text(to *string) field {
	return func(path string, n node) error {
		s, ok := n.value.(string)
		if !ok || s == "" || strings.ContainsRune(s, 0) {
			return wrong(path, n, `a string that is not empty, such as "s3:bucket/mydb"`)
		}
		*to = s
		return nil
	}
}

func flag(to *bool) field {
	return func(path string, n node) error {
		b, ok := n.value.(bool)
		if !ok {
			return wrong(path, n, "true or false")
		}
		*to = b
		return nil
	}
}

func count(to **int) field {
	return func(path string, n node) error {
		i, ok := n.value.(int64)
		if !ok || i < 1 || i > 1000 {
			return wrong(path, n, "a whole number from 1 to 1000")
		}
		*to = new(int(i))
		return nil
	}
}

func milliseconds(to **time.Duration) field {
	return func(path string, n node) error {
		ms, ok := n.value.(int64)
		if !ok || ms < 0 || ms > maxPace {
			return wrong(path, n, "a whole number of milliseconds from 0 to 1000")
		}
		*to = new(time.Duration(ms) * time.Millisecond)
		return nil
	}
}

func duration(to *time.Duration) field {
	return func(path string, n node) error {
		s, _ := n.value.(string)
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return wrong(path, n, `a string with a unit, such as "30s" or "5m"`)
		}
		*to = d
		return nil
	}
}

// choice reads one of some keywords.
func choice(to *string, of ...edn.Keyword) field {
	return func(path string, n node) error {
		key, ok := n.value.(edn.Keyword)
		if !ok {
			return wrong(path, n, "a keyword")
		}
		if !slices.Contains(of, key) {
			return at(n.line, "%s %s is not known; there are %v", path, key, of)
		}
		*to = string(key)
		return nil
	}
}

// words reads a vector of keywords.
func words(to *[]string) field {
	return func(path string, n node) error {
		items, ok := vector(n)
		if !ok {
			return wrong(path, n, "a vector of keywords")
		}
		for _, item := range items {
			key, ok := item.value.(edn.Keyword)
			if !ok {
				return wrong("in "+path, item, "a keyword")
			}
			*to = append(*to, string(key))
		}
		return nil
	}
}

// programs reads one argument vector, or a vector of them.
func programs(to *[][]string) field {
	return func(path string, n node) error {
		items, ok := vector(n)
		if !ok {
			return wrong(path, n, `an argument vector such as ["/usr/local/bin/tell" "done"]: there is no shell`)
		}
		if len(items) == 0 {
			return nil
		}
		if _, several := vector(items[0]); !several {
			items = []node{n}
		}
		for _, item := range items {
			argv, err := arguments(path, item)
			if err != nil {
				return err
			}
			*to = append(*to, argv)
		}
		return nil
	}
}

func arguments(path string, n node) (argv []string, err error) {
	items, ok := vector(n)
	if !ok {
		return nil, wrong("in "+path, n, "an argument vector, as the first")
	}
	for _, item := range items {
		s, ok := item.value.(string)
		if !ok || strings.ContainsRune(s, 0) {
			return nil, wrong("in "+path, item, "a string")
		}
		argv = append(argv, s)
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, at(n.line, "%s has an argument vector without a program", path)
	}
	return argv, nil
}

func vector(n node) ([]node, bool) {
	v, ok := n.value.(form)
	return v.items, ok && v.kind == aVector
}

// wrong is the error that a value is not what it must be. The value is not
// shown: a remote may have secrets in it.
func wrong(path string, n node, want string) error {
	return at(n.line, "%s must be %s; it is %s", path, want, n.kind())
}
