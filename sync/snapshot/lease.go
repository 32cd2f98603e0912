package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"olympos.io/encoding/edn"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// leaseTime is how long a lease lasts unless it is renewed, which happens
// every third of it.
const leaseTime = 5 * time.Minute

// maxLease bounds a lease in bytes; see maxManifest.
const maxLease = 1 << 16

// ErrLeased means that another run is writing to the destination.
var ErrLeased = errors.New("another run is writing to this destination")

// errLeaseLost ends a run that could not renew its lease in time.
var errLeaseLost = errors.New("the lease on the destination could not be renewed and has run out")

// Lease keeps a second writer out. Each run has an object of its own, so that
// two runs that start together see each other, and both give way.
type Lease struct {
	Run  string `edn:"run"`
	Host string `edn:"host"`
	// Space tells which processes PID counts: two containers may share a
	// host's name.
	Space   string    `edn:"process-space"`
	PID     int       `edn:"pid"`
	Started time.Time `edn:"started"`
	Expires time.Time `edn:"expires"`
}

// running are this process's runs: a lease that bears our own process id and
// is not among them is a dead run's.
var running sync.Map

// alive tells whether the lease's holder may still be writing. A process that
// is gone from this host has lost its lease at once.
func (l Lease) alive(now time.Time) bool {
	if now.After(l.Expires) {
		return false
	}
	if space := ProcessSpace(); space == "" || space != l.Space {
		return true
	}
	if l.PID == os.Getpid() {
		_, ok := running.Load(l.Run)
		return ok
	}
	return processExists(l.PID)
}

func (l Lease) refuse(place string) error {
	return fserrors.NoRetryError(fmt.Errorf("%w: %s: process %d on %s since %s; wait for it, or if it is dead for the lease to lapse at %s",
		ErrLeased, place, l.PID, l.Host, l.Started.UTC().Format(time.RFC3339), l.Expires.UTC().Format(time.RFC3339)))
}

// readLease returns a run's lease and whether it has a sound one.
func (p *Place) readLease(ctx context.Context, run string) (l Lease, ok bool, err error) {
	b, err := p.files.Get(ctx, graph.ID(p.runName(run, leaseName)))
	if errors.Is(err, graph.ErrNotFound) {
		return l, false, nil
	}
	if err != nil {
		return l, false, err
	}
	err = fmt.Errorf("it has %d bytes", len(b))
	if len(b) <= maxLease {
		err = edn.Unmarshal(b, &l)
	}
	if err != nil {
		return l, false, fserrors.NoRetryError(fmt.Errorf("the lease %s of %s cannot be read (%w): if no backup is running, delete it",
			p.runName(run, leaseName), p, err))
	}
	return l, true, nil
}

// takeLease writes this run's lease and looks whether somebody else has one.
// It returns the ids of the runs that have none and left notes behind.
func (r *Run) takeLease(ctx context.Context) (stale []string, err error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	now := r.place.Now()
	r.lease = Lease{Run: r.ID, Host: host, Space: ProcessSpace(), PID: os.Getpid(), Started: now, Expires: now.Add(leaseTime)}
	running.Store(r.ID, true)
	if err := r.writeLease(ctx, r.lease); err != nil {
		running.Delete(r.ID)
		return nil, err
	}
	stale, err = r.others(ctx)
	if err != nil {
		r.dropLease(ctx)
	}
	return stale, err
}

// others returns the stale runs; a live one is an error.
func (r *Run) others(ctx context.Context) (stale []string, err error) {
	runs, err := r.place.dirs(ctx, r.place.runsDir())
	if err != nil {
		return nil, err
	}
	for _, id := range runs {
		if id == r.ID {
			continue
		}
		l, ok, err := r.place.readLease(ctx, id)
		if err != nil {
			return nil, err
		}
		if ok && l.alive(r.place.Now()) {
			return nil, l.refuse(r.place.String())
		}
		stale = append(stale, id)
	}
	return stale, nil
}

func (r *Run) writeLease(ctx context.Context, l Lease) error {
	b, err := edn.MarshalPPrint(l, nil)
	if err != nil {
		return err
	}
	o, err := r.copier.Put(ctx, r.place.runName(r.ID, leaseName), b)
	if err == nil {
		r.mu.Lock()
		r.written = o
		r.mu.Unlock()
	}
	return err
}

// renew keeps the lease until ctx ends; if it runs out, the run is cancelled.
func (r *Run) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(leaseTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if r.place.Now().After(r.expires()) {
			cancel(errLeaseLost) // somebody may have one by now
			return
		}
		l := r.lease
		l.Expires = r.place.Now().Add(leaseTime)
		if err := r.writeLease(ctx, l); err != nil {
			fs.Logf(nil, "Failed to renew the lease, will try again: %v", err)
		} else {
			r.mu.Lock()
			r.lease.Expires = l.Expires
			r.mu.Unlock()
		}
		if r.place.Now().After(r.expires()) {
			cancel(errLeaseLost)
			return
		}
	}
}

func (r *Run) expires() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lease.Expires
}

func (r *Run) dropLease(ctx context.Context) {
	running.Delete(r.ID)
	r.mu.Lock()
	o := r.written
	r.mu.Unlock()
	if o == nil {
		return // it was never written
	}
	if err := o.Remove(ctx); err != nil && !errors.Is(err, fs.ErrorObjectNotFound) {
		fs.Logf(nil, "Failed to remove the lease %s; it lapses by itself: %v", r.place.runName(r.ID, leaseName), err)
	}
	// Notes of an unfinished run keep the directory; that is no error.
	if r.place.rmdir(ctx, r.place.runName(r.ID)) == nil {
		_ = r.place.rmdir(ctx, r.place.runsDir())
	}
}

// remove deletes an object; one that is not there is no error.
func (p *Place) remove(ctx context.Context, name string) error {
	o, err := p.F.NewObject(ctx, name)
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return o.Remove(ctx)
}

// Unfinished is a run that has made no point, or is about to.
type Unfinished struct {
	ID string
	// Live: it holds a lease, and its process may be at work.
	Live bool
}

// Unfinished returns the runs that have left something, oldest first.
func (p *Place) Unfinished(ctx context.Context) ([]Unfinished, error) {
	ids, err := p.dirs(ctx, p.runsDir())
	if err != nil {
		return nil, err
	}
	runs := make([]Unfinished, 0, len(ids))
	for _, id := range ids {
		l, ok, err := p.readLease(ctx, id)
		if err != nil {
			return nil, err
		}
		runs = append(runs, Unfinished{id, ok && l.alive(p.Now())})
	}
	return runs, nil
}
