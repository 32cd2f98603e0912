package fressian

// Codes of org.fressian.impl.Codes. A name ending in 0 begins a packed run.
const (
	codePriority0     = 0x80
	codeStruct0       = 0xa0
	codeLongArray     = 0xb0
	codeDoubleArray   = 0xb1
	codeBooleanArray  = 0xb2
	codeIntArray      = 0xb3
	codeFloatArray    = 0xb4
	codeObjectArray   = 0xb5
	codeMap           = 0xc0
	codeSet           = 0xc1
	codeUUID          = 0xc3
	codeRegex         = 0xc4
	codeURI           = 0xc5
	codeBigInt        = 0xc6
	codeBigDec        = 0xc7
	codeInst          = 0xc8
	codeSymbol        = 0xc9
	codeKeyword       = 0xca
	codeGetPriority   = 0xcc
	codePutPriority   = 0xcd
	codeFooter        = 0xcf
	codeBytes0        = 0xd0
	codeBytesChunk    = 0xd8
	codeBytes         = 0xd9
	codeString0       = 0xda
	codeStringChunk   = 0xe2
	codeString        = 0xe3
	codeList0         = 0xe4
	codeList          = 0xec
	codeClosedList    = 0xed
	codeOpenList      = 0xee
	codeStructType    = 0xef
	codeStruct        = 0xf0
	codeMeta          = 0xf1
	codeTrue          = 0xf5
	codeFalse         = 0xf6
	codeNull          = 0xf7
	codeInt           = 0xf8
	codeFloat         = 0xf9
	codeDouble        = 0xfa
	codeDouble0       = 0xfb
	codeDouble1       = 0xfc
	codeEndCollection = 0xfd
	codeResetCaches   = 0xfe
	codeMinusOne      = 0xff
)

const (
	packedPriority = 32 // references with a code of their own
	packedStructs  = 16
	packedLength   = 8 // exclusive end of the packed lengths

	// Chunk sizes in bytes, as org.fressian writes them.
	stringChunk = 65536
	bytesChunk  = 65535
)

// variable marks a code whose payload must be parsed to know its size.
const variable = -1

// width is the payload size in bytes of each code that needs no checks beyond
// its size, else variable. It never changes.
var width = widths()

func widths() (w [256]int8) {
	for c := range w {
		w[c] = variable
		switch {
		case c < 0x40, c == codeMinusOne:
			w[c] = 0
		case c < 0x60:
			w[c] = 1
		case c < 0x70:
			w[c] = 2
		case c < codePriority0:
			w[c] = int8(3 + (c-0x70)/4)
		case c >= codeTrue && c <= codeNull, c == codeDouble0, c == codeDouble1:
			w[c] = 0
		case c == codeInt, c == codeDouble:
			w[c] = 8
		case c == codeFloat:
			w[c] = 4
		case c >= codeBytes0 && c < codeBytesChunk:
			w[c] = int8(c - codeBytes0)
		}
	}
	return w
}

func isInt(c byte) bool {
	return c < codePriority0 || c == codeInt || c == codeMinusOne
}

func isString(c byte) bool { return c >= codeString0 && c <= codeString }

func isList(c byte) bool { return c >= codeList0 && c <= codeOpenList }

func isStruct(c byte) bool {
	return c >= codeStruct0 && c < codeLongArray || c == codeStructType || c == codeStruct
}
