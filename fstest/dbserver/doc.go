// Package dbserver gives tests real database servers: PostgreSQL and MariaDB,
// started in a temporary directory on a free port of the loopback interface,
// with password authentication and as an unprivileged user; and files of SQLite
// that are used in the same way.
//
//	server := dbserver.Postgres(t).Database(t) // an empty database
//	server.Load(t, "gen1.sql.gz")
//	opened, err := table.Open(ctx, server.Config())
//
// One server of a kind serves a whole test binary. A shell watches over it, and
// stops it and removes its directory when the binary has ended, however it did.
// Where a server is not installed tests are skipped, or fail if
// DATOM_REQUIRE_SERVERS is set.
package dbserver
