package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// datahikeDemo is a Datahike database that the sample generator writes, in
// "people", and its backup in "people-backup".
type datahikeDemo struct {
	*demo
	db *sample.DB
}

// moment is a database at one time: its newest commit on :db, and the content
// of every file that belongs to it.
type moment struct {
	commit string
	files  map[string]string
}

func (d *demo) datahike() error {
	say("Datahike: a database of 5000 people, twelve facts about each.")
	db, err := sample.Create(filepath.Join(d.dir, "people"), sample.Options{Seed: 1, Entities: 5000})
	if err != nil {
		return err
	}
	return (&datahikeDemo{d, db}).run()
}

func (d *datahikeDemo) run() error {
	backup := []string{"backup", ":datahike,store=people:", "people-backup"}
	if err := d.rclone(backup...); err != nil {
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
	second, err := d.moment()
	if err != nil {
		return err
	}
	if err := d.all(backup, []string{"backups", "people-backup"}, []string{"verify", "people-backup", "--deep"}); err != nil {
		return err
	}
	say("The first moment, by its commit, and the newest.")
	if err := d.restore(first, "before", "--at", first.commit); err != nil {
		return err
	}
	return d.restore(second, "after")
}

func (d *datahikeDemo) change() error {
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
func (d *datahikeDemo) moment() (moment, error) {
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
func (d *datahikeDemo) restore(want moment, target string, options ...string) error {
	if err := d.rclone(append([]string{"restore", "people-backup", target}, options...)...); err != nil {
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
