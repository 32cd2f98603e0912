package stat

import (
	"strings"
	"testing"
	"time"

	"github.com/pterm/pterm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/datom"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/diff"
)

// TestPrintDatoms: tables line up, and the chart has a bar for each period.
func TestPrintDatoms(t *testing.T) {
	pterm.DisableColor()
	t.Cleanup(pterm.EnableColor)
	rep := &dbsync.DatomStat{
		Side:   diff.Side{Kind: "datahike", Database: "some-id", Branch: ":db", T: 12},
		Datoms: 30, Bytes: 2048, Period: "month",
		Attributes: []dbsync.AttrStat{{Attr: ":user/name", Datoms: 20, Bytes: 1024}, {Attr: ":db/ident", Datoms: 10}},
		Times:      []dbsync.TimeStat{{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Datoms: 10}, {From: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Datoms: 20}},
		Largest:    []dbsync.ValueStat{{E: 7, Attr: ":user/name", Bytes: 512}},
		Indexes:    []dbsync.IndexStat{{Index: datom.EAVT, Datoms: 30}},
	}
	var out strings.Builder
	require.NoError(t, printDatoms(&out, rep))
	assert.Equal(t, `datahike some-id, branch :db: 30 datoms at t 12, values of 2 KiB

ATTRIBUTE   DATOMS  SIZE
:user/name  20      1 KiB
:db/ident   10      0 B

INDEX  DATOMS
eavt   30

LARGEST VALUES  ATTRIBUTE   ENTITY
512 B           :user/name  7

DATOMS BY MONTH OF THEIR TRANSACTION
2026-01 █████████████████████████                           10
2026-03 ██████████████████████████████████████████████████  20
`, out.String())
}
