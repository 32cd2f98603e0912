// Package e2e holds the tests of the whole: of the built binary, and of rules
// that no single package can check about itself. It has no code of its own.
package e2e
