package fressian

// Kind tells the Go type that Read would return.
type Kind uint8

// The kinds, each for the type of value.go of that name.
const (
	KindInvalid Kind = iota // no value begins with this code
	KindNil
	KindBool
	KindInt
	KindFloat32
	KindFloat64
	KindString
	KindBytes
	KindList // []any only; Vector and Seq are structs
	KindMap
	KindSet
	KindUUID
	KindKeyword
	KindSymbol
	KindInst
	KindURI
	KindRegex
	KindBigInt
	KindDecimal
	KindArray  // of objects
	KindArrays // of bool, int32, int64, float32 or float64
	KindMeta
	KindStruct
)

var kindNames = [...]string{
	"no value", "nil", "bool", "int", "float32", "float64", "string", "bytes",
	"list", "map", "set", "uuid", "keyword", "symbol", "inst", "uri", "regex",
	"bigint", "decimal", "array", "primitive array", "meta", "struct",
}

// String returns a name for messages.
func (k Kind) String() string { return kindNames[k] }

// kinds is the kind that each code begins. It never changes.
var kinds = kindsByCode()

func kindsByCode() (k [256]Kind) {
	for c := range k {
		switch b := byte(c); {
		case isInt(b):
			k[c] = KindInt
		case isString(b):
			k[c] = KindString
		case isList(b):
			k[c] = KindList
		case isStruct(b):
			k[c] = KindStruct
		case b >= codeBytes0 && b <= codeBytes:
			k[c] = KindBytes
		case b >= codeLongArray && b < codeObjectArray:
			k[c] = KindArrays
		case b == codeDouble || b == codeDouble0 || b == codeDouble1:
			k[c] = KindFloat64
		}
	}
	k[codeNull], k[codeTrue], k[codeFalse] = KindNil, KindBool, KindBool
	k[codeFloat], k[codeMap], k[codeSet] = KindFloat32, KindMap, KindSet
	k[codeUUID], k[codeKeyword], k[codeSymbol] = KindUUID, KindKeyword, KindSymbol
	k[codeInst], k[codeURI], k[codeRegex] = KindInst, KindURI, KindRegex
	k[codeBigInt], k[codeBigDec] = KindBigInt, KindDecimal
	k[codeObjectArray], k[codeMeta] = KindArray, KindMeta
	return k
}

// Peek returns the kind of the next value, seen through the caches, without
// consuming it. It returns io.EOF at the end of the input.
func (r *Reader) Peek() (Kind, error) {
	if err := r.start(); err != nil {
		return KindInvalid, err
	}
	return r.kindAt(r.pos)
}

// kindAt is the kind of the value at off, to which the position's caches apply.
func (r *Reader) kindAt(off int) (Kind, error) {
	for off < len(r.buf) {
		c := r.buf[off]
		switch {
		case c == codeResetCaches, c == codePutPriority:
			off++
		case c >= codePriority0 && c < codeStruct0, c == codeGetPriority:
			i, _, err := r.refAt(off)
			if err != nil {
				return KindInvalid, err
			}
			off = r.entries[i].off
		default:
			return kinds[c], nil
		}
	}
	return KindInvalid, r.truncated()
}
