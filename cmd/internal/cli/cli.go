// Package cli has what our commands share: opening the two ends, printing a
// report for people or for programs.
package cli

import (
	"context"
	"encoding/json"
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
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// Run runs a command with rclone's retries, statistics and exit codes.
// Errors before the first attempt, such as a wrong remote, end it at once.
func Run(c *cobra.Command, do func(ctx context.Context) error) {
	if os.Getenv("GOGC") == "" {
		// What lives is small and stays small: collecting half as often costs
		// some ten megabytes and saves a tenth of the work.
		debug.SetGCPercent(200)
	}
	cmd.Run(true, false, c, func() error { return do(context.Background()) })
}

// Source opens a database remote.
func Source(ctx context.Context, remote string) (dbsync.Source, error) {
	f, err := fs.NewFs(ctx, remote)
	if err != nil {
		return dbsync.Source{}, fserrors.NoRetryError(fmt.Errorf("source %s: %w", shown(remote), err))
	}
	db, ok := f.(*datahike.Fs)
	if !ok {
		return dbsync.Source{}, fserrors.NoRetryError(fmt.Errorf(
			"source %s is not a database remote (:datahike,store=%q: is one, if a Datahike store lies there)", shown(remote), shown(remote)))
	}
	return dbsync.Source{Fs: f, Store: db.Store(), Dialect: db.Dialect(), Branch: db.Branch()}, nil
}

// Place opens a destination or a target; it need not exist.
func Place(ctx context.Context, remote string) (fs.Fs, error) {
	f, err := fs.NewFs(ctx, remote)
	if errors.Is(err, fs.ErrorIsFile) {
		return nil, fserrors.NoRetryError(fmt.Errorf("%s is a file: name a directory", shown(remote)))
	}
	if err != nil {
		return nil, fserrors.NoRetryError(fmt.Errorf("%s: %w", shown(remote), err))
	}
	return f, nil
}

// shown is a remote without the settings of a connection string, among which
// may be secrets.
func shown(remote string) string {
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
func PrintJSON(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "\t")
	return enc.Encode(v)
}

// Bytes is a size for people.
func Bytes(n int64) string { return fs.SizeSuffix(n).ByteUnit() }
