package run

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fspath"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/cmd/run/jobs"
)

// ends returns the remotes between which a job copies, with its settings in
// their connection strings.
func ends(job jobs.Job) (source, dest string, err error) {
	source, dest = job.Source, job.Destination
	if job.Pace != nil {
		if source, err = override(source, ":pace", "pace", job.Pace.String()); err != nil {
			return "", "", err
		}
	}
	if job.Connections != nil {
		if source, err = override(source, ":connections", "connections", strconv.Itoa(*job.Connections)); err != nil {
			return "", "", err
		}
	}
	if job.EncryptWith != "" {
		dest, err = encrypted(job.EncryptWith, dest)
	}
	return source, dest, err
}

// override sets an option of the backend, which must have it: rclone ignores
// settings that it does not know.
func override(remote, key, option, value string) (string, error) {
	info, _, _, _, err := fs.ConfigFs(remote)
	if err != nil {
		return "", fmt.Errorf("%s: %w", cli.Shown(remote), err)
	}
	if info.Options.Get(option) == nil {
		return "", fmt.Errorf("%s is of no use with %s: the backend %s has no such option", key, cli.Shown(remote), info.Name)
	}
	return set(remote, option, value)
}

// encrypted is the crypt remote, at the destination instead of where it is
// configured to be.
func encrypted(crypt, dest string) (string, error) {
	info, _, path, _, err := fs.ConfigFs(crypt)
	switch {
	case err != nil:
		return "", fmt.Errorf(":encrypt-with %s: %w", cli.Shown(crypt), err)
	case info.Name != "crypt":
		return "", fmt.Errorf(":encrypt-with %s is a remote of type %s: it must be one of type crypt", cli.Shown(crypt), info.Name)
	case path != "":
		return "", fmt.Errorf(":encrypt-with %s: give the remote alone; the path belongs to :destination", cli.Shown(crypt))
	}
	return set(crypt, "remote", dest)
}

// set adds a setting to a remote's connection string, where the last one wins.
func set(remote, option, value string) (string, error) {
	p, err := fspath.Parse(remote)
	if err != nil {
		return "", fmt.Errorf("%s: %w", cli.Shown(remote), err)
	}
	return p.ConfigString + "," + option + "='" + strings.ReplaceAll(value, "'", "''") + "':" + p.Path, nil
}
