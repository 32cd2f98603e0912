// Package table reads and writes the one SQL table in which a Datomic database
// lives: datomic_kvs(id, rev, map, val), in PostgreSQL, MySQL, MariaDB, SQLite
// or Cloud SQL. It moves rows and knows no more of their meaning than the two
// references that make a chain: a named row's :tail and a row's :prev.
//
// Reading disturbs the database little: sessions are read-only, single
// statements commit by themselves, and the one transaction there is, [Table.Pin],
// lasts for two queries. [Table.Get] may be called by hundreds of goroutines at
// once: their ids are fetched together, some hundred with each query, over a
// handful of connections.
//
// Connections that break are opened anew and what was read over them is read
// again, for about half a minute, so that a server's restart or failover does
// not end a long run.
package table
