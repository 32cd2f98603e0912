package schema

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// attribute is one as --json prints it: keywords with their colon.
type attribute struct {
	Ident       string `json:"ident"`
	ID          int64  `json:"id,omitempty"`
	ValueType   string `json:"valueType,omitempty"`
	Cardinality string `json:"cardinality"`
	Unique      string `json:"unique,omitempty"`
	Index       bool   `json:"index,omitempty"`
	NoHistory   bool   `json:"noHistory,omitempty"`
	IsComponent bool   `json:"isComponent,omitempty"`
	System      bool   `json:"system,omitempty"`
}

func list(attrs []datom.Attribute, all bool) []attribute {
	out := []attribute{}
	for _, a := range attrs {
		if a.System && !all {
			continue
		}
		many := ":db.cardinality/one"
		if a.Many {
			many = ":db.cardinality/many"
		}
		out = append(out, attribute{
			Ident: text(a.Ident), ID: a.ID, ValueType: text(a.ValueType), Cardinality: many, Unique: text(a.Unique),
			Index: a.Indexed, NoHistory: a.NoHistory, IsComponent: a.Component, System: a.System,
		})
	}
	return out
}

// text is a keyword with its colon, or nothing.
func text(k fressian.Keyword) string {
	if k == (fressian.Keyword{}) {
		return ""
	}
	s, _ := datom.AppendAttr(nil, k) // keywords have a text
	return string(s)
}
