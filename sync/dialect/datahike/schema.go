package datahike

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

var (
	valueType = fressian.Keyword{NS: "db", Name: "valueType"}
	storeRef  = fressian.Keyword{NS: "db.type", Name: "store-ref"}
)

// checkSchema reads a schema blob and refuses attributes whose values refer
// to objects of the store: those would have to be copied with it.
func checkSchema(value []byte) error {
	v, err := fressian.Decode(value)
	if err != nil {
		return err
	}
	m, ok := v.(fressian.Map)
	if !ok {
		return corrupt("the schema is no map")
	}
	schema, _ := m.Get("", "schema")
	return checkSchemaMap(schema)
}

// checkSchemaMap does the same for the map of attributes.
func checkSchemaMap(v any) error {
	m, _ := v.(fressian.Map)
	for _, e := range m {
		attr, _ := e.Value.(fressian.Map)
		for _, f := range attr {
			if f.Key == valueType && f.Value == storeRef {
				return unsupported("attribute %v is of type :db.type/store-ref; values that are objects of their own are not copied yet", e.Key)
			}
		}
	}
	return nil
}
