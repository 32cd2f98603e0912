package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// TestDigestsAreDatahikes: what is in the backup of a store has, datom by
// datom, the digests that the real Datahike reports of the store itself.
func TestDigestsAreDatahikes(t *testing.T) {
	for _, name := range slices.Concat(fixture.Names(), fixture.OnlineGC()) {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			if key := fixture.Key(name); key != "" {
				u.env = append(u.env, "RCLONE_DATAHIKE_ENCRYPTION_KEY="+strings.TrimSpace(u.ok("obscure", key).out))
			}
			args := []string{"backup", database(fixture.Unpack(t, name)), u.path("backup")}
			if slices.Contains(fixture.OnlineGC(), name) {
				u.fails(6, "--online-gc-copy", args...)
				assert.NoDirExists(t, u.path("backup"))
				args = append(args, "--online-gc-copy")
			}
			u.ok(args...)
			var verify verifyReport
			u.report(&verify, "verify", u.path("backup"), "--deep", "--datoms")
			assert.Empty(t, verify.Faults)
			branches := fixture.Expected(t, name).ByBranch
			require.Len(t, verify.Digests, len(branches))
			for branch, want := range branches {
				assert.Equal(t, digestReport{
					SHA256Current: want.CurrentSHA256, DatomsCurrent: want.DatomsCurrent,
					SHA256History: want.HistorySHA256, DatomsHistory: want.DatomsHistory,
				}, verify.Digests[branch], branch)
			}
		})
	}
}
