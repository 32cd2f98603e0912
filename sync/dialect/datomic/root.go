package datomic

import (
	"bytes"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// The keys of a backup's root.
var (
	keyLogVersion    = fressian.Keyword{NS: "log", Name: "version"}
	keyIndexVersion  = fressian.Keyword{NS: "index", Name: "version"}
	keyBackupVersion = fressian.Keyword{NS: "backup", Name: "version"}
	keyIndexRoot     = fressian.Keyword{NS: "index", Name: "root-id"}
	keyLogRoot       = fressian.Keyword{NS: "log", Name: "root-id"}
	keyTail          = fressian.Keyword{NS: "log", Name: "tail"}
	keyDatabase      = fressian.Keyword{NS: "db", Name: "id"}
)

// EncodeRoot returns the bytes of the file "roots/<t>" of a backup that holds
// the value. They are read back and compared before they are returned.
func (v *Value) EncodeRoot() ([]byte, error) {
	if err := v.Check(); err != nil {
		return nil, err
	}
	w := fressian.NewWriter()
	err := w.Write(fressian.Map{
		{Key: keyLogVersion, Value: v.LogVersion},
		{Key: keyIndexVersion, Value: v.IndexVersion},
		{Key: keyBackupVersion, Value: int64(backupVersion)},
		{Key: keyIndexRoot, Value: string(v.Index)},
		{Key: keyLogRoot, Value: string(v.Log)},
		{Key: keyTail, Value: v.Tail},
		{Key: keyDatabase, Value: v.DatabaseID},
	})
	if err != nil {
		return nil, err
	}
	back, err := DecodeRoot("root", w.Bytes())
	if err != nil {
		return nil, err
	}
	if !v.equal(back) {
		return nil, corrupt("the root of database %s is another one when read back", v.DatabaseID)
	}
	return w.Bytes(), nil
}

func (v *Value) equal(o *Value) bool {
	return v.DatabaseID == o.DatabaseID && v.Index == o.Index && v.Log == o.Log &&
		v.IndexVersion == o.IndexVersion && v.LogVersion == o.LogVersion && bytes.Equal(v.Tail, o.Tail)
}

// DecodeRoot reads the file "roots/<t>" of a backup of version 3. Other
// versions match graph.ErrUnsupported; name is for errors.
func DecodeRoot(name string, data []byte) (*Value, error) {
	v, err := decodeRoot(data)
	if err != nil {
		return nil, describe(name, err)
	}
	return v, nil
}

func decodeRoot(data []byte) (*Value, error) {
	decoded, err := fressian.Decode(data)
	if err != nil {
		return nil, err
	}
	m, ok := decoded.(fressian.Map)
	if !ok {
		return nil, corrupt("a backup's root is no map")
	}
	f := fields{m: m}
	if _, old := m.Get("", "log-tail"); old {
		return nil, unsupported("version 1 of backups, not %d", backupVersion)
	}
	if n := field[int64](&f, keyBackupVersion); f.err == nil && n != backupVersion {
		return nil, unsupported("version %d of backups, not %d", n, backupVersion)
	}
	v := &Value{
		DatabaseID:   field[string](&f, keyDatabase),
		Index:        graph.ID(field[string](&f, keyIndexRoot)),
		Log:          graph.ID(field[string](&f, keyLogRoot)),
		IndexVersion: field[int64](&f, keyIndexVersion),
		LogVersion:   field[int64](&f, keyLogVersion),
		Tail:         field[[]byte](&f, keyTail),
	}
	if f.err != nil {
		return nil, f.err
	}
	return v, v.Check()
}

// fields takes values out of a map, and keeps the first error.
type fields struct {
	m   fressian.Map
	err error
}

// field returns the value of a key, which must be there once and be a T.
func field[T any](f *fields, key fressian.Keyword) (t T) {
	found := 0
	for _, e := range f.m {
		if e.Key != key {
			continue
		}
		var ok bool
		if t, ok = e.Value.(T); !ok && f.err == nil {
			f.err = corrupt(":%s/%s is %T, not %T", key.NS, key.Name, e.Value, t)
		}
		found++
	}
	if found != 1 && f.err == nil {
		f.err = corrupt(":%s/%s is there %d times, not once", key.NS, key.Name, found)
	}
	return t
}
