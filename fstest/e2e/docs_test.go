package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// guides are the documents for users, by their paths from the root.
func guides(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(root + "/docs/*.md")
	require.NoError(t, err)
	texts := map[string]string{}
	for _, file := range append(files, root+"/README.md") {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		name, err := filepath.Rel(root, file)
		require.NoError(t, err)
		texts[filepath.ToSlash(name)] = string(data)
	}
	require.Contains(t, texts, "docs/datomic.md")
	return texts
}

var fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// blocks are the parts of a document that are in a language.
func blocks(text, language string) (found []string) {
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	return found
}

// TestGuidesShowCommands: every command that a guide shows is one, with flags
// that it has.
func TestGuidesShowCommands(t *testing.T) {
	u := newUser(t)
	flag := regexp.MustCompile(`--[a-z][a-z0-9-]*`)
	known := map[string]string{"flags": u.ok("help", "flags").out}
	shown := 0
	for name, text := range guides(t) {
		for line := range strings.Lines(strings.Join(blocks(text, "sh"), "")) {
			line, _, _ = strings.Cut(line, " #")
			args := strings.Fields(line)
			if len(args) < 2 || args[0] != "rclone-datom" {
				continue
			}
			command := args[1]
			if known[command] == "" {
				known[command] = u.ok(command, "--help").out
				require.Regexp(t, `Usage:\n +\S+ `+command+`\b`, known[command], name)
			}
			for _, f := range flag.FindAllString(line, -1) {
				assert.Regexp(t, f+`\b`, known[command]+known["flags"], "%s: %s", name, line)
			}
			shown++
		}
	}
	assert.Greater(t, shown, 40)
}

// TestGuidesShowRemotes: the configurations have backends and options that
// there are.
func TestGuidesShowRemotes(t *testing.T) {
	u := newUser(t)
	options, shown := u.options(), 0
	for name, text := range guides(t) {
		for remote, settings := range sections(strings.Join(blocks(text, "ini"), "")) {
			kind := settings["type"]
			require.Contains(t, options, kind, "%s: %s", name, remote)
			for option := range settings {
				assert.True(t, option == "type" || options[kind][option], "%s: %s of %s", name, option, remote)
			}
			shown++
		}
	}
	assert.Greater(t, shown, 4)
}

// TestGuidesLink: links lead to files, and to headings, that there are.
func TestGuidesLink(t *testing.T) {
	texts := guides(t)
	link := regexp.MustCompile(`\]\(([^):]+)\)`)
	for name, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			path, heading, _ := strings.Cut(m[1], "#")
			to := name
			if path != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(name), path))
				assert.FileExists(t, filepath.Join(root, to), name)
			}
			if heading != "" {
				assert.Contains(t, headings(texts[to]), heading, "%s: %s", name, m[1])
			}
		}
	}
}

// headings are a document's, as links name them.
func headings(text string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(plain, " ", "-"))
	}
	return names
}

// said are words of servers, poolers and drivers, which are in no source here.
// TestDatomicSaysWhatIsWrong provokes most of them.
var said = regexp.MustCompile(`^(password authentication failed|Access denied|permission denied|command denied|server refused TLS|unsupported startup)`)

// TestGuideQuotesMessages: what the guide explains is what the program says.
// Names and numbers are examples.
func TestGuideQuotesMessages(t *testing.T) {
	var source strings.Builder
	for _, dir := range []string{"sync", "backend", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			source.Write(data)
			return err
		})
		require.NoError(t, err)
	}
	_, table, ok := strings.Cut(guides(t)["docs/datomic.md"], "## Troubleshooting")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n## ")
	quoted := regexp.MustCompile("`([^`]+)`")
	example := regexp.MustCompile(`"[a-z]+"|[0-9]+`)
	messages := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 2 {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if messages++; said.MatchString(m[1]) {
				continue
			}
			for _, part := range example.Split(m[1], -1) {
				assert.Contains(t, source.String(), part, m[1])
			}
		}
	}
	assert.Greater(t, messages, 20)
}

// TestDemo: it checks itself what it shows.
func TestDemo(t *testing.T) {
	t.Parallel()
	c := exec.Command("go", "run", "-tags", "noselfupdate", "./fstest/demo", binary)
	c.Dir, c.Env = root, append(os.Environ(), "CGO_ENABLED=0") // shares the Makefile's build cache
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "764 files, all as they were")
	assert.Contains(t, string(out), "77 matching files", "Datomic's segments, owner and root")
	assert.NotContains(t, string(out), "ERROR")
}
