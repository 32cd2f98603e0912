package dbsync_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// checkpointFile is a checkpoint as a run writes it.
type checkpointFile struct {
	Version  int              `edn:"checkpoint/version"`
	Backup   string           `edn:"checkpoint/backup-id"`
	Kind     edn.Keyword      `edn:"database/kind"`
	ID       string           `edn:"database/id"`
	Finished []snapshot.Chunk `edn:"state/completed-chunks"`
}

// TestCheckpoints: an unfinished backup is gone on with if its checkpoint is
// sound, and made anew if not: whatever somebody puts there, the point is right.
func TestCheckpoints(t *testing.T) {
	sound, d := packed(t)
	for name, spoil := range map[string]func(c *checkpointFile, p *packedPlace) []byte{
		"sound":            nil,
		"a newer version":  func(c *checkpointFile, _ *packedPlace) []byte { c.Version++; return nil },
		"another run":      func(c *checkpointFile, p *packedPlace) []byte { c.Backup = p.first; return nil },
		"another database": func(c *checkpointFile, _ *packedPlace) []byte { c.ID = "x"; return nil },
		"another kind":     func(c *checkpointFile, _ *packedPlace) []byte { c.Kind = snapshot.Datomic; return nil },
		"a chunk outside":  func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].ID = "../../../x"; return nil },
		"a chunk of another backup": func(c *checkpointFile, _ *packedPlace) []byte {
			c.Finished[0].Backup = "2099-01-01T000000.000Z-6b000000"
			return nil
		},
		"a chunk that is not there": func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].ID = "segments-000044"; return nil },
		"another size":              func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].Size++; return nil },
		"a directory elsewhere":     func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].Directory--; return nil },
		"a billion entries":         func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].Entries = 1 << 40; return nil },
		"no EDN":                    func(*checkpointFile, *packedPlace) []byte { return []byte("{:checkpoint/version") },
		"nested deeply":             func(*checkpointFile, *packedPlace) []byte { return bytes.Repeat([]byte("[{"), 1<<20) },
		"huge":                      func(*checkpointFile, *packedPlace) []byte { return make([]byte, 40<<20) },
		"empty":                     func(*checkpointFile, *packedPlace) []byte { return []byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := sound.clone(t)
			p.interrupt(t, spoil)
			left := chunksAt(t, p.dir, p.id+"/"+p.second)
			rep, err := d.pack(t, p.dir)
			require.NoError(t, err)
			assert.Equal(t, p.images[p.second], restored(t, p.dir, rep.Point))
			deep(t, d, p.dir, rep.Point)
			if spoil != nil {
				assert.NoDirExists(t, p.file(""), "nothing of it is of use")
				return
			}
			delete(left, filepath.Base(headsChunk)) // which comes anew
			assert.Equal(t, left, chunksAt(t, p.dir, p.id+"/"+p.second))
			assert.Equal(t, int64(5), rep.New.Segments)
			assert.Len(t, chunksAt(t, p.dir, p.id+"/"+rep.Point), 1, "the heads")
		})
	}
}

// interrupt makes of the second point what a run leaves that ended after its
// last chunk, with a checkpoint that spoil has changed.
func (p *packedPlace) interrupt(t *testing.T, spoil func(*checkpointFile, *packedPlace) []byte) {
	t.Helper()
	b, err := os.ReadFile(p.file("manifest.edn"))
	require.NoError(t, err)
	m, err := snapshot.DecodeManifest(p.second, b)
	require.NoError(t, err)
	for _, name := range []string{"manifest.edn", "complete.marker", "config.edn", "added-0001.zst"} {
		require.NoError(t, os.Remove(p.file(name)))
	}
	c := &checkpointFile{Version: 1, Backup: p.second, Kind: snapshot.Datahike, ID: p.id, Finished: m.Chunks}
	var text []byte
	if spoil != nil {
		text = spoil(c, p)
	}
	if text == nil {
		text, err = edn.Marshal(c)
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(p.file("checkpoint.edn"), text, 0o600))
}

// chunksAt are the chunks of a backup, with their bytes.
func chunksAt(t *testing.T, dst, backup string) map[string]string {
	t.Helper()
	dir := filepath.Join(dst, filepath.FromSlash(backup), "chunks")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return files(t, dir)
}
