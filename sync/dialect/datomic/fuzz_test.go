package datomic_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// reported fails unless an error is of a class that the engine goes by.
func reported(t *testing.T, err error) {
	for _, known := range []error{nil, graph.ErrCorrupt, graph.ErrUnsupported, graph.ErrTooLarge} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("an error of no class: %v", err)
}

var d = datomic.New()

// decodeAll decodes a segment at each level, and checks what must hold.
func decodeAll(t *testing.T, data []byte) {
	for level := graph.Root; level <= datomic.IndexLevel+1; level++ {
		ref := graph.Ref{ID: idA, Level: level}
		n, err := d.Decode(ref, data)
		reported(t, err)
		if err != nil {
			continue
		}
		for _, c := range n.Children {
			if c.Level != level-1 || datomic.CheckID(c.ID) != nil {
				t.Fatalf("a node at level %s has the child %v", level, c)
			}
		}
	}
	ref := graph.Ref{ID: idA}
	checked := d.Check(ref, data)
	reported(t, checked)
	if _, err := d.Decode(ref, data); err != nil && checked == nil {
		t.Fatalf("a sound leaf that is refused: %v", err)
	}
	n, err := d.Count(ref, data)
	reported(t, err)
	if err == nil && (n < 0 || checked != nil) {
		t.Fatalf("a leaf of %d datoms that is none: %v", n, checked)
	}
}

// FuzzDecode: no content makes a node that does not hold what it must.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens {
		f.Add(unhex(f, g.hex))
	}
	f.Add(encode(f, keydata))
	f.Add(encode(f, tagged("index-dir-node", keydata, ids, []int32{0, 0}, []int32{1, 2})))
	f.Fuzz(func(t *testing.T, content []byte) {
		decodeAll(t, content)
	})
}

// FuzzSegment: the same with what is stored.
func FuzzSegment(f *testing.F) {
	f.Add(datomicsample.Pack(keydata, true))
	f.Add(datomicsample.Pack([]any{tx}, false))
	f.Add(pack(f, make([]byte, 100000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		decodeAll(t, data)
	})
}

// FuzzRoot: a root that is read is written again, and is the same.
func FuzzRoot(f *testing.F) {
	f.Add(encode(f, rootMap()))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := datomic.DecodeRoot("root", data)
		reported(t, err)
		if err != nil {
			return
		}
		out, err := v.EncodeRoot()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := datomic.DecodeRoot("root", out); err != nil || !bytes.Equal(back.Tail, v.Tail) {
			t.Fatalf("%v is read as %v: %v", v, back, err)
		}
	})
}

// FuzzTail: a tail that is accepted can be counted.
func FuzzTail(f *testing.F) {
	f.Add(datomicsample.Make(datomicsample.Options{Tail: 3}).Value.Tail)
	f.Fuzz(func(t *testing.T, tail []byte) {
		v := &datomic.Value{DatabaseID: "a-1", Index: idA, Log: idB, IndexVersion: 2, LogVersion: 3, Tail: tail}
		err := v.Check()
		reported(t, err)
		txs, datoms, counted := v.CountTail()
		if (err == nil) != (counted == nil) || txs < 0 || datoms < 0 {
			t.Fatalf("%v, but %d transactions of %d datoms: %v", err, txs, datoms, counted)
		}
	})
}

// FuzzRow: no text makes an id that is none.
func FuzzRow(f *testing.F) {
	f.Add(logRow)
	f.Add(datomic.FormatIndex(idA))
	f.Add(datomic.FormatPrev(idB))
	f.Fuzz(func(t *testing.T, text string) {
		log, err := datomic.ParseLog(text)
		reported(t, err)
		if err == nil && (datomic.CheckID(log.Root) != nil || datomic.CheckID(log.Tail) != nil) {
			t.Fatalf("%+v", log)
		}
		if err == nil {
			if back, err := datomic.ParseLog(datomic.FormatLog(log)); err != nil || back != log {
				t.Fatalf("%+v is read as %+v: %v", log, back, err)
			}
		}
		prev, err := datomic.ParsePrev(text)
		reported(t, err)
		if err == nil && prev != "" && datomic.CheckID(prev) != nil {
			t.Fatalf("a link before: %q", prev)
		}
	})
}

// FuzzCatalog: a catalog that is read is written again, and is the same.
func FuzzCatalog(f *testing.F) {
	f.Add([]byte(`{"a" {:db-id "a-1", :x [1 2]}, :datomic/deleted #{"b-2"}, :new {}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := datomic.ParseCatalog(text)
		reported(t, err)
		if err != nil {
			return
		}
		out, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := datomic.ParseCatalog(out)
		if err != nil {
			t.Fatalf("%s is refused: %v", out, err)
		}
		if again, _ := back.Encode(); !bytes.Equal(out, again) {
			t.Fatalf("%s is written as %s", out, again)
		}
	})
}
