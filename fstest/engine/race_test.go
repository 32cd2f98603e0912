//go:build race

package engine

// The race detector makes everything some ten times slower, so fewer calls
// are made to fail, and the large store is smaller.
const sparser = 6
