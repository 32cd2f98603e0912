// Package engine has tests alone: proofs of what backup and restore promise,
// against real databases, generated ones, and remotes that fail at any call.
//
//	crash_test.go    every call of a backup and of a restore fails once
//	reach_test.go    what is copied is exactly what a naive walk reaches
//	count_test.go    the cost follows the change, not the size
//	model_test.go    random histories, crashes and restores
//	live_test.go     a writer and a garbage collector run meanwhile
//	lease_test.go    one writer at a time
package engine
