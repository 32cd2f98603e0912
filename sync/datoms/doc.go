// Package datoms reads the datoms of a Datahike database value, and proves with
// a digest that two places hold the same ones.
//
// A digest is the SHA-256 of one line per datom, sorted; the line is what
// Clojure's pr prints of [e a v tx added], with a form of its own for values
// that pr prints by their object's identity. So a few lines of Clojure compute
// the same digest on a live connection (docs/datahike.md has them).
package datoms
