package dbsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/view"
)

// ExportOptions are an export's choices.
type ExportOptions struct {
	// Format is one of Formats.
	Format string
	// History exports what was retracted, and the retractions.
	History bool
	// SkipErrors leaves out datoms that the format cannot hold, and counts
	// them. Otherwise the first one ends the export.
	SkipErrors bool
	// ChunkSize is how many bytes of datoms make a file, before compression; 0
	// is what the format's own tool does.
	ChunkSize int64
	// Parallel is how many files are uploaded at a time; 0 means 4.
	Parallel int
}

// ExportReport says what was exported.
type ExportReport struct {
	Format   string `json:"format"`
	Database string `json:"database"`
	// Point is that of a backup which was read.
	Point string `json:"point,omitempty"`
	// Path is where the export lies, below the destination.
	Path    string `json:"path,omitempty"`
	Datoms  int64  `json:"datoms"`
	Chunks  int64  `json:"chunks"`
	Bytes   int64  `json:"bytes"`
	Skipped int64  `json:"skipped,omitempty"`
	// Resumed is how many of the chunks an interrupted run had finished.
	Resumed int64 `json:"resumed,omitempty"`
	// Notes say what the format could not take over, such as what a migration
	// leaves behind.
	Notes   []string `json:"notes,omitempty"`
	DryRun  bool     `json:"dryRun,omitempty"`
	Seconds float64  `json:"seconds"`
}

// exporter writes the datoms of a view in a format, the mark that it is whole
// last.
type exporter func(ctx context.Context, v view.View, dst fs.Fs, opt ExportOptions) (*ExportReport, error)

var exporters = map[string]exporter{
	"datacamp": exportDatacamp,
	"datahike": exportDump,
	"edn":      exportTable,
	"parquet":  exportTable,
}

// Formats are those of exports.
func Formats() []string { return slices.Sorted(maps.Keys(exporters)) }

// defaultParallel is how many files are uploaded at a time.
const defaultParallel = 4

// Export writes the datoms of a value to dst. What is there without the mark
// of a whole export is taken for an interrupted one.
func Export(ctx context.Context, v view.View, dst fs.Fs, opt ExportOptions) (*ExportReport, error) {
	export, ok := exporters[opt.Format]
	if !ok {
		return nil, fserrors.NoRetryError(fmt.Errorf("--format %q is not known: choose one of %s", opt.Format, strings.Join(Formats(), ", ")))
	}
	if opt.ChunkSize < 0 || opt.Parallel < 0 {
		return nil, refuse("--chunk-size %d, --parallel %d: neither can be less than nothing", opt.ChunkSize, opt.Parallel)
	}
	ctx, cancel, err := begin(ctx, "an export", dst.Name())
	if err != nil {
		return nil, err
	}
	defer cancel()
	if opt.Parallel == 0 {
		opt.Parallel = defaultParallel
	}
	info := v.Info()
	if opt.History && !info.History {
		return nil, refuse("the database keeps no history: export without --history")
	}
	began := time.Now()
	rep := &ExportReport{Datoms: max(info.Datoms, 0), DryRun: true}
	if !fs.GetConfig(ctx).DryRun {
		rep, err = export(ctx, v, dst, opt)
	}
	if err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	rep.Format, rep.Database, rep.Point = opt.Format, info.Database, info.Point
	rep.Seconds = time.Since(began).Seconds()
	return rep, nil
}
