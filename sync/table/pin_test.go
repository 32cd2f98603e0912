package table_test

import (
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// links are the rows of a chain of length n, newest first.
func links(n int) []table.Row {
	rows := make([]table.Row, n)
	for i := range rows {
		rows[i] = table.Row{ID: fmt.Sprint("link-", i), Map: fmt.Sprintf(`{:prev "link-%d"}`, i+1), Val: []byte{byte(i)}}
	}
	rows[n-1].Map = "{}"
	return rows
}

func TestPin(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		want := map[string]table.Row{}
		for _, row := range s.Rows(t) {
			want[row.ID] = row
		}
		from := open(t, s.Config())
		before := from.Queries()
		index, pod := "ref-index-root/"+database, "pod-log-tail/"+database
		named, chain, err := from.Pin(t.Context(), []string{index, "ref-gc-root/none"}, pod)
		require.NoError(t, err)
		assert.Equal(t, map[string]table.Row{index: want[index], pod: want[pod]}, named)
		assert.EqualValues(t, 4, from.Queries()-before, "begin, two queries, commit")
		require.NotEmpty(t, chain)
		for _, link := range chain {
			assert.Equal(t, want[link.ID], link)
		}
		assert.NotContains(t, chain[len(chain)-1].Map, ":prev")
	})
}

func TestNamed(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		// Longer than what MySQL and MariaDB follow by default.
		want := links(3000)
		dbserver.Fill(t, s, want)
		dbserver.Fill(t, s, []table.Row{
			{ID: "pod", Rev: sql.NullInt64{Int64: 7, Valid: true}, Map: "{:x \"y\" :tail\n  \"link-0\", :z \"\"}"},
			{ID: "none", Map: "{}"},
			{ID: "null"},
		})
		from := open(t, s.Config())
		row, chain, err := from.Named(t.Context(), "pod")
		require.NoError(t, err)
		assert.EqualValues(t, 7, row.Rev.Int64)
		assert.Equal(t, want, chain)
		for _, id := range []string{"none", "null"} {
			row, chain, err = from.Named(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, id, row.ID)
			assert.Empty(t, chain)
		}
		_, _, err = from.Named(t.Context(), "absent")
		assert.ErrorIs(t, err, table.ErrNoRow)
	})
}

func TestBrokenChains(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		torn, round, self := links(5), links(4), links(1)
		round[3].Map = `{:prev "link-1"}`
		self[0].Map = `{:prev "link-0"}`
		for text, rows := range map[string][]table.Row{
			`row "link-3" of the chain of pod, at place 4: no such row`: append(torn[:3], torn[4:]...),
			"the chain of pod runs into itself at row link-1":           round,
			"the chain of pod runs into itself at row link-0":           self,
			`row "link-0" of the chain of pod, at place 1: no such row`: nil,
		} {
			s := s.Database(t)
			dbserver.Fill(t, s, append(rows, table.Row{ID: "pod", Map: `{:tail "link-0"}`}))
			_, _, err := open(t, s.Config()).Named(t.Context(), "pod")
			assert.ErrorContains(t, err, text)
		}
	})
}

// A writer changes two rows and a chain together; whoever pins sees all of a
// change or nothing.
func TestPinSeesOneMoment(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		dbserver.Fill(t, s, []table.Row{
			{ID: "index", Rev: at(0), Map: `{:key "0"}`}, {ID: "pod", Rev: at(0), Map: `{:tail "v0"}`}, {ID: "v0", Val: []byte("0")},
		})
		config := s.Config()
		config.Write = true
		to := open(t, config)
		from := open(t, s.Config())
		const changes = 50
		var writing sync.WaitGroup
		writing.Go(func() {
			for n := int64(1); n <= changes; n++ {
				key := strconv.FormatInt(n, 10)
				index := table.Row{ID: "index", Rev: at(n), Map: `{:key "` + key + `"}`}
				pod := table.Row{ID: "pod", Rev: at(n), Map: `{:tail "v` + key + `"}`}
				value := table.Row{ID: "v" + key, Val: []byte(key)}
				err := to.Commit(t.Context(), []table.Row{value}, []table.Change{{Row: index, Was: at(n - 1)}, {Row: pod, Was: at(n - 1)}})
				if !assert.NoError(t, err) {
					return
				}
			}
		})
		defer writing.Wait()
		for seen := int64(0); seen < changes && !t.Failed(); {
			named, chain, err := from.Pin(t.Context(), []string{"index"}, "pod")
			require.NoError(t, err)
			seen = named["index"].Rev.Int64
			require.Equal(t, seen, named["pod"].Rev.Int64)
			require.Len(t, chain, 1)
			require.Equal(t, strconv.FormatInt(seen, 10), string(chain[0].Val))
		}
	})
}

// at is a revision.
func at(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: true} }
