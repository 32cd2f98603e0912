package dbsync

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/exchange/datacamp"
)

// ErrNotForeign is matched when a place holds no datoms that were exported.
var ErrNotForeign = errNotForeign

// ForeignOptions are the choices of [VerifyForeign].
type ForeignOptions struct {
	// At names one of many backups in datacamp's format; empty means the newest
	// that is complete.
	At string
}

// ForeignReport says what an export holds and everything that is wrong with it.
type ForeignReport struct {
	// Format is as in [ExportOptions].
	Format   string `json:"format"`
	Database string `json:"database,omitempty"`
	// Path is where it lies, below the place that was named.
	Path string `json:"path,omitempty"`
	// Chunks, Datoms and Bytes are those of sound chunks.
	Chunks int64 `json:"chunks"`
	Datoms int64 `json:"datoms"`
	Bytes  int64 `json:"bytes"`
	// Skipped is how many datoms the export has left out, as it says.
	Skipped int64 `json:"skipped,omitempty"`
	// Faults name files.
	Faults []Fault `json:"faults"`
}

// VerifyForeign reads a whole export that lies at f, in datacamp's format or in
// that of Datahike's dumps, and holds it against its manifest. If there are
// faults it returns ErrFaults beside the report. If f holds nothing of the kind
// the error matches ErrNotForeign.
func VerifyForeign(ctx context.Context, f fs.Fs, opt ForeignOptions) (*ForeignReport, error) {
	rep, err := verifyDump(ctx, f, opt.At)
	if errors.Is(err, errNotForeign) {
		rep, err = verifyDatacamp(ctx, f, opt.At)
	}
	if err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	if n := len(rep.Faults); n > 0 {
		return rep, fserrors.NoRetryError(fmt.Errorf("%w: %d faults in %s: %s", ErrFaults, n, path.Join(f.Root(), rep.Path), rep.Faults[0].What))
	}
	return rep, nil
}

// fault adds what is wrong with a file.
func (r *ForeignReport) fault(name string, err error) {
	if len(r.Faults) < MaxFaults {
		r.Faults = append(r.Faults, Fault{name, err.Error()})
	}
}

func verifyDatacamp(ctx context.Context, f fs.Fs, at string) (*ForeignReport, error) {
	dir, err := findDatacamp(ctx, f, at)
	if err != nil {
		return nil, err
	}
	v, err := datacamp.Verify(ctx, filesIn(f, dir), min(fs.GetConfig(ctx).Transfers, runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join(f.Root(), dir), err)
	}
	rep := &ForeignReport{
		Format: "datacamp", Database: v.Manifest.Database, Path: dir, Skipped: v.Manifest.Skipped,
		Chunks: v.Chunks, Datoms: v.Datoms, Bytes: v.Bytes, Faults: []Fault{},
	}
	for _, fault := range v.Faults {
		rep.fault(fault.Path, fault.Err)
	}
	return rep, nil
}

func verifyDump(ctx context.Context, f fs.Fs, at string) (*ForeignReport, error) {
	d, err := findDump(ctx, f)
	if err != nil {
		return nil, err
	}
	if at != "" {
		return nil, refuse("%s has one dump, which is verified as a whole: leave --at %s out", f, at)
	}
	rep := &ForeignReport{Format: "datahike", Faults: []Fault{}}
	checked, err := d.Verify(ctx, func(err error) { rep.fault("", err) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	rep.Chunks, rep.Datoms, rep.Bytes = checked.Chunks, checked.Datoms, checked.Bytes
	return rep, nil
}
