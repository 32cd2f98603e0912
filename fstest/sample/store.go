package sample

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

// suffix ends the names of objects.
const suffix = ".ksv"

// object is one konserve key and its value, to be written.
type object struct {
	name  string
	meta  konserve.Meta
	value func() ([]byte, error)
}

func keyName(k fressian.Keyword) string {
	return hasch.String(hasch.OfKeyword(k.NS, k.Name)) + suffix
}

func addressName(u fressian.UUID) string { return hasch.String(hasch.OfUUID(u)) + suffix }

// mutable is an object that every commit replaces.
func (db *DB) mutable(k fressian.Keyword, v any) object {
	return object{keyName(k), konserve.Meta{Key: k, Type: konserve.TypeEDN, LastWrite: db.now()},
		func() ([]byte, error) { return encode(v) }}
}

// immutable is an object that is written once.
func (db *DB) immutable(u fressian.UUID, value func() ([]byte, error)) object {
	return object{addressName(u), konserve.Meta{Key: u, Type: konserve.TypeEDN, LastWrite: db.now(), Immutable: true}, value}
}

// put writes objects, several at a time, and returns when all are there.
func (db *DB) put(objects ...object) error {
	errs := make([]error, min(runtime.GOMAXPROCS(0), len(objects)))
	var next atomic.Int64
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(objects) {
					return
				}
				errs[w] = db.write(objects[i])
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// write does what konserve's file store does: the final name appears first,
// empty, then the whole content takes its place by a rename.
func (db *DB) write(o object) error {
	value, err := o.value()
	if err != nil {
		return err
	}
	data, err := db.codec.Seal(konserve.Header{Serializer: konserve.Fressian}, o.meta, value, nil)
	if err != nil {
		return err
	}
	path := filepath.Join(db.dir, o.name)
	if err := create(path, os.O_CREATE, nil, false); err != nil {
		return err
	}
	if err := create(path+".new", os.O_CREATE|os.O_TRUNC, data, db.o.Sync); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil || !db.o.Sync {
		return err
	}
	return syncDir(db.dir)
}

func create(path string, flag int, data []byte, sync bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|flag, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
