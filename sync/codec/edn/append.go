package edn

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// ErrNoText says that a value has no form that Parse reads back.
var ErrNoText = errors.New("value has no EDN text")

// Append appends v for people and for Clojure's reader: each entry of a map and
// each element of a vector of maps has a line. dst then ends anywhere if there
// is an error.
func Append(dst []byte, v any) ([]byte, error) { return appendValue(dst, v, 0) }

// AppendLine appends v as Append does, without line breaks.
func AppendLine(dst []byte, v any) ([]byte, error) { return appendValue(dst, v, oneLine) }

// oneLine is an indentation that no nesting makes positive.
const oneLine = -1 << 30

func appendValue(dst []byte, v any, indent int) ([]byte, error) {
	switch v := v.(type) {
	case fressian.Map:
		return appendMap(dst, v, indent)
	case fressian.Vector:
		return appendItems(dst, "[", v, "]", indent)
	case []any:
		return appendItems(dst, "[", v, "]", indent)
	case fressian.Seq:
		return appendItems(dst, "(", v, ")", indent)
	case fressian.Set:
		return appendItems(dst, "#{", v, "}", indent)
	case fressian.Tagged:
		if len(v.Fields) != 1 {
			return dst, fmt.Errorf("%w: a value tagged %q", ErrNoText, v.Tag)
		}
		return appendValue(append(append(append(dst, '#'), v.Tag...), ' '), v.Fields[0], indent)
	}
	return appendScalar(dst, v)
}

func appendMap(dst []byte, m fressian.Map, indent int) (_ []byte, err error) {
	dst = append(dst, '{')
	for i, e := range m {
		if i > 0 {
			dst = append(dst, ',')
			dst = newLine(dst, indent+1)
		}
		if dst, err = appendValue(dst, e.Key, indent+1); err != nil {
			return dst, err
		}
		if dst, err = appendValue(append(dst, ' '), e.Value, indent+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func newLine(dst []byte, indent int) []byte {
	if indent < 0 {
		return append(dst, ' ')
	}
	return append(append(dst, '\n'), strings.Repeat(" ", indent)...)
}

func appendItems(dst []byte, open string, items []any, end string, indent int) (_ []byte, err error) {
	dst = append(dst, open...)
	for i, v := range items {
		if _, isMap := v.(fressian.Map); i > 0 && isMap {
			dst = newLine(dst, indent+len(open))
		} else if i > 0 {
			dst = append(dst, ' ')
		}
		if dst, err = appendValue(dst, v, indent+len(open)); err != nil {
			return dst, err
		}
	}
	return append(dst, end...), nil
}

func appendScalar(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "nil"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v), nil
	case string:
		return appendString(dst, v), nil
	case fressian.Inst:
		return appendInst(dst, v)
	case fressian.UUID:
		return append(append(append(dst, `#uuid "`...), hasch.String(v)...), '"'), nil
	case *big.Int:
		return append(v.Append(dst, 10), 'N'), nil
	case fressian.Decimal:
		dst = append(v.Unscaled.Append(dst, 10), 'E')
		return append(strconv.AppendInt(dst, -int64(v.Scale), 10), 'M'), nil
	case fressian.Keyword:
		return appendName(append(dst, ':'), v.NS, v.Name)
	case fressian.Symbol:
		return appendName(dst, v.NS, v.Name)
	}
	return dst, fmt.Errorf("%w: a value of type %T", ErrNoText, v)
}

// appendName refuses what would be read as something else.
func appendName(dst []byte, ns, name string) ([]byte, error) {
	full := name
	if ns != "" {
		full = ns + "/" + name
	}
	if name == "" || strings.ContainsAny(full, delimiters+`\@^`+"`~") || !utf8.ValidString(full) {
		return dst, fmt.Errorf("%w: the name %q", ErrNoText, full)
	}
	return append(dst, full...), nil
}

func appendFloat(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "##NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "##Inf"...)
	case math.IsInf(v, -1):
		return append(dst, "##-Inf"...)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	if !strings.ContainsAny(string(dst[from:]), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendInst prints a time of four-digit years, which is all that RFC 3339 has.
func appendInst(dst []byte, ms fressian.Inst) ([]byte, error) {
	t := time.UnixMilli(int64(ms)).UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return dst, fmt.Errorf("%w: an instant of the year %d", ErrNoText, t.Year())
	}
	return t.AppendFormat(dst, `#inst "2006-01-02T15:04:05.000-00:00"`), nil
}

// appendString escapes what Clojure does, control characters, and the halves of
// characters that Java's strings may hold.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		at := strings.IndexByte(meant, s[i])
		switch {
		case at >= 0:
			dst = append(dst, '\\', escaped[at])
		case c < ' ' || c == 0x7f:
			dst = fmt.Appendf(dst, `\u%04x`, c)
		case c == utf8.RuneError && n <= 1 && i+2 < len(s) && s[i] == 0xed:
			dst = fmt.Appendf(dst, `\u%04x`, 0xd000|int(s[i+1]&0x3f)<<6|int(s[i+2]&0x3f))
			n = 3
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return append(dst, '"')
}
