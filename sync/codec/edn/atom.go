package edn

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// delimiters end a token; meant are the characters of strings that have an
// escape of a letter, and escaped the letters.
const (
	delimiters     = " \t\n\r\f\v,;\"[](){}"
	meant, escaped = "\"\\\n\t\r\f\b", `"\ntrfb`
)

// token reads up to a delimiter.
func (r *reader) token() string {
	n := strings.IndexAny(r.text[r.pos:], delimiters)
	if n < 0 {
		n = len(r.text) - r.pos
	}
	t := r.text[r.pos : r.pos+n]
	r.pos += n
	return t
}

// dispatch reads what begins with #.
func (r *reader) dispatch(depth int) (any, error) {
	switch rest := r.text[r.pos+1:]; {
	case strings.HasPrefix(rest, "{"):
		r.pos++
		items, err := r.items('}', depth)
		return fressian.Set(items), err
	case strings.HasPrefix(rest, "#"):
		r.pos += 2
		return r.special()
	case strings.HasPrefix(rest, ":"):
		r.pos += 2
		ns := r.token()
		if err := r.space(); err != nil {
			return nil, err
		}
		if ns == "" || !strings.HasPrefix(r.text[r.pos:], "{") {
			return nil, r.fail("no map behind #:%s", ns)
		}
		return r.mapOf(ns, depth)
	}
	at := r.pos
	r.pos++
	tag := r.token()
	if tag == "" {
		return nil, r.fail("a tag without a name")
	}
	v, err := r.value(depth + 1)
	if err != nil {
		return nil, err
	}
	v, ok := tagged(tag, v)
	if !ok {
		r.pos = at
		return nil, r.fail("#%s of something that is none", tag)
	}
	return v, nil
}

// special reads ##Inf and the like, from behind the signs.
func (r *reader) special() (any, error) {
	switch t := r.token(); t {
	case "Inf":
		return math.Inf(1), nil
	case "-Inf":
		return math.Inf(-1), nil
	case "NaN":
		return math.NaN(), nil
	default:
		return nil, r.fail("##%s is no number", t)
	}
}

func tagged(tag string, v any) (any, bool) {
	s, isText := v.(string)
	switch tag {
	case "uuid":
		id, err := hasch.Parse(s)
		return id, err == nil && isText
	case "inst":
		t, err := time.Parse(time.RFC3339Nano, s)
		return fressian.Inst(t.UnixMilli()), err == nil && isText
	}
	return fressian.Tagged{Tag: tag, Fields: []any{v}}, true
}

// atom reads a keyword, a number, a symbol or one of the words.
func (r *reader) atom() (any, error) {
	at := r.pos
	t := r.token()
	if v, ok := atomOf(t); ok {
		return v, nil
	}
	r.pos = at
	return nil, r.fail("%.40q is no value", t)
}

func atomOf(t string) (v any, ok bool) {
	switch t {
	case "":
		return nil, false
	case "nil":
		return nil, true
	case "true":
		return true, true
	case "false":
		return false, true
	}
	if strings.ContainsAny(t, `\@^`+"`~") {
		return nil, false
	}
	if name, is := strings.CutPrefix(t, ":"); is {
		ns, name, ok := split(name)
		return fressian.Keyword{NS: ns, Name: name}, ok && t[1] != ':'
	}
	digits := strings.TrimLeft(t, "+-")
	if len(t)-len(digits) <= 1 && digits != "" && digits[0] >= '0' && digits[0] <= '9' {
		return number(t)
	}
	ns, name, ok := split(t)
	return fressian.Symbol{NS: ns, Name: name}, ok && t[0] != '\''
}

// split parts a name from its namespace, which ends with the first slash.
func split(t string) (ns, name string, ok bool) {
	if i := strings.IndexByte(t, '/'); i >= 0 && t != "/" {
		return t[:i], t[i+1:], i > 0 && i < len(t)-1
	}
	return "", t, t != ""
}

// maxDigits is how long a number may be: parsing it takes the square of that.
const maxDigits = 20_000

func number(t string) (any, bool) {
	if len(t) > maxDigits || strings.ContainsAny(t, "xXpP_iI") { // which Go knows and Clojure does not
		return nil, false
	}
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		return n, true
	}
	if d, is := strings.CutSuffix(t, "M"); is {
		return decimal(d)
	}
	if n, ok := new(big.Int).SetString(strings.TrimSuffix(t, "N"), 10); ok {
		return n, true
	}
	f, err := strconv.ParseFloat(t, 64)
	return f, err == nil
}

// decimal reads digits, a point and an exponent, and keeps the scale.
func decimal(t string) (any, bool) {
	mantissa, exp, has := strings.Cut(strings.ToLower(t), "e")
	var e int64
	if has {
		var err error
		if e, err = strconv.ParseInt(exp, 10, 32); err != nil {
			return nil, false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	scale := int64(len(fraction)) - e
	u, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok || scale < math.MinInt32 || scale > math.MaxInt32 {
		return nil, false
	}
	return fressian.Decimal{Unscaled: u, Scale: int32(scale)}, true
}

// str reads a string.
func (r *reader) str() (any, error) {
	var s []byte
	for r.pos++; r.pos < len(r.text); {
		c := r.text[r.pos]
		r.pos++
		switch c {
		case '"':
			return string(s), nil
		case '\\':
			var ok bool
			if s, ok = r.escape(s); !ok {
				return nil, r.fail("an unknown escape")
			}
		default:
			s = append(s, c)
		}
	}
	return nil, r.fail("a string that does not end")
}

// escape appends what is behind a backslash.
func (r *reader) escape(s []byte) (_ []byte, ok bool) {
	if r.pos >= len(r.text) {
		return s, false
	}
	c := r.text[r.pos]
	if c == 'u' {
		return r.unit(s)
	}
	at := strings.IndexByte(escaped, c)
	if at < 0 {
		return s, false
	}
	r.pos++
	return append(s, meant[at]), true
}

// unit appends the character of \uXXXX, or of two of them where they are a pair
// of surrogates. A lone one becomes three bytes, as the fressian package has it.
func (r *reader) unit(s []byte) (_ []byte, ok bool) {
	u, ok := r.hex(1)
	if !ok {
		return s, false
	}
	r.pos += 5
	if !utf16.IsSurrogate(u) {
		return utf8.AppendRune(s, u), true
	}
	if strings.HasPrefix(r.text[r.pos:], `\u`) {
		if low, ok := r.hex(2); ok {
			if c := utf16.DecodeRune(u, low); c != utf8.RuneError {
				r.pos += 6
				return utf8.AppendRune(s, c), true
			}
		}
	}
	return append(s, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f)), true //nolint:gosec // parts of 16 bits
}

// hex reads four digits ahead.
func (r *reader) hex(ahead int) (rune, bool) {
	if r.pos+ahead+4 > len(r.text) {
		return 0, false
	}
	u, err := strconv.ParseUint(r.text[r.pos+ahead:r.pos+ahead+4], 16, 16)
	return rune(u), err == nil
}
