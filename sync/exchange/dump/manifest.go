package dump

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// ManifestName is the file that makes a directory a dump.
const ManifestName = "manifest.edn"

// FormatVersion is the only version of the format that is known.
const FormatVersion = 1

// Manifest is what manifest.edn says.
type Manifest struct {
	// History: retractions are there, and what was retracted.
	History bool
	// Compressed: chunks are gzip (:compression :gzip, or :none).
	Compressed bool
	// Meta is :datahike/meta: the versions and the id of the database.
	Meta fressian.Map
	// Config is :source-config; an import demands the same :attribute-refs?,
	// :keep-history? and :schema-flexibility, if they are here.
	Config fressian.Map
	// Schema has for each attribute, those of Datahike itself included, a map.
	Schema fressian.Map
	// SystemIdents are the entities that every database with :attribute-refs?
	// has, and their names.
	SystemIdents map[int64]fressian.Keyword
	// Requires is what a reader must know.
	Requires []fressian.Keyword
	Chunks   []Chunk
	Digest   Digest
	// StoreRefs are the objects that datoms name; nil if they name none.
	StoreRefs *StoreRefs
	Stats     Stats
	// Extra is written behind the rest. It is not read.
	Extra fressian.Map
}

// Chunk is a file of records.
type Chunk struct {
	File  string
	Count int64
	// Bytes is the file's size, RawBytes that of its records.
	Bytes, RawBytes int64
	// SHA256 is that of the records, as lower-case hexadecimal digits.
	SHA256 string
}

// StoreRefs are the objects that datoms of :db.type/store-ref name, sorted.
type StoreRefs struct {
	// Carried are in the dump, External elsewhere.
	Carried, External []fressian.UUID
}

// Stats are the numbers of a dump.
type Stats struct {
	Datoms int64
	// Source is how many datoms the database had, -1 if that is not known. An
	// import refuses a dump that has fewer and is not Transformed.
	Source      int64
	Transformed bool
	MaxE, MaxTx int64
}

// What a reader must know of, beside types of values.
var (
	needSequence = fressian.Keyword{NS: "datahike.migrate", Name: "cbor-seq"}
	needHistory  = fressian.Keyword{NS: "datahike.migrate", Name: "history"}
	needBlobs    = fressian.Keyword{NS: "datahike.migrate", Name: "store-ref-blobs"}
	needExternal = fressian.Keyword{NS: "datahike.migrate", Name: "external-blobs"}
	needAttrRefs = fressian.Keyword{NS: "datahike.migrate", Name: "attribute-refs"}
)

// valueTypes are the types of values that are known (:db.type/…).
const valueTypes = " any bigdec bigint boolean bytes cardinality double double-array float float-array install/attribute instant " +
	"keyword long number ref store-ref string symbol tuple unique uri uuid value valueType "

// known tells whether a reader of ours knows a requirement.
func known(need fressian.Keyword) bool {
	switch need {
	case needSequence, needHistory, needBlobs, needExternal, needAttrRefs:
		return true
	}
	return need == fressian.Keyword{NS: "db.type.install", Name: "attribute"} ||
		need.NS == "db.type" && strings.Contains(valueTypes, " "+need.Name+" ")
}

// require sets what a reader must know.
func (m *Manifest) require() {
	needs := map[fressian.Keyword]bool{needSequence: true}
	needs[needHistory] = m.History
	if refs, _ := m.Config.Get("", "attribute-refs?"); refs == true {
		needs[needAttrRefs] = true
	}
	if m.StoreRefs != nil {
		needs[needBlobs] = len(m.StoreRefs.Carried) > 0
		needs[needExternal] = len(m.StoreRefs.External) > 0
	}
	for _, e := range m.Schema {
		attr, _ := e.Value.(fressian.Map)
		v, _ := attr.Get("db", "valueType")
		if t, ok := v.(fressian.Keyword); ok {
			needs[t] = true
		}
	}
	m.Requires = nil
	for need, is := range needs {
		if is {
			m.Requires = append(m.Requires, need)
		}
	}
	slices.SortFunc(m.Requires, func(a, b fressian.Keyword) int {
		return cmp.Or(strings.Compare(a.NS, b.NS), strings.Compare(a.Name, b.Name))
	})
}
