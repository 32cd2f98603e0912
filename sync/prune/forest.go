// Package prune works out what goes when points of a backup are removed: which
// segments nothing needs any more, and what the lists of the points that stay
// have to say when the points go on which they build. It reads no database:
// what the points' lists say is enough.
//
// Points are a forest, for each says what it reaches relative to one parent.
// They are numbered in preorder, so that a point and all that build on it have
// consecutive numbers. Every line of every list is sorted by id, and within an
// id by the point's number; then "added" sets a range of bits and "released"
// clears one, and what is left are the points that reach the segment. That takes
// time in proportion to the lists' lines, and memory for one id and for each
// point.
package prune

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// State is what becomes of a point.
type State uint8

// The states of points.
const (
	// Kept points stay.
	Kept State = iota
	// Parked points are pruned, and what they need stays for the time being.
	Parked
	// Removed points are pruned, and what they alone need goes.
	Removed
)

// Point is a point, and the one to which its lists are relative.
type Point struct {
	ID, Parent string
	State      State
}

// Forest is the points, numbered from 0.
type Forest struct {
	points  []Point // by number
	end     []int   // the number after the last one that builds on this
	parent  []int   // -1 where there is none
	numbers map[string]int
	// age has 0 for the oldest point; ids sort by time.
	age []int
}

// NewForest numbers points, which come in any order. A parent that is not among
// them is graph.ErrNotFound.
func NewForest(points []Point) (*Forest, error) {
	f := &Forest{numbers: map[string]int{}}
	sorted := slices.SortedFunc(slices.Values(points), func(a, b Point) int { return strings.Compare(a.ID, b.ID) })
	ages, children := map[string]int{}, map[string][]Point{}
	for i, p := range sorted {
		if _, ok := ages[p.Parent]; p.Parent != "" && !ok {
			return nil, fmt.Errorf("point %s builds on %s, which is not older or not there: %w", p.ID, p.Parent, graph.ErrNotFound)
		}
		ages[p.ID] = i
		children[p.Parent] = append(children[p.Parent], p)
	}
	f.grow(children, -1, children[""])
	for n := range f.points {
		f.age = append(f.age, ages[f.points[n].ID])
	}
	return f, nil
}

// grow numbers some points and all that build on them. It keeps its own stack:
// a chain may be as long as there are points.
func (f *Forest) grow(children map[string][]Point, parent int, roots []Point) {
	type frame struct {
		number int
		rest   []Point
	}
	stack := []frame{{parent, roots}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.rest) == 0 {
			if top.number >= 0 {
				f.end[top.number] = len(f.points)
			}
			stack = stack[:len(stack)-1]
			continue
		}
		p, n := top.rest[0], len(f.points)
		top.rest = top.rest[1:]
		f.points, f.parent, f.end = append(f.points, p), append(f.parent, top.number), append(f.end, 0)
		f.numbers[p.ID] = n
		stack = append(stack, frame{n, children[p.ID]})
	}
}

// Len is the number of points.
func (f *Forest) Len() int { return len(f.points) }

// Point is the one with a number.
func (f *Forest) Point(n int) Point { return f.points[n] }

// Number is a point's.
func (f *Forest) Number(id string) (n int, ok bool) {
	n, ok = f.numbers[id]
	return n, ok
}

// Relink is a point that stays and builds on one that is removed: its lists are
// to be written anew, relative to another point.
type Relink struct {
	Point int
	// To is the nearest point on which it builds and that stays, or -1.
	To int
}

// Relinks are those that are needed, oldest first.
func (f *Forest) Relinks() (all []Relink) {
	for n, p := range f.points {
		to := f.parent[n]
		if p.State == Removed || to < 0 || f.points[to].State != Removed {
			continue
		}
		for to >= 0 && f.points[to].State == Removed {
			to = f.parent[to]
		}
		all = append(all, Relink{n, to})
	}
	slices.SortFunc(all, func(a, b Relink) int { return cmp.Compare(f.age[a.Point], f.age[b.Point]) })
	return all
}
