package dbserver

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rclone-datom/rclone-datom/sync/table"
)

// launch starts a new server. If another process was quicker to take the port,
// it tries again on another.
func launch(kind string, tls bool) (*Server, error) {
	prepare, signal, users := preparePostgres, "QUIT", []string{"postgres", "nobody"}
	if kind == table.MySQL {
		prepare, signal, users = prepareMariaDB, "KILL", []string{"mysql", "nobody"}
	}
	p, err := newProcess(signal, users...)
	if err != nil {
		return nil, err
	}
	s := &Server{Kind: kind, Host: "127.0.0.1", User: owner, Password: password, DBName: owner, process: p}
	for range 3 {
		if s.Port, err = freePort(); err != nil {
			break
		}
		if err = prepare(s, tls); err != nil {
			break
		}
		if err = p.start(); err == nil {
			return s, nil
		}
	}
	p.remove()
	return nil, err
}

// preparePostgres makes a cluster, if there is none, and the command.
func preparePostgres(s *Server, tls bool) error {
	bin, err := findPostgres()
	if err != nil {
		return err
	}
	p := s.process
	data := filepath.Join(p.dir, "data")
	if p.command == nil {
		secret, err := p.write("password", []byte(s.Password))
		if err != nil {
			return err
		}
		if err := p.run(filepath.Join(bin, "initdb"), "-D", data, "-U", s.User, "--pwfile="+secret,
			"--auth=scram-sha-256", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"); err != nil {
			return err
		}
	}
	p.command = []string{
		filepath.Join(bin, "postgres"), "-D", data, "-h", s.Host, "-p", strconv.Itoa(s.Port), "-k", p.dir,
		"-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", "max_connections=300",
	}
	if tls {
		cert, key, err := s.certificate()
		if err != nil {
			return err
		}
		p.command = append(p.command, "-c", "ssl=on", "-c", "ssl_cert_file="+cert, "-c", "ssl_key_file="+key)
	}
	p.ready = func(ctx context.Context) error {
		err := s.exec(ctx, "postgres", "CREATE DATABASE "+s.DBName)
		if isDuplicate(err) {
			return nil // started again
		}
		return err
	}
	return nil
}

// prepareMariaDB makes a data directory, if there is none, and the command.
func prepareMariaDB(s *Server, tls bool) error {
	bin, err := findMariaDB()
	if err != nil {
		return err
	}
	p := s.process
	data := filepath.Join(p.dir, "data")
	if p.command == nil {
		if err := p.run(bin.install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal",
			"--skip-test-db", "--skip-name-resolve"); err != nil {
			return err
		}
	}
	init, err := p.write("init.sql", fmt.Appendf(nil,
		"CREATE USER IF NOT EXISTS %[1]s@'%%' IDENTIFIED BY '%[2]s';\nGRANT ALL ON *.* TO %[1]s@'%%' WITH GRANT OPTION;\n"+
			"CREATE DATABASE IF NOT EXISTS %[1]s;\n", s.User, s.Password))
	if err != nil {
		return err
	}
	p.command = []string{
		bin.server, "--no-defaults", "--datadir=" + data, "--port=" + strconv.Itoa(s.Port), "--bind-address=" + s.Host,
		"--socket=" + filepath.Join(p.dir, "s"), "--pid-file=" + filepath.Join(p.dir, "pid"), "--skip-name-resolve",
		"--init-file=" + init, "--innodb-flush-log-at-trx-commit=2",
	}
	if tls {
		cert, key, err := s.certificate()
		if err != nil {
			return err
		}
		p.command = append(p.command, "--ssl-cert="+cert, "--ssl-key="+key)
	}
	p.ready = func(ctx context.Context) error { return s.exec(ctx, s.DBName, "DO 0") }
	return nil
}

// findPostgres is the directory of the server's programs, which need not be in
// the path.
func findPostgres() (dir string, err error) {
	if _, err := exec.LookPath("psql"); err != nil {
		return "", fmt.Errorf("PostgreSQL's client is not installed: %w", err)
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL's server is not installed")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// mariaDB is where its programs are.
type mariaDB struct{ server, install, client string }

func findMariaDB() (*mariaDB, error) {
	var bin mariaDB
	for name, path := range map[string]*string{"mariadbd": &bin.server, "mariadb-install-db": &bin.install, "mariadb": &bin.client} {
		found, err := exec.LookPath(name)
		if err != nil {
			// Debian's path of an ordinary user lacks this directory.
			found, err = exec.LookPath(filepath.Join("/usr/sbin", name))
		}
		if err != nil {
			return nil, fmt.Errorf("MariaDB is not installed: %w", err)
		}
		*path = found
	}
	return &bin, nil
}
