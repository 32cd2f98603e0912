package render

import (
	"io"
	"strconv"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// Log writes transactions, one a line. It is for one goroutine.
type Log struct {
	out  io.Writer
	refs refs
	json bool
	line []byte
	// inside: of the transaction whose datoms come next, some are written.
	inside bool
}

// NewLog returns a Log to out, in EDN
//
//	{:t 1000 :tx 13194139534312 :inst #inst "…" :datoms [[e a v tx added] …]}
//
// or in JSON with the same keys, datoms being as in the format json. inst is
// the transaction's :db/txInstant, and is left out where it has none; :id, or
// "id", is there where the database gives transactions one.
func NewLog(out io.Writer, f Format, schema *datom.Schema) *Log {
	return &Log{out: out, refs: refs{schema}, json: f == JSON}
}

// Transaction writes one, or a part of one. An error that matches datom.ErrNoText says that a
// datom has no form; nothing was written then.
func (l *Log) Transaction(tx view.Transaction) (err error) {
	form := l.appendEDN
	if l.json {
		form = l.appendJSON
	}
	if l.line, err = form(l.line[:0], tx); err != nil {
		return err
	}
	if l.inside = tx.More; !tx.More {
		l.line = append(l.line, "]}\n"...)
	}
	_, err = l.out.Write(l.line)
	return err
}

func (l *Log) appendEDN(dst []byte, tx view.Transaction) (_ []byte, err error) {
	if !l.inside {
		if dst, err = l.beginEDN(dst, tx); err != nil {
			return dst, err
		}
	}
	for i, d := range tx.Datoms {
		if i > 0 || l.inside {
			dst = append(dst, ' ')
		}
		if dst, err = datom.AppendText(dst, d); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (l *Log) beginEDN(dst []byte, tx view.Transaction) (_ []byte, err error) {
	dst = strconv.AppendInt(append(dst, "{:t "...), tx.T, 10)
	dst = strconv.AppendInt(append(dst, " :tx "...), tx.Tx, 10)
	if tx.ID != "" {
		dst = append(append(append(dst, ` :id #uuid "`...), tx.ID...), '"')
	}
	if at, ok := instant(tx); ok {
		if dst, err = datom.AppendValue(append(dst, " :inst "...), at); err != nil {
			return dst, err
		}
	}
	return append(dst, " :datoms ["...), nil
}

func (l *Log) appendJSON(dst []byte, tx view.Transaction) (_ []byte, err error) {
	if !l.inside {
		dst = l.beginJSON(dst, tx)
	}
	for i, d := range tx.Datoms {
		if i > 0 || l.inside {
			dst = append(dst, ',')
		}
		if dst, err = l.refs.appendJSON(dst, d); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (l *Log) beginJSON(dst []byte, tx view.Transaction) []byte {
	dst = appendInt(append(dst, `{"t":`...), tx.T)
	dst = appendInt(append(dst, `,"tx":`...), tx.Tx)
	if tx.ID != "" {
		dst = append(append(append(dst, `,"id":"`...), tx.ID...), '"')
	}
	if at, ok := instant(tx); ok {
		dst = append(appendInstant(append(dst, `,"inst":"`...), int64(at)), '"')
	}
	return append(dst, `,"datoms":[`...)
}

// instant is when a transaction was.
func instant(tx view.Transaction) (fressian.Inst, bool) {
	for _, d := range tx.Datoms {
		if d.E == tx.Tx && d.A == (fressian.Keyword{NS: "db", Name: "txInstant"}) && d.Added {
			at, ok := d.V.(fressian.Inst)
			return at, ok
		}
	}
	return 0, false
}
