package build_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/build"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

func kw(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }

// people yields the datoms of a schema and of so many people, seven each.
func people(count int, yield func(datom.Datom) error) error {
	const tx = 0x20000001
	schema := [][3]string{{"name", "string", "index"}, {"age", "long", ""}, {"score", "double", ""}, {"kind", "keyword", ""}, {"born", "instant", ""}, {"friend", "ref", ""}, {"active", "boolean", ""}}
	var all []datom.Datom
	add := func(e int64, a fressian.Keyword, v any) {
		all = append(all, datom.Datom{E: e, A: a, V: v, Tx: tx, Added: true})
	}
	var attrs []fressian.Keyword
	for i, s := range schema {
		e, k := int64(i+1), kw("p", s[0])
		attrs = append(attrs, k)
		add(e, kw("db", "ident"), k)
		add(e, kw("db", "valueType"), kw("db.type", s[1]))
		add(e, kw("db", "cardinality"), kw("db.cardinality", "one"))
		if s[2] != "" {
			add(e, kw("db", "index"), true)
		}
	}
	add(tx, kw("db", "txInstant"), fressian.Inst(1_795_000_000_000))
	for i := range count {
		e := int64(100 + i)
		for n, v := range []any{
			fmt.Sprintf("person %d", i*7919%count), int64(i % 100), float64(i) / 7, kw("k", fmt.Sprint(i%5)),
			fressian.Inst(int64(i) * 86_400_000), 100 + int64(i*31%count), i%2 == 0,
		} {
			add(e, attrs[n], v)
		}
		for _, d := range all {
			if err := yield(d); err != nil {
				return err
			}
		}
		all = all[:0]
	}
	return nil
}

// BenchmarkBuild builds a database with history of 700,000 datoms.
func BenchmarkBuild(b *testing.B) {
	const count = 100_000
	for b.Loop() {
		builder, err := build.New(build.Options{
			History: true, Store: fressian.Map{}, Now: time.Now(), Random: rand.NewChaCha8([32]byte{}), Workers: 2,
			Put: func(context.Context, graph.ID, []byte) error { return nil },
		})
		require.NoError(b, err)
		started, adder := time.Now(), builder.Adder()
		require.NoError(b, people(count, func(d datom.Datom) error { return adder.Add(d, build.Past) }))
		b.ReportMetric(time.Since(started).Seconds(), "s-adding")
		_, err = builder.Finish(b.Context())
		require.NoError(b, err)
		builder.Close()
	}
	b.ReportMetric(7*count*float64(b.N)/b.Elapsed().Seconds(), "datoms/s")
}
