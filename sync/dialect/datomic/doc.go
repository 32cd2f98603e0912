// Package datomic knows what Datomic keeps in its storage and in its backups:
// named rows, the trees of a database's indexes and of its log, and the roots
// of a backup, as Datomic 1.0.7622 writes them (index version 2, log version 3,
// backup version 3).
//
// A database value is two trees and a tail:
//
//	level  index tree           full text         log tree
//	3      top map              –                 –
//	2      index-root-node      search-root       list of log-dir
//	1      index-dir-node       clusterfs-root    list of log-dir
//	0      index-tdata          clusterfs-chunk   list of transactions
//
// The depth never differs, so that a node's level is known before it is read.
// A segment is one Fressian object, compressed with gzip; most have a Fressian
// footer. The tail is the transactions that are in no leaf of the log yet:
// the code of an open list, then the transactions, and no end.
//
// Children are taken from the fields that hold them, never by looking for what
// resembles a uuid: values of datoms may be uuids. What could refer to
// something that is not known here is refused by name.
package datomic

// Kind names the database in manifests.
const Kind = "datomic"

// The versions that are understood.
const (
	indexVersion  = 2
	logVersion    = 3
	backupVersion = 3
)
