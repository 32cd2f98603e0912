package konserve

import (
	"encoding/binary"
	"fmt"
)

const (
	// MinSize is the length of the header in bytes. Shorter files are what a
	// writer leaves while it creates a blob.
	MinSize = 20

	shortSize = 8 // length of the header of konserve 0.6.0-alpha
	version   = 1
)

// Serializer is the encoding of metadata and value.
type Serializer uint8

// The serializers of konserve.
const (
	EDN Serializer = iota
	Fressian
	CLJCBOR
	BoringCBOR
)

// String returns konserve's name of the serializer.
func (s Serializer) String() string { return name("serializer", uint8(s), serializers[:]) }

// Compressor is the compression of metadata and value.
type Compressor uint8

// The compressors of konserve.
const (
	Uncompressed Compressor = iota
	LZ4
	Zstd
)

// String returns konserve's name of the compressor.
func (c Compressor) String() string { return name("compressor", uint8(c), compressors[:]) }

// Encryptor is the encryption of metadata and value.
type Encryptor uint8

// The encryptors of konserve.
const (
	Unencrypted Encryptor = iota
	AES
)

// String returns konserve's name of the encryptor.
func (e Encryptor) String() string { return name("encryptor", uint8(e), encryptors[:]) }

var (
	serializers = [...]string{"StringSerializer", "FressianSerializer", "CBORSerializer", "BoringSerializer"}
	compressors = [...]string{"no compressor", "lz4", "zstd"}
	encryptors  = [...]string{"no encryptor", "aes"}
)

func name(what string, id uint8, names []string) string {
	if int(id) < len(names) {
		return names[id]
	}
	return fmt.Sprintf("%s %d", what, id)
}

// Header is the decoded start of a blob.
type Header struct {
	Serializer Serializer
	Compressor Compressor
	Encryptor  Encryptor
	Size       int // bytes of the header, where the metadata begins: 20 or 8
	MetaSize   int // bytes of the metadata as stored
}

// ValueAt returns the offset of the value in the blob, in bytes.
func (h Header) ValueAt() int { return h.Size + h.MetaSize }

// ParseHeader decodes the header of the blob b and checks that b reaches to
// the end of the metadata. It knows the serializers that [Codec.Open] refuses.
// Errors match [ErrMalformed] or [ErrUnsupported].
func ParseHeader(b []byte) (Header, error) {
	if len(b) < MinSize {
		return Header{}, fmt.Errorf("%w: %d bytes, less than a header of %d", ErrMalformed, len(b), MinSize)
	}
	if b[0] != version {
		return Header{}, fmt.Errorf("%w: storage version %d, not %d", ErrUnsupported, b[0], version)
	}
	h := Header{
		Serializer: Serializer(b[1]),
		Compressor: Compressor(b[2]),
		Encryptor:  Encryptor(b[3]),
		Size:       MinSize,
	}
	if err := h.known(); err != nil {
		return Header{}, err
	}
	if [MinSize - shortSize]byte(b[shortSize:]) != [MinSize - shortSize]byte{} {
		h.Size = shortSize
	}
	size := binary.BigEndian.Uint32(b[4:])
	if size == 0 {
		return Header{}, fmt.Errorf("%w: no metadata", ErrMalformed)
	}
	if int64(size) > int64(len(b)-h.Size) {
		return Header{}, fmt.Errorf("%w: metadata of %d bytes at offset %d in %d bytes", ErrMalformed, size, h.Size, len(b))
	}
	h.MetaSize = int(size)
	return h, nil
}

// known refuses ids that no version of konserve has assigned.
func (h Header) known() error {
	switch {
	case int(h.Serializer) >= len(serializers):
		return fmt.Errorf("%w: %v", ErrUnsupported, h.Serializer)
	case int(h.Compressor) >= len(compressors):
		return fmt.Errorf("%w: %v", ErrUnsupported, h.Compressor)
	case int(h.Encryptor) >= len(encryptors):
		return fmt.Errorf("%w: %v", ErrUnsupported, h.Encryptor)
	}
	return nil
}

// readable is known, and refuses the serializers that Datahike never uses.
func (h Header) readable() error {
	if h.Serializer != Fressian {
		return fmt.Errorf("%w: serialized by %v, only %v is read", ErrUnsupported, h.Serializer, Fressian)
	}
	return h.known()
}

// append appends the 20-byte form of h for metadata of the given size.
func (h Header) append(dst []byte, metaSize uint32) []byte {
	dst = append(dst, version, byte(h.Serializer), byte(h.Compressor), byte(h.Encryptor))
	dst = binary.BigEndian.AppendUint32(dst, metaSize)
	return append(dst, make([]byte, MinSize-shortSize)...)
}
