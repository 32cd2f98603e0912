package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// user is somebody at a terminal: a home with a configuration, and a folder.
type user struct {
	*testing.T
	dir string
	env []string
}

// newUser returns one who knows nothing of the machine's own configuration.
func newUser(t *testing.T) *user {
	t.Helper()
	t.Parallel()
	u := &user{T: t, dir: t.TempDir()}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RCLONE_") && !strings.HasPrefix(v, "HOME=") {
			u.env = append(u.env, v)
		}
	}
	u.env = append(u.env, "HOME="+u.dir, "RCLONE_CONFIG="+u.path("rclone.conf"), "RCLONE_CACHE_DIR="+u.path("cache"))
	u.configure("")
	return u
}

// path is a path in the user's folder.
func (u *user) path(name string) string { return filepath.Join(u.dir, name) }

// configure adds to the configuration file.
func (u *user) configure(text string) {
	u.Helper()
	f, err := os.OpenFile(u.path("rclone.conf"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(u, err)
	_, err = f.WriteString(text + "\n")
	require.NoError(u, err)
	require.NoError(u, f.Close())
}

// outcome is what a command left on the terminal.
type outcome struct {
	code        int
	out, stderr string
}

// patience bounds every command, so that one that hangs fails its test.
const patience = 60 * time.Second

func (u *user) command(args ...string) *exec.Cmd {
	c := exec.Command(binary, args...)
	c.Dir, c.Env = u.dir, u.env
	return c
}

// run runs a command to its end.
func (u *user) run(args ...string) outcome { return u.answer("", args...) }

// answer is run with something typed.
func (u *user) answer(typed string, args ...string) outcome {
	u.Helper()
	c := u.command(args...)
	var out, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(typed), &out, &stderr
	require.NoError(u, c.Start())
	kill := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	err := c.Wait()
	require.True(u, kill.Stop(), "%q did not end:\n%s", args, stderr.String())
	var exit *exec.ExitError
	if err != nil {
		require.True(u, errors.As(err, &exit), "%v", err)
	}
	return outcome{c.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// ok runs a command that must succeed.
func (u *user) ok(args ...string) outcome {
	u.Helper()
	o := u.run(args...)
	require.Zero(u, o.code, "%q:\n%s%s", args, o.out, o.stderr)
	return o
}

// fails runs a command that must end with an exit code and a message.
func (u *user) fails(code int, message string, args ...string) outcome {
	u.Helper()
	o := u.run(args...)
	end := o.stderr[max(0, len(o.stderr)-1000):]
	require.Equal(u, code, o.code, "%q: …%s", args, end)
	require.Truef(u, strings.Contains(o.stderr, message), "%q: no %q in …%s", args, message, end)
	return o
}

// report runs a command with --json and reads what it prints.
func (u *user) report(into any, args ...string) {
	u.Helper()
	o := u.ok(append(args, "--json")...)
	d := json.NewDecoder(strings.NewReader(o.out))
	d.DisallowUnknownFields()
	require.NoError(u, d.Decode(into), o.out)
	_, err := d.Token()
	require.ErrorIs(u, err, io.EOF, "more than one value was printed")
}

// serving is the line by which a server says where it listens.
var serving = regexp.MustCompile(`http://(127\.0\.0\.1:\d+)`)

// serve starts a server, on a port that the system chooses, for the time of
// the test, and returns its host and port.
func (u *user) serve(args ...string) string {
	u.Helper()
	c := u.command(args...)
	stderr, err := c.StderrPipe()
	require.NoError(u, err)
	require.NoError(u, c.Start())
	u.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	address := make(chan string, 1)
	go func() {
		var said strings.Builder
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(&said, lines.Text())
			if m := serving.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
				_, _ = io.Copy(io.Discard, stderr)
				return
			}
		}
		address <- "no address in: " + said.String()
	}()
	select {
	case a := <-address:
		require.Regexp(u, `^[\d.]+:\d+$`, a)
		return a
	case <-time.After(patience):
		require.Fail(u, "the server did not start")
		return ""
	}
}

// tree lists the files below a folder with digests of their bytes.
func (u *user) tree(dir string) map[string]string {
	u.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = fmt.Sprintf("%d bytes, %x", len(data), sha256.Sum256(data))
		return err
	})
	require.NoError(u, err)
	return out
}

// database is the connection string of a store.
func database(store string) string { return ":datahike,store='" + store + "':" }
