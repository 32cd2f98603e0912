package table_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// values are the rows that have a value.
func values(rows []table.Row) map[string][]byte {
	all := map[string][]byte{}
	for _, row := range rows {
		if row.Val != nil {
			all[row.ID] = row.Val
		}
	}
	return all
}

// getAll gets all ids at once.
func getAll(ctx context.Context, from *table.Table, want map[string][]byte) (map[string][]byte, error) {
	var mu sync.Mutex
	got := map[string][]byte{}
	group, ctx := errgroup.WithContext(ctx)
	for id := range want {
		group.Go(func() error {
			val, err := from.Get(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			got[id] = val
			return err
		})
	}
	err := group.Wait()
	return got, err
}

// gather blocks the table's only connection, starts asking, and lets go when
// count wishes wait.
func gather(t *testing.T, from *table.Table, count int, ask func()) {
	t.Helper()
	giveBack, err := from.Lend(t.Context())
	require.NoError(t, err)
	ask()
	require.Eventually(t, func() bool { return from.Waiting() == count }, 10*time.Second, time.Millisecond)
	giveBack()
}

func TestGetFetchesWhatWaitsTogether(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		c := s.Config()
		c.Connections, c.Batch = 1, 100
		from := open(t, c)
		want := values(s.Rows(t))
		before := from.Queries()
		var got map[string][]byte
		var err error
		var done sync.WaitGroup
		gather(t, from, len(want), func() { done.Go(func() { got, err = getAll(t.Context(), from, want) }) })
		done.Wait()
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.EqualValues(t, (len(want)+99)/100, from.Queries()-before)
	})
}

func TestGetOverSeveralConnections(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		c := s.Config()
		c.Connections, c.Batch = 3, 7
		from := open(t, c)
		want := values(s.Rows(t))
		got, err := getAll(t.Context(), from, want)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

func TestGetTwiceGivesEachItsOwnBytes(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		c := s.Config()
		c.Connections = 1
		from := open(t, c)
		for id, want := range values(s.Rows(t)) {
			var got [2][]byte
			var done sync.WaitGroup
			before := from.Queries()
			gather(t, from, 2, func() {
				for i := range got {
					done.Go(func() { got[i], _ = from.Get(t.Context(), id) })
				}
			})
			done.Wait()
			assert.EqualValues(t, 1, from.Queries()-before)
			clear(got[0])
			assert.Equal(t, want, got[1])
			break
		}
	})
}

func TestGetOfRowsWithoutValue(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		s.Exec(t, "INSERT INTO datomic_kvs (id, val) VALUES ('empty', '')")
		from := open(t, s.Config())
		_, err := from.Get(t.Context(), "pod-catalog")
		require.ErrorIs(t, err, table.ErrNull)
		assert.ErrorContains(t, err, "pod-catalog")
		_, err = from.Get(t.Context(), "absent")
		require.ErrorIs(t, err, table.ErrNoRow)
		assert.ErrorContains(t, err, "absent")
		val, err := from.Get(t.Context(), "empty")
		require.NoError(t, err)
		assert.Empty(t, val)
	})
}

func TestGetOfHostileIDs(t *testing.T) {
	ids := []string{"", "'", `"`, `\`, `\'`, "a'b", `'; DROP TABLE datomic_kvs; --`, "%", "_", "?", "$1", "é", "名前", "a b ", strings.Repeat("x", 200)}
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		s = s.Database(t) // where names in any language fit
		var rows []table.Row
		for i, id := range ids {
			rows = append(rows, table.Row{ID: id, Map: id + "!", Val: fmt.Appendf(nil, "%d\x00'\\", i)})
		}
		dbserver.Fill(t, s, rows)
		got, err := getAll(t.Context(), open(t, s.Config()), values(rows))
		require.NoError(t, err)
		assert.Equal(t, values(rows), got)
		assert.ElementsMatch(t, rows, s.Rows(t))
	})
}

func TestGetDoesNotTakeAnotherRowForIt(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		dbserver.Fill(t, s, []table.Row{{ID: "lower", Val: []byte("x")}})
		from := open(t, s.Config())
		for _, id := range []string{"LOWER", "lower "} {
			_, err := from.Get(t.Context(), id)
			assert.ErrorIs(t, err, table.ErrNoRow, id)
			sizes, err := from.Sizes(t.Context(), []string{id})
			require.NoError(t, err)
			assert.Empty(t, sizes, id)
			_, _, err = from.Named(t.Context(), id)
			assert.ErrorIs(t, err, table.ErrNoRow, id)
		}
	})
}

func TestGetThatIsCancelledDisturbsNoOther(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		c := s.Config()
		c.Connections = 1
		from := open(t, c)
		want := values(s.Rows(t))
		ctx, cancel := context.WithCancel(t.Context())
		var got map[string][]byte
		var err error
		var cancelled error
		var others, one sync.WaitGroup
		gather(t, from, len(want)+1, func() {
			others.Go(func() { got, err = getAll(t.Context(), from, want) })
			one.Go(func() { _, cancelled = from.Get(ctx, "pod-catalog") })
			require.Eventually(t, func() bool { return from.Waiting() == len(want)+1 }, 10*time.Second, time.Millisecond)
			cancel()
			one.Wait() // at once, although no connection is free
			assert.ErrorIs(t, cancelled, context.Canceled)
		})
		others.Wait()
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

func TestGetGoesOnWhereAConnectionBroke(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		c := s.Config()
		c.Connections, c.Batch = 1, 1000
		from := open(t, c)
		want := values(s.Rows(t))
		require.NoError(t, from.Break(100, ""))
		got, err := getAll(t.Context(), from, want)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

func TestCloseEndsGets(t *testing.T) {
	from, err := table.Open(t.Context(), filled(t).Config())
	require.NoError(t, err)
	giveBack, err := from.Lend(t.Context())
	require.NoError(t, err)
	other, err := from.Lend(t.Context())
	require.NoError(t, err)
	var waiting error
	var done sync.WaitGroup
	done.Go(func() { _, waiting = from.Get(t.Context(), "pod-catalog") })
	require.Eventually(t, func() bool { return from.Waiting() == 1 }, 10*time.Second, time.Millisecond)
	done.Go(func() { assert.NoError(t, from.Close()) })
	require.Eventually(t, func() bool { _, err := from.Get(t.Context(), "x"); return err != nil }, 10*time.Second, time.Millisecond)
	giveBack()
	other()
	done.Wait()
	assert.ErrorContains(t, waiting, "closed")
	_, _, err = from.Named(t.Context(), "pod-catalog")
	assert.ErrorContains(t, err, "closed")
	assert.NoError(t, from.Close(), "twice")
}

// filled is a file of SQLite that holds the fixture.
func filled(t *testing.T) *dbserver.Server {
	s := dbserver.SQLite(t)
	dbserver.Fill(t, s, gen3(t))
	return s
}

func TestPaceLetsConnectionsRest(t *testing.T) {
	s := filled(t)
	c := s.Config()
	c.Connections, c.Batch, c.Pace = 1, 10, 5*time.Millisecond
	from := open(t, c)
	want := values(s.Rows(t)[:41])
	start := time.Now()
	_, err := getAll(t.Context(), from, want)
	require.NoError(t, err)
	assert.Greater(t, time.Since(start), time.Duration(len(want)-10)*c.Pace)
}

func TestSizes(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		c := s.Config()
		c.Batch = 50
		from := open(t, c)
		want := map[string]int64{}
		ids := []string{"absent"}
		for _, row := range s.Rows(t) {
			ids = append(ids, row.ID)
			if row.Val != nil {
				want[row.ID] = int64(len(row.Val))
			}
		}
		before := from.Queries()
		got, err := from.Sizes(t.Context(), ids)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.EqualValues(t, (len(ids)+49)/50, from.Queries()-before)
	})
}
