package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	examples = root + "/docs/examples"
	// installed and its job file are named in several examples.
	installed = "/usr/local/bin/rclone-datom"
	jobsEDN   = "/etc/rclone-datom/jobs.edn"
)

// example reads an example file.
func example(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(examples, name))
	require.NoError(t, err)
	return string(data)
}

// accepts checks that the binary understands a command line of an example. The
// job file is an example as well; its jobs are listed only.
func (u *user) accepts(args []string) {
	u.Helper()
	i := slices.Index(args, jobsEDN)
	require.Positive(u, i, "%q", args)
	args = slices.Clone(args)
	args[i] = u.path("jobs.edn")
	require.NoError(u, os.WriteFile(args[i], []byte(example(u.T, "rds-to-s3.edn")), 0o600))
	assert.Contains(u, u.ok(append(args, "--list")...).out, "\nsessions ")
}

// TestExampleJobs: each job file is understood, and its remotes are in the
// configuration of the same name, with settings that there are.
func TestExampleJobs(t *testing.T) {
	u := newUser(t)
	options := u.options()
	files, err := filepath.Glob(examples + "/*.edn")
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".edn")
		config := sections(example(t, name+".conf"))
		for remote, settings := range config {
			kind := settings["type"]
			delete(settings, "type")
			require.Contains(t, options, kind, remote)
			for option := range settings {
				assert.Contains(t, options[kind], option, "%s of %s", remote, name)
			}
		}
		require.NoError(t, os.WriteFile(u.path("jobs.edn"), []byte(example(t, name+".edn")), 0o600))
		var jobs []struct{ Job, Source, Destination, EncryptWith string }
		u.report(&jobs, "run", "jobs.edn", "--list")
		require.Len(t, jobs, 2)
		for _, j := range jobs {
			for _, remote := range []string{j.Source, j.Destination, j.EncryptWith} {
				if remote, _, _ = strings.Cut(remote, ":"); remote != "" {
					assert.Contains(t, config, remote, j.Job)
				}
			}
		}
	}
}

// options are the options of each backend.
func (u *user) options() map[string]map[string]bool {
	u.Helper()
	var providers []struct {
		Name    string
		Options []struct{ Name string }
	}
	require.NoError(u, json.Unmarshal([]byte(u.ok("config", "providers").out), &providers))
	all := map[string]map[string]bool{}
	for _, p := range providers {
		all[p.Name] = map[string]bool{}
		for _, o := range p.Options {
			all[p.Name][o.Name] = true
		}
	}
	return all
}

// sections reads files as rclone and systemd have them. Of a key that is there
// several times the values are joined by line feeds.
func sections(text string) map[string]map[string]string {
	all := map[string]map[string]string{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
			all[section] = map[string]string{}
		case all[section][key] != "":
			all[section][key] += "\n" + value
		default:
			all[section][key] = value
		}
	}
	return all
}

func TestExampleCronJob(t *testing.T) {
	u := newUser(t)
	type named struct {
		Name string
	}
	var job struct {
		Kind string
		Spec struct {
			Schedule          string
			ConcurrencyPolicy string `yaml:"concurrencyPolicy"`
			JobTemplate       struct {
				Spec struct {
					Template struct {
						Spec struct {
							RestartPolicy string `yaml:"restartPolicy"`
							Containers    []struct {
								Args         []string
								Env          []named
								VolumeMounts []struct {
									Name      string
									MountPath string `yaml:"mountPath"`
								} `yaml:"volumeMounts"`
							}
							Volumes []named
						}
					}
				}
			} `yaml:"jobTemplate"`
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(example(t, "cronjob.yaml")), &job))
	assert.Equal(t, "CronJob", job.Kind)
	assert.Len(t, strings.Fields(job.Spec.Schedule), 5)
	assert.Equal(t, "Forbid", job.Spec.ConcurrencyPolicy)
	pod := job.Spec.JobTemplate.Spec.Template.Spec
	assert.Equal(t, "Never", pod.RestartPolicy)
	require.Len(t, pod.Containers, 1)
	c := pod.Containers[0]
	u.accepts(c.Args)
	mounted := map[string]bool{}
	for _, m := range c.VolumeMounts {
		assert.Contains(t, pod.Volumes, named{m.Name})
		mounted[m.MountPath] = true
	}
	assert.True(t, mounted[filepath.Dir(jobsEDN)])
	assert.True(t, mounted["/tmp"], "the rest is read-only")
	for _, v := range c.Env {
		option, ok := strings.CutPrefix(v.Name, "RCLONE_DATOMIC_")
		require.True(t, ok, v.Name)
		assert.Contains(t, u.options()["datomic"], strings.ToLower(option))
	}
}

func TestExampleUnits(t *testing.T) {
	u := newUser(t)
	service, timer := example(t, "rclone-datom.service"), example(t, "rclone-datom.timer")
	run := sections(service)["Service"]
	assert.Equal(t, "oneshot", run["Type"])
	args := strings.Fields(run["ExecStart"])
	require.Equal(t, installed, args[0])
	u.accepts(args[1:])
	assert.NotEmpty(t, sections(timer)["Timer"]["OnCalendar"])
	assert.Equal(t, "timers.target", sections(timer)["Install"]["WantedBy"])

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not here: read as text only")
		return
	}
	for name, text := range map[string]string{"rclone-datom.service": service, "rclone-datom.timer": timer} {
		text = strings.ReplaceAll(text, installed, binary)
		require.NoError(t, os.WriteFile(u.path(name), []byte(text), 0o600))
	}
	c := exec.Command(analyze, "verify", "--man=no", u.path("rclone-datom.service"), u.path("rclone-datom.timer"))
	out, err := c.CombinedOutput()
	assert.NoError(t, err)
	assert.Empty(t, string(out))
}

// instruction is a line of a Dockerfile.
var instruction = regexp.MustCompile(`(?m)^([A-Z]+) +(.*)$`)

func TestExampleImage(t *testing.T) {
	u := newUser(t)
	var stage map[string]string // the last one
	for _, m := range instruction.FindAllStringSubmatch(example(t, "Dockerfile"), -1) {
		if m[1] == "FROM" {
			stage = map[string]string{}
		}
		stage[m[1]] = m[2]
	}
	assert.Equal(t, "--from=build /src/bin/rclone-datom "+installed, stage["COPY"])
	assert.Regexp(t, `^nonroot`, stage["USER"])
	assert.JSONEq(t, `["`+installed+`"]`, stage["ENTRYPOINT"])
	var args []string
	require.NoError(t, json.Unmarshal([]byte(stage["CMD"]), &args))
	u.accepts(args)
	assert.Equal(t, "RCLONE_CONFIG="+filepath.Dir(jobsEDN)+"/rclone.conf", stage["ENV"])
}
