package datahike

import (
	"context"
	"crypto/sha3"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Getter reads an object of a store; graph.ErrNotFound where there is none.
type Getter func(ctx context.Context, id graph.ID) ([]byte, error)

// Heads are the mutable objects of a store as they were at one moment. All
// that is done with a snapshot starts from these bytes.
type Heads struct {
	Branches []Branch
	// Set is the object that names the branches.
	Set graph.Held
}

// Branch is a branch and its head.
type Branch struct {
	Name string // with colon
	Head graph.Held
	*Record
}

// Held returns the objects in the order of writing: heads, then the set.
func (h *Heads) Held() []graph.Held {
	var held []graph.Held
	for _, b := range h.Branches {
		held = append(held, b.Head)
	}
	return append(held, h.Set)
}

// Main is the branch that stands for the database: :db, or the first.
func (h *Heads) Main() Branch {
	for _, b := range h.Branches {
		if b.Name == ":db" {
			return b
		}
	}
	return h.Branches[0]
}

// Attempts and pause for what a live store may be about to write.
const (
	attempts = 4
	pause    = 100 * time.Millisecond
)

// WaitFor reads an object that a live store may not have written yet, a few
// times over about half a second.
func WaitFor(ctx context.Context, get Getter, id graph.ID) (data []byte, err error) {
	for i := range attempts {
		data, err = Present(ctx, get, id)
		if !errors.Is(err, graph.ErrNotFound) || i == attempts-1 {
			return data, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause << i):
		}
	}
	return data, err
}

// Present reads an object. konserve creates a file empty before it writes it,
// so one that is too short to be a blob counts as absent.
func Present(ctx context.Context, get Getter, id graph.ID) ([]byte, error) {
	data, err := get(ctx, id)
	if err == nil && len(data) < konserve.MinSize {
		return nil, fmt.Errorf("%s has only %d bytes: %w", id, len(data), graph.ErrNotFound)
	}
	return data, err
}

// Hold reads the set of branches, then every head, and keeps the bytes. With
// only set, it is as if the store had that branch alone.
func (d *Dialect) Hold(ctx context.Context, get Getter, only string) (*Heads, error) {
	set, err := WaitFor(ctx, get, BranchesID())
	if errors.Is(err, graph.ErrNotFound) {
		return nil, fmt.Errorf("no Datahike database: the object of :branches is missing: %w", err)
	}
	if err != nil {
		return nil, err
	}
	objects := []graph.Held{{ID: BranchesID(), Data: set}}
	names, err := d.branches(set)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if only != "" && display(name) != ":"+strings.TrimPrefix(only, ":") {
			continue
		}
		data, err := WaitFor(ctx, get, KeyID(name))
		if err != nil {
			return nil, fmt.Errorf("head of branch %s: %w", display(name), err)
		}
		objects = append(objects, graph.Held{ID: KeyID(name), Data: data})
	}
	return d.Parse(objects, only)
}

// Parse makes Heads of objects that were held before.
func (d *Dialect) Parse(objects []graph.Held, only string) (*Heads, error) {
	byID := map[graph.ID][]byte{}
	for _, o := range objects {
		byID[o.ID] = o.Data
	}
	h := &Heads{Set: graph.Held{ID: BranchesID(), Data: byID[BranchesID()]}}
	names, err := d.branches(h.Set.Data)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range names {
		all = append(all, display(name))
		if only != "" && display(name) != ":"+strings.TrimPrefix(only, ":") {
			continue
		}
		id := KeyID(name)
		rec, err := d.Record(id, byID[id])
		if err != nil {
			return nil, fmt.Errorf("head of branch %s: %w", display(name), err)
		}
		h.Branches = append(h.Branches, Branch{Name: display(name), Head: graph.Held{ID: id, Data: byID[id]}, Record: rec})
	}
	if len(h.Branches) == 0 {
		return nil, fmt.Errorf("no branch %q; there are %s: %w", only, strings.Join(all, " "), graph.ErrNotFound)
	}
	if only != "" && len(names) > 1 {
		h.Set.Data, err = d.branchSet(h.Set.Data, h.Branches[0].Name)
	}
	return h, err
}

// branches decodes the set of branches, sorted by name.
func (d *Dialect) branches(data []byte) ([]fressian.Keyword, error) {
	blob, err := d.open(BranchesID(), data)
	if err != nil {
		return nil, err
	}
	v, err := fressian.Decode(blob.Value)
	if err != nil {
		return nil, describe(BranchesID(), err)
	}
	set, ok := v.(fressian.Set)
	if !ok || len(set) == 0 {
		return nil, describe(BranchesID(), corrupt("it holds no set of branches"))
	}
	var names []fressian.Keyword
	for _, v := range set {
		k, ok := v.(fressian.Keyword)
		if !ok {
			return nil, describe(BranchesID(), corrupt("a branch is no keyword"))
		}
		names = append(names, k)
	}
	sort.Slice(names, func(i, j int) bool { return display(names[i]) < display(names[j]) })
	return slices.Compact(names), nil
}

// branchSet re-encodes the set of branches with one branch in it.
func (d *Dialect) branchSet(data []byte, branch string) ([]byte, error) {
	blob, err := d.open(BranchesID(), data)
	if err != nil {
		return nil, err
	}
	w := fressian.NewWriter()
	if err := w.Write(fressian.Set{keyword(branch)}); err != nil {
		return nil, err
	}
	// The salt of an encrypted set comes from the old bytes: the same set must
	// not look like another one each time.
	salt := sha3.NewSHAKE256()
	_, _ = salt.Write(data) // never fails
	return d.codec.Seal(blob.Header, blob.Meta, w.Bytes(), salt)
}

func display(k fressian.Keyword) string {
	if k.NS != "" {
		return ":" + k.NS + "/" + k.Name
	}
	return ":" + k.Name
}

func keyword(s string) fressian.Keyword {
	s = strings.TrimPrefix(s, ":")
	if ns, name, ok := strings.Cut(s, "/"); ok && ns != "" && name != "" {
		return fressian.Keyword{NS: ns, Name: name}
	}
	return fressian.Keyword{Name: s}
}
