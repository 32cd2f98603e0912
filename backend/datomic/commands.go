package datomic

import (
	"context"
	"maps"
	"slices"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

var commandHelp = []fs.CommandHelp{{
	Name:  "databases",
	Short: "Show which databases the storage has.",
	Long: `This shows the databases of the catalog with their ids as JSON, also those
that were deleted and whose rows may still be there.

    rclone-datom backend databases mydb:
`,
}, {
	Name:  "roots",
	Short: "Show where the database stands.",
	Long: `This shows the snapshot's t, its last transaction, the roots of its index and
of its log and the length of the log's tail as JSON.

    rclone-datom backend roots mydb:
`,
}, {
	Name:  "stat",
	Short: "Show what the database consists of.",
	Long: `This shows segments and bytes, by tree and level, as JSON.

    rclone-datom backend stat mydb:
`,
}}

// database is a line of "backend databases".
type database struct {
	Name    string `json:"name,omitempty"`
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

// roots is what "backend roots" shows.
type roots struct {
	T           int64    `json:"t"`
	Transaction string   `json:"transaction,omitempty"`
	Database    string   `json:"database"`
	Index       graph.ID `json:"index"`
	Log         graph.ID `json:"log"`
	TailBytes   int      `json:"tailBytes"`
}

// amount is how much of something there is.
type amount struct {
	Segments int64 `json:"segments"`
	Bytes    int64 `json:"bytes"`
}

func (a *amount) add(bytes int64) { a.Segments, a.Bytes = a.Segments+1, a.Bytes+bytes }

// stat is what "backend stat" shows.
type stat struct {
	amount
	T         int64      `json:"t"`
	TailBytes int        `json:"tailBytes"`
	Trees     []treeStat `json:"trees"`
}

// treeStat is a tree in it.
type treeStat struct {
	Tree string `json:"tree"`
	amount
	Levels []levelStat `json:"levels"` // leaves first
}

// levelStat is a level of a tree.
type levelStat struct {
	Level graph.Level `json:"level"`
	amount
}

// Command runs a backend command.
func (f *Fs) Command(ctx context.Context, name string, _ []string, _ map[string]string) (any, error) {
	switch name {
	case "databases":
		return f.databases(ctx)
	case "roots":
		return roots{
			T: f.last.T, Transaction: f.last.ID, Database: f.value.DatabaseID,
			Index: f.value.Index, Log: f.value.Log, TailBytes: len(f.value.Tail),
		}, nil
	case "stat":
		return f.stat(ctx)
	}
	return nil, fs.ErrorCommandNotFound
}

func (f *Fs) databases(ctx context.Context) ([]database, error) {
	s, err := f.live(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	if c == nil { // a backup, which is of one database
		return []database{{ID: f.value.DatabaseID}}, nil
	}
	return databasesOf(c), nil
}

// databasesOf lists a catalog: by name, and then the deleted ones.
func databasesOf(c *datomic.Catalog) []database {
	out := []database{}
	for _, name := range slices.Sorted(maps.Keys(c.Names)) {
		out = append(out, database{Name: name, ID: c.Names[name]})
	}
	for _, id := range c.Deleted {
		out = append(out, database{ID: id, Deleted: true})
	}
	return out
}

func (f *Fs) stat(ctx context.Context) (*stat, error) {
	v, err := f.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := &stat{T: f.last.T, TailBytes: len(f.value.Tail)}
	trees := map[string]*treeStat{}
	for _, t := range f.value.Trees() {
		trees[t.Name] = &treeStat{Tree: t.Name, Levels: make([]levelStat, t.Ref.Level+1)}
	}
	for line, err := range v.table.All() {
		if err != nil {
			return nil, err
		}
		s, err := parseSegment(line)
		if err != nil {
			return nil, err
		}
		t := trees[s.tree]
		t.Levels[s.level].add(s.size)
		t.add(s.size)
		out.add(s.size)
	}
	for _, t := range f.value.Trees() {
		for i := range trees[t.Name].Levels {
			trees[t.Name].Levels[i].Level = graph.Level(i)
		}
		out.Trees = append(out.Trees, *trees[t.Name])
	}
	return out, nil
}
