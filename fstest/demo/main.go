// Command demo shows the program at work and checks what it does: it makes a
// sample database in a temporary directory, backs it up before and after
// changes, and restores both moments, whose files must be the ones that the
// database had then. "make demo" runs it with bin/rclone-datom, from the root
// of the repository; another binary may be given as argument.
package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
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
	say("Both restores are byte for byte what the database was.")
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
	d := demo{binary: binary, dir: dir}
	return d.all()
}

// demo works in one directory: the database is in "people", its backup in
// "backup".
type demo struct {
	binary string
	dir    string
	db     *sample.DB
}

// moment is a database at one time: its newest commit on :db, and the content
// of every file that belongs to it.
type moment struct {
	commit string
	files  map[string]string
}

func (d *demo) all() (err error) {
	say("A database of 5000 people, twelve facts about each.")
	d.db, err = sample.Create(filepath.Join(d.dir, "people"), sample.Options{Seed: 1, Entities: 5000})
	if err != nil {
		return err
	}
	if err := d.rclone("backup", ":datahike,store=people:", "backup"); err != nil {
		return err
	}
	first, err := d.moment()
	if err != nil {
		return err
	}
	say("Two transactions, a branch, and a transaction on that.")
	if err := d.change(); err != nil {
		return err
	}
	say("The next backup costs what has changed.")
	if err := d.rclone("backup", ":datahike,store=people:", "backup"); err != nil {
		return err
	}
	second, err := d.moment()
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"backups", "backup"}, {"verify", "backup", "--deep"}} {
		if err := d.rclone(args...); err != nil {
			return err
		}
	}
	say("The first moment, by its commit, and the newest.")
	if err := d.restore(first, "before", "--at", first.commit); err != nil {
		return err
	}
	return d.restore(second, "after")
}

func (d *demo) change() error {
	for range 2 {
		if err := d.db.Transact(3); err != nil {
			return err
		}
	}
	if err := d.db.Branch(":feature", ":db"); err != nil {
		return err
	}
	return d.db.OnBranch(":feature").Transact(2)
}

// moment reads what belongs to the database now.
func (d *demo) moment() (moment, error) {
	commits := d.db.Facts()[":db"].Commits
	m := moment{commits[len(commits)-1], map[string]string{}}
	for _, name := range d.db.Reachable() {
		data, err := os.ReadFile(filepath.Join(d.dir, "people", name))
		if err != nil {
			return m, err
		}
		m.files[name] = string(data)
	}
	return m, nil
}

// restore restores into a new directory and compares it with the moment.
func (d *demo) restore(want moment, target string, options ...string) error {
	if err := d.rclone(append([]string{"restore", "backup", target}, options...)...); err != nil {
		return err
	}
	got := map[string]string{}
	list, err := os.ReadDir(filepath.Join(d.dir, target))
	if err != nil {
		return err
	}
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(d.dir, target, f.Name()))
		if err != nil {
			return err
		}
		got[f.Name()] = string(data)
	}
	if maps.Equal(want.files, got) {
		fmt.Printf("%d files, all as they were\n", len(got))
		return nil
	}
	return fmt.Errorf("%s: %s", target, differences(want.files, got))
}

func differences(want, got map[string]string) string {
	var d []string
	for name, data := range want {
		if other, ok := got[name]; !ok {
			d = append(d, name+" is missing")
		} else if other != data {
			d = append(d, name+" differs")
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			d = append(d, name+" was not there")
		}
	}
	slices.Sort(d)
	return strings.Join(d, ", ")
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
