package fressian

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"math"
	"math/big"
)

// Writer appends values to a buffer, as org.fressian with data.fressian's and
// incognito's handlers does: the smallest form of each number and length, the
// names of keywords and symbols through the priority cache. An empty Writer
// is ready for use. It is not safe for concurrent use.
type Writer struct {
	buf     []byte
	origin  int    // where the bytes begin that the next footer speaks of
	units   []byte // scratch for strings
	depth   int
	cache   map[any]int
	structs map[structKey]int
	words   words
}

// structKey identifies a struct's type by tag and declared component count.
type structKey struct {
	tag    string
	fields int
}

// NewWriter returns a Writer with nothing written.
func NewWriter() *Writer { return &Writer{} }

// Bytes returns what has been written, valid until the next call.
func (w *Writer) Bytes() []byte { return w.buf }

// Reset forgets what has been written and keeps the memory.
func (w *Writer) Reset() {
	w.buf, w.origin, w.depth = w.buf[:0], 0, 0
	w.forget()
}

func (w *Writer) forget() {
	clear(w.cache)
	clear(w.structs)
	w.words.forget()
}

func (w *Writer) code(c byte) { w.buf = append(w.buf, c) }

// Write appends v, of one of the types that Read returns. The error for
// another type, or for a string that is not UTF-8 but for lone surrogates,
// matches [ErrValue]; what was written then is of no use.
func (w *Writer) Write(v any) error {
	if ok, err := w.writeScalar(v); ok {
		return err
	}
	if w.depth++; w.depth > MaxDepth {
		return fmt.Errorf("%w: nested deeper than %d", ErrValue, MaxDepth)
	}
	err := w.writeDeep(v)
	w.depth--
	return err
}

// writeScalar appends v if it holds no other values.
func (w *Writer) writeScalar(v any) (ok bool, err error) { //nolint:gocyclo,funlen // one case for each type
	switch v := v.(type) {
	case nil:
		w.code(codeNull)
	case bool:
		w.writeBool(v)
	case int64:
		w.writeInt(v)
	case float32:
		w.writeFloat(v)
	case float64:
		w.writeDouble(v)
	case string:
		err = w.writeString(v)
	case []byte:
		w.writeBytes(v)
	case UUID:
		w.code(codeUUID)
		w.writeBytes(v[:])
	case Inst:
		w.code(codeInst)
		w.writeInt(int64(v))
	case URI:
		w.code(codeURI)
		err = w.writeString(string(v))
	case Regex:
		w.code(codeRegex)
		err = w.writeString(string(v))
	case Keyword:
		err = w.writeNamed(codeKeyword, v.NS, v.Name)
	case Symbol:
		err = w.writeNamed(codeSymbol, v.NS, v.Name)
	case *big.Int:
		w.code(codeBigInt)
		w.writeBytes(bigBytes(v))
	case Decimal:
		w.code(codeBigDec)
		w.writeBytes(bigBytes(v.Unscaled))
		w.writeInt(int64(v.Scale))
	default:
		return false, nil
	}
	return true, err
}

func (w *Writer) writeDeep(v any) error {
	switch v := v.(type) {
	case []any:
		w.WriteListHeader(len(v))
		return w.writeAll(v)
	case Map:
		return w.writeMap(v)
	case Set:
		w.code(codeSet)
		w.WriteListHeader(len(v))
		return w.writeAll(v)
	case Array:
		w.arrayHeader(codeObjectArray, len(v))
		return w.writeAll(v)
	case Vector:
		return w.writeStruct(tagVector, v)
	case Seq:
		return w.writeStruct(tagSeq, v)
	case Tagged:
		return w.writeStruct(v.Tag, v.Fields)
	case Record:
		return w.writeRecord(v)
	case Meta:
		w.code(codeMeta)
		return w.writeAll([]any{v.Meta, v.Value})
	}
	return w.writePrimitives(v)
}

func (w *Writer) writePrimitives(v any) error {
	switch v := v.(type) {
	case []bool:
		writeArray(w, codeBooleanArray, v, w.writeBool)
	case []int32:
		writeArray(w, codeIntArray, v, func(n int32) { w.writeInt(int64(n)) })
	case []int64:
		writeArray(w, codeLongArray, v, w.writeInt)
	case []float32:
		writeArray(w, codeFloatArray, v, w.writeFloat)
	case []float64:
		writeArray(w, codeDoubleArray, v, w.writeDouble)
	default:
		return fmt.Errorf("%w: %T", ErrValue, v)
	}
	return nil
}

func writeArray[T any](w *Writer, c byte, a []T, write func(T)) {
	w.arrayHeader(c, len(a))
	for _, v := range a {
		write(v)
	}
}

func (w *Writer) arrayHeader(c byte, n int) {
	w.code(c)
	w.writeInt(int64(n))
}

func (w *Writer) writeAll(l []any) error {
	for _, v := range l {
		if err := w.Write(v); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) writeMap(m Map) error {
	w.WriteMapHeader(len(m))
	for _, e := range m {
		if err := w.writeAll([]any{e.Key, e.Value}); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) writeStruct(tag string, fields []any) error {
	if err := w.WriteStruct(tag, len(fields)); err != nil {
		return err
	}
	return w.writeAll(fields)
}

func (w *Writer) writeRecord(v Record) error {
	if err := w.WriteStruct(tagRecord, 1+len(v.Fields)); err != nil {
		return err
	}
	if err := w.Write(v.Tag); err != nil {
		return err
	}
	for _, e := range v.Fields {
		if err := w.Write([]any{e.Key, e.Value}); err != nil {
			return err
		}
	}
	return nil
}

// WriteListHeader begins a list; the n elements must follow.
func (w *Writer) WriteListHeader(n int) {
	if n < packedLength {
		w.code(byte(codeList0 + n)) //nolint:gosec // below 8
		return
	}
	w.code(codeList)
	w.writeInt(int64(n))
}

// WriteMapHeader begins a map; n times a key and its value must follow.
func (w *Writer) WriteMapHeader(n int) {
	w.code(codeMap)
	w.WriteListHeader(2 * n)
}

// WriteStruct begins a struct; the n values must follow that
// [Reader.ReadStruct] describes.
func (w *Writer) WriteStruct(tag string, n int) error {
	fields, count := n, n
	switch tag {
	case tagVector, tagSeq:
		fields = incognitoCount
	case tagRecord:
		fields, count = incognitoCount, n-1
	}
	if count < 0 {
		return fmt.Errorf("%w: struct %q of %d values", ErrValue, tag, n)
	}
	if err := w.structType(structKey{tag, fields}); err != nil {
		return err
	}
	switch tag {
	case tagVector, tagSeq, tagRecord:
		w.writeInt(int64(count))
	}
	return nil
}

func (w *Writer) structType(k structKey) error {
	if i, ok := w.structs[k]; ok {
		w.ref(i, codeStruct0, packedStructs, codeStruct)
		return nil
	}
	if len(k.tag) > stringChunk {
		return fmt.Errorf("%w: struct tag of %d bytes", ErrValue, len(k.tag))
	}
	if w.structs == nil {
		w.structs = map[structKey]int{}
	}
	w.structs[k] = len(w.structs)
	w.code(codeStructType)
	err := w.writeString(k.tag)
	w.writeInt(int64(k.fields))
	return err
}

// ref appends a cache reference: zero+i while i is below packed.
func (w *Writer) ref(i int, zero byte, packed int, long byte) {
	if i < packed {
		w.code(zero + byte(i)) //nolint:gosec // below packed
		return
	}
	w.code(long)
	w.writeInt(int64(i))
}

// WriteCached appends v through the priority cache, unless it is as short as
// a reference or of a type that cannot be looked up: only scalars can.
func (w *Writer) WriteCached(v any) error {
	if !cacheable(v) {
		return w.Write(v)
	}
	if i, ok := w.cache[v]; ok {
		w.ref(i, codePriority0, packedPriority, codeGetPriority)
		return nil
	}
	if w.cache == nil {
		w.cache = map[any]int{}
	}
	w.cache[v] = len(w.cache)
	w.code(codePutPriority)
	return w.Write(v)
}

// cacheable follows org.fressian: integers of one or two bytes, the empty
// string and the doubles with a code of their own stay out of the cache.
func cacheable(v any) bool {
	switch v := v.(type) {
	case int64:
		return v < -4096 || v >= 4096
	case float64:
		return v != 0 && v != 1 && !math.IsNaN(v)
	case string:
		return v != ""
	case UUID, Inst, URI, Regex, Keyword, Symbol:
		return true
	}
	return false
}

func (w *Writer) writeNamed(c byte, ns, name string) error {
	w.code(c)
	if ns == "" {
		w.code(codeNull)
	} else if err := w.WriteCached(ns); err != nil {
		return err
	}
	return w.WriteCached(name)
}

// WriteFooter appends the footer for what was written since the last one, and
// forgets the caches, as reading it does.
func (w *Writer) WriteFooter() {
	n := len(w.buf) - w.origin
	w.buf = binary.BigEndian.AppendUint32(w.buf, footerMagic)
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(n)) //nolint:gosec // a buffer in memory
	sum := adler32.Checksum(w.buf[w.origin:])
	w.buf = binary.BigEndian.AppendUint32(w.buf, sum)
	w.origin = len(w.buf)
	w.forget()
}
