package slowlink_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/slowlink"
)

// echo answers with what it was asked.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		w.Header().Set("Asked", r.Host)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, method, url, body string) (answer string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(data), res.Header
}

func TestPassesOnAndCounts(t *testing.T) {
	p := slowlink.Start(t, echo(t).URL, 0)
	answer, header := ask(t, http.MethodPut, p.URL+"/a%20b/c?d=e", "body")
	assert.Equal(t, "PUT /a%20b/c?d=e body", answer)
	assert.Equal(t, p.URL, "http://"+header.Get("Asked"), "signatures are of the host that was asked")
	for range 3 {
		ask(t, http.MethodGet, p.URL, "")
	}
	assert.Equal(t, map[string]int64{"PUT": 1, "GET": 3}, p.Counts())
	assert.Equal(t, int64(4), p.Total())
	p.Reset()
	assert.Zero(t, p.Total())
}

func TestDelays(t *testing.T) {
	const delay = 50 * time.Millisecond
	p := slowlink.Start(t, echo(t).URL, delay)
	began := time.Now()
	for range 3 {
		ask(t, http.MethodGet, p.URL, "")
	}
	assert.GreaterOrEqual(t, time.Since(began), 3*delay)

	const many = 100
	began = time.Now()
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() { ask(t, http.MethodGet, p.URL, "") })
	}
	wg.Wait()
	assert.Less(t, time.Since(began), many*delay/2, "they wait side by side")
}

// TestGivesUp: nobody waits for a request whose sender has gone.
func TestGivesUp(t *testing.T) {
	p := slowlink.Start(t, echo(t).URL, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(r) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestSlowS3(t *testing.T) {
	p, remote := slowlink.SlowS3(t, t.TempDir(), time.Millisecond, "bucket")
	slowlink.Configure(t, "far", remote)
	f, err := fs.NewFs(t.Context(), "far:bucket/dir")
	require.NoError(t, err)
	put := func(name string) fs.Object {
		o, err := f.Put(t.Context(), bytes.NewReader([]byte("data")), object.NewStaticObjectInfo(name, time.Unix(0, 0), 4, true, nil, nil))
		require.NoError(t, err)
		return o
	}
	put("first") // asks for the bucket, too
	p.Reset()
	o := put("second")
	assert.Equal(t, int64(1), p.Counts()["PUT"])
	in, err := o.Open(t.Context())
	require.NoError(t, err)
	data, err := io.ReadAll(in)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	assert.Equal(t, "data", string(data))
	assert.Equal(t, int64(1), p.Counts()["GET"])
}
