package segfs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rclone-datom/rclone-datom/backend/internal/segfs"
)

func TestItself(t *testing.T) {
	for _, name := range []string{"db", "db{4iT-x}"} {
		assert.True(t, segfs.Itself(name, "db:"), name)
		assert.True(t, segfs.Itself(name, "db:path"), name)
		assert.False(t, segfs.Itself(name, "db2:"), name)
		assert.False(t, segfs.Itself(name, "/db"), name)
	}
}
