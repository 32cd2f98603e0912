package judge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Refusal is what Datomic answered instead of doing what it was asked.
type Refusal struct {
	Kind    string `json:"kind"` // such as ":restore/collision"; may be empty
	Message string `json:"error"`
}

func (r *Refusal) Error() string {
	if r.Kind == "" {
		return "Datomic fails: " + r.Message
	}
	return "Datomic refuses: " + r.Kind + " " + r.Message
}

// process is the JVM. It reads requests, a line each, and ends when there is
// nobody left to send one. clj/judge/main.clj describes the lines.
type process struct {
	stdin io.WriteCloser
	log   *os.File // what the JVM complains about

	mu      sync.Mutex
	last    int
	waiting map[int]chan<- answer
	dead    error
}

type answer struct {
	Number int             `json:"number"`
	Value  json.RawMessage `json:"value"`
	*Refusal
}

// hasty are flags for short work and small databases: half of the start would be
// spent on compiling what runs once, and an index would have but one directory.
var hasty = []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djudge.leavesPerDir=5"}

// launch starts a JVM and waits until it has loaded Datomic.
func launch(flags ...string) (*process, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("no Java: %w; %w", err, errMissing)
	}
	from, err := unpack()
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(from) }() // loaded by then
	dir, err := jars(from)
	if err != nil {
		return nil, err
	}
	p := &process{waiting: map[int]chan<- answer{}}
	if p.log, err = os.CreateTemp("", "judge-log-"); err != nil {
		return nil, err
	}
	if err := os.Remove(p.log.Name()); err != nil {
		return nil, err
	}
	path := filepath.Join(from, "clj") + string(os.PathListSeparator) + filepath.Join(dir, "*")
	cmd := exec.Command(java, append(flags, "-Xmx4g", "-cp", path, "clojure.main", "-m", "judge.main")...)
	cmd.Dir, cmd.Stderr = dir, p.log // it leaves directories where it is
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	ready := make(chan answer, 1)
	p.waiting[0] = ready
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout, cmd)
	if _, ok := <-ready; !ok {
		return nil, p.dead
	}
	return p, nil
}

// read hands answers to those who wait for them, until the JVM ends.
func (p *process) read(stdout io.Reader, cmd *exec.Cmd) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		var a answer
		if err == nil {
			err = json.Unmarshal(line, &a)
		}
		if err != nil {
			p.end(errors.Join(err, cmd.Wait()))
			return
		}
		p.mu.Lock()
		to := p.waiting[a.Number]
		delete(p.waiting, a.Number)
		p.mu.Unlock()
		to <- a
	}
}

// end tells all who wait that no answer will come.
func (p *process) end(err error) {
	const tail = 4 << 10
	said := make([]byte, tail)
	if size, seekErr := p.log.Seek(0, io.SeekEnd); seekErr == nil {
		n, _ := p.log.ReadAt(said, max(0, size-tail))
		said = said[:n]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = fmt.Errorf("the JVM ended: %w; it said: %s", err, said)
	for _, to := range p.waiting {
		close(to)
	}
	clear(p.waiting)
}

// ask sends a request and waits for its answer, which goes into value. An
// operation that has begun goes on when ctx ends.
func (p *process) ask(ctx context.Context, value any, operation string, args ...any) error {
	got := make(chan answer, 1)
	if err := p.send(got, operation, args); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case a, ok := <-got:
		switch {
		case !ok:
			return p.dead
		case a.Refusal != nil:
			return a.Refusal
		case value == nil:
			return nil
		}
		return json.Unmarshal(a.Value, value)
	}
}

// send writes a request and notes who waits for its answer.
func (p *process) send(got chan<- answer, operation string, args []any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead != nil {
		return p.dead
	}
	p.last++
	line, err := json.Marshal(append([]any{p.last, operation}, args...))
	if err != nil {
		return err
	}
	p.waiting[p.last] = got
	_, err = p.stdin.Write(append(line, '\n'))
	return err
}
