package datomic_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
)

func TestHeartbeat(t *testing.T) {
	at, ok := datomic.Heartbeat(`{:key "[\"host\" \"alt-host\" 4334 \"user\" \"pass]word\" 1795256976519 \"1.0.7622\" true 2]"}`)
	assert.True(t, ok)
	assert.Equal(t, time.UnixMilli(1795256976519), at)

	for _, text := range []string{"", "{}", "{:key 1}", `{:key ""}`, `{:key "[1 2 3]"}`, `{:key "[1 2 3 4 5 :six]"}`, `{:key "{1 2 3 4 5 6 7 8}"}`, `{:tail "x"}`} {
		_, ok := datomic.Heartbeat(text)
		assert.False(t, ok, text)
	}
}
