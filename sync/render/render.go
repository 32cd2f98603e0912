// Package render writes datoms in the formats that other programs read.
//
//	edn      [e a v tx added], a datom a line, as [datom.AppendText] has it
//	json     {"e":1,"a":":user/name","v":"Ann","type":"string","tx":7,"added":true}, a line
//	csv      e,a,type,v,tx,added with a header, after RFC 4180, lines end in \n
//	parquet  columns e, a, type, one v_… for each kind of value, tx, added
//
// An attribute is EDN text in all of them: a keyword with its colon, a string
// in quotes, or an entity's id where it has no name.
//
// # Kinds of values
//
// "type" names the kind, without which v is ambiguous; every value can be had
// back from the two. v is text in CSV, and in JSON a string but for the kinds
// that are said to be something else:
//
//	string                a lone surrogate is \udxxx in JSON; CSV and Parquet cannot have it
//	boolean               JSON true or false
//	long, ref             a JSON number up to 2^53, a string of digits beyond (as e and tx are)
//	double, float         a JSON number with a point or an exponent; NaN, Infinity, -Infinity as text
//	bigint, bigdec        digits; bigdec as java.math.BigDecimal prints it, with its scale
//	instant               RFC 3339 in UTC with milliseconds; years before 0000 and after 9999 have
//	                      a sign and six digits or more. The calendar is the Gregorian one at all
//	                      times (ISO 8601), where #inst counts by the Julian one before 1582-10-15
//	uuid, uri, keyword, symbol
//	bytes                 base64 with padding
//	tuple                 JSON [{"v":…,"type":…},…], else EDN text. Its parts are never of kind ref
//	floats, doubles       JSON [1.5,"NaN"], else EDN text
//	fn                    a function of a Datomic database: EDN text
//	nil                   JSON null, else nothing; only a part of a tuple is nil
//
// A long is a ref where the schema says that its attribute is one.
package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// Format is a form of output.
type Format string

// The formats.
const (
	EDN     Format = "edn"
	JSON    Format = "json"
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// Formats are all of them.
func Formats() []Format { return []Format{EDN, JSON, CSV, Parquet} }

// ParseFormat finds a format by its name.
func ParseFormat(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if string(f) == name {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("unknown format %q: it is one of %s", name, strings.Join(names, ", "))
}

// Writer writes datoms, one after the other. It is for one goroutine.
type Writer interface {
	// Datom writes one. An error that matches datom.ErrNoText says that the
	// format has no form for it: nothing of it was written, and others may
	// follow. Any other error is the output's.
	Datom(d datom.Datom) error
	// Close writes what is left. It does not close the output.
	Close() error
}

// New returns a Writer to out, which need not be buffered. The schema tells
// references from other integers.
func New(f Format, out io.Writer, schema *datom.Schema) (Writer, error) {
	switch f {
	case EDN:
		return newLines(out, datom.AppendText), nil
	case JSON:
		r := refs{schema}
		return newLines(out, r.appendJSON), nil
	case CSV:
		return newCSV(out, refs{schema}), nil
	case Parquet:
		return newParquet(out, refs{schema}), nil
	}
	return nil, fmt.Errorf("unknown format %q", string(f))
}

// refs knows which integers refer to entities.
type refs struct{ *datom.Schema }

var typeRef = fressian.Keyword{NS: "db.type", Name: "ref"}

// kind is that of a datom's value.
func (r refs) kind(d datom.Datom) (kind, error) {
	k, err := kindOf(d.V)
	if err != nil {
		return "", fmt.Errorf("entity %d: %w", d.E, err)
	}
	if k != kindLong || r.Schema == nil {
		return k, nil
	}
	var attr *datom.Attribute
	switch a := d.A.(type) {
	case fressian.Keyword:
		attr = r.Attr(a)
	case int64:
		attr = r.AttrOf(a)
	}
	if attr != nil && attr.ValueType == typeRef {
		k = kindRef
	}
	return k, nil
}
