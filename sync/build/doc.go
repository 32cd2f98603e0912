// Package build makes a Datahike store of datoms, without Datahike: each index
// is sorted outside of memory and written once, from the leaves up.
//
// What a store is made of follows what Datahike's development version of August
// 2026 wrote (konserve 0.9.372, persistent-sorted-set 0.4.137), and where no
// store shows it the sources of the 0.8 line:
//
//	node         "pss/leaf" {:keys :branching-factor :diff-buf-size}, "pss/branch"
//	             with :level, :addresses and :subtree-count as well
//	schema       {:schema :rschema :system-entities :ident-ref-map :ref-ident-map}
//	commit, :db  {:eavt-key … :temporal-avet-key :schema-meta-key :config :meta …}
//	:branches    #{:db}
//
// A database has three indexes of what is true now, and with history three
// more of all that ever was. Of a fact that is true now the latter have the
// assertion as well, but not if its attribute is of cardinality many or without
// history; so does Datahike's transactor (datahike.db.transaction/with-datom),
// and its readers put the two together (datahike.db.utils/distinct-datoms).
// AVET has the datoms of attributes with :db/index or :db/unique and of
// references.
//
// Datoms go through three sorts, each in a bounded memory: all by entity, from
// where what is true now is told, the schema known by then and the two EAVT
// trees are written; then by attribute and by value, from where the others are.
package build
