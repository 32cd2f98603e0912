package exchange

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// checkFacts compares a view with what the real database said of the branch.
// Attributes are resolved to names here, so a digest with attributes' ids has
// nothing to be compared with but the counts.
func checkFacts(t *testing.T, v view.View, want fixture.Branch, refs bool) {
	t.Helper()
	for _, index := range []datom.Index{datom.EAVT, datom.AEVT} {
		sum, n := digest(t, v, datom.Query{Index: index})
		assert.Equal(t, want.DatomsCurrent, n, index)
		if !refs {
			assert.Equal(t, want.CurrentSHA256, sum, index)
		}
		if want.HistorySHA256 == "" {
			continue
		}
		sum, n = digest(t, v, datom.Query{Index: index, History: true})
		assert.Equal(t, want.DatomsHistory, n, index)
		if !refs {
			assert.Equal(t, want.HistorySHA256, sum, index)
		}
	}
}

// TestViews: every fixture, where it lies and from a backup in each layout, has
// the datoms that the real Datahike reported.
func TestViews(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, facts := source(t, name), fixture.Expected(t, name)
			native, chunked := memory(t), memory(t)
			backup(t, src, native, dbsync.LayoutNative)
			backup(t, src, chunked, dbsync.LayoutChunked)
			for branch, want := range facts.ByBranch {
				opt := dbsync.ViewOptions{Branch: branch, Dialect: datahike.New(fixture.Key(name))}
				live, err := src.View(quick(), opt)
				require.NoError(t, err)
				one, err := dbsync.OpenView(quick(), native, opt)
				require.NoError(t, err)
				many, err := dbsync.OpenView(quick(), chunked, opt)
				require.NoError(t, err)
				for _, v := range []view.View{live, one, many} {
					checkFacts(t, v, want, name == "i-attrrefs")
					assert.Equal(t, branch, v.Info().Branch)
					require.NoError(t, v.Close())
				}
			}
		})
	}
}

// TestAsOf: a database as of the last transaction of an earlier generation is
// that generation.
func TestAsOf(t *testing.T) {
	src := source(t, "h-gen3")
	for _, gen := range []string{"h-gen1", "h-gen2", "h-gen3"} {
		want := fixture.Expected(t, gen).ByBranch[":db"]
		was, err := source(t, gen).View(quick(), dbsync.ViewOptions{})
		require.NoError(t, err)
		for _, at := range []int64{was.Info().MaxTx, was.Info().T} {
			v, err := src.View(quick(), dbsync.ViewOptions{At: itoa(at)})
			require.NoError(t, err)
			sum, n := digest(t, v, datom.Query{})
			assert.Equal(t, want.DatomsCurrent, n, gen)
			assert.Equal(t, want.CurrentSHA256, sum, gen)
			require.NoError(t, v.Close())
		}
	}
}

// TestDatomicViews: every generation has as many datoms as the real Datomic
// counted, from its own backup and from ours in each layout; and so has an
// earlier one as of its t.
func TestDatomicViews(t *testing.T) {
	native, chunked := memory(t), memory(t)
	for _, gen := range fixture.DatomicGens() {
		want := fixture.DatomicExpected(t, gen.T)
		src := datomicSource(t, gen.Name, gen.T)
		backup(t, src, native, dbsync.LayoutNative)
		backup(t, src, chunked, dbsync.LayoutChunked)
		live, err := src.View(quick(), dbsync.ViewOptions{})
		require.NoError(t, err)
		one, err := dbsync.OpenView(quick(), native, dbsync.ViewOptions{At: itoa(gen.T)})
		require.NoError(t, err)
		many, err := dbsync.OpenView(quick(), chunked, dbsync.ViewOptions{At: itoa(gen.T)})
		require.NoError(t, err)
		for _, v := range []view.View{live, one, many} {
			for index, n := range map[datom.Index]int64{
				datom.EAVT: want.EAVTCurrent, datom.AEVT: want.AEVTCurrent, datom.AVET: want.AVETCurrent, datom.VAET: want.VAETCurrent,
			} {
				_, got := digest(t, v, datom.Query{Index: index})
				assert.Equal(t, n, got, "%s t %d", index, gen.T)
			}
			_, got := digest(t, v, datom.Query{History: true})
			assert.Equal(t, want.EAVTHistory, got)
			assert.Equal(t, gen.T, v.Info().T)
			require.NoError(t, v.Close())
		}
	}
}

// TestDumpedViews: what is read of an export is in every order what the
// database itself has.
func TestDumpedViews(t *testing.T) {
	for _, name := range []string{"a-default", "b-nohist", "g2-storeref", "c-crypto"} {
		src, err := source(t, name).View(quick(), dbsync.ViewOptions{})
		require.NoError(t, err)
		for _, format := range []string{"datahike", "datacamp"} {
			dst := memory(t)
			_, err := dbsync.Export(quick(), src, dst, dbsync.ExportOptions{Format: format, History: src.Info().History})
			require.NoError(t, err)
			v, err := dbsync.OpenView(quick(), dst, dbsync.ViewOptions{})
			require.NoError(t, err)
			for _, index := range []datom.Index{datom.EAVT, datom.AEVT, datom.AVET} {
				for _, history := range []bool{false, src.Info().History} {
					q := datom.Query{Index: index, History: history}
					assert.Equal(t, lines(t, src, q), lines(t, v, q), "%s %s %s %t", name, format, index, history)
				}
			}
			require.NoError(t, v.Close())
		}
		require.NoError(t, src.Close())
	}
}

// lines are what a query finds, in its order.
func lines(t *testing.T, v view.View, q datom.Query) (found []string) {
	t.Helper()
	require.NoError(t, v.Scan(quick(), q, func(d datom.Datom) error {
		text, err := datom.AppendText(nil, d)
		found = append(found, string(text))
		return err
	}))
	return found
}

// TestDatomicDigests: a verification digests as many datoms of a Datomic
// database as that has.
func TestDatomicDigests(t *testing.T) {
	want := fixture.DatomicExpected(t, 1708)
	src := datomicSource(t, "gen3", 1708)
	for _, layout := range []string{dbsync.LayoutNative, dbsync.LayoutChunked} {
		dst := memory(t)
		backup(t, src, dst, layout)
		rep, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: true, Datoms: true})
		require.NoError(t, err)
		require.Len(t, rep.Digests, 1)
		for _, d := range rep.Digests {
			require.Empty(t, d.None)
			assert.Equal(t, want.EAVTCurrent, d.CurrentDatoms)
			assert.Equal(t, want.EAVTHistory, d.HistoryDatoms)
			assert.NotEqual(t, d.Current, d.History)
		}
	}
}
