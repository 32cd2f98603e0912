package datahike

import (
	"fmt"
	"regexp"
	"sort"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// Config is what a record tells of the database's settings. The record holds
// the whole configuration of whoever created the database; of that only the
// settings that opening a copy needs are kept.
type Config struct {
	// StoreID must be given when a copy is opened; older databases have none.
	StoreID string
	// Settings are those which connecting compares, by keyword without colon.
	Settings map[string]any
	// CryptoHash: addresses are hashes of contents.
	CryptoHash bool
	// CommitGraph is false where no commit records are kept.
	CommitGraph bool
	// OnlineGC: freed addresses are taken for other nodes. No copy in steps
	// can be trusted, and no commit but a head's own.
	OnlineGC bool
	// Secrets names, but does not show, what looks like a credential.
	Secrets []string

	index fressian.Keyword
}

// allowed are the settings that go into manifests: none of them can hold a
// credential, a host or a path.
var allowed = []string{
	"keep-history?", "schema-flexibility", "attribute-refs?", "crypto-hash?", "index",
	"commit-graph?", "fuse-index-roots?", "diff-buf-size",
}

func parseConfig(v any) Config {
	c := Config{Settings: map[string]any{}, CommitGraph: true}
	m, ok := v.(fressian.Map)
	if !ok {
		return c
	}
	for _, name := range allowed {
		if v, ok := m.Get("", name); ok {
			if plain, ok := scalar(v); ok {
				c.Settings[name] = plain
			}
		}
	}
	c.CryptoHash, _ = c.Settings["crypto-hash?"].(bool)
	if graph, ok := c.Settings["commit-graph?"].(bool); ok {
		c.CommitGraph = graph
	}
	if ic, _ := m.Get("", "index-config"); ic != nil {
		if ic, ok := ic.(fressian.Map); ok {
			for _, name := range []string{"branching-factor", "diff-buf-size"} {
				n, _ := ic.Get("", name)
				if n, ok := n.(int64); ok {
					c.Settings[name] = n
				}
			}
		}
	}
	if st, _ := m.Get("", "store"); st != nil {
		if st, ok := st.(fressian.Map); ok {
			id, _ := st.Get("", "id")
			c.StoreID = text(id)
		}
	}
	if gc, _ := m.Get("", "online-gc"); gc != nil {
		if gc, ok := gc.(fressian.Map); ok {
			on, _ := gc.Get("", "enabled?")
			c.OnlineGC, _ = on.(bool)
		}
	}
	index, _ := m.Get("", "index")
	c.index, _ = index.(fressian.Keyword)
	c.Secrets = secrets("", m, nil)
	sort.Strings(c.Secrets)
	return c
}

// refuseUnknown refuses databases whose segments mean something else here.
func (c Config) refuseUnknown() error {
	if c.index != (fressian.Keyword{}) && c.index != (fressian.Keyword{NS: "datahike.index", Name: "persistent-set"}) {
		return unsupported("unknown index type :%s/%s", c.index.NS, c.index.Name)
	}
	return nil
}

// scalar returns a setting's plain value: booleans, numbers and keywords.
func scalar(v any) (any, bool) {
	switch v := v.(type) {
	case bool, int64:
		return v, true
	case fressian.Keyword:
		if v.NS != "" {
			return ":" + v.NS + "/" + v.Name, true
		}
		return ":" + v.Name, true
	}
	return nil, false
}

// text is an id as text.
func text(v any) string {
	switch v := v.(type) {
	case fressian.UUID:
		return hasch.String(v)
	case string:
		return v
	}
	return ""
}

var secretName = regexp.MustCompile(`(?i)pass(word|wd|phrase)?$|secret|token|credential|private|access-?key|api-?key|^key$`)
var secretText = regexp.MustCompile(`(?i)(password|passwd|pwd|secret|token)=|//[^/@\s]*:[^/@\s]+@`)

// secrets collects the paths of settings that look like credentials.
func secrets(path string, m fressian.Map, found []string) []string {
	for _, e := range m {
		name := path
		if k, ok := e.Key.(fressian.Keyword); ok {
			name = fmt.Sprintf("%s:%s", prefix(path), k.Name)
			if s, ok := e.Value.(string); ok && s != "" && secretName.MatchString(k.Name) {
				found = append(found, name)
				continue
			}
		}
		found = secretsIn(name, e.Value, found)
	}
	return found
}

// secretsIn looks into one setting.
func secretsIn(name string, v any, found []string) []string {
	switch v := v.(type) {
	case fressian.Map:
		return secrets(name, v, found)
	case string:
		if secretText.MatchString(v) {
			found = append(found, name)
		}
	default:
		list, _ := sequence(v)
		for _, v := range list {
			found = secretsIn(name, v, found)
		}
	}
	return found
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + " "
}
