package snapshot

// EDN that nests millions of levels deep would exhaust the stack: what a
// manifest has is some levels, and a tag for each time and each head.
const (
	maxNesting = 32
	maxTags    = 100_000
)

// nests tells whether EDN nests more deeply than any manifest. A tag counts as a
// level, for tags may follow each other.
func nests(b []byte) bool {
	depth, tags, inString := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\':
			i++ // a character, or an escaped one in a string
		case c == '"':
			inString = !inString
		case inString:
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		case c == '#' || c == '^':
			tags++
		}
		if depth > maxNesting || tags > maxTags {
			return true
		}
	}
	return false
}
