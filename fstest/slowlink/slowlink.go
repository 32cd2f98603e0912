// Package slowlink puts a distance between a test and a server: a proxy that
// lets every HTTP request wait and counts it, and an S3 server of rclone's own
// to put behind it. So what a backup costs in requests can be measured, and
// what they cost in time, on one computer.
package slowlink

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Proxy passes requests on to one server. It may be used from many goroutines.
type Proxy struct {
	// URL is where it listens: "http://127.0.0.1:port".
	URL string

	delay  time.Duration
	mu     sync.Mutex
	counts map[string]int64
}

// Start starts a proxy for a server, such as "http://127.0.0.1:9000", for the
// time of the test. Every request waits for delay before it is passed on, as it
// would for a round trip; those that are made at once wait at once. Bandwidth
// is not limited.
func Start(t testing.TB, backend string, delay time.Duration) *Proxy {
	t.Helper()
	to, err := url.Parse(backend)
	require.NoError(t, err)
	p := &Proxy{delay: delay, counts: map[string]int64{}}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256 // so that connecting is no part of the time
	transport.DisableCompression = true // bodies and lengths stay as they are
	server := httptest.NewServer(p.before(&httputil.ReverseProxy{
		// The host stays the one that was asked for: requests to S3 are signed with it.
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		Transport: transport,
	}))
	p.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// before counts a request and lets it wait.
func (p *Proxy) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.counts[r.Method]++
		p.mu.Unlock()
		select {
		case <-time.After(p.delay):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// Counts are the requests since the start or the last Reset, by method.
func (p *Proxy) Counts() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Total is the number of requests that Counts has.
func (p *Proxy) Total() (n int64) {
	for _, k := range p.Counts() {
		n += k
	}
	return n
}

// Reset begins to count anew.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.counts)
}
