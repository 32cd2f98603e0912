package judge

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

//go:embed clj
var sources embed.FS

// errMissing says what a machine lacks, and what brings it.
var errMissing = errors.New("scripts/prepare.sh installs default-jre-headless and maven")

var versionTag = regexp.MustCompile(`<datomic\.version>([^<]+)<`)

// unpack writes the sources into a directory.
func unpack() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "judge-"); err != nil {
		return "", err
	}
	return dir, os.CopyFS(dir, sources)
}

// jars returns the directory of Datomic and all that it needs, which Maven
// fills if there is none. from has the sources.
func jars(from string) (dir string, err error) {
	pom := filepath.Join(from, "clj", "pom.xml")
	if dir, err = jarsPath(pom); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("no Maven: %w; %w", err, errMissing)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	// The directory takes its name once it is complete: others may be looking.
	temp, err := os.MkdirTemp(filepath.Dir(dir), "fetching-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	fetch := exec.Command(maven, "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+temp)
	if out, err := fetch.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetching Datomic's jars: %w: %s", err, out)
	}
	if err := os.Rename(temp, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil {
			return "", err
		}
	}
	return dir, nil
}

// jarsPath is where the jars of a version lie.
func jarsPath(pom string) (string, error) {
	if dir := os.Getenv("DATOM_JARS"); dir != "" {
		return dir, nil
	}
	text, err := os.ReadFile(pom)
	if err != nil {
		return "", err
	}
	version := versionTag.FindSubmatch(text)
	if version == nil {
		return "", fmt.Errorf("%s names no version of Datomic", pom)
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "rclone-datom", "datomic-"+string(version[1])), err
}
