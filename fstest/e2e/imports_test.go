package e2e

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/rclone-datom/rclone-datom"

// law forbids some imports to some of our packages.
type law struct {
	name  string
	binds func(pkg string) bool
	bans  func(imported string) bool
}

// laws say that dependencies point down only. Checking direct imports is
// enough: a forbidden path through several of our packages has one edge that
// crosses the border, and no foreign module imports ours.
var laws = []law{
	{
		name:  "sync is below backends and commands",
		binds: under(module + "/sync"),
		bans:  under(module+"/backend", module+"/cmd"),
	},
	{
		name: "only the facade and adapters use rclone",
		binds: func(pkg string) bool {
			return pkg != module+"/sync" && !under(
				module+"/backend", module+"/cmd", module+"/fstest",
				module+"/sync/transfer", module+"/sync/store", module+"/sync/storage", module+"/sync/chunk", module+"/sync/snapshot",
			)(pkg)
		},
		bans: under("github.com/rclone/rclone"),
	},
	{
		name:  "codecs stand alone",
		binds: under(module + "/sync/codec"),
		bans: func(imported string) bool {
			return !standard(imported) && !under(
				module+"/sync/codec",
				"github.com/fxamacker/cbor",
				"github.com/klauspost/compress",
				"github.com/pierrec/lz4",
				"olympos.io/encoding/edn",
			)(imported)
		},
	},
	{
		name:  "stores know no dialect",
		binds: under(module+"/sync/store", module+"/sync/table"),
		bans:  under(module + "/sync/dialect"),
	},
	{
		name:  "shipped code has no test helpers",
		binds: func(pkg string) bool { return !under(module + "/fstest")(pkg) },
		bans:  under(module + "/fstest"),
	},
}

// under returns a test for being one of the given packages or below one.
func under(roots ...string) func(string) bool {
	return func(pkg string) bool {
		return slices.ContainsFunc(roots, func(root string) bool {
			return pkg == root || strings.HasPrefix(pkg, root+"/")
		})
	}
}

// standard reports whether pkg is of the standard library: its first element
// has no dot.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".")
}

// violations lists each import that a law forbids. Graph maps each of our
// packages to its direct imports.
func violations(graph map[string][]string) []string {
	var found []string
	for pkg, imports := range graph {
		for _, imported := range imports {
			for _, l := range laws {
				if l.binds(pkg) && l.bans(imported) {
					found = append(found, fmt.Sprintf("%s: %s imports %s", l.name, pkg, imported))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

func TestImportLaws(t *testing.T) {
	cmd := exec.Command("go", "list", "-tags", "noselfupdate", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)

	graph := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		graph[fields[0]] = fields[1:]
	}
	require.Contains(t, graph, module+"/cmd/rclone-datom", "go list looked elsewhere")
	assert.Empty(t, violations(graph))
}

func TestViolations(t *testing.T) {
	tests := []struct{ pkg, imported, law string }{
		{module + "/sync/graph", module + "/backend/datahike", "sync is below backends and commands"},
		{module + "/sync", module + "/cmd/backup", "sync is below backends and commands"},
		{module + "/sync/descent", "github.com/rclone/rclone/fs", "only the facade and adapters use rclone"},
		{module + "/sync/newroom", "github.com/rclone/rclone/fs", "only the facade and adapters use rclone"},
		{module + "/sync/codec/fressian", module + "/sync/graph", "codecs stand alone"},
		{module + "/sync/codec/fressian", "github.com/spf13/cobra", "codecs stand alone"},
		{module + "/sync/store/sql", module + "/sync/dialect/datomic", "stores know no dialect"},
		{module + "/cmd/rclone-datom", module + "/fstest/fault", "shipped code has no test helpers"},
		{module + "/sync", "github.com/rclone/rclone/fs", ""},
		{module + "/sync/transfer", "github.com/rclone/rclone/fs/operations", ""},
		{module + "/sync/codec/konserve", module + "/sync/codec/fressian", ""},
		{module + "/sync/codec/konserve", "github.com/pierrec/lz4/v4", ""},
		{module + "/sync/codec/konserve", "sync", ""},
		{module + "/sync/dialect/datahike", module + "/sync/codec/konserve", ""},
		{module + "/backend/datahike", module + "/sync/store", ""},
		{module + "/fstest/graphtest", module + "/fstest/fault", ""},
	}
	for _, tt := range tests {
		found := violations(map[string][]string{tt.pkg: {"fmt", tt.imported}})
		if tt.law == "" {
			assert.Empty(t, found)
			continue
		}
		assert.Equal(t, []string{tt.law + ": " + tt.pkg + " imports " + tt.imported}, found)
	}
}
