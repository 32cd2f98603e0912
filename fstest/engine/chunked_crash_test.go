package engine

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fault"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// TestChunkedCrash makes every call to the destination fail, in every way,
// during each of four backups of one database into small chunks.
func TestChunkedCrash(t *testing.T) {
	dirs := unpackAll(t)
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			s := &saga{at: image{}, points: map[string]image{}}
			for i, dir := range dirs {
				src := remote(t, dir)
				s.want = wanted(t, "", dump(t, src))
				s.backup = func(dst fs.Fs) (*dbsync.BackupReport, error) {
					return dbsync.Backup(quick(), source(src, ""), dst, chunked(192<<10))
				}
				s.chapter(t, i, end.empty, end.opt, end.ways)
			}
		})
	}
}

// TestChunkedDatomicCrash does so with a database of Datomic's.
func TestChunkedDatomicCrash(t *testing.T) {
	a := datomicsample.Make(datomicsample.Options{Seed: 5, Leaves: 3, Fanout: 2, Files: 1, Tail: 2})
	b := a.Next(3)
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			s := &saga{at: image{}, points: map[string]image{}}
			for i, value := range []*datomicsample.Sample{a, b, b.Next(8)} {
				st := shelved(value)
				s.want = native(t, value)
				s.backup = func(dst fs.Fs) (*dbsync.BackupReport, error) {
					return keep(st, dst, chunked(16<<10))
				}
				s.chapter(t, i, end.empty, end.opt, end.ways)
			}
		})
	}
}

// saga is a destination in chunks on its way through a series of backups.
type saga struct {
	at     image            // the destination
	points map[string]image // what each point restores to
	want   image            // what the next one is to
	backup func(dst fs.Fs) (*dbsync.BackupReport, error)
}

// chapter crashes at every call of one backup, and then makes it.
func (s *saga) chapter(t *testing.T, i int, empty func(testing.TB) fs.Fs, opt fault.Options, ways []crash) {
	t.Helper()
	total := 0
	for _, way := range ways {
		total += s.crashEverywhere(t, empty, opt, way)
	}
	t.Logf("backup %d: %d crashes", i+1, total)
	dst, drop := holding(t, empty, s.at)
	defer drop()
	rep, err := s.backup(dst)
	require.NoError(t, err)
	require.False(t, rep.UpToDate)
	s.points[rep.Point] = s.want
	s.at = dump(t, dst)
}

// crashEverywhere crashes at the first call, the second, … until a run gets
// through.
func (s *saga) crashEverywhere(t *testing.T, empty func(testing.TB) fs.Fs, opt fault.Options, way crash) (crashes int) {
	t.Helper()
	for n := 1; ; n += sparser {
		dst, drop := holding(t, empty, s.at)
		f := fault.New(dst, opt)
		f.Inject(fault.Rule{N: n, Mode: way.mode, Dead: way.dead})
		_, err := s.backup(f)
		call := f.Tripped()
		if call == nil {
			require.NoError(t, err)
			drop()
			return crashes
		}
		crashes++
		closely := crashes%full == 0
		ok := t.Run(fmt.Sprintf("%v %v dead=%v", call, way.mode, way.dead), func(t *testing.T) {
			s.check(t, dst, err == nil, closely)
			made := s.resume(t, dst, opt)
			s.check(t, dst, true, closely)
			if made {
				tidy(t, dst)
			}
		})
		drop()
		if !ok {
			t.FailNow()
		}
	}
}

// resume runs without faults after a crash. What the crashed run has put down as
// finished is not sent again. It tells whether a point was made: the crashed run
// may have made it.
func (s *saga) resume(t *testing.T, dst fs.Fs, opt fault.Options) bool {
	t.Helper()
	finished := unzipped(t, dump(t, dst), checkpointed(t, dump(t, dst)))
	f := fault.New(dst, opt)
	rep, err := s.backup(f)
	require.NoError(t, err, "a run without faults after the crash")
	if rep.UpToDate {
		return false
	}
	img := dump(t, dst)
	var sent []string
	for _, name := range img.chunksIn() {
		if strings.Contains(name, "/"+rep.Point+"/") {
			sent = append(sent, name)
		}
	}
	for name := range unzipped(t, img, sent) {
		if !isMutable(name) {
			assert.NotContains(t, finished, name, "sent again")
		}
	}
	return true
}

// isMutable tells of a path in a chunk whether every point brings it anew.
func isMutable(name string) bool {
	return isHead[path.Base(name)] || name == "owner" || strings.HasPrefix(name, "roots/")
}

// checkpointed are the chunks that the checkpoint of an unfinished backup names.
func checkpointed(t testing.TB, img image) (chunks []string) {
	t.Helper()
	for name, data := range img {
		if path.Base(name) != "checkpoint.edn" {
			continue
		}
		for _, chunk := range img.chunksIn() {
			id := strings.TrimSuffix(path.Base(chunk), ".zip")
			if strings.HasPrefix(chunk, path.Dir(name)+"/") && bytes.Contains(data, []byte(`"`+id+`"`)) {
				chunks = append(chunks, chunk)
			}
		}
	}
	return chunks
}

// check looks at a destination after a crash, or after a run that ended well. Of
// points that were there before the bytes are compared, and closely these are
// restored as well.
func (s *saga) check(t *testing.T, dst fs.Fs, done, closely bool) {
	t.Helper()
	now := dump(t, dst)
	for name, data := range s.at {
		if !strings.Contains(name, "/inflight/") && !bytes.Equal(data, now[name]) {
			t.Errorf("%s belongs to a point and was changed", name)
		}
	}
	points, err := dbsync.Points(quick(), dst)
	if len(s.points) == 0 && !done && err != nil {
		require.ErrorIs(t, err, fs.ErrorObjectNotFound)
		return
	}
	require.NoError(t, err)
	complete := 0
	for _, p := range points {
		assert.Empty(t, p.Damaged)
		if !p.Complete {
			continue
		}
		complete++
		want, old := s.points[p.ID]
		if !old {
			want = s.want
		} else if !closely {
			continue
		}
		_, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: p.ID, Deep: closely, Dialect: datahike.New("")})
		require.NoError(t, err)
		assert.Empty(t, want.differs(restored(t, dst, p.ID)), p.ID)
	}
	assert.GreaterOrEqual(t, complete, len(s.points), "a point is lost")
	assert.LessOrEqual(t, complete, len(s.points)+1)
	if done {
		assert.Equal(t, len(s.points)+1, complete)
	}
}

// tidy: after a run that made a point nothing lies around that no point needs.
func tidy(t *testing.T, dst fs.Fs) {
	t.Helper()
	now := dump(t, dst)
	assert.Equal(t, now.chunksIn(), chunksOf(t, dst, ""))
	for name := range now {
		assert.NotContains(t, name, "/inflight/")
		assert.NotEqual(t, "checkpoint.edn", path.Base(name))
		assert.NotEqual(t, ".new", path.Ext(name))
	}
}
