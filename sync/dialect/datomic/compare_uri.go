package datomic

import (
	"cmp"
	"strings"
)

// uri is a URI as java.net.URI takes it apart (RFC 2396). Parts that are not
// there are nil.
type uri struct {
	scheme    *string
	opaque    *string // all after the scheme, where that does not begin with a slash
	authority *string
	user      *string
	host      *string // nil too if the authority is not that of a server
	port      string
	path      *string
	query     *string
	fragment  *string
}

// compareURI orders as java.net.URI does, to which the case of
// percent-encoded digits is nothing.
func compareURI(a, b string) int {
	if a == b {
		return 0
	}
	return parseURI(upperEscapes(a)).compare(parseURI(upperEscapes(b)))
}

func (u uri) compare(v uri) int {
	if c := compareFold(u.scheme, v.scheme); c != 0 {
		return c
	}
	switch {
	case u.opaque != nil && v.opaque != nil:
		return cmp.Or(comparePart(u.opaque, v.opaque), comparePart(u.fragment, v.fragment))
	case u.opaque != nil:
		return 1
	case v.opaque != nil:
		return -1
	}
	c := 0
	if u.host != nil && v.host != nil {
		c = cmp.Or(comparePart(u.user, v.user), compareFold(u.host, v.host), comparePort(u.port, v.port))
	} else {
		c = comparePart(u.authority, v.authority)
	}
	return cmp.Or(c, comparePart(u.path, v.path), comparePart(u.query, v.query), comparePart(u.fragment, v.fragment))
}

// comparePart puts what is not there first.
func comparePart(a, b *string) int {
	if a == nil || b == nil {
		return compareBool(a != nil, b != nil)
	}
	return compareText(*a, *b)
}

func compareFold(a, b *string) int {
	if a == nil || b == nil {
		return compareBool(a != nil, b != nil)
	}
	return compareText(strings.ToLower(*a), strings.ToLower(*b))
}

// comparePort compares decimal numbers; none is less than all.
func comparePort(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func parseURI(s string) (u uri) {
	s, u.fragment = before(s, "#")
	if i := strings.IndexAny(s, ":/?"); i > 0 && s[i] == ':' {
		scheme := s[:i]
		u.scheme, s = &scheme, s[i+1:]
		if !strings.HasPrefix(s, "/") {
			u.opaque = &s
			return u
		}
	}
	s, u.query = before(s, "?")
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		authority := rest
		s = ""
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			authority, s = rest[:i], rest[i:]
		}
		if authority != "" {
			u.authority = &authority
			u.server(authority)
		}
	}
	u.path = &s
	return u
}

// before cuts a string at a mark; the rest is nil if there is none.
func before(s, mark string) (string, *string) {
	head, rest, ok := strings.Cut(s, mark)
	if !ok {
		return head, nil
	}
	return head, &rest
}

// server takes an authority apart if it is [user@]host[:port].
func (u *uri) server(authority string) {
	host := authority
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		user := host[:i]
		u.user, host = &user, host[i+1:]
	}
	end := strings.LastIndexByte(host, ':')
	if end > strings.LastIndexByte(host, ']') {
		host, u.port = host[:end], host[end+1:]
	}
	if !isHost(host) || strings.Trim(u.port, "0123456789") != "" {
		u.user, u.port = nil, ""
		return
	}
	u.host = &host
}

// isHost tells whether a name may be that of a server: an address, or labels
// of letters, digits and hyphens.
func isHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		return strings.HasSuffix(s, "]")
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	last := labels[len(labels)-1]
	for _, l := range labels {
		if l == "" || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			return false
		}
	}
	return last[0] > '9' || len(labels) == 4
}

// upperEscapes writes the digits of %4a as %4A.
func upperEscapes(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToUpper(s[i+1:i+3]))
		}
	}
	return string(b)
}
