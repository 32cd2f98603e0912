package render_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

func props(kv ...any) (m fressian.Map) {
	for i := 0; i < len(kv); i += 2 {
		m = append(m, fressian.Entry{Key: kv[i], Value: kv[i+1]})
	}
	return m
}

// TestSchema: what a database adds by itself is left out, and so is what it
// defines by itself, unless it is asked for.
func TestSchema(t *testing.T) {
	email, ident := kw("user", "email"), kw("db", "ident")
	s := datom.NewSchema([]datom.Attribute{
		{Ident: email, Props: props(kw("db", "valueType"), kw("db.type", "tuple"), ident, email, kw("db", "id"), int64(5),
			kw("db", "doc"), "an \"e\"", kw("db", "tupleAttrs"), fressian.Vector{kw("", "a"), kw("", "b")})},
		{Ident: ident, System: true, Props: props(kw("db", "unique"), kw("db.unique", "identity"))},
		{Ident: kw("user", "age"), Props: props(kw("db", "index"), true)},
	})
	var out bytes.Buffer
	require.NoError(t, render.Schema(&out, s, false))
	assert.Equal(t, `[{:db/ident :user/age :db/index true}
 {:db/ident :user/email :db/doc "an \"e\"" :db/tupleAttrs [:a :b] :db/valueType :db.type/tuple}]
`, out.String())
	out.Reset()
	require.NoError(t, render.Schema(&out, s, true))
	assert.Contains(t, out.String(), "[{:db/ident :db/ident :db/unique :db.unique/identity}\n {:db/ident :user/age ")
	out.Reset()
	require.NoError(t, render.Schema(&out, datom.NewSchema(nil), true))
	assert.Equal(t, "[]\n", out.String())

	odd := datom.NewSchema([]datom.Attribute{{Ident: email, Props: props(kw("db", "fn"), fressian.Tagged{Tag: "fn"})}})
	err := render.Schema(&out, odd, false)
	require.ErrorIs(t, err, datom.ErrNoText)
	require.ErrorContains(t, err, "attribute :user/email: its :db/fn")
}

func TestLog(t *testing.T) {
	at := datom.Datom{E: 1007, A: kw("db", "txInstant"), V: fressian.Inst(0), Tx: 1007, Added: true}
	d := datom.Datom{E: 1, A: friends, V: int64(3), Tx: 1007}
	var out bytes.Buffer
	l := render.NewLog(&out, render.EDN, schema())
	require.NoError(t, l.Transaction(view.Transaction{Tx: 1007, T: 7, Datoms: []datom.Datom{at, d}}))
	require.NoError(t, l.Transaction(view.Transaction{Tx: 1008, T: 8, ID: "6b010000-0000-0000-0000-000000000005", Datoms: []datom.Datom{d}}))
	require.ErrorIs(t, l.Transaction(view.Transaction{Datoms: []datom.Datom{{A: 1.5}}}), datom.ErrNoText)
	assert.Equal(t, `{:t 7 :tx 1007 :inst #inst "1970-01-01T00:00:00.000-00:00" :datoms [[1007 :db/txInstant #inst "1970-01-01T00:00:00.000-00:00" 1007 true] [1 :user/friends 3 1007 false]]}
{:t 8 :tx 1008 :id #uuid "6b010000-0000-0000-0000-000000000005" :datoms [[1 :user/friends 3 1007 false]]}
`, out.String())

	out.Reset()
	l = render.NewLog(&out, render.JSON, schema())
	require.NoError(t, l.Transaction(view.Transaction{Tx: 1007, T: 7, ID: "x", Datoms: []datom.Datom{at, d}}))
	assert.JSONEq(t, `{"t":7,"tx":1007,"id":"x","inst":"1970-01-01T00:00:00.000Z","datoms":[
		{"e":1007,"a":":db/txInstant","v":"1970-01-01T00:00:00.000Z","type":"instant","tx":1007,"added":true},
		{"e":1,"a":":user/friends","v":3,"type":"ref","tx":1007,"added":false}]}`, out.String())
}

// TestLogInParts: a transaction that comes in parts is one line all the same.
func TestLogInParts(t *testing.T) {
	d := []datom.Datom{{E: 1, A: friends, V: int64(3), Tx: 9}, {E: 2, A: friends, V: int64(3), Tx: 9}, {E: 3, A: friends, V: int64(3), Tx: 9}}
	for _, form := range []render.Format{render.EDN, render.JSON} {
		var whole, parts bytes.Buffer
		require.NoError(t, render.NewLog(&whole, form, schema()).Transaction(view.Transaction{Tx: 9, T: 9, Datoms: d}))
		l := render.NewLog(&parts, form, schema())
		for i := range d {
			require.NoError(t, l.Transaction(view.Transaction{Tx: 9, T: 9, Datoms: d[i : i+1], More: i+1 < len(d)}))
		}
		assert.Equal(t, whole.String(), parts.String())
		assert.Equal(t, 1, strings.Count(parts.String(), "\n"))
	}
}

func TestChanges(t *testing.T) {
	d := datom.Datom{E: 1, A: friends, V: int64(3), Tx: 7, Added: true}
	var out bytes.Buffer
	c := render.NewChanges(&out, render.EDN, schema())
	require.NoError(t, c.Change(true, d))
	require.NoError(t, c.Change(false, d))
	require.ErrorIs(t, c.Change(false, datom.Datom{A: friends, V: fressian.Set{}}), datom.ErrNoText)
	require.NoError(t, c.Close())
	assert.Equal(t, "+ [1 :user/friends 3 7 true]\n- [1 :user/friends 3 7 true]\n", out.String())
	out.Reset()
	c = render.NewChanges(&out, render.JSON, schema())
	require.NoError(t, c.Change(true, d))
	require.ErrorIs(t, c.Change(false, datom.Datom{A: friends, V: fressian.Set{}}), datom.ErrNoText)
	require.NoError(t, c.Close())
	assert.Equal(t, `{"op":"+","e":1,"a":":user/friends","v":3,"type":"ref","tx":7,"added":true}`+"\n", out.String())
}
