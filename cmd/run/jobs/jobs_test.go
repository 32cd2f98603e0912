package jobs

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	all, err := Parse([]byte(`; every key {
{:zebra {:source "zebra:", :destination "s3:b/z; {no comment}"
         #_ [:old "}" #_ #_ 1 2 \} #{3} #inst "2026-01-01" (a b)]
         :layout :native :encrypt-with "vault:" :pace 0 :connections 3
         :accept [:diverged :moved-heads], :repair true, :online-gc-copy true
         :hooks {:before     ["one" "a b" ""]
                 :after      [["two"] ["three" "tab\t\"quoted\" \u00e9"]]
                 :on-failure []
                 :timeout    "90s"}}
 :ape.2-b {:source "ape:" :destination "/backup/ape"} #_ :end}
; the end`))
	require.NoError(t, err)
	assert.Equal(t, []Job{
		{
			Name: "zebra", Source: "zebra:", Destination: "s3:b/z; {no comment}", EncryptWith: "vault:",
			Pace: new(time.Duration(0)), Connections: new(3), Layout: "native",
			Accept: []string{"diverged", "moved-heads"}, Repair: true, OnlineGCCopy: true,
			Hooks: Hooks{
				Before:  [][]string{{"one", "a b", ""}},
				After:   [][]string{{"two"}, {"three", "tab\t\"quoted\" é"}},
				Timeout: 90 * time.Second,
			},
		},
		{Name: "ape.2-b", Source: "ape:", Destination: "/backup/ape", Hooks: Hooks{Timeout: DefaultTimeout}},
	}, all, "in the file's order")
}

// TestRefused: every error says where it is.
func TestRefused(t *testing.T) {
	job := func(more string) string {
		return "; \"\n{:a\n {:source \"a:\" :destination \"b:\"\n  " + more + "}}"
	}
	for text, want := range map[string]string{
		// keys
		job(`:sorce "x"`):                                  "line 4: :a has :sorce, which is not known; there are :accept :connections :destination :encrypt-with :hooks :layout :online-gc-copy :pace :repair :source",
		job(":hooks\n {;}\n :timeuot \"1s\"}"):             "line 6: :a :hooks has :timeuot, which is not known; there are :after :before :on-failure :timeout",
		job(":pace 1 \"\n\n\" 2"):                          "line 4: a key of :a must be a keyword; it is a string",
		job(":pace 1 #_ :pace #_ 3\n:pace 2"):              "line 5: :a has :pace a second time; the first is in line 4",
		"{:a {:source \"a:\" :destination \"b:\"}\n:a {}}": "line 2: the file has :a a second time; the first is in line 1",
		"{:a\n{:source \"a:\"}}":                           "line 1: :a has no :destination",
		"{\n:a {:destination \"a:\"}}":                     "line 2: :a has no :source",
		"{:a/b {}}":                                        "line 1: :a/b is no name for a job",
		"{:-a {}}":                                         "line 1: :-a is no name for a job",
		"{a {}}":                                           "line 1: a key of the file must be a keyword; it is a symbol",
		"\n{}":                                             "line 2: there are no jobs",
		"{:a 3}":                                           "line 1: :a must be a map; it is a number",
		"[{:a {}}]":                                        "line 1: the file must be a map; it is a vector",
		"#{}":                                              "it is a set",
		job(`:layout :heap`):                               "line 4: :a :layout :heap is not known; there are [:native :chunked]",
		job(`:layout "native"`):                            "line 4: :a :layout must be a keyword; it is a string",
		job(`:pace "10ms"`):                                "line 4: :a :pace must be a whole number of milliseconds from 0 to 1000; it is a string",
		job(`:pace -1`):                                    "must be a whole number of milliseconds",
		job(`:pace 60001`):                                 "must be a whole number of milliseconds",
		job(`:pace 1.0`):                                   "must be a whole number of milliseconds",
		job(`:pace 99999999999999999999`):                  "line 4: this is not EDN",
		job(`:connections 0`):                              "line 4: :a :connections must be a whole number from 1 to 1000; it is a number",
		job(`:repair "yes"`):                               "line 4: :a :repair must be true or false; it is a string",
		job(`:repair nil`):                                 "it is nil",
		job(`:encrypt-with ""`):                            `line 4: :a :encrypt-with must be a string that is not empty`,
		job(`:encrypt-with #secret "hush"`):                `it is a tagged value`,
		job(`:accept :diverged`):                           "line 4: :a :accept must be a vector of keywords; it is a keyword",
		job(`:accept #{:diverged}`):                        "it is a set",
		job(":accept [:x\n\"diverged\"]"):                  "line 5: in :a :accept must be a keyword; it is a string",
		job(`:hooks ["x"]`):                                "line 4: :a :hooks must be a map; it is a vector",
		job(`:hooks {:before "rm -rf x"}`):                 `line 4: :a :hooks :before must be an argument vector such as ["/usr/local/bin/tell" "done"]: there is no shell; it is a string`,
		job(`:hooks {:before ["x" 3]}`):                    "line 4: in :a :hooks :before must be a string; it is a number",
		job(`:hooks {:before [["x"] "y"]}`):                "line 4: in :a :hooks :before must be an argument vector, as the first; it is a string",
		job(`:hooks {:before ["x" ["y"]]}`):                "must be a string; it is a vector",
		job("{}"):                                          "line 4: the last key of the map has no value",
		job(`:hooks {:after [["x"] []]}`):                  "line 4: :a :hooks :after has an argument vector without a program",
		job(`:hooks {:after [""]}`):                        "without a program",
		job(`:hooks {:after ["a\u0000b"]}`):                "must be a string",
		job(`:hooks {:timeout 30}`):                        `line 4: :a :hooks :timeout must be a string with a unit, such as "30s" or "5m"; it is a number`,
		job(`:hooks {:timeout "30"}`):                      "must be a string with a unit",
		job(`:hooks {:timeout "0s"}`):                      "must be a string with a unit",
		"":                                                 "line 1: the file is empty",
		"; {:a {}}\n":                                      "line 2: the file is empty",
		"{:a {}\n":                                         "line 1: a map that begins here has no end",
		"{:a [1\n}}":                                       "line 2: } closes a vector that begins in line 1",
		"\n]":                                              "line 2: ] closes nothing",
		job("") + "\n}":                                    "line 5: } closes nothing",
		job("") + "\n{}":                                   "line 5: there is something after the end of the map",
		"{:a \"\n\n":                                       "line 1: the string that begins here has no end",
		"{:a \"\n\\\"":                                     "line 1: the string that begins here has no end",
		"{:a {#_}}":                                        "line 1: nothing follows #_",
		"{:a {}}\n#_":                                      "line 2: nothing follows #_",
		"{:a #inst}":                                       "line 1: nothing follows #inst",
		"{:a\n\"\\q\"}":                                    "line 2: this is not EDN",
		"{:a : }":                                          "line 1: this is not EDN",
		"\xff":                                             "not UTF-8",
		strings.Repeat("[", 2000):                          "line 1: nested too deeply",
		strings.Repeat("#_", 2000):                         "line 1: nested too deeply",
	} {
		all, err := Parse([]byte(text))
		require.Error(t, err, text)
		assert.Nil(t, all)
		assert.Contains(t, err.Error(), want, text)
		assert.NotContains(t, err.Error(), "hush", "values may be secrets")
	}
}

// FuzzParse: of what is read no two jobs have one name, and comments around it
// change nothing.
func FuzzParse(f *testing.F) {
	f.Add("{:a {:source \"a:\"\n:destination \"b:\" #_ #_ \\} #x [] :hooks {:before [\"x\"]}}}")
	f.Add("{:a {:source \"a:\" :destination \"b\\\"\\\\\"}} ; x")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse([]byte(text))
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, j := range all {
			require.False(t, seen[j.Name] || j.Source == "" || j.Destination == "")
			seen[j.Name] = true
		}
		again, err := Parse([]byte("#_ {} ; {\n" + text + "\n; }"))
		require.NoError(t, err)
		require.Equal(t, all, again)
	})
}
