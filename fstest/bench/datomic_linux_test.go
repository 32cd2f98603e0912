package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
)

// orders of eight datoms each: the real Datomic makes a million and more.
const orders = 150_000

// datomic is a database that the real Datomic has written to a PostgreSQL.
type datomic struct {
	server *dbserver.Server
	db     judge.Database
	writer *judge.Judge
	// remote names it for us.
	remote string
}

func makeDatomic(b *testing.B) *datomic {
	s := dbserver.Postgres(b).Database(b)
	s.Exec(b, "CREATE TABLE datomic_kvs (id text PRIMARY KEY, rev integer, map text, val bytea)")
	d := &datomic{server: s, db: judge.Database{JDBC: s.JDBC(), Name: "orders"}, writer: judge.Start(b)}
	_, err := d.writer.Make(context.Background(), d.db, orders)
	require.NoError(b, err)
	_, err = d.writer.GC(context.Background(), d.db)
	require.NoError(b, err)
	s.Exec(b, "VACUUM FULL ANALYZE datomic_kvs")
	d.remote = ":datomic,storage=postgres,host=" + s.Host + ",port=" + strconv.Itoa(s.Port) + ",user=" + s.User + ",dbname=" + s.DBName + ",sslmode=disable:"
	return d
}

// ours runs the binary with the server's password in the environment.
func (d *datomic) ours(b *testing.B, args ...string) (took time.Duration, mib float64) {
	pass, err := exec.Command(binary(b), "obscure", d.server.Password).Output()
	require.NoError(b, err)
	cmd := exec.Command(binary(b), args...)
	cmd.Env = append(os.Environ(), "RCLONE_CONFIG=", "RCLONE_DATOMIC_PASS="+strings.TrimSpace(string(pass)))
	return watched(b, cmd)
}

// engineBackup is the real engine's, incremental where there is something.
func (d *datomic) engineBackup(b *testing.B, dir string) judge.Work {
	return judge.Fresh(b, func(j *judge.Judge) (judge.Work, error) {
		return j.EngineBackup(context.Background(), d.db, dir, true)
	})
}

// copyOut is what the server needs at least to hand out the table.
func (d *datomic) copyOut(b *testing.B) time.Duration {
	cmd := exec.Command("sh", "-c", `psql -qX -h "$1" -p "$2" -U "$3" -c 'COPY datomic_kvs TO STDOUT (FORMAT binary)' "$4" | cat >/dev/null`,
		"sh", d.server.Host, strconv.Itoa(d.server.Port), d.server.User, d.server.DBName)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+d.server.Password)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	return time.Since(start)
}

// BenchmarkDatomicFull is a first backup from PostgreSQL to a directory in
// memory: against the real Datomic's backup engine in a JVM of its own, as
// backup-db runs it, whose start is not counted while ours is; and against
// COPY of the table.
func BenchmarkDatomicFull(b *testing.B) {
	d, dir := makeDatomic(b), tmpfs(b)
	var engines, copies, growth []float64
	segments := 0
	for b.Loop() {
		for i := range pairs {
			ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
			took, mib := d.ours(b, "backup", d.remote, ours)
			work := d.engineBackup(b, theirs)
			_, idle := d.ours(b, "version")
			engines = append(engines, took.Seconds()/work.Duration().Seconds())
			copies = append(copies, took.Seconds()/d.copyOut(b).Seconds())
			growth = append(growth, mib-idle)
			segments = work.Copied
			if i == 0 {
				same(b, filepath.Join(ours, "values"), filepath.Join(theirs, "values"))
			}
			require.NoError(b, os.RemoveAll(ours))
			require.NoError(b, os.RemoveAll(theirs))
		}
	}
	report(b, "engine", engines, segments)
	b.ReportMetric(median(copies), "x-COPY")
	b.ReportMetric(median(growth), "MiB-over-version")
}

// BenchmarkDatomicIncremental is a backup after 20 small transactions and an
// index job, against the real engine's of the same change.
func BenchmarkDatomicIncremental(b *testing.B) {
	d, dir := makeDatomic(b), tmpfs(b)
	ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	d.ours(b, "backup", d.remote, ours)
	_, err := d.writer.EngineBackup(context.Background(), d.db, theirs, true)
	require.NoError(b, err)
	var ratios []float64
	segments := 0
	for b.Loop() {
		for range pairs {
			_, err := d.writer.More(context.Background(), d.db, 20, true)
			require.NoError(b, err)
			took, _ := d.ours(b, "backup", d.remote, ours)
			work := d.engineBackup(b, theirs)
			ratios = append(ratios, took.Seconds()/work.Duration().Seconds())
			segments = work.Copied
		}
	}
	report(b, "engine", ratios, segments)
}

// BenchmarkDatomicRestore is a restore of a million datoms to an empty table in
// PostgreSQL, against the real engine's.
func BenchmarkDatomicRestore(b *testing.B) {
	d, dir := makeDatomic(b), tmpfs(b)
	ours := filepath.Join(dir, "ours")
	d.ours(b, "backup", d.remote, ours)
	found, err := d.writer.Backups(context.Background(), ours)
	require.NoError(b, err)
	var ratios []float64
	segments := 0
	for b.Loop() {
		for range pairs {
			to := d.server.Database(b)
			target := strings.Replace(d.remote, "dbname="+d.server.DBName, "dbname="+to.DBName, 1)
			took, _ := d.ours(b, "restore", ours, target, "--create-table")
			peer := d.server.Database(b)
			peer.Exec(b, "CREATE TABLE datomic_kvs (id text PRIMARY KEY, rev integer, map text, val bytea)")
			work := judge.Fresh(b, func(j *judge.Judge) (judge.Work, error) {
				return j.EngineRestore(context.Background(), ours, found.Ts[0], judge.Database{JDBC: peer.JDBC(), Name: d.db.Name})
			})
			ratios = append(ratios, took.Seconds()/work.Duration().Seconds())
			segments = work.Copied
		}
	}
	report(b, "engine", ratios, segments)
}

// same compares two directories byte by byte.
func same(b *testing.B, ours, theirs string) {
	out, err := exec.Command("diff", "-rq", ours, theirs).CombinedOutput()
	require.NoError(b, err, "%s", out)
}
