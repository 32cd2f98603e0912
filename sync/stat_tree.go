package dbsync

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// defaultBranching is how many children or datoms a node has at most where the
// database's configuration does not say.
const defaultBranching = 512

// TreeStat is the shape of an index.
type TreeStat struct {
	Tree string `json:"tree"`
	// Datoms is the number that the root states, or else the nodes above the
	// leaves, or -1 if they do not.
	Datoms int64 `json:"datoms"`
	// Depth is the number of levels: 1 where the root is a leaf.
	Depth int `json:"depth"`
	// BranchingFactor is the most that a node has of children or datoms, or 0
	// where the database has no such bound.
	BranchingFactor int64 `json:"branchingFactor"`
	// Inline: the record holds the root itself, which takes no bytes here.
	Inline bool  `json:"inline,omitempty"`
	Nodes  int64 `json:"nodes"`
	Bytes  int64 `json:"bytes"`
	// Levels are those from the root down.
	Levels []LevelStat `json:"levels"`
}

// LevelStat is one level of an index: 0 has the leaves.
type LevelStat struct {
	Level int   `json:"level"`
	Nodes int64 `json:"nodes"`
	Bytes int64 `json:"bytes"`
	// Items are the nodes' children, or the leaves' datoms as the root states
	// them, -1 if it does not.
	Items int64 `json:"items"`
	// Fill is the nodes' average share of BranchingFactor, above 0; 0 if not
	// known.
	Fill float64 `json:"fill"`
}

func branchingFactor(c datahike.Config) int64 {
	if n, ok := c.Settings["branching-factor"].(int64); ok && n > 0 {
		return n
	}
	return defaultBranching
}

// treeWalk gathers what a walk over one tree meets.
type treeWalk struct {
	*stat
	root graph.ID

	mu     sync.Mutex
	levels map[graph.Level]*LevelStat
	datoms int64
	// stated adds up what the nodes above the leaves say, or is -1.
	stated int64
}

// tree looks at one index; leaves need not be read by the walker. A factor of 0
// means that it is not known how much a node can hold.
func (s *stat) tree(ctx context.Context, r *descent.Walker, t graph.Tree, factor int64) (TreeStat, error) {
	w := &treeWalk{stat: s, root: t.Ref.ID, levels: map[graph.Level]*LevelStat{}, datoms: t.Count, stated: -1}
	if t.Inline != nil {
		w.count(*t.Inline, 0, true)
	}
	r.Visit = w.visit
	if err := r.Diff(ctx, []graph.Tree{t}, nil); err != nil {
		return TreeStat{}, err
	}
	return w.report(TreeStat{Tree: t.Name, BranchingFactor: factor, Inline: t.Inline != nil}), nil
}

// visit takes a node; data is nil for a leaf.
func (w *treeWalk) visit(_ context.Context, ref graph.Ref, data []byte) error {
	node := graph.Node{Level: ref.Level, Count: -1}
	if data != nil && ref.Level > graph.Leaf {
		var err error
		if node, err = w.decoder.Decode(ref, data); err != nil {
			return err
		}
	}
	size, there, err := w.size(ref.ID)
	if err == nil && !there {
		err = w.missing(ref.ID)
	}
	if err != nil {
		return err
	}
	w.count(node, size, ref.ID == w.root)
	return nil
}

func (w *treeWalk) count(n graph.Node, size int64, root bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.levels[n.Level]
	if l == nil {
		l = &LevelStat{Level: int(n.Level)}
		w.levels[n.Level] = l
	}
	l.Nodes++
	l.Bytes += size
	l.Items += int64(len(n.Children))
	if root && w.datoms < 0 {
		w.datoms = n.Count
	}
	if n.Level == 1 && n.Count >= 0 {
		w.stated = max(w.stated, 0) + n.Count
	}
}

func (w *treeWalk) report(t TreeStat) TreeStat {
	if w.datoms < 0 {
		w.datoms = w.stated
	}
	t.Datoms, t.Depth, t.Levels = w.datoms, len(w.levels), make([]LevelStat, 0, len(w.levels))
	for _, l := range w.levels {
		if l.Level == int(graph.Leaf) {
			l.Items = w.datoms
		}
		if l.Items > 0 && t.BranchingFactor > 0 {
			l.Fill = float64(l.Items) / float64(l.Nodes) / float64(t.BranchingFactor)
		}
		t.Nodes += l.Nodes
		t.Bytes += l.Bytes
		t.Levels = append(t.Levels, *l)
	}
	slices.SortFunc(t.Levels, func(a, b LevelStat) int { return cmp.Compare(b.Level, a.Level) })
	return t
}
