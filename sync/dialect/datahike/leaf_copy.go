package datahike

import "github.com/rclone-datom/rclone-datom/sync/codec/fressian"

// Value returns the value of a cell of this leaf.
func (l *Leaf) Value(c fressian.Cell) (any, error) { return l.r.Value(c) }

// CopyCell writes the value of a cell to w as [fressian.Writer.WriteCell] does.
func (l *Leaf) CopyCell(w *fressian.Writer, c fressian.Cell) (ok bool, err error) {
	return w.WriteCell(l.r, c)
}
