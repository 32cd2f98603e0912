package render

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// kind is the name of a value's type in the output.
type kind string

const (
	kindNil     kind = "nil"
	kindString  kind = "string"
	kindBoolean kind = "boolean"
	kindLong    kind = "long"
	kindRef     kind = "ref"
	kindDouble  kind = "double"
	kindFloat   kind = "float"
	kindBigint  kind = "bigint"
	kindBigdec  kind = "bigdec"
	kindInstant kind = "instant"
	kindUUID    kind = "uuid"
	kindURI     kind = "uri"
	kindKeyword kind = "keyword"
	kindSymbol  kind = "symbol"
	kindBytes   kind = "bytes"
	kindTuple   kind = "tuple"
	kindFloats  kind = "floats"
	kindDoubles kind = "doubles"
	kindFn      kind = "fn"
)

// kindOf is the kind of a value on its own, where a reference is a long.
func kindOf(v any) (kind, error) {
	switch v.(type) {
	case nil:
		return kindNil, nil
	case string:
		return kindString, nil
	case bool:
		return kindBoolean, nil
	case int64:
		return kindLong, nil
	case float64:
		return kindDouble, nil
	case float32:
		return kindFloat, nil
	case []byte:
		return kindBytes, nil
	case fressian.Inst:
		return kindInstant, nil
	case fressian.UUID:
		return kindUUID, nil
	}
	return rareKind(v)
}

func rareKind(v any) (kind, error) {
	switch v := v.(type) {
	case *big.Int:
		return kindBigint, nil
	case fressian.Decimal:
		return kindBigdec, nil
	case fressian.URI:
		return kindURI, nil
	case fressian.Keyword:
		return kindKeyword, nil
	case fressian.Symbol:
		return kindSymbol, nil
	case []any, fressian.Vector, fressian.Seq:
		return kindTuple, nil
	case []float32:
		return kindFloats, nil
	case []float64:
		return kindDoubles, nil
	case fressian.Tagged:
		if v.Tag == functionTag {
			return kindFn, nil
		}
	}
	return "", fmt.Errorf("%w: a value of type %T", datom.ErrNoText, v)
}

// functionTag is that of Datomic's database functions.
const functionTag = "datomic/fn"

// appendPlain appends a value as CSV has it.
func appendPlain(dst []byte, v any) ([]byte, error) {
	from := len(dst)
	switch v := v.(type) {
	case nil:
		return dst, nil
	case string:
		dst = append(dst, v...)
	case fressian.URI:
		dst = append(dst, v...)
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v, 64), nil
	case float32:
		return appendFloat(dst, float64(v), 32), nil
	case []byte:
		return base64.StdEncoding.AppendEncode(dst, v), nil
	case fressian.Inst:
		return appendInstant(dst, int64(v)), nil
	case fressian.UUID:
		return append(dst, hasch.String(v)...), nil
	case *big.Int:
		return v.Append(dst, 10), nil
	default:
		var err error
		if dst, err = datom.AppendValue(dst, v); err != nil {
			return dst, err
		}
		if _, ok := v.(fressian.Decimal); ok {
			return dst[:len(dst)-1], nil // the M
		}
	}
	return dst, checkText(dst[from:])
}

// checkText refuses what UTF-8 has no form for.
func checkText(text []byte) error {
	if utf8.Valid(text) {
		return nil
	}
	return fmt.Errorf("%w: a text with a lone surrogate, which is not UTF-8 (the formats edn and json have one for it)", datom.ErrNoText)
}
