package datahike

// Fact is a datom with its attribute and value decoded.
type Fact struct {
	E int64
	// A is a fressian.Keyword, or the attribute's entity id as int64 where
	// the database has :attribute-refs?, or a string, which Datahike accepts
	// under :schema-flexibility :read.
	A any
	// V is a value as the fressian package decodes it.
	V     any
	Tx    int64 // 536870912 + t
	Added bool
}
