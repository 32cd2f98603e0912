package jobs

import (
	"errors"
	"unicode/utf8"

	"olympos.io/encoding/edn"
)

// maxNesting bounds the recursion; a job file needs five.
const maxNesting = 100

// node is a value and the line where it begins. The value of an atom is as
// package edn reads it; everything else is a form.
type node struct {
	line  int
	value any
}

// form is what is made of other values. A map has its keys and values in turn.
type form struct {
	kind  string
	items []node
}

// entry is one entry of a map whose keys are keywords.
type entry struct {
	line  int
	key   edn.Keyword
	value node
}

// The kinds of forms, as errors call them.
const (
	aMap    = "a map"
	aVector = "a vector"
	aList   = "a list"
	aSet    = "a set"
	aTagged = "a tagged value"
)

// opening has the kinds of forms by the tokens that open them.
var opening = map[string]string{"{": aMap, "[": aVector, "(": aList, "#{": aSet}

// closing has the tokens that close them.
var closing = map[string]string{aMap: "}", aVector: "]", aList: ")", aSet: "}"}

// kind is what a value is, for errors.
func (n node) kind() string {
	switch v := n.value.(type) {
	case form:
		return v.kind
	case nil:
		return "nil"
	case bool:
		return "true or false"
	case string:
		return "a string"
	case edn.Keyword:
		return "a keyword"
	case edn.Symbol:
		return "a symbol"
	case int64, float64:
		return "a number"
	}
	return "something else"
}

// errEnd: there is no further value before the end of a form or of the file.
var errEnd = errors.New("no value")

// read reads the one value of a file. Package edn has no lines to tell of, so
// the structure is read here; what an atom means is left to it.
func read(data []byte) (node, error) {
	if !utf8.Valid(data) {
		return node{}, errors.New("the file is not UTF-8 text")
	}
	s := &scanner{rest: string(data), line: 1}
	n, end, err := s.next(0)
	if errors.Is(err, errEnd) {
		return n, closed(end, "the file is empty")
	}
	if err != nil {
		return n, err
	}
	extra, end, err := s.next(0)
	if err == nil {
		return n, at(extra.line, "there is something after the end of the map")
	}
	if errors.Is(err, errEnd) {
		err = closed(end, "")
	}
	return n, err
}

// closed is the error for a token that closes what is not open, else message.
func closed(end token, message string) error {
	switch {
	case end.text != "":
		return at(end.line, "%s closes nothing", end.text)
	case message != "":
		return at(end.line, "%s", message)
	}
	return nil
}

// next reads a value. If there is none it returns errEnd and the token that
// stands there, which is empty at the end of the file.
func (s *scanner) next(depth int) (node, token, error) {
	t, err := s.token()
	for err == nil && t.text == "#_" {
		if err = s.operand(t, depth); err == nil {
			t, err = s.token()
		}
	}
	if err != nil {
		return node{}, t, err
	}
	if depth > maxNesting {
		return node{}, t, at(t.line, "nested too deeply")
	}
	n := node{line: t.line}
	switch t.text {
	case "", "}", "]", ")":
		return n, t, errEnd
	case "{", "[", "(", "#{":
		n, err = s.form(t.line, opening[t.text], depth)
		return n, t, err
	}
	if t.text[0] == '#' {
		n.value = form{kind: aTagged}
		return n, t, s.operand(t, depth)
	}
	if err := edn.UnmarshalString(t.text, &n.value); err != nil {
		return n, t, at(t.line, "this is not EDN: %v", err)
	}
	return n, t, nil
}

// operand reads past the value that #_ or a tag needs.
func (s *scanner) operand(t token, depth int) error {
	_, _, err := s.next(depth + 1)
	if errors.Is(err, errEnd) {
		return at(t.line, "nothing follows %s", t.text)
	}
	return err
}

// form reads what is in brackets.
func (s *scanner) form(line int, kind string, depth int) (node, error) {
	f := form{kind: kind}
	for {
		n, end, err := s.next(depth + 1)
		switch {
		case errors.Is(err, errEnd) && end.text == closing[kind]:
			if kind == aMap && len(f.items)%2 != 0 {
				return n, at(f.items[len(f.items)-1].line, "the last key of the map has no value")
			}
			return node{line, f}, nil
		case errors.Is(err, errEnd) && end.text == "":
			return n, at(line, "%s that begins here has no end", kind)
		case errors.Is(err, errEnd):
			return n, at(end.line, "%s closes %s that begins in line %d", end.text, kind, line)
		case err != nil:
			return n, err
		}
		f.items = append(f.items, n)
	}
}
