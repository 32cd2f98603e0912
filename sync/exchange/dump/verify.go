package dump

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
)

// Checked says what a verification has read.
type Checked struct {
	Chunks, Datoms, Bytes, Blobs int64
	// Ordered: records are in the order of transactions. A dump made with
	// :sort? false is not, and sound all the same.
	Ordered bool
}

// held is what one chunk has.
type held struct {
	digest      Digest
	first, last int64 // transactions
	maxE        int64
	ordered     bool
	retracted   bool // something
	sound       bool
}

// Verify reads everything and calls fault with each thing that is wrong, one at
// a time; those errors match graph.ErrNotFound, ErrCorrupt, ErrTooLarge or
// ErrUnsupported, and name the file. The error that it returns is of another
// kind: the dump could not be read on.
func (d *Dump) Verify(ctx context.Context, fault func(error)) (Checked, error) {
	v := &verification{Dump: d, fault: fault, chunks: make([]held, len(d.Manifest.Chunks))}
	numbers := make([]int, len(v.chunks))
	for i := range numbers {
		numbers[i] = i
	}
	if err := pool.Each(ctx, d.workers, numbers, v.chunk); err != nil {
		return v.done, err
	}
	v.whole()
	if refs := d.Manifest.StoreRefs; refs != nil {
		if err := pool.Each(ctx, d.workers, refs.Carried, v.blob); err != nil {
			return v.done, err
		}
	}
	return v.done, nil
}

type verification struct {
	*Dump
	mu     sync.Mutex
	fault  func(error)
	chunks []held
	done   Checked
}

// tell reports what is wrong with the dump, and returns any other error.
func (v *verification) tell(err error) error {
	if !damaged(err) {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fault(err)
	return nil
}

func (v *verification) chunk(ctx context.Context, i int) error {
	c := v.Manifest.Chunks[i]
	h := &v.chunks[i]
	h.ordered = true
	digest, err := v.Dump.chunk(ctx, c, func(d datom.Datom) error {
		if h.first == 0 {
			h.first = d.Tx
		}
		h.retracted = h.retracted || !d.Added
		h.ordered = h.ordered && d.Tx >= h.last
		h.last = max(h.last, d.Tx)
		if d.E < tx0 {
			h.maxE = max(h.maxE, d.E)
		}
		return nil
	})
	if err == nil && h.retracted && !v.Manifest.History {
		err = fmt.Errorf("%s: %w: it has retractions, and %s says that there is no history", c.File, graph.ErrCorrupt, ManifestName)
	}
	if err != nil {
		return v.tell(err)
	}
	h.digest, h.sound = digest, true
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done.Chunks++
	v.done.Datoms += digest.Count
	v.done.Bytes += c.Bytes
	return nil
}

// whole compares all chunks with the manifest, if all of them were read.
func (v *verification) whole() {
	var all Digest
	var maxE, last int64
	v.done.Ordered = true
	for _, h := range v.chunks {
		if !h.sound {
			v.done.Ordered = false
			return
		}
		all.Join(h.digest)
		v.done.Ordered = v.done.Ordered && h.ordered && h.first >= last
		maxE, last = max(maxE, h.maxE), max(last, h.last)
	}
	m := v.Manifest
	for _, err := range m.whole(all) {
		v.fault(err)
	}
	if maxE > m.Stats.MaxE || last > m.Stats.MaxTx {
		v.fault(wrong("there are entity %d and transaction %d, and it says %d and %d are the largest", maxE, last, m.Stats.MaxE, m.Stats.MaxTx))
	}
}

// wrong is what is wrong with a manifest.
func wrong(format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", ManifestName, graph.ErrCorrupt, fmt.Sprintf(format, args...))
}

// whole compares the digest of all records with what the manifest says of them.
func (m *Manifest) whole(all Digest) (faults []error) {
	if all != m.Digest {
		faults = append(faults, wrong("the records have the digest %s, and it says %s", all, m.Digest))
	}
	if all.Count != m.Stats.Datoms {
		faults = append(faults, wrong("there are %d datoms, and it says %d", all.Count, m.Stats.Datoms))
	}
	if n := m.Stats.Source - all.Count; n > 0 && !m.Stats.Transformed {
		faults = append(faults, wrong("%d datoms of the database are missing", n))
	}
	return faults
}

// blob reads an object that the dump carries.
func (v *verification) blob(ctx context.Context, id fressian.UUID) error {
	size, err := v.check(ctx, id)
	if err != nil {
		return v.tell(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done.Blobs++
	v.done.Bytes += size
	return nil
}

// damaged tells whether an error is about the dump, and not about reading it.
func damaged(err error) bool {
	return errors.Is(err, graph.ErrNotFound) || errors.Is(err, graph.ErrCorrupt) ||
		errors.Is(err, graph.ErrTooLarge) || errors.Is(err, graph.ErrUnsupported)
}
