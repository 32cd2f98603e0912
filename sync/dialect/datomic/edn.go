package datomic

import (
	"strings"
	"unicode/utf8"
)

// maxNesting bounds how deep the text of a row may nest.
const maxNesting = 32

// form is one value of EDN text.
type form struct {
	// kind is '"' for a string, ':' for a keyword, '{' map, '#' set, '(' list,
	// '[' vector, and 'a' for numbers, symbols and what else is one word.
	kind byte
	// text is a string's content, or the word itself; a keyword's has its colon.
	text string
	// items are the elements; of a map, key and value in turn.
	items []form
	// source is how the form is written.
	source string
}

// ednReader reads EDN: what Datomic's rows have of it, and what else belongs
// into a map. It is written for untrusted text: it is bounded in depth, and
// refuses what a library reads as best it can, such as a key that is there
// twice.
type ednReader struct {
	text string
	pos  int
}

// parseMap reads text that is one map and nothing else.
func parseMap(text string) (form, error) {
	r := ednReader{text: text}
	f, err := r.form(0)
	if err != nil {
		return f, err
	}
	if f.kind != '{' {
		return f, r.fail("a map should be")
	}
	if r.space(); r.pos < len(text) {
		return f, r.fail("the text should end")
	}
	return f, nil
}

func (r *ednReader) fail(want string) error {
	return corrupt("EDN at offset %d, where %s", r.pos, want)
}

func (r *ednReader) space() {
	for r.pos < len(r.text) && strings.IndexByte(" \t\r\n\f,", r.text[r.pos]) >= 0 {
		r.pos++
	}
}

// form reads the next value.
func (r *ednReader) form(depth int) (f form, err error) {
	r.space()
	start := r.pos
	if start == len(r.text) || depth > maxNesting {
		return f, r.fail("a value should be")
	}
	switch c := r.text[start]; c {
	case '"':
		f.kind = c
		f.text, err = r.str()
	case '{', '(', '[':
		f.kind = c
		f.items, err = r.items(c, depth)
	case '#':
		f.kind, f.items, err = r.hash(depth)
	default:
		f, err = r.word()
	}
	if err == nil && f.kind == '{' {
		err = r.checkKeys(f.items)
	}
	f.source = r.text[start:r.pos]
	return f, err
}

// hash reads a set, or a map whose keys share a namespace, as Clojure prints
// one at a REPL: #:datomic{:deleted #{}} is {:datomic/deleted #{}}.
func (r *ednReader) hash(depth int) (kind byte, items []form, err error) {
	r.pos++
	if !strings.HasPrefix(r.text[r.pos:], ":") {
		if !strings.HasPrefix(r.text[r.pos:], "{") {
			return 0, nil, r.fail("a value that is known here should be")
		}
		items, err = r.items('{', depth)
		return '#', items, err
	}
	namespace, err := r.word()
	if r.space(); err != nil || !strings.HasPrefix(r.text[r.pos:], "{") {
		return 0, nil, r.fail("a namespace and a map should be")
	}
	items, err = r.items('{', depth)
	for i := 0; i < len(items); i += 2 {
		key := &items[i]
		name, none := strings.CutPrefix(key.text, ":_/")
		switch {
		case key.kind != ':':
			continue
		case none:
			key.text = ":" + name
		case !strings.Contains(key.text, "/"):
			key.text = namespace.text + "/" + key.text[1:]
		}
		key.source = key.text
	}
	return '{', items, err
}

// items reads up to the end that belongs to an opening bracket.
func (r *ednReader) items(open byte, depth int) (items []form, err error) {
	end := map[byte]byte{'{': '}', '(': ')', '[': ']'}[open]
	r.pos++
	for {
		r.space()
		if r.pos < len(r.text) && r.text[r.pos] == end {
			r.pos++
			return items, nil
		}
		f, err := r.form(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, f)
	}
}

// checkKeys refuses a map with a key that has no value, or that is there twice.
func (r *ednReader) checkKeys(items []form) error {
	if len(items)%2 != 0 {
		return r.fail("a value should be")
	}
	seen := map[string]bool{}
	for i := 0; i < len(items); i += 2 {
		key := items[i].source
		if items[i].kind == '"' {
			key = `"` + items[i].text
		}
		if seen[key] {
			return corrupt("EDN before offset %d: the key %s is there twice", r.pos, items[i].source)
		}
		seen[key] = true
	}
	return nil
}

// word reads a keyword, a number or a symbol.
func (r *ednReader) word() (f form, err error) {
	n := strings.IndexAny(r.text[r.pos:], " \t\r\n\f,\"{}()[];\\^`~@#")
	if n < 0 {
		n = len(r.text) - r.pos
	}
	f.text = r.text[r.pos : r.pos+n]
	if n == 0 || f.text == ":" || !utf8.ValidString(f.text) {
		return f, r.fail("a value should be")
	}
	r.pos += n
	if f.kind = 'a'; f.text[0] == ':' {
		f.kind = ':'
	}
	return f, nil
}

// escapes are what Clojure's reader takes a letter behind a backslash for.
var escapes = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\f`, "\f", `\b`, "\b")

// quote writes a string as Clojure prints it.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "\f", `\f`, "\b", `\b`).Replace(s) + `"`
}

// str reads a string.
func (r *ednReader) str() (string, error) {
	start := r.pos + 1
	for i := start; i < len(r.text); i++ {
		switch r.text[i] {
		case '"':
			s := r.text[start:i]
			if !utf8.ValidString(s) {
				return "", r.fail("a string should be UTF-8")
			}
			r.pos = i + 1
			return escapes.Replace(s), nil
		case '\\':
			if i++; i == len(r.text) || strings.IndexByte(`\"ntrfb`, r.text[i]) < 0 {
				return "", r.fail("an escape should be one that is known")
			}
		}
	}
	return "", r.fail("a string should end")
}
