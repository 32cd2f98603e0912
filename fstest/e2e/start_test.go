package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// TestStart: nothing is complained about before there is anything to do.
func TestStart(t *testing.T) {
	u := newUser(t)
	for _, args := range [][]string{{"version"}, {"help"}, {"config", "providers"}, {"help", "backends"}, {"help", "flags"}, {"listremotes"}} {
		o := u.ok(args...)
		assert.Empty(t, o.stderr, "%q", args)
	}
	assert.Regexp(t, `^rclone v1\.`, u.ok("version").out, "tools parse this")
}

func TestBackendIsKnown(t *testing.T) {
	u := newUser(t)
	var providers []struct {
		Name    string
		Options []struct {
			Name                            string
			Required, IsPassword, Sensitive bool
		}
	}
	require.NoError(t, json.Unmarshal([]byte(u.ok("config", "providers").out), &providers))
	options := map[string]bool{}
	for _, p := range providers {
		if p.Name != "datahike" {
			continue
		}
		for _, o := range p.Options {
			options[o.Name] = true
			assert.Equal(t, o.Name == "store", o.Required, o.Name)
			assert.Equal(t, o.Name == "encryption_key", o.IsPassword && o.Sensitive, o.Name)
		}
	}
	assert.Subset(t, options, map[string]bool{"store": true, "branch": true, "encryption_key": true})
	assert.Contains(t, u.ok("help", "backend", "datahike").out, "--datahike-encryption-key")
	help := u.ok("backend", "help", "datahike")
	assert.Contains(t, help.out+help.stderr, "heads")
}

func TestHelpShowsExamples(t *testing.T) {
	u := newUser(t)
	for command, example := range map[string]string{
		"backup":  "backup mydb: /backup/mydb --dry-run",
		"backups": "backups s3:bucket/mydb",
		"verify":  "verify s3:bucket/mydb --deep",
		"restore": "restore s3:bucket/mydb /tmp/before --at",
		"stat":    "stat mydb:",
		"run":     "run jobs.edn --dry-run",
	} {
		o := u.ok(command, "--help")
		assert.Contains(t, o.out, example)
		assert.Contains(t, o.out, "--json")
		assert.Empty(t, o.stderr)
	}
}

func TestCompletion(t *testing.T) {
	u := newUser(t)
	o := u.ok("__complete", "backup", "--accept", "")
	for _, word := range []string{"other-database", "diverged", "moved-heads", ":4"} {
		assert.Contains(t, o.out, word)
	}
	for _, command := range []string{"backup", "backups", "verify", "restore", "stat", "run"} {
		assert.Contains(t, u.ok("__complete", command[:3]).out, command+"\t")
	}
	for _, shell := range []string{"bash", "fish", "zsh"} {
		assert.NotEmpty(t, u.ok("completion", shell, "-").out)
	}
}

// TestConfigured uses a remote from the configuration file, made by hand and
// by rclone's own command.
func TestConfigured(t *testing.T) {
	u := newUser(t)
	store := fixture.Unpack(t, "a-default")
	u.configure("[mydb]\ntype = datahike\nstore = " + store)
	u.ok("config", "create", "other", "datahike", "store="+store, "encryption_key=hush-hush", "branch=db")
	for _, remote := range []string{"mydb:", "other:"} {
		o := u.ok("backup", remote, u.path(remote+"backup"))
		assert.Contains(t, o.out, "Point 20")
		u.ok("check", remote, store)
	}
	shown := u.ok("config", "redacted", "other").out
	assert.Contains(t, shown, "encryption_key = XXX")
	assert.NotContains(t, u.ok("config", "show", "other").out, "hush-hush", "passwords are obscured")
}
