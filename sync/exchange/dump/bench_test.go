package dump

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// people is a source of so many datoms in the order of EAVT, seven a person and
// a thousand persons a transaction that has others too; from goroutines it
// hands over leaves of 512.
type people struct{ n, workers int }

func (p people) Each(_ context.Context, fn func([]datom.Datom) error) error {
	var wg sync.WaitGroup
	errs := make([]error, p.workers)
	for w := range p.workers {
		wg.Go(func() {
			var leaf []datom.Datom
			for e := w; e < p.n/7 && errs[w] == nil; e += p.workers {
				leaf = append(leaf, person(int64(e))...)
				if len(leaf) >= 512 {
					errs[w] = fn(leaf)
					leaf = leaf[:0]
				}
			}
			if errs[w] == nil {
				errs[w] = fn(leaf)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func person(e int64) []datom.Datom {
	tx := tx0 + 1 + e*7919%1000
	d := func(name string, v any) datom.Datom {
		return datom.Datom{E: 100 + e, A: fressian.Keyword{NS: "person", Name: name}, V: v, Tx: tx, Added: true}
	}
	return []datom.Datom{
		d("active", e%2 == 0), d("age", e%90), d("born", fressian.Inst(1e12+e*86_400_000)), d("email", fmt.Sprintf("person-%d@example.org", e)),
		d("friend", 100+e*31%1000), d("kind", kw("kind", fmt.Sprint("k", e%5))), d("name", fmt.Sprintf("Person %d", e)),
	}
}

// BenchmarkWrite writes a million datoms.
func BenchmarkWrite(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		require.NoError(b, Write(b.Context(), people{n, 2}, &Manifest{}, discard{}, Options{}))
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "Mdatoms/s")
}

// BenchmarkVerify verifies a million datoms with two workers.
func BenchmarkVerify(b *testing.B) {
	const n = 1_000_000
	to := newFiles()
	require.NoError(b, Write(b.Context(), people{n, 2}, &Manifest{}, to, Options{}))
	d := open(b, to)
	for b.Loop() {
		found, _ := faults(b, d)
		require.Empty(b, found)
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "Mdatoms/s")
}

type discard struct{}

func (discard) Create(context.Context, string) (File, error) { return discard{}, nil }
func (discard) Write(p []byte) (int, error)                  { return len(p), nil }
func (discard) Finish(context.Context) error                 { return nil }
func (discard) Discard()                                     {}
