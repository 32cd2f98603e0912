// Package sample makes Datahike databases of any size without Datahike: files
// of a konserve store as Datahike writes them, for tests, benchmarks and the
// demonstration. It shares no code with what reads stores in the product but
// the codecs.
//
// A [DB] keeps its trees in memory, so a transaction costs what it changes,
// and [DB.Facts] and [DB.Reachable] know what a backup must find without
// reading a file. The content is that of people, with texts, numbers,
// keywords, booleans, instants, UUIDs and references; see data/schema.fress.
//
// What the files look like follows stores that Datahike (development version
// of August 2026, konserve 0.9.372, persistent-sorted-set 0.4.137) wrote:
//
//	:branches            set of the branches' names
//	:db, other branches  head: the record of the newest commit
//	commit id            record: schema, configuration and roots of the trees
//	hash of the schema   schema
//	node address         leaf of datoms, or inner node with its children
//
// The order of writing is Datahike's as well: schema, nodes, commit, head.
//
// Two things are not Datahike's. The record's :hash sums another hash of
// datoms than Clojure's, and the sets of branches and of parents and maps of
// declared attributes are in the order of their making.
package sample
