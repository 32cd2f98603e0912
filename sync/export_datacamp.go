package dbsync

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/list"
	"github.com/rclone/rclone/fs/object"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/exchange/datacamp"
	"github.com/rclone-datom/rclone-datom/sync/exchange/dump"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// maxDatacampChunk is the largest size of chunks, in bytes: whoever reads one has
// all of it in memory, and our own reader takes twice as much at most.
const maxDatacampChunk = 256 << 20

// exportDatacamp makes a backup in datacamp's format, or goes on with one of
// the same value that was interrupted.
func exportDatacamp(ctx context.Context, v view.View, dst fs.Fs, opt ExportOptions) (*ExportReport, error) {
	if opt.ChunkSize == 0 {
		opt.ChunkSize = datacamp.DefaultChunk
	}
	if opt.ChunkSize > maxDatacampChunk {
		return nil, refuse("--chunk-size %s is more than %s: a chunk of this format is read in memory as a whole", fs.SizeSuffix(opt.ChunkSize), fs.SizeSuffix(maxDatacampChunk))
	}
	if _, ok := view.AtAnyTime[*dump.View](v); ok && refersToAttributes(v.Schema()) {
		return nil, refuse("its attributes are entities (:attribute-refs?), and a dump does not have the datoms with which every such database begins: import it, and export the database")
	}
	now, info := time.Now().UTC(), v.Info()
	c, resumed, err := datacampCheckpoint(ctx, dst, v, opt, now)
	if err != nil {
		return nil, err
	}
	var skip func(datom.Datom, error)
	if opt.SkipErrors {
		skip = func(d datom.Datom, err error) { fs.Logf(dst, "left out %s: %v", datomText(d), err) }
	}
	dir := path.Join(databaseDir(info.Database), c.Backup)
	e := &datacamp.Export{
		Source:   datacamp.NewSource(v, opt.History, opt.ChunkSize, skip),
		Output:   datacampOutput{transfer.NewCopier(dst, object.MemoryFs, now), dir},
		Manifest: datacamp.Manifest{ID: c.Backup, Database: info.Database, Branch: info.Branch, Kind: info.Kind, History: opt.History, Created: c.Started},

		Checkpoint: c, Chunk: opt.ChunkSize, Parallel: opt.Parallel,
		Now: func() time.Time { return time.Now().UTC() },
	}
	if e.Schema, err = datacamp.AppendSchema(nil, v.Schema(), now); err == nil {
		e.Config, err = datacamp.AppendConfig(nil, datacampConfig(v), now)
	}
	if err != nil {
		return nil, err
	}
	m, err := e.Run(ctx)
	if err != nil {
		return nil, err
	}
	return &ExportReport{Path: dir, Datoms: m.Datoms, Chunks: int64(len(m.Chunks)), Bytes: m.Size, Skipped: m.Skipped, Resumed: resumed}, nil
}

// datomText names a datom in messages.
func datomText(d datom.Datom) string {
	if text, err := datom.AppendText(nil, d); err == nil && len(text) < 200 {
		return string(text)
	}
	return fmt.Sprintf("a datom of entity %d, attribute %v, transaction %d", d.E, d.A, d.Tx)
}

// databaseDir is the directory of a database: its name, as far as it can be the
// name of one.
func databaseDir(database string) string {
	dir := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || strings.ContainsRune(`/\:*?"<>|`, c) {
			return '_'
		}
		return c
	}, database)
	if strings.Trim(dir, ". ") == "" {
		return "default-db"
	}
	return dir
}

// datacampToken names what is exported, and how: runs that differ in it make
// other chunks.
func datacampToken(v view.View, opt ExportOptions) string {
	info := v.Info()
	value := fmt.Sprint(info.MaxTx)
	if d, ok := view.As[*view.DatahikeView](v); ok {
		value = hasch.String(d.Record().Commit)
	}
	return fmt.Sprintf("1 %s %s %s %s history=%t chunk=%d skip=%t", info.Kind, info.Database, info.Branch, value, opt.History, opt.ChunkSize, opt.SkipErrors)
}

// datacampCheckpoint returns a new checkpoint, or that of an interrupted run,
// newest first, and how many chunks are done.
func datacampCheckpoint(ctx context.Context, dst fs.Fs, v view.View, opt ExportOptions, now time.Time) (*datacamp.Checkpoint, int64, error) {
	token, database := datacampToken(v, opt), databaseDir(v.Info().Database)
	ids, err := datacampIDs(ctx, dst, database)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range slices.Backward(ids) {
		c, err := interrupted(ctx, dst, path.Join(database, id))
		if err != nil {
			return nil, 0, err
		}
		if c == nil || c.Token != token || c.Backup != id {
			continue
		}
		if err := keepPresent(ctx, dst, path.Join(database, id), c); err != nil {
			return nil, 0, err
		}
		c.Retries++
		fs.Infof(dst, "going on with %s: %d chunks are there", path.Join(database, id), len(c.Done))
		return c, int64(len(c.Done)), nil
	}
	return &datacamp.Checkpoint{Backup: newDatacampID(now), Token: token, Started: now, Done: map[int64]datacamp.Done{}}, 0, nil
}

// newDatacampID names a backup as datacamp does.
func newDatacampID(now time.Time) string {
	var r [3]byte
	_, _ = rand.Read(r[:]) // never fails
	return fmt.Sprintf("%s-%x", now.Format("20060102-150405"), r)
}

// interrupted returns the checkpoint of a backup that is not complete, or nil.
func interrupted(ctx context.Context, dst fs.Fs, dir string) (*datacamp.Checkpoint, error) {
	switch _, err := dst.NewObject(ctx, path.Join(dir, datacamp.MarkerFile)); {
	case err == nil:
		return nil, nil
	case !errors.Is(err, fs.ErrorObjectNotFound):
		return nil, err
	}
	c, err := datacamp.ReadCheckpoint(ctx, filesIn(dst, dir))
	if damaged(err) {
		fs.Infof(dst, "not going on with %s: %v", dir, err)
		return nil, nil
	}
	return c, err
}

// keepPresent forgets the chunks that somebody has taken away since, or changed.
func keepPresent(ctx context.Context, dst fs.Fs, dir string, c *datacamp.Checkpoint) error {
	entries, err := list.DirSorted(ctx, dst, true, path.Join(dir, "chunks"))
	if err != nil && !errors.Is(err, fs.ErrorDirNotFound) {
		return err
	}
	sizes := map[string]int64{}
	entries.ForObject(func(o fs.Object) { sizes[o.Remote()] = o.Size() })
	maps.DeleteFunc(c.Done, func(_ int64, d datacamp.Done) bool {
		size, ok := sizes[path.Join(dir, d.Path)]
		return !ok || size >= 0 && size != d.Size
	})
	return nil
}

// datacampOutput writes below a backup's directory.
type datacampOutput struct {
	c   *transfer.Copier
	dir string
}

// Draft implements datacamp.Output.
func (o datacampOutput) Draft(ctx context.Context, name string) (datacamp.Draft, error) {
	return o.c.NewDraft(ctx, path.Join(o.dir, name))
}

// Put implements datacamp.Output.
func (o datacampOutput) Put(ctx context.Context, name string, data []byte) error {
	return o.c.Replace(ctx, path.Join(o.dir, name), data)
}

// datacampConfig is what a config.edn says of the database: its settings that
// hold no secret and no place.
func datacampConfig(v view.View) fressian.Map {
	m := fressian.Map{{Key: fressian.Keyword{NS: "database", Name: "kind"}, Value: fressian.Keyword{Name: string(v.Info().Kind)}}}
	d, ok := view.As[*view.DatahikeView](v)
	if !ok {
		return m
	}
	settings := d.Record().Config.Settings
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value := settings[name]
		if s, ok := value.(string); ok {
			ns, n, found := strings.Cut(strings.TrimPrefix(s, ":"), "/")
			if !found {
				ns, n = "", ns
			}
			value = fressian.Keyword{NS: ns, Name: n}
		}
		m = append(m, fressian.Entry{Key: fressian.Keyword{Name: name}, Value: value})
	}
	return m
}
