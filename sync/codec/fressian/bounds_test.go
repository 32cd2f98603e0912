package fressian

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBounds: few bytes must not become many values. A list without a count
// takes no more bytes than what it holds.
func TestBounds(t *testing.T) {
	list := func(element []byte, n int) []byte {
		return append(append([]byte{codeClosedList}, bytes.Repeat(element, n)...), codeEndCollection)
	}
	cached := []byte{codePutPriority, 0}
	require.NoError(t, Scan(list(cached, maxCached)))
	require.ErrorContains(t, Scan(list(cached, maxCached+1)), "cached values")
	require.NoError(t, Scan(list([]byte{codeNull}, maxBuilt)), "nothing is made of it")
	_, err := Decode(list([]byte{codeNull}, maxBuilt))
	require.ErrorContains(t, err, "parts")
}
