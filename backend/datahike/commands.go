package datahike

import (
	"context"

	"github.com/rclone/rclone/fs"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

var commandHelp = []fs.CommandHelp{{
	Name:  "heads",
	Short: "Show where each branch stands.",
	Long: `This shows the branches with their commits and transactions as JSON.

    rclone-datom backend heads mydb:
`,
}, {
	Name:  "commits",
	Short: "Show the commits, oldest first.",
	Long: `This shows every commit that the branches reach, with its parents, as JSON.

    rclone-datom backend commits mydb:
`,
}, {
	Name:  "stat",
	Short: "Show what the database consists of.",
	Long: `This shows segments by kind and the shape of the indexes as JSON: what
rclone-datom stat --json prints.

    rclone-datom backend stat mydb:
`,
}}

// head is a line of "backend heads".
type head struct {
	Branch string `json:"branch"`
	Commit string `json:"commit"`
	MaxTx  int64  `json:"maxTx"`
	Object string `json:"object"`
}

// commit is a line of "backend commits".
type commit struct {
	Commit  string   `json:"commit"`
	Parents []string `json:"parents"`
	MaxTx   int64    `json:"maxTx"`
	Object  string   `json:"object"`
}

// Command runs a backend command.
func (f *Fs) Command(ctx context.Context, name string, _ []string, _ map[string]string) (any, error) {
	switch name {
	case "heads":
		return f.listHeads(), nil
	case "commits":
		return f.listCommits(ctx)
	case "stat":
		return dbsync.Stat(ctx, dbsync.Source{Fs: f, Store: f.files, Dialect: f.dialect, Branch: f.opt.Branch})
	}
	return nil, fs.ErrorCommandNotFound
}

func (f *Fs) listHeads() []head {
	var out []head
	for _, b := range f.heads.Branches {
		out = append(out, head{Branch: b.Name, Commit: dialect.Text(b.Commit), MaxTx: b.MaxTx, Object: string(b.Head.ID)})
	}
	return out
}

func (f *Fs) listCommits(ctx context.Context) ([]commit, error) {
	w := walk.NewReading(f.dialect, f.files, fs.GetConfig(ctx).Checkers)
	defer w.Close()
	commits, err := w.History.Since(ctx, walk.Entries(f.heads.Branches), nil, 0)
	if err != nil {
		return nil, err
	}
	names := map[graph.ID]string{}
	out := make([]commit, 0, len(commits.New))
	for _, n := range commits.New {
		data, err := w.Spool.Take(n.Data)
		if err != nil {
			return nil, err
		}
		rec, err := f.dialect.Record(n.ID, data)
		if err != nil {
			return nil, err
		}
		c := commit{Commit: dialect.Text(rec.Commit), MaxTx: rec.MaxTx, Object: string(n.ID), Parents: []string{}}
		names[n.ID] = c.Commit
		for _, p := range n.Parents {
			if name, ok := names[p]; ok {
				c.Parents = append(c.Parents, name)
			}
		}
		out = append(out, c)
	}
	return out, nil
}
