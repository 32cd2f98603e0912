package datomic_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const (
	idA = "6b00f51f-a8b4-466f-b599-ad804c07c650"
	idB = "6b00f523-42cf-426d-8eaa-c1fbb1e89789"
)

// logRow is as Datomic wrote it.
const logRow = `{:d/r "` + idA + `", :d/v "7622", :d/l 3, :tail "` + idB + `"}`

func TestParseRows(t *testing.T) {
	id, err := datomic.ParseIndex(`{:key "` + idA + `"}`)
	require.NoError(t, err)
	assert.Equal(t, graph.ID(idA), id)
	assert.Equal(t, `{:key "`+idA+`"}`, datomic.FormatIndex(id))

	log, err := datomic.ParseLog(logRow)
	require.NoError(t, err)
	assert.Equal(t, datomic.LogRef{Root: idA, Version: 3, Tail: idB, Build: "7622"}, log)
	assert.Equal(t, logRow, datomic.FormatLog(log))

	tail, err := datomic.ParsePod(`{:tail "` + idB + `"}`)
	require.NoError(t, err)
	assert.Equal(t, `{:tail "`+idB+`"}`, datomic.FormatPod(tail))

	for _, prev := range []graph.ID{"", idA} {
		got, err := datomic.ParsePrev(datomic.FormatPrev(prev))
		require.NoError(t, err)
		assert.Equal(t, prev, got)
	}
	assert.Equal(t, "{}", datomic.FormatPrev(""))
}

// TestRowsAreReadInAnyForm: order, white space and unknown keys say nothing.
func TestRowsAreReadInAnyForm(t *testing.T) {
	log, err := datomic.ParseLog("\n{,:tail\t\"" + idB + `":x/new {[1 2.5 nil] #{a "\"}" (b)}} :d/l 3 "d/r" 1 :d/r "` + idA + "\" } ,")
	require.NoError(t, err)
	assert.Equal(t, datomic.LogRef{Root: idA, Version: 3, Tail: idB}, log)
}

func TestRefusedRows(t *testing.T) {
	parse := map[string]func(string) error{
		"index": func(s string) error { _, err := datomic.ParseIndex(s); return err },
		"log":   func(s string) error { _, err := datomic.ParseLog(s); return err },
		"pod":   func(s string) error { _, err := datomic.ParsePod(s); return err },
		"prev":  func(s string) error { _, err := datomic.ParsePrev(s); return err },
	}
	for _, tc := range []struct {
		row, text string
		class     error
		says      string
	}{
		{"index", ``, graph.ErrCorrupt, "offset 0"},
		{"index", `{}`, graph.ErrCorrupt, ":key"},
		{"index", `{:key nil}`, graph.ErrCorrupt, ":key"},
		{"index", `{:key :` + idA + `}`, graph.ErrCorrupt, ":key"},
		{"index", `{:key "x"}`, graph.ErrCorrupt, `"x" is no id`},
		{"index", `{:key "../` + idA[3:] + `"}`, graph.ErrCorrupt, "no id"},
		{"index", `{:key "` + strings.ToUpper(idA) + `"}`, graph.ErrCorrupt, "no id"},
		{"index", `{:key "` + idA + `" :key "` + idB + `"}`, graph.ErrCorrupt, "twice"},
		{"index", `{:key "` + idA + `"} {}`, graph.ErrCorrupt, "after the value"},
		{"index", `{:key "` + idA + `"`, graph.ErrCorrupt, "offset"},
		{"index", `{:key "` + idA + `}`, graph.ErrCorrupt, "does not end"},
		{"index", `{:key "` + idA + `" :x}`, graph.ErrCorrupt, "value"},
		{"index", `{:key "` + idA + `" :x #inst "2020"}`, graph.ErrCorrupt, "#inst"},
		{"index", `[:key "` + idA + `"]`, graph.ErrCorrupt, "map"},
		{"index", `{:x ` + strings.Repeat("[", 1000), graph.ErrCorrupt, "offset"},
		{"index", `{:x "\q"}`, graph.ErrCorrupt, "escape"},
		{"index", "{:x \"\xff\"}", graph.ErrCorrupt, "UTF-8"},
		{"index", `{:x "` + strings.Repeat("x", 1<<16) + `"}`, graph.ErrCorrupt, "bytes"},
		{"log", strings.Replace(logRow, ":d/l 3, ", "", 1), graph.ErrUnsupported, "version 1 of the log"},
		{"log", strings.Replace(logRow, ":d/l 3", ":d/l 1", 1), graph.ErrUnsupported, "version 1 of the log"},
		{"log", strings.Replace(logRow, ":d/l 3", ":d/l 2", 1), graph.ErrUnsupported, "version 2 of the log"},
		{"log", strings.Replace(logRow, ":d/l 3", ":d/l 4", 1), graph.ErrUnsupported, "version 4 of the log"},
		{"log", strings.Replace(logRow, ":d/l 3", `:d/l "3"`, 1), graph.ErrCorrupt, "version of the log"},
		{"log", strings.Replace(logRow, ":tail", ":tali", 1), graph.ErrCorrupt, ":tail"},
		{"log", strings.Replace(logRow, ":d/r", ":d/q", 1), graph.ErrCorrupt, ":d/r"},
		{"pod", `{:tail "pod-catalog"}`, graph.ErrCorrupt, "no id"},
		{"prev", `{:prev nil}`, graph.ErrCorrupt, ":prev"},
		{"prev", `nil`, graph.ErrCorrupt, "map"},
	} {
		err := parse[tc.row](tc.text)
		require.ErrorIs(t, err, tc.class, "%s %.100s", tc.row, tc.text)
		require.ErrorContains(t, err, tc.says, "%s %.100s", tc.row, tc.text)
	}
}

func TestCatalog(t *testing.T) {
	const text = `{"other" {:db-id "other-1"}, "sample" {:db-id "sample-2"}, :datomic/deleted #{"gone-3" "gone-4"}}`
	c, err := datomic.ParseCatalog([]byte(text))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"other": "other-1", "sample": "sample-2"}, c.Names)
	assert.Equal(t, []string{"gone-3", "gone-4"}, c.Deleted)
	out, err := c.Encode()
	require.NoError(t, err)
	assert.Equal(t, text, string(out))

	c = &datomic.Catalog{Names: map[string]string{"a \"b\"\\\n": "a-1", "größe": "g-2"}}
	out, err = c.Encode()
	require.NoError(t, err)
	assert.Equal(t, `{"a \"b\"\\\n" {:db-id "a-1"}, "größe" {:db-id "g-2"}, :datomic/deleted #{}}`, string(out))
	back, err := datomic.ParseCatalog(out)
	require.NoError(t, err)
	assert.Equal(t, c.Names, back.Names)
	assert.Empty(t, back.Deleted)
}

// TestCatalogOfARepl: what is printed there may say the namespace once.
func TestCatalogOfARepl(t *testing.T) {
	c, err := datomic.ParseCatalog([]byte(`#:datomic{:deleted #{"shop-457d72bc"}, :_/new 1, :other/key #:a{:b 1}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"shop-457d72bc"}, c.Deleted)
	out, err := c.Encode()
	require.NoError(t, err)
	assert.Equal(t, `{:datomic/deleted #{"shop-457d72bc"}, :new 1, :other/key {:a/b 1}}`, string(out))

	for _, text := range []string{`#:datomic`, `#:datomic 1`, `#datomic{}`, `#:datomic{:deleted #{}, :datomic/deleted #{}}`, `#:datomic{:deleted}`} {
		_, err := datomic.ParseCatalog([]byte(text))
		require.ErrorIs(t, err, graph.ErrCorrupt, text)
	}
}

// TestCatalogKeepsWhatItDoesNotKnow when it is written again.
func TestCatalogKeepsWhatItDoesNotKnow(t *testing.T) {
	const text = `{"a" {:db-id "a-1", :since {:t [1 "x"]}}, :datomic/deleted #{}, :datomic/new #{:x}}`
	c, err := datomic.ParseCatalog([]byte(text))
	require.NoError(t, err)
	out, err := c.Encode()
	require.NoError(t, err)
	assert.Equal(t, text, string(out))
}

func TestRefusedCatalogs(t *testing.T) {
	for text, says := range map[string]string{
		``:                                         "offset 0",
		`{"a" "a-1"}`:                              `"a"`,
		`{"a" {}}`:                                 `"a" has no id`,
		`{"a" {:db-id ""}}`:                        `"a"`,
		`{"a" {:db-id :a}}`:                        `"a"`,
		`{"a" {:db-id "1" :db-id "2"}}`:            "twice",
		`{"a" {:db-id "1"} "a" {:db-id "2"}}`:      "twice",
		`{"\n" {:db-id "1"} "` + "\n" + `" {}}`:    "twice",
		`{:datomic/deleted "a"}`:                   ":datomic/deleted",
		`{:datomic/deleted #{a}}`:                  ":datomic/deleted",
		`{:datomic/deleted #{"a"}} {:x "trailer"}`: "after the value",
	} {
		_, err := datomic.ParseCatalog([]byte(text))
		require.ErrorIs(t, err, graph.ErrCorrupt, text)
		require.ErrorContains(t, err, says, text)
	}
	for _, c := range []datomic.Catalog{{Names: map[string]string{"": "x"}}, {Names: map[string]string{"x": ""}}, {Names: map[string]string{"\xff": "x"}}} {
		_, err := c.Encode()
		require.ErrorIs(t, err, graph.ErrCorrupt)
	}
}

func TestCheckID(t *testing.T) {
	for _, id := range []graph.ID{idA, idA + "_00000000000000F"} {
		require.NoError(t, datomic.CheckID(id))
	}
	assert.Equal(t, "50", datomic.Folder(idA))
	assert.Equal(t, "0F", datomic.Folder(idA+"_00000000000000F"))
	for _, id := range []graph.ID{
		"", "x", "6b00f51f-a8b4-466f-b599-ad804c07c65", idA + "0", idA + "_", idA + "_00000000000000", idA + "_0000000000000000", idA + "_00000000000000f",
		idA + "-000000000000000", idA + "_000000000000/..", graph.ID(strings.ToUpper(idA)), graph.ID(strings.ReplaceAll(idA, "-", "_")),
		idA + "_000000000000000_000000000000000", "pod-catalog", "ref-index-root/sample-" + idA,
	} {
		require.ErrorIs(t, datomic.CheckID(id), graph.ErrCorrupt, "%q", id)
	}
}

func TestRowNames(t *testing.T) {
	assert.Equal(t, "ref-index-root/a-1", datomic.IndexRow("a-1"))
	assert.Equal(t, "pod-log-tail/a-1", datomic.LogRow("a-1"))
	assert.Equal(t, "ref-gc-root/a-1", datomic.GCRow("a-1"))
}
