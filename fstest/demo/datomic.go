package main

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// storages are three moments of one database in SQLite files that Datomic
// itself has written: nothing of it is needed to read them.
var storages = []struct{ fixture, file string }{
	{"gc-1-rootA", "monday.db"},
	{"gc-3-before-gc", "tuesday.db"},
	{"gc-4-after-gc", "wednesday.db"},
}

func (d *demo) datomic() error {
	for _, s := range storages {
		from := filepath.Join("fstest", "fixture", "testdata", "datomic", s.fixture+".sqlite.gz")
		if err := unzip(from, filepath.Join(d.dir, s.file)); err != nil {
			return err
		}
	}
	say("Datomic: a database in SQLite, as it was on Monday and on Tuesday.")
	err := d.all(
		[]string{"backup", ":datomic,path=monday.db:", "backup"},
		[]string{"backup", ":datomic,path=tuesday.db:", "backup"})
	if err != nil {
		return err
	}
	say("Until Wednesday Datomic has deleted garbage, Monday's indexes among it. Nothing else is new.")
	err = d.all(
		[]string{"backup", ":datomic,path=wednesday.db:", "backup"},
		[]string{"backups", "backup"},
		[]string{"verify", "backup", "--deep"})
	if err != nil {
		return err
	}
	say("Tuesday's, to SQL storage under another name; rclone compares what both databases consist of.")
	err = d.all(
		[]string{"restore", "backup", ":datomic,path=restored.db:", "--create-table", "--as", "shop"},
		[]string{"check", ":datomic,path=tuesday.db:", ":datomic,path=restored.db:", "--download"})
	if err != nil {
		return err
	}
	say("Monday's, by its t, as a backup that Datomic's own restore-db reads.")
	return d.all(
		[]string{"restore", "backup", "monday", "--at", "3506"},
		[]string{"check", ":datomic,path=monday.db:", "monday", "--download"})
}

// unzip writes what is compressed in a file to another.
func unzip(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, z)
	return errors.Join(err, out.Close())
}
