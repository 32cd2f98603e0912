package jobs

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanner cuts text into tokens.
type scanner struct {
	rest string
	line int
}

// token is a bracket, "#{", "#_", a tag with its #, a string with its quotes,
// or another atom. It is empty at the end of the text.
type token struct {
	line int
	text string
}

// token returns the next token; spaces, commas and comments are between them.
func (s *scanner) token() (token, error) {
	s.skip()
	if s.rest == "" {
		return token{line: s.line}, nil
	}
	n, line := 0, s.line
	switch s.rest[0] {
	case '{', '}', '[', ']', '(', ')':
		n = 1
	case '"':
		if n = stringEnd(s.rest); n < 0 {
			return token{}, at(line, "the string that begins here has no end")
		}
	case '\\': // a character, which may be a bracket
		_, size := utf8.DecodeRuneInString(s.rest[1:])
		n = 1 + size + atomEnd(s.rest[1+size:])
	case '#':
		if strings.HasPrefix(s.rest, "#{") || strings.HasPrefix(s.rest, "#_") {
			n = 2
			break
		}
		n = 1 + atomEnd(s.rest[1:])
	default:
		n = atomEnd(s.rest)
	}
	return token{line, s.take(n)}, nil
}

// take removes the first n bytes and counts their lines.
func (s *scanner) take(n int) string {
	text := s.rest[:n]
	s.rest = s.rest[n:]
	s.line += strings.Count(text, "\n")
	return text
}

func (s *scanner) skip() {
	for s.rest != "" {
		r, size := utf8.DecodeRuneInString(s.rest)
		switch {
		case r == ';':
			end := strings.IndexByte(s.rest, '\n')
			if end < 0 {
				end = len(s.rest)
			}
			s.take(end)
		case r == ',' || unicode.IsSpace(r):
			s.take(size)
		default:
			return
		}
	}
}

// stringEnd returns how long the string at the beginning of text is, or -1.
func stringEnd(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// atomEnd returns how long the atom at the beginning of text is.
func atomEnd(text string) int {
	end := strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(`,;"{}[]()\`, r)
	})
	if end < 0 {
		return len(text)
	}
	return end
}
