package fressian

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestAdhoc(t *testing.T) {
	files, _ := filepath.Glob("/tmp/fx/*/*/*.ksv")
	n, same, total := 0, 0, 0
	try := func(f string, p []byte) {
		n++
		total += len(p)
		if err := Scan(p); err != nil {
			t.Errorf("%s scan: %v", f, err)
			return
		}
		r := NewReader(p)
		v, err := r.Read()
		if err != nil {
			t.Errorf("%s: %v", f, err)
			return
		}
		w := NewWriter()
		if err := w.Write(v); err != nil {
			t.Errorf("%s: %v", f, err)
			return
		}
		if r.Len() > 0 {
			w.WriteFooter()
		}
		if bytes.Equal(w.Bytes(), p) {
			same++
		} else if bytes.Contains([]byte(f), []byte("ksv")) {
			t.Logf("differs %s", f)
		}
	}
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if len(b) < 20 || b[1] != 1 || b[2] != 0 || b[3] != 0 {
			continue
		}
		m := int(binary.BigEndian.Uint32(b[4:]))
		try(f, b[20:20+m])
		if bytes.Contains(b[20:20+m], []byte("binary")) {
			continue
		}
		try(f, b[20+m:])
	}
	t.Log(n, same, total)
	n, same = 0, 0
	files, _ = filepath.Glob("/tmp/dt/*/*/*/*")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Log(f, err)
			continue
		}
		p, _ := io.ReadAll(z)
		try(f, p)
	}
	files, _ = filepath.Glob("/tmp/dt/*/roots/*")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		try(f, b)
	}
	t.Log("datomic", n, same)
}
