package snapshot

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path"
	"time"

	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const (
	verifiedName    = "verified.edn"
	verifiedVersion = 1
	// maxVerified bounds the records that are kept, maxVerifiedBytes the object
	// that has them.
	maxVerified      = 1000
	maxVerifiedBytes = 1 << 20
)

// MaxParts bounds in how many parts a point can be verified.
const MaxParts = 10_000

// VerifiedName is where a place has the records of what was read when: one
// object beside the points. Two verifications at once may lose a record; what
// is said of a point is then less than the truth, never more.
func (p *Place) VerifiedName() string { return path.Join(p.dir, verifiedName) }

// Verified records a verification that read bytes and found no fault in them:
// of the segments that Point reaches and Since does not, those of part Part of
// Parts (see [PartOf]).
type Verified struct {
	Point string `edn:"snapshot/id"`
	// Time is when the reading began.
	Time  time.Time `edn:"verified/time"`
	Part  int       `edn:"verified/part"`
	Parts int       `edn:"verified/parts"`
	// Since is empty where everything that Point reaches was meant.
	Since    string `edn:"verified/since,omitempty"`
	Segments int64  `edn:"verified/segments"`
	Bytes    int64  `edn:"verified/bytes"`
}

// verifiedFile is the object's content, oldest record first.
type verifiedFile struct {
	FormatVersion int        `edn:"format/version"`
	Records       []Verified `edn:"verified/records"`
}

// PartOf is the part, from 1, of so many to which a segment belongs. It follows
// from the id alone (FNV-1a, 64 bits), so that it is the same for every point.
func PartOf(id graph.ID, parts int) int {
	h := fnv.New64a()
	_, _ = io.WriteString(h, string(id)) // it never fails
	return int(h.Sum64()%uint64(parts)) + 1
}

// Verified reads what was recorded, oldest first; nothing where there is no
// record. What cannot be read is graph.ErrCorrupt, or graph.ErrUnsupported if a
// newer version wrote it.
func (p *Place) Verified(ctx context.Context) ([]Verified, error) {
	name := graph.ID(p.VerifiedName())
	size, err := p.files.Size(ctx, name)
	if errors.Is(err, graph.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if size > maxVerifiedBytes {
		return nil, fmt.Errorf("%s of %s has %d bytes: %w", name, p, size, graph.ErrCorrupt)
	}
	b, err := p.files.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	records, err := DecodeVerified(b)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", name, p, err)
	}
	return records, nil
}

// DecodeVerified reads what [EncodeVerified] wrote.
func DecodeVerified(b []byte) ([]Verified, error) {
	if len(b) > maxVerifiedBytes {
		return nil, fmt.Errorf("%d bytes: %w", len(b), graph.ErrCorrupt)
	}
	if nests(b) {
		return nil, fmt.Errorf("nests too deeply: %w", graph.ErrCorrupt)
	}
	var version struct {
		FormatVersion int `edn:"format/version"`
	}
	if err := edn.Unmarshal(b, &version); err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrCorrupt, err)
	}
	if version.FormatVersion > verifiedVersion {
		return nil, fmt.Errorf("format version %d, this program reads up to %d; use a newer rclone-datom: %w",
			version.FormatVersion, verifiedVersion, graph.ErrUnsupported)
	}
	var file verifiedFile
	if err := edn.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrCorrupt, err)
	}
	if file.FormatVersion < 1 {
		return nil, fmt.Errorf("bad :format/version: %w", graph.ErrCorrupt)
	}
	for _, r := range file.Records {
		if !r.valid() {
			return nil, fmt.Errorf("bad record of point %.60q: %w", r.Point, graph.ErrCorrupt)
		}
	}
	return newestVerified(file.Records), nil
}

// valid tells whether names can be used as such, and numbers mean something.
func (r Verified) valid() bool {
	for _, id := range []string{r.Point, r.Since} {
		if _, err := IDTime(id); id != "" && (err != nil || graph.CheckName(id) != nil) {
			return false
		}
	}
	return r.Point != "" && !r.Time.IsZero() && r.Segments >= 0 && r.Bytes >= 0 &&
		1 <= r.Part && r.Part <= r.Parts && r.Parts <= MaxParts
}

// EncodeVerified returns the newest of some records, oldest first, as EDN.
func EncodeVerified(records []Verified) ([]byte, error) {
	b, err := edn.MarshalPPrint(verifiedFile{verifiedVersion, newestVerified(records)}, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to encode %s: %w", verifiedName, err)
	}
	return append(b, '\n'), nil
}

func newestVerified(records []Verified) []Verified {
	return records[max(len(records)-maxVerified, 0):]
}
