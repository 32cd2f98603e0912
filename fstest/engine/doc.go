// Package engine has tests alone: proofs of what backup and restore promise,
// against real databases, generated ones, and remotes that fail at any call.
//
//	crash_test.go      a backup's calls fail, each in its turn (-every)
//	interrupt_test.go  so do a restore's; what a low-level retry heals
//	values_test.go     values that are objects of their own
//	whole_test.go      whole copies of databases with online GC
//	reach_test.go      what is copied is exactly what a naive walk reaches
//	forced_test.go     a branch that names another one as its parent
//	count_test.go      the cost follows the change, not the size
//	model_test.go      random histories, crashes and restores (-seed, -models)
//	live_test.go       a writer and a garbage collector run meanwhile;
//	                   live_whole_test.go: a writer with online GC
//	lease_test.go      one writer at a time
//	datomic_*_test.go  the same of Datomic: crash, count, memory, generations,
//	                   gc; what is refused; adopt and roots: what Datomic itself
//	                   has written; table: restores to SQL; verify
package engine
