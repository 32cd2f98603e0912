package datomic_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// unhex joins hexadecimal digits, and text in quotes.
func unhex(t testing.TB, s string) (b []byte) {
	t.Helper()
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			b = append(b, part...)
			continue
		}
		p, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
		require.NoError(t, err)
		b = append(b, p...)
	}
	return b
}

// goldens are segments as Datomic encoded them, without compression and
// footer.
var goldens = []struct {
	name     string
	level    graph.Level
	hex      string
	children []graph.ID
	count    int64
}{
	{
		"top map", 3,
		`c0 e8 ca f7 cd e1 'version' 02 ca f7 cd e3 09 'eavt-main' c3 d9 10 6b00f51f8dda438c8dbab7c450e86d5f`,
		[]graph.ID{"6b00f51f-8dda-438c-8dba-b7c450e86d5f"}, -1,
	},
	{
		"index root", 2,
		`ef e3 0f 'index-root-node' 02 ef e3 0b 'index-tdata' 05 b5 01 ca cd e1 'db.part' cd dc 'db' b0 01 00 b3 01 0a
		 b0 01 00 b2 01 f5 b5 01 c3 d9 10 6b00f51fe523429eb44388602667f700`,
		[]graph.ID{"6b00f51f-e523-429e-b443-88602667f700"}, -1,
	},
	{
		"log root", 2,
		`e5 ef e1 'log-dir' 02 00 c3 d9 10 6b00f51fa037490d88a880862c4547fd`,
		[]graph.ID{"6b00f51f-a037-490d-88a8-80862c4547fd"}, -1,
	},
	{
		"log dir", 1,
		`e6 ef e1 'log-dir' 02 53e8 c3 d9 10 6b00f51f88eb4e0aa8d6a7a2e1d1b0d9 a0 54bb c3 d9 10 6b00f51f88eb4e0aa8d6a7a2e1d1b0da`,
		[]graph.ID{"6b00f51f-88eb-4e0a-a8d6-a7a2e1d1b0d9", "6b00f51f-88eb-4e0a-a8d6-a7a2e1d1b0da"}, -1,
	},
	{"log dir of a new database", 1, `e4`, nil, -1},
	{
		"full-text root", 2,
		`ef e3 0b 'search-root' 01 c0 e6 505d c3 d9 10 6b00f51e27c3477 8bb15a1e0d332f4f8`,
		[]graph.ID{"6b00f51e-27c3-4778-bb15-a1e0d332f4f8"}, -1,
	},
	{
		"full-text files", 1,
		`ef e3 0e 'clusterfs-root' 02 c0 e8
		   e3 08 '_0.cfsxx' c0 e8 ca f7 cd de 'base' c3 d9 10 6b00f51d740840 16ba586b46c2da4da7 ca f7 cd e0 'length' 68d2f1
		   dd 'seg' c0 e8 ca f7 80 c3 d9 10 6b00f51dece64ddbafa61b321d188424 ca f7 81 14
		 68d2f0`,
		[]graph.ID{
			"6b00f51d-7408-4016-ba58-6b46c2da4da7_000000000000000",
			"6b00f51d-7408-4016-ba58-6b46c2da4da7_000000000000001",
			"6b00f51d-ece6-4ddb-afa6-1b321d188424_000000000000000",
		}, -1,
	},
	{
		"log leaf", 0,
		`ed fe c0 ea ca f7 cd dc 'id' c3 d9 10 6b00f51f88eb4e0aa8d6a7a2e1d1b0d9 ca f7 cd db 't' 5651
		 ca f7 cd de 'data' e5 ef df 'datum' 06 f5 03 5651 0a 01 5651 fd`,
		nil, 1,
	},
}

func TestGolden(t *testing.T) {
	d := datomic.New()
	for _, tc := range goldens {
		t.Run(tc.name, func(t *testing.T) {
			ref := graph.Ref{ID: "6b00f51f-0000-4000-8000-000000000001", Level: tc.level}
			data := unhex(t, tc.hex)
			require.NoError(t, d.Check(ref, data))
			n, err := d.Decode(ref, data)
			require.NoError(t, err)
			assert.Equal(t, tc.level, n.Level)
			var ids []graph.ID
			for _, c := range n.Children {
				assert.Equal(t, tc.level-1, c.Level)
				ids = append(ids, c.ID)
			}
			assert.Equal(t, tc.children, ids)
			if tc.level == graph.Leaf {
				n.Count, err = d.Count(ref, data)
				require.NoError(t, err)
			}
			assert.Equal(t, tc.count, n.Count)
		})
	}
}
