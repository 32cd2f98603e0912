package judge

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Judge is the real Datomic. It is safe for many goroutines; what reads
// a database whole is done alone, after what goes on has ended.
//
// Each method returns a *Refusal when it is Datomic that refuses.
type Judge struct{ jvm *process }

// Database is one in SQL storage, whose table must exist.
type Database struct {
	JDBC string // the storage's URL, with user and password
	Name string
}

// One for a test binary: a JVM takes seconds to load Datomic. A benchmark must
// measure what users would have.
var (
	forTests      = sync.OnceValues(func() (*process, error) { return launch(hasty...) })
	forBenchmarks = sync.OnceValues(func() (*process, error) { return launch() })
)

// Start returns the test binary's Datomic.
func Start(t testing.TB) *Judge {
	t.Helper()
	start := forTests
	if _, ok := t.(*testing.B); ok {
		start = forBenchmarks
	}
	jvm, err := start()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("DATOM_REQUIRE_SERVERS") == "" {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	require.NoError(t, err)
	return &Judge{jvm}
}

// Fresh has work done by a JVM that does nothing else: Datomic's own programs
// run once, not in a process that has warmed up.
func Fresh(t testing.TB, do func(j *Judge) (Work, error)) Work {
	t.Helper()
	jvm, err := launch()
	require.NoError(t, err)
	defer func() { _ = jvm.stdin.Close() }()
	work, err := do(&Judge{jvm})
	require.NoError(t, err)
	return work
}

// Backup judges the values of a backup in dir, all of them unless ts names some,
// and fails the test if Datomic finds any fault. See [Judge.Backup].
func Backup(t testing.TB, dir string, ts ...int64) []Facts {
	t.Helper()
	facts, err := Start(t).Backup(t.Context(), dir, ts...)
	require.NoError(t, err)
	return facts
}

// Backup verifies values of a backup, restores each into a storage of its own,
// reads that, and opens the backup as it lies. It is an error if both readings
// are not the same in all, or a segment lacks or cannot be read, or the owner is
// another. Without ts it judges all values, newest first.
func (j *Judge) Backup(ctx context.Context, dir string, ts ...int64) (facts []Facts, err error) {
	args := []any{dir}
	for _, t := range ts {
		args = append(args, t)
	}
	return facts, j.jvm.ask(ctx, &facts, "judge", args...)
}

// Backups is Datomic's list-backups.
func (j *Judge) Backups(ctx context.Context, dir string) (found Backups, err error) {
	return found, j.jvm.ask(ctx, &found, "describe", dir)
}

// Verify is Datomic's verify-backup, reading every segment.
func (j *Judge) Verify(ctx context.Context, dir string, t int64) (found Verified, err error) {
	return found, j.jvm.ask(ctx, &found, "verify", dir, t)
}

// Content opens a database and reads all of it.
func (j *Judge) Content(ctx context.Context, db Database) (content Content, err error) {
	return content, j.jvm.ask(ctx, &content, "content", db.JDBC, db.Name)
}

// Catalog reads which databases the storage of db has.
func (j *Judge) Catalog(ctx context.Context, db Database) (catalog Catalog, err error) {
	return catalog, j.jvm.ask(ctx, &catalog, "names", db.JDBC)
}

// Make adds n orders to a database, 200 a transaction, and indexes them. It
// makes the database if there is none of the name. Nobody else may write to it.
func (j *Judge) Make(ctx context.Context, db Database, n int) (made Written, err error) {
	return made, j.jvm.ask(ctx, &made, "make", db.JDBC, db.Name, n)
}

// More adds k transactions of ten orders, each a log entry of its own, and runs
// an index job after them if it is asked to.
func (j *Judge) More(ctx context.Context, db Database, k int, index bool) (made Written, err error) {
	return made, j.jvm.ask(ctx, &made, "more", db.JDBC, db.Name, k, index)
}

// EngineBackup is Datomic's own backup-db. A full one looks at every segment; an
// incremental one skips what hangs under the newest root of the backup.
func (j *Judge) EngineBackup(ctx context.Context, db Database, dir string, incremental bool) (work Work, err error) {
	return work, j.jvm.ask(ctx, &work, "backup", db.JDBC, db.Name, dir, incremental)
}

// EngineRestore is Datomic's own restore-db.
func (j *Judge) EngineRestore(ctx context.Context, dir string, t int64, db Database) (work Work, err error) {
	return work, j.jvm.ask(ctx, &work, "restore", dir, t, db.JDBC, db.Name)
}

// Rename gives a database another name; its id stays.
func (j *Judge) Rename(ctx context.Context, db Database, to string) error {
	return j.jvm.ask(ctx, nil, "rename", db.JDBC, db.Name, to)
}

// Delete takes a database out of the catalog; its rows stay.
func (j *Judge) Delete(ctx context.Context, db Database) error {
	return j.jvm.ask(ctx, nil, "delete", db.JDBC, db.Name)
}

// GC deletes the rows that Make and More have superseded, however young, and
// returns how many. Only the test binary that wrote them knows of the last.
func (j *Judge) GC(ctx context.Context, db Database) (deleted int, err error) {
	return deleted, j.jvm.ask(ctx, &deleted, "gc", db.JDBC, db.Name)
}
