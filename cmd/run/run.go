// Package run is the command "run": the backups that a job file describes.
//
// It is no rc call, and must not become one: a job file names programs to
// start, and whoever may reach the remote control could start any.
package run

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/cmd/run/jobs"
)

var list, asJSON bool

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.BoolVarP(f, &list, "list", "", false, "Show the jobs, and run none", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print an array with a report of each job as JSON", "")
	// rclone gives every command its own completion before it parses the
	// command line; this comes after that.
	cobra.OnInitialize(func() { command.ValidArgsFunction = complete })
}

var command = &cobra.Command{
	Use:   "run FILE [JOB…]",
	Short: `Run the backups that a job file describes.`,
	Long: `This runs jobs of a file, one after another: those that are named, in that
order, or all of them in the file's order. A job is a backup with its settings,
and programs to run before and after:

    {:orders  {:source "orders:"  :destination "gcs:bucket/orders"  :pace 10}
     :billing {:source "billing:" :destination "s3:bucket/billing"
               :encrypt-with "vault:"
               :hooks {:on-failure ["/usr/local/bin/page" "billing"]}}}

    rclone-datom run jobs.edn
    rclone-datom run jobs.edn orders --progress
    rclone-datom run jobs.edn --list
    rclone-datom run jobs.edn --dry-run
    rclone-datom run jobs.edn --json

Keys of a job:

    :source        a database remote
    :destination   any remote or path
    :encrypt-with  a crypt remote, whose passwords encrypt the destination
    :pace          ms of rest per segment (Datomic); overrides the remote's
    :connections   connections to the database (Datomic); overrides the remote's
    :layout        :native or :chunked (default what the destination has)
    :accept :repair :online-gc-copy
                   as the flags of backup: [:diverged], true, true
    :hooks         {:before […] :after […] :on-failure […] :timeout "5m"}

A hook is an argument vector, or a vector of them; there is no shell. It is told
what happens by its environment: RCLONE_DATOM_JOB, _HOOK, _SOURCE, _DESTINATION,
_STATUS, _POINT and _ERROR. If one fails, or takes longer than :timeout, so does
its job. A dry run runs none.

When a job fails the others are run all the same, and the exit code is that of
the first failure. Retries (--retries) are made job by job, without its hooks.

A file that others may write, or replace, is refused: it names programs that run
with your rights.
`,
	Annotations: map[string]string{"groups": "Copy,Important"},
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1000, command, args)
		cli.Once(command, func(ctx context.Context) error { return run(ctx, args[0], args[1:]) })
	},
}

func run(ctx context.Context, file string, names []string) error {
	all, err := load(file)
	if err == nil {
		all, err = choose(all, names)
	}
	if err != nil {
		return fserrors.NoRetryError(err)
	}
	if list {
		return show(listed(all), printList)
	}
	results, err := runAll(ctx, all)
	return cmp.Or(err, show(results, printResults))
}

// show prints for programs or for people.
func show[T any](v []T, print func(io.Writer, []T) error) error {
	if asJSON {
		return cli.PrintJSON(v)
	}
	return print(os.Stdout, v)
}

// choose returns the named jobs, each once, or all of them.
func choose(all []jobs.Job, names []string) ([]jobs.Job, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []jobs.Job
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		n := slices.IndexFunc(all, func(j jobs.Job) bool { return j.Name == name })
		if n < 0 {
			return nil, fmt.Errorf("there is no job %s; there are: %s", name, strings.Join(jobNames(all), " "))
		}
		chosen = append(chosen, all[n])
	}
	return chosen, nil
}

func jobNames(all []jobs.Job) (names []string) {
	for _, j := range all {
		names = append(names, j.Name)
	}
	return names
}

// complete offers files that may be job files, and then the jobs.
func complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return []string{"edn"}, cobra.ShellCompDirectiveFilterFileExt
	}
	all, err := load(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	left := slices.DeleteFunc(jobNames(all), func(name string) bool { return slices.Contains(args[1:], name) })
	return left, cobra.ShellCompDirectiveNoFileComp
}
