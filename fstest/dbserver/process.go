package dbserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// process is a server's process and directory.
type process struct {
	dir     string
	login   *syscall.Credential // nil: as the test itself
	command []string
	signal  string // ends the server at once, without traces outside its directory
	ready   func(context.Context) error

	shell *exec.Cmd // nil while the server is down
	stdin io.WriteCloser
}

// watch is what the shell does: it starts the server, and ends it by the signal
// that it reads, or when there is nobody left to send one; then the directory
// goes too. As the server's parent it cannot hit another process.
const watch = `dir=$1; signal=$2; shift 2
"$@" </dev/null >>"$dir/log" 2>&1 & pid=$!
if read -r s; then kill -s "$s" $pid; wait $pid; else kill -s "$signal" $pid; wait $pid; rm -rf "$dir"; fi`

const startTimeout = 30 * time.Second

// newProcess makes a directory that belongs to the first of the users that
// there is. Servers refuse to run as root.
func newProcess(signal string, users ...string) (*process, error) {
	dir, err := os.MkdirTemp("", "dbserver-")
	if err != nil {
		return nil, err
	}
	p := &process{dir: dir, signal: signal}
	if os.Getuid() != 0 {
		return p, nil
	}
	for _, name := range users {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		p.login = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return p, errors.Join(uidErr, gidErr, os.Chown(dir, int(uid), int(gid)))
	}
	return nil, fmt.Errorf("none of the users %v exists", users)
}

// write puts a file into the directory.
func (p *process) write(name string, data []byte) (path string, err error) {
	path = filepath.Join(p.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil || p.login == nil {
		return path, err
	}
	return path, os.Chown(path, int(p.login.Uid), int(p.login.Gid))
}

// run runs a command in the directory to its end.
func (p *process) run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.login}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// start starts the server and waits until it answers.
func (p *process) start() (err error) {
	p.shell = exec.Command("/bin/sh", append([]string{"-c", watch, "sh", p.dir, p.signal}, p.command...)...)
	p.shell.Dir = p.dir
	p.shell.SysProcAttr = &syscall.SysProcAttr{Credential: p.login, Setpgid: true}
	if p.stdin, err = p.shell.StdinPipe(); err != nil {
		return err
	}
	if err := p.shell.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			p.stop(p.signal)
			return fmt.Errorf("the server does not answer: %w: %s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// running reports whether the server was started and not stopped.
func (p *process) running() bool { return p.shell != nil }

// stop sends the server a signal and waits for its end.
func (p *process) stop(signal string) {
	if p.shell == nil {
		return
	}
	_, _ = fmt.Fprintln(p.stdin, signal)
	_ = p.shell.Wait()
	p.shell = nil
}

// remove stops the server and removes its directory.
func (p *process) remove() {
	p.stop(p.signal)
	_ = os.RemoveAll(p.dir)
}

// freePort returns a port that nobody listens on. Nothing keeps it free.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
