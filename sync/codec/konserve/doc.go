// Package konserve reads and writes the blobs in which konserve, the store
// under Datahike, keeps its values.
//
// A blob is a header, the metadata of the value, and the value:
//
//	byte   meaning
//	0      storage version, always 1
//	1      serializer: 0 EDN text, 1 Fressian, 2 clj-cbor, 3 boring CBOR
//	2      compressor: 0 none, 1 LZ4 frame, 2 zstd frame
//	3      encryptor: 0 none, 1 AES
//	4..7   size of the metadata as stored, big-endian
//	8..19  zero; if not, the header is the 8-byte form of konserve 0.6.0-alpha
//	       and the metadata begins at byte 8
//
// The value runs from the end of the metadata to the end of the blob. Both
// parts are stored as encrypt(compress(serialize(x))), each on its own, except
// that the value of a blob of type :binary is stored as it is, unencrypted too.
//
// An encrypted part is 64 bytes of salt and AES-256-CBC with PKCS #7 padding.
// With H the SHA-512 of package hasch and salt a list of signed numbers, the
// key is the start of H(["key" salt k]) and the initial vector the start of
// H(["initial-value" salt k]), where k is the configured key.
//
// No part has a checksum of its own: damage inside a plain value shows up only
// where the value is decoded. Checked against blobs that konserve 0.8.321 and
// 0.9.372 wrote.
package konserve
