// Package cli has what our commands share: opening the two ends, printing a
// report for people or for programs.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/config/configstruct"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/fspath"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/backend/datahike"
	"github.com/rclone-datom/rclone-datom/backend/datomic"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// Run runs a command with rclone's retries, statistics and exit codes.
// Errors before the first attempt, such as a wrong remote, end it at once.
func Run(c *cobra.Command, do func(ctx context.Context) error) { run(true, c, do) }

// Once is Run for what does its own retries.
func Once(c *cobra.Command, do func(ctx context.Context) error) { run(false, c, do) }

func run(retry bool, c *cobra.Command, do func(ctx context.Context) error) {
	if os.Getenv("GOGC") == "" {
		// What lives is small and stays small: collecting half as often costs
		// some ten megabytes and saves a tenth of the work.
		debug.SetGCPercent(200)
	}
	cmd.Run(retry, false, c, func() error { return do(context.Background()) })
}

// Source opens a database remote.
func Source(ctx context.Context, remote string) (dbsync.Source, error) {
	f, err := open(ctx, remote)
	if err != nil {
		return dbsync.Source{}, fserrors.NoRetryError(fmt.Errorf("source %s: %w", Shown(remote), err))
	}
	src, ok := Database(f)
	if ok && f.Root() != "" {
		return src, fserrors.NoRetryError(fmt.Errorf("source %s names a part of a database, which is backed up as a whole: leave out what is behind the colon", Shown(remote)))
	}
	if !ok {
		return src, fserrors.NoRetryError(fmt.Errorf(
			"source %s is not a database remote (:datahike,store=%q: is one if a Datahike store lies there, :datomic,remote=%q: if a backup by Datomic does)",
			Shown(remote), Shown(remote), Shown(remote)))
	}
	return src, nil
}

// open is fs.NewFs without remotes of which we know but why they are none.
func open(ctx context.Context, remote string) (fs.Fs, error) {
	f, err := fs.NewFs(ctx, remote)
	if u, ok := f.(*datomic.Unnamed); ok {
		return nil, u.Err()
	}
	return f, err
}

// Database is the database that a remote shows, if it is such a one.
func Database(f fs.Fs) (dbsync.Source, bool) {
	switch db := f.(type) {
	case *datahike.Fs:
		return dbsync.Source{Fs: f, Store: db.Store(), Dialect: db.Dialect(), Branch: db.Branch()}, true
	case *datomic.Fs:
		return dbsync.Source{Fs: f, Datomic: db.Storage()}, true
	}
	return dbsync.Source{}, false
}

// Close gives back what a database remote holds, such as connections: a process
// may open many. What went wrong with that does no harm.
func Close(ctx context.Context, f fs.Fs) {
	if shutdown := f.Features().Shutdown; shutdown != nil {
		if err := shutdown(context.WithoutCancel(ctx)); err != nil {
			fs.Debugf(f, "Failed to close: %v", err)
		}
	}
}

// Table opens the SQL storage that a Datomic remote names, to restore to, and
// returns the name that its database shall have, if the remote has one. It is
// nil where remote is something else.
func Table(ctx context.Context, remote string) (t *table.Table, name string, err error) {
	info, _, _, m, err := fs.ConfigFs(remote)
	if err != nil || info.Name != "datomic" {
		return nil, "", nil // Place tells what is wrong
	}
	t, opt, err := datomic.OpenTable(ctx, m, true)
	if err != nil {
		return nil, "", fserrors.NoRetryError(fmt.Errorf("target %s: %w", Shown(remote), err))
	}
	return t, opt.Database, nil
}

// Place opens a destination or a target; it need not exist.
func Place(ctx context.Context, remote string) (fs.Fs, error) {
	f, err := open(ctx, remote)
	if errors.Is(err, fs.ErrorIsFile) {
		return nil, fserrors.NoRetryError(fmt.Errorf("%s is a file: name a directory", Shown(remote)))
	}
	if err != nil {
		return nil, fserrors.NoRetryError(fmt.Errorf("%s: %w", Shown(remote), err))
	}
	return f, nil
}

// Backups opens the place of a backup; it need not exist.
func Backups(ctx context.Context, remote string) (fs.Fs, error) {
	f, err := Place(ctx, asDirectory(remote))
	if err != nil {
		return nil, err
	}
	if _, ok := Database(f); ok {
		Close(ctx, f)
		return nil, fserrors.NoRetryError(fmt.Errorf("%s shows a database: name the place of its backups", Shown(remote)))
	}
	return f, nil
}

// asDirectory says of a path on S3 that it is a directory. Else a request would
// ask whether it is a file.
func asDirectory(remote string) string {
	info, _, path, _, err := fs.ConfigFs(remote)
	if err == nil && info.Name == "s3" && path != "" && !strings.HasSuffix(path, "/") {
		return remote + "/"
	}
	return remote
}

// Shown is a remote without the settings of a connection string, among which
// may be secrets.
func Shown(remote string) string {
	p, err := fspath.Parse(remote)
	if err != nil { // a connection string perhaps, without its end
		name, _, cut := strings.Cut(remote, ",")
		if cut {
			name += ",…"
		}
		return name
	}
	if len(p.Config) == 0 {
		return remote
	}
	if strings.ContainsAny(p.Path, ",=") {
		return p.Name + ",…" // a colon in a value that was not quoted: more settings follow
	}
	return p.Name + ",…:" + p.Path
}

// Dialect reads the segments of a destination, with the key of
// --datahike-encryption-key or RCLONE_DATAHIKE_ENCRYPTION_KEY.
func Dialect() (*dialect.Dialect, error) {
	info, err := fs.Find("datahike")
	if err != nil {
		return nil, err
	}
	var opt datahike.Options
	m := fs.ConfigMap(info.Prefix, info.Options, "", configmap.Simple{})
	if err := configstruct.Set(m, &opt); err != nil {
		return nil, err
	}
	if opt.EncryptionKey == "" {
		return dialect.New(""), nil
	}
	key, err := obscure.Reveal(opt.EncryptionKey)
	if err != nil {
		return nil, fserrors.NoRetryError(fmt.Errorf("--datahike-encryption-key is not obscured (use rclone-datom obscure): %w", err))
	}
	return dialect.New(key), nil
}

// PrintJSON prints a report for programs.
func PrintJSON(v any) error { return WriteJSON(os.Stdout, v) }

// Count is a number of segments for people. Datomic has no commits.
func Count(c snapshot.Count) string {
	s := fmt.Sprintf("%d segments, %s", c.Segments, Bytes(c.Bytes))
	if c.Commits > 0 {
		s += fmt.Sprintf(" (%d commits)", c.Commits)
	}
	return s
}

// Bytes is a size for people.
func Bytes(n int64) string { return fs.SizeSuffix(n).ByteUnit() }

// Choices completes a flag of a command with the values that it takes.
func Choices(c *cobra.Command, flag string, values ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
