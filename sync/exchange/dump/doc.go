// Package dump reads and writes the dumps of Datahike (datahike.migrate, format
// version 1), which export-db makes and import-db takes. A dump is a directory:
//
//	datoms-000001.cbor.gz …    records, 100,000 a file
//	store-refs/<uuid>          the bytes of an object that a datom names
//	manifest.edn               written last: without it there is no dump
//
// A file of datoms, called a chunk, is gzip (RFC 1952), of one member or more,
// of a CBOR sequence (RFC 8742) of records
//
//	[e a v t op]
//
// where t is the transaction's entity, 536870912 + n, and op whether the datom
// was asserted. Values are CBOR (RFC 8949), integers and lengths in the shortest
// form and floats in their own:
//
//	keyword, symbol     tag 39, text ":ns/name", "ns/name"
//	integer             0.. and -1..; a reference is the entity's number
//	bigint              tag 2 or 3, always
//	bigdec              tag 4, [-scale unscaled]; tag 2 or 3 from 2^62 on
//	double, float       64 bits, 32 bits
//	instant             tag 0, "2026-11-21T01:37:27.410Z", without fraction if
//	                    that is 0; years 0000 to 9999. Tag 1 is read too.
//	UUID                tag 37, 16 bytes
//	bytes, string       as such. A string that is no Unicode cannot be written.
//	tuple, list         array
//	float[], double[]   tag 85, 86 (RFC 8746, little-endian)
//	set, map            tag 258, map: by the bytes of the elements and the keys;
//	                    a map with a key twice is not read
//	URI                 tag 32, text
//	what Datahike itself defines, as a reference's value in a database with
//	:attribute-refs?    tag 27, ["datahike.migrate.cbor.SysRef" {:ident :a/b}]
//
// Records are in the order of t, :db/txInstant first, then of e, of the text of
// a, retractions before assertions, then of the text of v. Dumps made with
// :sort? false are in another order, and read all the same.
//
// manifest.edn is a map: see [Manifest]. SHA-256 of a chunk is that of its
// records, not of the file. The :semantic-digest has for each record the first
// eight bytes of the SHA-256 of its bytes, big-endian: all of them joined by
// exclusive or, and their sum modulo 2^64.
//
// github.com/fxamacker/cbor reads the records. It does not write them: it would
// do so to the same bytes, by a Go value for each part and reflection, and an
// export with history on two cores comes to 0.65 million datoms a second in
// place of 0.87 (1.44 million datoms of fstest/sample; 40 % more of the
// processor's time), where 0.7 is the least that is wanted. The writer that
// stays is no longer than the mapping to such values; whatever it writes in the
// tests, the library reads.
//
// The facts are from dumps that Datahike 0.8 wrote (testdata), and from
// datahike.migrate.{manifest,cbor,sort,digest,compress,blobs} and
// org.replikativ.boring.Writer of that time.
package dump
