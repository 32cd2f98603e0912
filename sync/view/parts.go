package view

import "github.com/rclone-datom/rclone-datom/sync/datom"

// maxPart is how many datoms a transaction has that is not given in parts.
const maxPart = 8192

// parts makes transactions of datoms that come in their order.
type parts struct {
	fn   func(Transaction) error
	time func(tx int64) int64 // a transaction's number in the database's time
	t    Transaction
}

func (p *parts) add(d datom.Datom) error {
	same := d.Tx == p.t.Tx
	if len(p.t.Datoms) == maxPart || !same {
		if err := p.give(same); err != nil {
			return err
		}
	}
	p.t.Tx, p.t.T, p.t.Datoms = d.Tx, p.time(d.Tx), append(p.t.Datoms, d)
	return nil
}

func (p *parts) end() error { return p.give(false) }

func (p *parts) give(more bool) error {
	if len(p.t.Datoms) == 0 {
		return nil
	}
	t := p.t
	t.More = more
	p.t.Datoms = nil
	return p.fn(t)
}
