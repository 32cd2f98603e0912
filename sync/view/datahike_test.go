package view_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// store is a directory whose reads are counted.
type store struct {
	*datoms.Reader
	gets atomic.Int64
}

func openStore(dir, key string, workers int) *store {
	s := &store{}
	s.Reader = &datoms.Reader{Dialect: datahike.New(key), Workers: workers, Get: func(ctx context.Context, id graph.ID, _ []byte) ([]byte, error) {
		s.gets.Add(1)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(filepath.Join(dir, string(id)))
		if os.IsNotExist(err) {
			err = graph.ErrNotFound
		}
		return data, err
	}}
	return s
}

func (s *store) branches(t testing.TB) map[string]*view.DatahikeView {
	t.Helper()
	get := func(ctx context.Context, id graph.ID) ([]byte, error) { return s.Get(ctx, id, nil) }
	heads, err := s.Dialect.Hold(t.Context(), get, "")
	require.NoError(t, err)
	all := map[string]*view.DatahikeView{}
	for _, b := range heads.Branches {
		v, err := view.OpenDatahike(t.Context(), s.Reader, b.Head, b.Record)
		require.NoError(t, err)
		v.Describe(b.Name, "")
		all[b.Name] = v
	}
	return all
}

// at opens the view of a past commit, or nil if that is gone.
func (s *store) at(t testing.TB, commit string) *view.DatahikeView {
	t.Helper()
	var u fressian.UUID
	raw, err := hex.DecodeString(strings.ReplaceAll(commit, "-", ""))
	require.NoError(t, err)
	copy(u[:], raw)
	id := datahike.AddressID(u)
	data, err := s.Get(t.Context(), id, nil)
	if err != nil {
		return nil
	}
	rec, err := s.Dialect.Record(id, data)
	require.NoError(t, err)
	v, err := view.OpenDatahike(t.Context(), s.Reader, graph.Held{ID: id, Data: data}, rec)
	require.NoError(t, err)
	return v
}

func scan(t testing.TB, v view.View, q datom.Query) (found []datom.Datom) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), q, func(d datom.Datom) error {
		found = append(found, d)
		return nil
	}))
	return found
}

// stored is a datom as the trees have it.
func stored(v *view.DatahikeView, d datom.Datom) datom.Datom {
	if k, ok := d.A.(fressian.Keyword); ok && v.Record().Config.Settings["attribute-refs?"] == true {
		d.A = v.Schema().Attr(k).ID
	}
	return d
}

// digest is that of datoms as the trees have them.
func digest(t testing.TB, v *view.DatahikeView, all []datom.Datom) (string, int64) {
	t.Helper()
	sum := datom.NewDigest()
	defer sum.Close()
	for _, d := range all {
		require.NoError(t, sum.Add(stored(v, d)))
	}
	text, n, err := sum.Sum()
	require.NoError(t, err)
	require.Len(t, all, int(n), "duplicates")
	return text, n
}

// same fails unless two lists have the same datoms, in whatever order.
func same(t testing.TB, want, got []datom.Datom, msg ...any) {
	t.Helper()
	require.Equal(t, texts(want), texts(got), msg...)
}

// texts are datoms as sorted texts.
func texts(all []datom.Datom) []string {
	lines := make([]string, len(all))
	for i, d := range all {
		lines[i] = fmt.Sprint(d)
	}
	slices.Sort(lines)
	return lines
}

// ascending fails unless datoms are in the order of an index.
func ascending(t testing.TB, v *view.DatahikeView, index datom.Index, all []datom.Datom) {
	t.Helper()
	var last []byte
	for i, d := range all {
		key, err := datoms.AppendKey(nil, index, stored(v, d))
		require.NoError(t, err)
		require.Negative(t, bytes.Compare(last, key), "%s: datom %d, %v, is out of order", index, i, d)
		last = key
	}
}

// TestDatahikeFixtures: what the views of real stores have is what the real
// Datahike reports, in every order.
func TestDatahikeFixtures(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			s := openStore(fixture.Unpack(t, name), fixture.Key(name), 3)
			branches, want := s.branches(t), fixture.Expected(t, name).ByBranch
			require.Len(t, branches, len(want))
			for branch, v := range branches {
				checkView(t, v, want[branch])
			}
		})
	}
}

func checkView(t *testing.T, v *view.DatahikeView, want fixture.Branch) {
	info := v.Info()
	assert.Equal(t, view.Datahike, info.Kind)
	assert.NotEmpty(t, info.Database)
	assert.Equal(t, want.MaxTx, info.MaxTx)
	assert.Equal(t, want.MaxTx-1<<29, info.T)
	assert.Equal(t, want.HistorySHA256 != "", info.History)
	assert.Equal(t, want.DatomsCurrent, info.Datoms)
	for _, index := range []datom.Index{datom.EAVT, datom.AEVT} {
		all := scan(t, v, datom.Query{Index: index})
		sum, n := digest(t, v, all)
		assert.Equal(t, want.CurrentSHA256, sum, index)
		assert.Equal(t, want.DatomsCurrent, n)
		ascending(t, v, index, all)
		var most int64
		for _, d := range all {
			assert.IsType(t, fressian.Keyword{}, d.A)
			if d.E < 1<<29 {
				most = max(most, d.E)
			}
		}
		assert.Equal(t, most, info.MaxE)
		if want.HistorySHA256 == "" {
			err := v.Scan(t.Context(), datom.Query{Index: index, History: true}, func(datom.Datom) error { return nil })
			assert.ErrorIs(t, err, graph.ErrUnsupported)
			continue
		}
		all = scan(t, v, datom.Query{Index: index, History: true})
		sum, n = digest(t, v, all)
		assert.Equal(t, want.HistorySHA256, sum, index)
		assert.Equal(t, want.DatomsHistory, n)
		ascending(t, v, index, all)
	}
	for _, history := range []bool{false, info.History} {
		avet := scan(t, v, datom.Query{Index: datom.AVET, History: history})
		ascending(t, v, datom.AVET, avet)
		indexed := slices.DeleteFunc(scan(t, v, datom.Query{History: history}), func(d datom.Datom) bool {
			a := v.Schema().Attr(d.A.(fressian.Keyword)) // nil for what says what an attribute is
			return a == nil || !a.Indexed
		})
		same(t, indexed, avet)
		assert.NotEmpty(t, avet)
	}
	err := v.Scan(t.Context(), datom.Query{Index: datom.VAET}, nil)
	assert.ErrorIs(t, err, graph.ErrUnsupported)
	require.NoError(t, v.Close())
}

// TestDatahikeAsOf: the past that a head's history tells is what the commits of
// that time hold. (e-branches is none of these: a merge brings commits of another
// past.)
func TestDatahikeAsOf(t *testing.T) {
	compared := 0
	for _, name := range []string{"a-default", "c-crypto", "h-gen3", "i-attrrefs", "k-diffbuf", "j-fused"} {
		s := openStore(fixture.Unpack(t, name), fixture.Key(name), 2)
		for branch, v := range s.branches(t) {
			for _, c := range fixture.Expected(t, name).ByBranch[branch].Commits {
				past := s.at(t, c.ID)
				if past == nil || branch != ":db" {
					continue
				}
				compared++
				for _, index := range []datom.Index{datom.EAVT, datom.AEVT, datom.AVET} {
					got := scan(t, v, datom.Query{Index: index, AsOf: c.MaxTx})
					ascending(t, v, index, got)
					want := scan(t, past, datom.Query{Index: index})
					same(t, want, got, "%s %s %s at %d", name, branch, index, c.MaxTx)
				}
			}
		}
	}
	assert.Greater(t, compared, 30)
}

// TestDatahikeLog: a log has every datom of the history once, in transactions
// that rise.
func TestDatahikeLog(t *testing.T) {
	for _, name := range fixture.Names() {
		s := openStore(fixture.Unpack(t, name), fixture.Key(name), 2)
		for branch, v := range s.branches(t) {
			all := scan(t, v, datom.Query{History: v.Info().History})
			var logged []datom.Datom
			last := int64(0)
			require.NoError(t, v.Log(t.Context(), 0, 0, func(tx view.Transaction) error {
				assert.Greater(t, tx.Tx, last)
				last = tx.Tx
				assert.Equal(t, tx.Tx-1<<29, tx.T)
				if tx.T > 0 && v.Info().History { // without, Datahike dates nothing
					assert.Equal(t, fressian.Keyword{NS: "db", Name: "txInstant"}, tx.Datoms[0].A, "%s %s", name, branch)
				}
				ascending(t, v, datom.EAVT, tx.Datoms[1:])
				for _, d := range tx.Datoms {
					assert.Equal(t, tx.Tx, d.Tx)
				}
				logged = append(logged, tx.Datoms...)
				return nil
			}))
			same(t, all, logged)
			from, to := v.Info().MaxTx-3, v.Info().MaxTx-1
			var found []int64
			require.NoError(t, v.Log(t.Context(), from, to, func(tx view.Transaction) error {
				found = append(found, tx.Tx)
				return nil
			}))
			want := slices.DeleteFunc(slices.Clone(all), func(d datom.Datom) bool { return d.Tx < from || d.Tx > to })
			same(t, want, scan(t, v, datom.Query{History: v.Info().History, TxFrom: from, TxTo: to}))
			assert.Subset(t, []int64{from, from + 1, to}, found)
		}
	}
}

func made(t testing.TB, o sample.Options, transactions, edits int) (*store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "db")
	db, err := sample.Create(dir, o)
	require.NoError(t, err)
	for range transactions {
		require.NoError(t, db.Transact(edits))
	}
	return openStore(dir, "", 2), dir
}
