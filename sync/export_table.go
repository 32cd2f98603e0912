package dbsync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// An export in the formats edn and parquet is a directory with
//
//	datoms-000001.edn.gz …    or datoms-000001.parquet …: datoms in the order of EAVT
//	schema.edn                what "schema" prints, if it has a text
//	manifest.edn              written last: what the export is of, its files and their digests
const (
	tableSchema   = "schema.edn"
	tableManifest = "manifest.edn"
	// tableFile is about how many bytes of datoms a file takes, before
	// compression, and datomBytes what one takes besides its value.
	tableFile  = 256 << 20
	datomBytes = 40
)

// tableNames are those of what an interrupted export leaves, with what rclone
// and we call a file before it is whole.
var tableNames = regexp.MustCompile(`^((datoms-\d{6,}\.(edn\.gz|parquet)|schema\.edn)((\.[0-9a-f]{8})?\.new)?|manifest\.edn(\.[0-9a-f]{8})?\.new)$`)

// exportTable writes an export in the format edn or parquet. One file is made
// after the other; it is in a temporary file until it is uploaded.
func exportTable(ctx context.Context, v view.View, dst fs.Fs, opt ExportOptions) (*ExportReport, error) {
	if err := clearTable(ctx, dst); err != nil {
		return nil, err
	}
	if opt.ChunkSize == 0 {
		opt.ChunkSize = tableFile
	}
	t := &tableExport{view: v, opt: opt, copier: transfer.NewCopier(dst, dst, time.Now()), report: &ExportReport{}}
	if err := t.run(ctx); err != nil {
		if t.file != nil {
			t.file.draft.Discard()
		}
		return nil, err
	}
	return t.report, nil
}

// clearTable removes what an interrupted export has left. Anything else that is
// there is not touched, and the export refused.
func clearTable(ctx context.Context, dst fs.Fs) error {
	var old []fs.Object
	entries, err := dst.List(ctx, "")
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil
	}
	for _, e := range entries {
		o, ok := e.(fs.Object)
		if e.Remote() == tableManifest {
			return refuse("%s holds an export already (%s): choose another place", dst, tableManifest)
		}
		if !ok || !tableNames.MatchString(e.Remote()) {
			return refuse("%s is not empty (%s): choose another place", dst, e.Remote())
		}
		old = append(old, o)
	}
	for _, o := range old {
		if err == nil {
			err = o.Remove(ctx)
		}
	}
	return err
}

// tableExport is one export.
type tableExport struct {
	view    view.View
	opt     ExportOptions
	copier  *transfer.Copier
	report  *ExportReport
	printed Printed
	files   fressian.Vector
	file    *tableOutput // that is being written
}

// tableOutput is a file of datoms.
type tableOutput struct {
	name   string
	draft  *transfer.Draft
	sum    hash.Hash
	bytes  int64
	zip    *gzip.Writer // of EDN
	w      render.Writer
	datoms int64
	size   int64 // about what its datoms take before compression, in bytes
}

// Write implements io.Writer for the compressed bytes.
func (o *tableOutput) Write(p []byte) (int, error) {
	o.sum.Write(p)
	o.bytes += int64(len(p))
	return o.draft.Write(p)
}

func (t *tableExport) run(ctx context.Context) error {
	err := t.view.Scan(ctx, datom.Query{Index: datom.EAVT, History: t.opt.History}, func(d datom.Datom) error {
		return t.datom(ctx, d)
	})
	if err == nil && t.report.Chunks == 0 && t.file == nil {
		err = t.begin(ctx) // a file without datoms says that there are none
	}
	if err == nil {
		err = t.end(ctx)
	}
	if err != nil {
		return err
	}
	t.report.Skipped = t.printed.Skipped
	schema, err := t.schema(ctx)
	if err != nil {
		return err
	}
	text, err := edn.Append(nil, t.manifest(schema))
	if err != nil {
		return err
	}
	return t.copier.Replace(ctx, tableManifest, append(text, '\n'))
}

// datom writes one, in the next file if this one is full.
func (t *tableExport) datom(ctx context.Context, d datom.Datom) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.file != nil && t.file.size >= t.opt.ChunkSize {
		if err := t.end(ctx); err != nil {
			return err
		}
	}
	if t.file == nil {
		if err := t.begin(ctx); err != nil {
			return err
		}
	}
	if err := t.file.w.Datom(d); err != nil {
		return t.printed.skip(t.view, t.opt.SkipErrors, err)
	}
	t.file.size += datomBytes + sizeOf(d.V)
	t.file.datoms++
	t.report.Datoms++
	return nil
}

// begin begins the next file.
func (t *tableExport) begin(ctx context.Context) (err error) {
	o := &tableOutput{name: fmt.Sprintf("datoms-%06d.", t.report.Chunks+1), sum: sha256.New()}
	var out io.Writer = o
	form := render.Format(t.opt.Format)
	if form == render.Parquet {
		o.name += "parquet"
	} else {
		o.name += "edn.gz"
		o.zip = gzip.NewWriter(o)
		out = o.zip
	}
	if o.draft, err = t.copier.NewDraft(ctx, o.name); err != nil {
		return err
	}
	t.file = o
	o.w, err = render.New(form, out, t.view.Schema())
	return err
}

// end ends the file and uploads it.
func (t *tableExport) end(ctx context.Context) error {
	o := t.file
	err := o.w.Close()
	if err == nil && o.zip != nil {
		err = o.zip.Close()
	}
	if err != nil {
		return err
	}
	t.file = nil
	if err := o.draft.Finish(ctx); err != nil {
		return err
	}
	t.report.Chunks++
	t.report.Bytes += o.bytes
	t.files = append(t.files, fileMap(o.name, o.bytes, o.sum.Sum(nil), fressian.Entry{Key: tableKey("datoms"), Value: o.datoms}))
	return nil
}

// schema writes the schema. One without text is left out, and noted.
func (t *tableExport) schema(ctx context.Context) (any, error) {
	var out bytes.Buffer
	if err := render.Schema(&out, t.view.Schema(), false); err != nil {
		t.report.Notes = append(t.report.Notes, tableSchema+" was left out: "+err.Error())
		return nil, nil
	}
	sum := sha256.Sum256(out.Bytes())
	return fileMap(tableSchema, int64(out.Len()), sum[:]), t.copier.Replace(ctx, tableSchema, out.Bytes())
}

func tableKey(name string) fressian.Keyword { return fressian.Keyword{Name: name} }

func fileMap(name string, size int64, sum []byte, more ...fressian.Entry) fressian.Map {
	return append(fressian.Map{
		{Key: tableKey("file"), Value: name}, {Key: tableKey("bytes"), Value: size}, {Key: tableKey("sha256"), Value: hex.EncodeToString(sum)},
	}, more...)
}

// manifest says what the export is.
func (t *tableExport) manifest(schema any) fressian.Map {
	i := t.view.Info()
	m := fressian.Map{
		{Key: tableKey("format"), Value: fressian.Keyword{NS: "rclone-datom", Name: t.opt.Format}}, {Key: tableKey("version"), Value: int64(1)},
		{Key: tableKey("kind"), Value: tableKey(string(i.Kind))}, {Key: tableKey("database"), Value: i.Database},
		{Key: tableKey("t"), Value: i.T}, {Key: tableKey("max-tx"), Value: i.MaxTx}, {Key: tableKey("history"), Value: t.opt.History},
		{Key: tableKey("datoms"), Value: t.report.Datoms}, {Key: tableKey("skipped"), Value: t.report.Skipped},
		{Key: tableKey("files"), Value: t.files},
	}
	if i.Branch != "" {
		m = append(m, fressian.Entry{Key: tableKey("branch"), Value: i.Branch})
	}
	if i.Point != "" {
		m = append(m, fressian.Entry{Key: tableKey("point"), Value: i.Point})
	}
	if schema != nil {
		m = append(m, fressian.Entry{Key: tableKey("schema"), Value: schema})
	}
	return m
}
