package engine

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// backedPast is a fixture with a backup of it.
type backedPast struct {
	key     string
	src     image
	dst     fs.Fs
	facts   fixture.Facts
	commits map[string]fixture.Commit
}

func pastOf(t *testing.T, name string) *backedPast {
	t.Helper()
	h := &backedPast{key: fixture.Key(name), facts: fixture.Expected(t, name), dst: memory(t), commits: map[string]fixture.Commit{}}
	src := remote(t, fixture.Unpack(t, name))
	h.src = dump(t, src)
	_, err := dbsync.Backup(quick(), source(src, h.key), h.dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	for _, b := range h.facts.ByBranch {
		for _, c := range b.Commits {
			if !strings.HasPrefix(c.ID, ":") { // a branch that a forced one names as its parent
				h.commits[c.ID] = c
			}
		}
	}
	return h
}

// restore restores a commit into a new remote.
func (h *backedPast) restore(t *testing.T, opt dbsync.RestoreOptions) (fs.Fs, *dbsync.RestoreReport) {
	t.Helper()
	target := memory(t)
	opt.Dialect = datahike.New(h.key)
	rep, err := dbsync.Restore(quick(), h.dst, target, opt)
	require.NoError(t, err)
	return target, rep
}

// record is the value of an object that must be a record, and its metadata.
func (h *backedPast) record(t *testing.T, data []byte) (fressian.Map, konserve.Meta) {
	t.Helper()
	blob, err := konserve.NewCodec(h.key).Open(data)
	require.NoError(t, err)
	v, err := fressian.Decode(blob.Value)
	require.NoError(t, err)
	return v.(fressian.Map), blob.Meta
}

// branchIn takes :config :branch out of a record.
func branchIn(rec fressian.Map) (branch any, rest fressian.Map) {
	for _, e := range rec {
		config, ok := e.Value.(fressian.Map)
		if e.Key != (fressian.Keyword{Name: "config"}) || !ok {
			rest = append(rest, e)
			continue
		}
		branch, _ = config.Get("", "branch")
		for _, c := range config {
			if c.Key != (fressian.Keyword{Name: "branch"}) {
				rest = append(rest, c)
			}
		}
	}
	return branch, rest
}

// check compares a copy with what the oracle finds from its head in the source.
func (h *backedPast) check(t *testing.T, target fs.Fs, commit, branch string) {
	t.Helper()
	got := dump(t, target)
	headID := keywordName(keywordOf(branch))
	setID := keywordName(fressian.Keyword{Name: "branches"})
	require.Contains(t, got, headID)

	past := maps.Clone(h.src)
	for _, b := range h.facts.Branches {
		delete(past, keywordName(keywordOf(b)))
	}
	past[headID], past[setID] = got[headID], got[setID]
	assert.Empty(t, wanted(t, h.key, past).differs(got), commit)

	set, err := konserve.NewCodec(h.key).Open(got[setID])
	require.NoError(t, err)
	names, err := fressian.Decode(set.Value)
	require.NoError(t, err)
	assert.Equal(t, fressian.Set{keywordOf(branch)}, names)

	head, meta := h.record(t, got[headID])
	was, written := h.record(t, got[address(uuid(t, commit))])
	assert.Equal(t, konserve.Meta{Key: keywordOf(branch), Type: konserve.TypeEDN, LastWrite: written.LastWrite}, meta)
	name, rest := branchIn(head)
	_, before := branchIn(was)
	assert.Equal(t, keywordOf(branch), name)
	assert.Equal(t, before, rest, "nothing but the branch's name is another one")
	h.open(t, target, commit, branch)
}

// open reads a copy as a database, and backs it up.
func (h *backedPast) open(t *testing.T, target fs.Fs, commit, branch string) {
	t.Helper()
	heads, err := datahike.New(h.key).Hold(quick(), store.New(target, "").Get, "")
	require.NoError(t, err)
	require.Len(t, heads.Branches, 1)
	b := heads.Branches[0]
	assert.Equal(t, branch, b.Name)
	assert.Equal(t, commit, datahike.Text(b.Commit))
	assert.Equal(t, h.commits[commit].MaxTx, b.MaxTx)
	again := memory(t)
	_, err = dbsync.Backup(quick(), source(target, h.key), again, dbsync.BackupOptions{})
	require.NoError(t, err)
	assert.Empty(t, dump(t, target).differs(restored(t, again, "")))
	require.NoError(t, purge(again))
}

// TestPast: every commit of a history can be restored, with what it reaches and
// nothing else.
func TestPast(t *testing.T) {
	for _, name := range []string{"h-gen3", "e-branches", "d-aes", "j-fused", "z-legacy-0.6.1607"} {
		t.Run(name, func(t *testing.T) {
			h := pastOf(t, name)
			ids := slices.Sorted(maps.Keys(h.commits))
			step := max(1, len(ids)/6)
			for i := len(ids) - 1; i >= 0; i -= step {
				data := h.src[address(uuid(t, ids[i]))]
				require.NotEmpty(t, data)
				rec, _ := h.record(t, data)
				made, _ := branchIn(rec)
				branch := ":" + made.(fressian.Keyword).Name
				if ns := made.(fressian.Keyword).NS; ns != "" {
					branch = ":" + ns + "/" + made.(fressian.Keyword).Name
				}
				target, rep := h.restore(t, dbsync.RestoreOptions{Commit: ids[i]})
				assert.Equal(t, []string{branch, ids[i]}, []string{rep.Branch, rep.Commit})
				h.check(t, target, ids[i], branch)
				require.NoError(t, purge(target))
			}
		})
	}
}

// TestPastHead: the commit at which a branch stands gives the branch's own
// head but for the time of writing.
func TestPastHead(t *testing.T) {
	h := pastOf(t, "h-gen3")
	commit := h.facts.ByBranch[":db"].CommitID
	target, _ := h.restore(t, dbsync.RestoreOptions{Commit: commit})
	head := keywordName(fressian.Keyword{Name: "db"})
	was, err := konserve.NewCodec("").Open(h.src[head])
	require.NoError(t, err)
	is, err := konserve.NewCodec("").Open(dump(t, target)[head])
	require.NoError(t, err)
	assert.Equal(t, was.Value, is.Value)
	assert.Equal(t, was.Header, is.Header)
}

// TestPastAsBranch: a commit that was made for one branch becomes another's.
func TestPastAsBranch(t *testing.T) {
	h := pastOf(t, "e-branches")
	for _, branch := range h.facts.Branches {
		for _, of := range h.facts.Branches {
			commit := h.facts.ByBranch[of].CommitID
			target, rep := h.restore(t, dbsync.RestoreOptions{Commit: commit[:23], Branch: branch})
			assert.Equal(t, branch, rep.Branch)
			h.check(t, target, commit, branch)
		}
	}
}

// TestPastAt: --at says which point's history is meant.
func TestPastAt(t *testing.T) {
	dst, points := backedUp(t)
	for i, name := range generations {
		h := &backedPast{dst: dst, facts: fixture.Expected(t, name), commits: map[string]fixture.Commit{}}
		commits := h.facts.ByBranch[":db"].Commits
		oldest := commits[len(commits)-1]
		target, rep := h.restore(t, dbsync.RestoreOptions{At: points[i], Commit: oldest.ID})
		assert.Equal(t, points[i], rep.Point)
		heads, err := datahike.New("").Hold(quick(), store.New(target, "").Get, "")
		require.NoError(t, err)
		assert.Equal(t, oldest.MaxTx, heads.Branches[0].MaxTx)
	}
	// What was collected before the newest point is no part of it.
	gone := fixture.Expected(t, "h-gen3").ByBranch[":db"].Commits
	_, err := dbsync.Restore(quick(), dst, memory(t), dbsync.RestoreOptions{Commit: gone[len(gone)-1].ID, Dialect: datahike.New("")})
	require.ErrorIs(t, err, fs.ErrorObjectNotFound)
}

// TestPastRefused: what names no commit, or several, is told what to do next.
func TestPastRefused(t *testing.T) {
	h := pastOf(t, "e-branches")
	for _, tc := range []struct{ commit, branch, says string }{
		{"6b010f5", "", "beginning of"},
		{"6b010f", "", "too short"},
		{"0000000", "", "backend commits"},
		{"6b010f56-c9d4-508e-b927-3ac03844b8da0", "", "no commit"},
		{h.facts.ByBranch[":db"].CommitID, "nope", ":feature"},
	} {
		target := memory(t)
		_, err := dbsync.Restore(quick(), h.dst, target, dbsync.RestoreOptions{Commit: tc.commit, Branch: tc.branch, Dialect: datahike.New("")})
		require.ErrorContains(t, err, tc.says, tc.commit)
		assert.Empty(t, dump(t, target))
	}
	none := pastOf(t, "l-nocommitgraph")
	_, err := dbsync.Restore(quick(), none.dst, memory(t), dbsync.RestoreOptions{Commit: none.facts.ByBranch[":db"].CommitID, Dialect: datahike.New("")})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.ErrorContains(t, err, "keeps no commits")
}

// TestPastResumes: an encrypted head is the same each time, or a restore could
// not tell its own from one that has moved.
func TestPastResumes(t *testing.T) {
	h := pastOf(t, "d-aes")
	commits := h.facts.ByBranch[":db"].Commits
	opt := dbsync.RestoreOptions{Commit: commits[len(commits)/2].ID, Dialect: datahike.New(h.key)}
	whole, _ := h.restore(t, opt)
	for _, rule := range []fault.Rule{
		{N: 1, Match: fault.On(fault.Put, keywordName(fressian.Keyword{Name: "branches"}))},
		{N: 1, Match: fault.On(fault.Remove, "")},
		{N: 9, Match: fault.On(fault.Put, ""), Dead: true},
	} {
		target := memory(t)
		f := fault.New(target, fault.Options{})
		f.Inject(rule)
		_, err := dbsync.Restore(quick(), h.dst, f, opt)
		require.Error(t, err)
		other := opt
		other.Commit = commits[0].ID
		_, err = dbsync.Restore(quick(), h.dst, target, other)
		require.ErrorIs(t, err, dbsync.ErrRefused, "another commit's restore is not resumed")
		rep, err := dbsync.Restore(quick(), h.dst, target, opt)
		require.NoError(t, err)
		assert.Positive(t, rep.Resumed)
		assert.Empty(t, dump(t, whole).differs(dump(t, target)))
	}
}

func uuid(t testing.TB, text string) fressian.UUID {
	t.Helper()
	u, err := hasch.Parse(text)
	require.NoError(t, err)
	return u
}
