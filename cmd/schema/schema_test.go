package schema

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/local"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// TestList: the JSON says what the schema of a real database says.
func TestList(t *testing.T) {
	v, err := cli.View(t.Context(), ":datahike,store='"+fixture.Unpack(t, "a-default")+"':", "", "")
	require.NoError(t, err)
	defer func() { _ = v.Close() }()
	find := func(all []attribute, ident string) (found []attribute) {
		for _, a := range all {
			if a.Ident == ident {
				found = append(found, a)
			}
		}
		return found
	}
	user, everything := list(v.Schema().Attributes, false), list(v.Schema().Attributes, true)
	assert.Greater(t, len(everything), len(user))
	assert.Empty(t, find(user, ":db/txInstant"))
	require.Len(t, find(everything, ":db/txInstant"), 1)
	assert.True(t, find(everything, ":db/txInstant")[0].System)
	text, err := json.Marshal(append(find(user, ":p/name"), find(user, ":p/tags")...))
	require.NoError(t, err)
	assert.JSONEq(t, `[
		{"ident":":p/name","id":1,"valueType":":db.type/string","cardinality":":db.cardinality/one","index":true,"unique":":db.unique/identity"},
		{"ident":":p/tags","id":15,"valueType":":db.type/string","cardinality":":db.cardinality/many"}]`, string(text))
}
