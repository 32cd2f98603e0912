package konserve

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// The keys of the encrypted databases: aes, and lz4-aes.
const (
	goldenKey = "s3cr3t-key-äöü"
	shortKey  = "k"
)

// golden is a blob of testdata and what it holds. Sizes and digests of the
// values were taken with other programs: lz4, zstd and sha256sum.
type golden struct {
	file   string // directory/name without extension
	header Header
	meta   Meta
	size   int    // bytes of the value
	digest string // first 8 bytes of its SHA-256
}

// leafDigest is that of an empty leaf, which several databases share.
const (
	branchesDigest = "d4269ce813ef1f3c"
	leafDigest     = "3d7c0fe3fbadd550"
)

var branches = fressian.Keyword{Name: "branches"}

var goldens = []golden{
	{
		"plain/1643fed1-9f2d-514e-b007-53bbb8682214", Header{Fressian, Uncompressed, Unencrypted, 20, 59},
		Meta{branches, TypeEDN, 0x1a1fc23885f, false}, 8, branchesDigest,
	},
	{
		"plain/3eb1f26f-fb8e-5c18-bea3-d3d75781b73e", Header{Fressian, Uncompressed, Unencrypted, 20, 82},
		Meta{uuid("6b010f3d-b156-44b9-ab05-3be8d0b926fa"), TypeEDN, 0x1a1fc238847, true}, 72, leafDigest,
	},
	{
		"legacy/24b22f46-f258-546c-a136-f509fb00e4d9", Header{Fressian, Uncompressed, Unencrypted, 20, 65},
		Meta{uuid("2d38fcf5-1d9a-456f-b832-7023192017f9"), TypeEDN, 0x1a1fc246b99, false}, 64, "e6aee39b25509b9e",
	},
	{
		"binary/39604fdb-3787-5184-8f35-d02999b7e332", Header{Fressian, Uncompressed, Unencrypted, 20, 68},
		Meta{uuid("2f885bef-db55-51fd-a520-c64b98804a93"), TypeBinary, 0x1a1fc23edcc, false}, 5, "761ca8fd7dd51248",
	},
	{
		"lz4/1643fed1-9f2d-514e-b007-53bbb8682214", Header{Fressian, LZ4, Unencrypted, 20, 74},
		Meta{branches, TypeEDN, 0x1a1fc239013, false}, 8, branchesDigest,
	},
	{
		"lz4/3210a211-98e6-576d-9aa8-8b79c5b5c8f1", Header{Fressian, LZ4, Unencrypted, 20, 97},
		Meta{uuid("1e8cc921-c6fc-56e6-9cf6-0d1c554e2913"), TypeEDN, 0x1a1fc239025, true}, 1498, "b4761ab4cd9b8226",
	},
	{
		"lz4/3323b7f8-63e1-59a4-a27c-f6a1d9ed02ed", Header{Fressian, LZ4, Unencrypted, 20, 97},
		Meta{uuid("6b010f3f-8f1d-459d-8cae-6d0e8d749e64"), TypeEDN, 0x1a1fc238ff4, true}, 72, leafDigest,
	},
	{
		"zstd/1643fed1-9f2d-514e-b007-53bbb8682214", Header{Fressian, Zstd, Unencrypted, 20, 68},
		Meta{branches, TypeEDN, 0x1a1fc239371, false}, 8, branchesDigest,
	},
	{
		"zstd/0af9095c-7be7-59ce-9911-e855cabd5e98", Header{Fressian, Zstd, Unencrypted, 20, 91},
		Meta{uuid("6b010f40-b36d-4eda-a9c2-71cef018549f"), TypeEDN, 0x1a1fc2394b4, true}, 5366, "a6c470576e840e63",
	},
	{
		"zstd/37c6e2d4-4c03-5a26-b605-afc0f8551023", Header{Fressian, Zstd, Unencrypted, 20, 91},
		Meta{uuid("6b010f40-3bcc-4195-9ce5-f17d29177f97"), TypeEDN, 0x1a1fc23936a, true}, 72, leafDigest,
	},
	{
		"aes/1643fed1-9f2d-514e-b007-53bbb8682214", Header{Fressian, Uncompressed, AES, 20, 128},
		Meta{branches, TypeEDN, 0x1a1fc239551, false}, 8, branchesDigest,
	},
	{
		"aes/2dd4755b-7304-553d-b2ae-7131df6318c5", Header{Fressian, Uncompressed, AES, 20, 160},
		Meta{uuid("6b010f40-6a62-4993-90f1-83a14f6e5a85"), TypeEDN, 0x1a1fc239545, true}, 72, leafDigest,
	},
	{
		"lz4-aes/0be34756-179c-5482-8248-e5654fa0cfbe", Header{Fressian, LZ4, AES, 20, 144},
		Meta{fressian.Keyword{Name: "bin"}, TypeBinary, 0x1a1fbf64cf1, false}, 22, "54476d54f08448db",
	},
}

// key returns the key of the database.
func (g golden) key() string {
	if strings.HasPrefix(g.file, "lz4-aes/") {
		return shortKey
	}
	return goldenKey
}

// uuid is hasch.Parse of text that is right.
func uuid(s string) fressian.UUID {
	u, err := hasch.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// read returns the bytes of a blob of testdata.
func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(file)+".ksv"))
	require.NoError(t, err)
	return b
}

// eachGolden runs a subtest for each blob of testdata that is readable.
func eachGolden(t *testing.T, run func(t *testing.T, g golden, b []byte)) {
	t.Helper()
	for _, g := range goldens {
		t.Run(strings.ReplaceAll(g.file[:strings.Index(g.file, "/")+5], "/", "-"), func(t *testing.T) {
			run(t, g, read(t, g.file))
		})
	}
}

// blob puts parts behind a header for Fressian; nothing in it is checked.
func blob(c Compressor, e Encryptor, meta, value []byte) []byte {
	h := Header{Serializer: Fressian, Compressor: c, Encryptor: e}
	return append(append(h.append(nil, uint32(len(meta))), meta...), value...)
}

// encode is the Fressian form of v.
func encode(t testing.TB, v any) []byte {
	t.Helper()
	w := fressian.NewWriter()
	require.NoError(t, w.Write(v))
	return w.Bytes()
}
