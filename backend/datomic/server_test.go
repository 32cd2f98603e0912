package datomic_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/conformance"
	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// on names a remote on a server.
func on(s *dbserver.Server, password string, more ...string) string {
	return remote(append([]string{
		"storage=" + s.Kind, "host=" + s.Host, fmt.Sprint("port=", s.Port), "user=" + s.User,
		"pass=" + obscure.MustObscure(password), "dbname=" + s.DBName,
	}, more...)...)
}

// TestConformancePostgres shows what Datomic itself has written.
func TestConformancePostgres(t *testing.T) {
	s := dbserver.Postgres(t).Database(t)
	s.Load(t, fixture.DatomicDump(t, "postgres-gen1.sql.gz"))
	_, want := gen1(t)
	conformance.Run(t, on(s, s.Password), want)
}

func TestConformanceMariaDB(t *testing.T) {
	s := dbserver.MariaDB(t).Database(t)
	dir, want := gen1(t)
	dbserver.Fill(t, s, litter(datomicdb.Rows(t, dir, 1485)))
	conformance.Run(t, on(s, s.Password), want)
}

// TestServerRefuses: what a server says has no password in it.
func TestServerRefuses(t *testing.T) {
	for kind, s := range map[string]*dbserver.Server{"postgres": dbserver.Postgres(t), "mysql": dbserver.MariaDB(t)} {
		t.Run(kind, func(t *testing.T) {
			s := s.Database(t)
			const wrong = "wr0ng-word"
			_, err := fs.NewFs(context.Background(), on(s, wrong))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), wrong)
			_, err = fs.NewFs(context.Background(), on(s, s.Password))
			require.ErrorContains(t, err, "datomic_kvs", "there is no table")
			assert.NotContains(t, err.Error(), s.Password)
			_, err = fs.NewFs(context.Background(), on(s, s.Password, "sslmode=require"))
			require.Error(t, err, "the server has no TLS")
			assert.NotContains(t, err.Error(), s.Password)
		})
	}
}
