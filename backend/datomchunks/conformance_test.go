package datomchunks_test

import (
	"testing"

	"github.com/rclone/rclone/fs/config/obscure"

	"github.com/rclone-datom/rclone-datom/fstest/conformance"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

func TestConformance(t *testing.T) {
	dir, backup := fixture.Unpack(t, "a-default"), t.TempDir()
	point := pack(t, dir, "", backup, small)
	want := below("store", shown(t, at(t, dir)))
	t.Run("point", func(t *testing.T) { conformance.Run(t, remote(backup, "at="+point), want) })
	t.Run("points", func(t *testing.T) { conformance.Run(t, remote(backup), below(point, want)) })
}

func TestConformanceMemory(t *testing.T) {
	dir, backup := fixture.Unpack(t, "j-fused"), ":memory:chunks-conformance/below"
	pack(t, dir, "", backup, squeezed)
	conformance.Run(t, remote(backup, "at=latest"), below("store", shown(t, at(t, dir))))
}

func TestConformanceDatomic(t *testing.T) {
	dir, backup := fixture.DatomicBackup(t, "gen1"), t.TempDir()
	point := packDatomic(t, dir, backup, small)
	want := shown(t, at(t, ":datomic,remote='"+dir+"':"))
	t.Run("point", func(t *testing.T) { conformance.Run(t, remote(backup, "at=1485"), want) })
	t.Run("points", func(t *testing.T) { conformance.Run(t, remote(backup), below(point, want)) })
}

func TestConformanceCrypt(t *testing.T) {
	vault(t)
	dir := fixture.Unpack(t, "l-nocommitgraph")
	pack(t, dir, "", "vault:mydb", small)
	want := below("store", shown(t, at(t, ":datahike,store='"+dir+"':")))
	conformance.Run(t, remote("vault:mydb", "at=latest"), want)
}

// vault makes a remote that encrypts names and bytes.
func vault(t *testing.T) {
	t.Setenv("RCLONE_CONFIG_VAULT_TYPE", "crypt")
	t.Setenv("RCLONE_CONFIG_VAULT_REMOTE", t.TempDir())
	t.Setenv("RCLONE_CONFIG_VAULT_PASSWORD", obscure.MustObscure("correct horse"))
}
