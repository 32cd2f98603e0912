//go:build !race

package engine

const sparser = 1
