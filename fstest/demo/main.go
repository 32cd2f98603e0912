// Command demo shows the program at work and checks what it does: it backs up a
// sample database of each kind before and after changes, in a temporary
// directory, and restores both moments, which must be what the databases were
// then. "make demo" runs it with bin/rclone-datom, from the root of the
// repository; another binary may be given as argument.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	binary := filepath.Join("bin", "rclone-datom")
	if len(os.Args) > 1 {
		binary = os.Args[1]
	}
	if err := run(binary); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	say("All restores are byte for byte what the databases were.")
}

func run(binary string) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "demo")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d := demo{binary, dir}
	if err := d.datahike(); err != nil {
		return err
	}
	return d.datomic()
}

// demo works in one directory.
type demo struct{ binary, dir string }

// all runs several commands.
func (d *demo) all(commands ...[]string) error {
	for _, args := range commands {
		if err := d.rclone(args...); err != nil {
			return err
		}
	}
	return nil
}

// rclone prints a command and runs it, without anybody's configuration.
func (d *demo) rclone(args ...string) error {
	fmt.Println("$ rclone-datom", strings.Join(args, " "))
	c := exec.Command(d.binary, args...)
	c.Dir, c.Env = d.dir, append(os.Environ(), "RCLONE_CONFIG=")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("rclone-datom %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func say(text string) { fmt.Printf("\n# %s\n", text) }
