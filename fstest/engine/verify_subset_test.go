package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// readPart verifies a part and records that, as the command does.
func readPart(dst fs.Fs, opt dbsync.VerifyOptions) (*dbsync.VerifyReport, error) {
	opt.Record, opt.Dialect = true, datahike.New("")
	return dbsync.Verify(quick(), dst, opt)
}

func mustRead(t testing.TB, dst fs.Fs, opt dbsync.VerifyOptions) *dbsync.VerifyReport {
	t.Helper()
	rep, err := readPart(dst, opt)
	require.NoError(t, err)
	return rep
}

func statusOf(t testing.TB, dst fs.Fs, at string) *dbsync.StatusReport {
	t.Helper()
	rep, err := dbsync.VerifyStatus(quick(), dst, dbsync.StatusOptions{At: at})
	require.NoError(t, err)
	return rep
}

// reads counts how often each segment was read since Heal.
func reads(f *fault.Fs, ids []string) map[string]int {
	times := map[string]int{}
	for _, id := range ids {
		times[id] = f.Count(func(c fault.Call) bool {
			return c.Op == fault.Open && (c.Path == "store/"+id || c.Path == segmentName(graph.ID(id)))
		})
	}
	return times
}

func each(ids []string, n int) map[string]int {
	times := map[string]int{}
	for _, id := range ids {
		times[id] = n
	}
	return times
}

// generationsAt makes a point of each generation of a database.
func generationsAt(t testing.TB, dst fs.Fs, names ...string) (points []string) {
	t.Helper()
	src := local(t)
	for _, name := range names {
		become(t, src, fixture.Unpack(t, name))
		rep, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{Accept: []string{dbsync.AcceptDiverged}})
		require.NoError(t, err)
		points = append(points, rep.Point)
	}
	return points
}

// TestSubsetsReadEveryByteOnce: whatever t is, t runs read every segment of the
// point exactly once, and nothing else of the store; then nothing is unread.
func TestSubsetsReadEveryByteOnce(t *testing.T) {
	places := map[string]func(dst fs.Fs){
		"of the newest point": func(dst fs.Fs) { generationsAt(t, dst, generations...) },
		"with values":         func(dst fs.Fs) { generationsAt(t, dst, "g-storeref") },
		"of Datomic":          func(dst fs.Fs) { mustKeep(t, shelved(smallDatomic()), dst, dbsync.BackupOptions{}) },
	}
	for name, fill := range places {
		dst := fault.New(memory(t), fault.Options{})
		fill(dst)
		points, err := dbsync.Points(quick(), dst)
		require.NoError(t, err)
		point := points[len(points)-1]
		ids := listed(t, dst, point.ID)
		for _, parts := range []int{1, 2, 3, 2 + rand.IntN(40), snapshot.MaxParts} {
			t.Run(fmt.Sprintf("%s, of %d", name, parts), func(t *testing.T) {
				if o, err := dst.NewObject(quick(), "verified.edn"); err == nil {
					require.NoError(t, o.Remove(quick()))
				}
				dst.Heal()
				var segments, size int64
				for n := 1; n <= parts; n++ {
					if parts == snapshot.MaxParts && !slices.ContainsFunc(ids, func(id string) bool { return snapshot.PartOf(graph.ID(id), parts) == n }) {
						continue // these take long and read nothing
					}
					rep := mustRead(t, dst, dbsync.VerifyOptions{Subset: fmt.Sprintf("%d/%d", n, parts)})
					assert.Equal(t, point.Total, rep.Segments)
					segments, size = segments+rep.Reads, size+rep.ReadBytes
				}
				assert.Equal(t, each(ids, 1), reads(dst, ids))
				others := dst.Count(func(c fault.Call) bool {
					return c.Op == fault.Open && (strings.HasPrefix(c.Path, "store/") || strings.HasPrefix(c.Path, "values/"))
				})
				assert.Equal(t, len(ids), others)
				assert.EqualValues(t, len(ids), segments)
				assert.Equal(t, point.Total.Bytes, size)
				s := statusOf(t, dst, "")
				assert.Equal(t, [3]int64{point.Total.Segments, size, 0}, [3]int64{s.ReadSegments, s.ReadBytes, s.NeverSegments})
			})
		}
	}
}

// TestSubsetsOfChunks: the same of segments that lie in chunks, whose damage is
// told by one part too.
func TestSubsetsOfChunks(t *testing.T) {
	src, dst := remote(t, fixture.Unpack(t, "g-storeref")), memory(t)
	rep := backUp(t, src, dst, dbsync.BackupOptions{Layout: dbsync.LayoutChunked})
	const parts = 4
	var segments, size int64
	for n := 1; n <= parts; n++ {
		part := mustRead(t, dst, dbsync.VerifyOptions{Subset: fmt.Sprintf("%d/%d", n, parts)})
		segments, size = segments+part.Reads, size+part.ReadBytes
	}
	assert.Equal(t, [2]int64{rep.Total.Segments, rep.Total.Bytes}, [2]int64{segments, size})
	s := statusOf(t, dst, "")
	assert.Equal(t, [2]int64{rep.Total.Segments, 0}, [2]int64{s.ReadSegments, s.NeverSegments})

	place, err := snapshot.Find(quick(), dst)
	require.NoError(t, err)
	m, err := place.Manifest(quick(), rep.Point)
	require.NoError(t, err)
	closure, err := place.Closure(quick(), m)
	require.NoError(t, err)
	img := dump(t, dst)
	for line, err := range closure.All() {
		require.NoError(t, err)
		e, err := graph.ParseEntry(line)
		require.NoError(t, err)
		if !e.At.InChunk() || rand.IntN(4) > 0 {
			continue
		}
		data, where := inChunk(t, img, e.At), rand.Int64N(e.At.Stored)
		data[where] ^= 1
		harmed, drop := holding(t, memory, img)
		for n := 1; n <= parts; n++ {
			part, err := readPart(harmed, dbsync.VerifyOptions{Subset: fmt.Sprintf("%d/%d", n, parts)})
			require.NotNil(t, part, err)
			if snapshot.PartOf(e.ID, parts) == n {
				require.Len(t, part.Faults, 1)
				assert.Equal(t, string(e.ID), part.Faults[0].ID)
			} else {
				assert.Empty(t, part.Faults)
			}
		}
		drop()
		data[where] ^= 1
	}
}

// inChunk are the bytes of an image that hold a segment.
func inChunk(t testing.TB, img image, at graph.Location) []byte {
	t.Helper()
	backup, number, _ := strings.Cut(at.Chunk, "/")
	n, err := strconv.Atoi(number)
	require.NoError(t, err)
	for name, data := range img {
		if strings.HasSuffix(name, fmt.Sprintf("%s/chunks/segments-%06d.zip", backup, n)) {
			return data[at.Offset : at.Offset+at.Stored]
		}
	}
	require.Fail(t, "no chunk", at.Chunk)
	return nil
}

// TestSubsetOfDatomicsOwn: a backup that Datomic alone has made is read in
// parts as well. That is not recorded, for Datomic may change it.
func TestSubsetOfDatomicsOwn(t *testing.T) {
	a := smallDatomic()
	dst, drop := holding(t, memory, native(t, a))
	defer drop()
	n := int64(0)
	for _, part := range []string{"1/2", "2/2"} {
		n += mustRead(t, dst, dbsync.VerifyOptions{Subset: part}).Reads
	}
	assert.EqualValues(t, len(a.Segments), n)
	assert.NotContains(t, dump(t, dst), "verified.edn")
	_, err := dbsync.VerifyStatus(quick(), dst, dbsync.StatusOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
}

// TestSubsetFindsAFlip: damage is told by the one part that has it, and that
// run is not recorded.
func TestSubsetFindsAFlip(t *testing.T) {
	sound := memory(t)
	point := generationsAt(t, sound, "h-gen1")[0]
	all, ids := dump(t, sound), listed(t, sound, point)
	for what, harm := range map[string]func(b []byte) []byte{
		"flipped": func(b []byte) []byte { return append(b[:len(b)-1:len(b)-1], b[len(b)-1]^1) },
		"torn":    func(b []byte) []byte { return b[:len(b)/2] },
		"missing": nil,
	} {
		t.Run(what, func(t *testing.T) {
			id := ids[rand.IntN(len(ids))]
			img := all.with(nil)
			delete(img, "store/"+id)
			if harm != nil {
				img["store/"+id] = harm(all["store/"+id])
			}
			dst, drop := holding(t, memory, img)
			defer drop()
			const parts = 5
			found := 0
			for n := 1; n <= parts; n++ {
				rep, err := readPart(dst, dbsync.VerifyOptions{Subset: fmt.Sprintf("%d/%d", n, parts)})
				if snapshot.PartOf(graph.ID(id), parts) != n {
					require.NoError(t, err)
					continue
				}
				found++
				require.ErrorIs(t, err, dbsync.ErrFaults)
				require.Len(t, rep.Faults, 1)
				assert.Equal(t, id, rep.Faults[0].ID)
			}
			assert.Equal(t, 1, found)
			s := statusOf(t, dst, "")
			assert.Positive(t, s.NeverSegments)
			assert.Equal(t, parts-1, s.Records)
		})
	}
}

// TestStatusFollowsBackups: what a new point adds was not read, what it shares
// with one that was is; --since reads just the former.
func TestStatusFollowsBackups(t *testing.T) {
	dst := fault.New(memory(t), fault.Options{})
	first := generationsAt(t, dst, "h-gen1")[0]
	s := statusOf(t, dst, "")
	assert.Equal(t, s.Segments, s.NeverSegments)
	assert.Nil(t, s.Oldest)
	deep := mustRead(t, dst, dbsync.VerifyOptions{Deep: true})
	s = statusOf(t, dst, "")
	assert.Equal(t, [3]int64{deep.Segments.Segments, 0, deep.Segments.Segments}, [3]int64{s.ReadSegments, s.NeverSegments, s.Ages[0].Segments})

	before := listed(t, dst, first)
	second := generationsAt(t, dst, "h-gen2")[0]
	fresh := slices.DeleteFunc(listed(t, dst, second), func(id string) bool { return slices.Contains(before, id) })
	s = statusOf(t, dst, "")
	assert.EqualValues(t, len(fresh), s.NeverSegments)
	assert.Zero(t, statusOf(t, dst, first).NeverSegments)

	dst.Heal()
	rep := mustRead(t, dst, dbsync.VerifyOptions{Deep: true, Since: first})
	assert.EqualValues(t, len(fresh), rep.Reads)
	assert.Equal(t, each(fresh, 1), reads(dst, fresh))
	assert.Equal(t, each(before, 0), reads(dst, before))
	assert.Zero(t, statusOf(t, dst, "").NeverSegments)

	_, err := dbsync.VerifyStatus(quick(), dst, dbsync.StatusOptions{MaxAge: time.Hour})
	require.NoError(t, err)
	late, err := dbsync.VerifyStatus(quick(), dst, dbsync.StatusOptions{MaxAge: time.Nanosecond})
	require.ErrorIs(t, err, dbsync.ErrOverdue)
	assert.Equal(t, late.Segments, late.OverdueSegments)
}

// TestStatusIsExact: for random records about random points, what is said of
// each point is what follows from the points' lists.
func TestStatusIsExact(t *testing.T) {
	dst := memory(t)
	points := generationsAt(t, dst, generations...)
	lists := map[string][]string{}
	for _, p := range points {
		lists[p] = listed(t, dst, p)
	}
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Now().UTC().Truncate(time.Millisecond)
	some := func() string { return points[r.IntN(len(points))] }
	for range 60 {
		var records []snapshot.Verified
		for range r.IntN(6) {
			v := snapshot.Verified{Point: some(), Parts: 1 + r.IntN(3), Time: now.Add(-time.Duration(r.IntN(100)) * 24 * time.Hour), Segments: 1}
			v.Part = 1 + r.IntN(v.Parts)
			if r.IntN(2) == 0 {
				v.Since = some()
			}
			if r.IntN(6) == 0 {
				v.Point = strings.Replace(v.Point, "2", "1", 1) // nobody has it
			}
			if r.IntN(6) == 0 {
				v.Time = now.Add(time.Hour) // that is to come
			}
			records = append(records, v)
		}
		data, err := snapshot.EncodeVerified(records)
		require.NoError(t, err)
		write(t, dst, "verified.edn", data)
		for _, p := range points {
			want := map[time.Time]int64{}
			never := int64(0)
			for _, id := range lists[p] {
				var last time.Time
				for _, v := range records {
					covers := slices.Contains(lists[v.Point], id) && !slices.Contains(lists[v.Since], id) &&
						snapshot.PartOf(graph.ID(id), v.Parts) == v.Part && !v.Time.After(now)
					if covers && v.Time.After(last) {
						last = v.Time
					}
				}
				if last.IsZero() {
					never++
				} else {
					want[last]++
				}
			}
			s := statusOf(t, dst, p)
			require.Equal(t, never, s.NeverSegments, "%s: %+v", p, records)
			if len(want) > 0 {
				times := slices.SortedFunc(maps.Keys(want), time.Time.Compare)
				require.WithinDuration(t, times[0], *s.Oldest, 0)
				require.WithinDuration(t, times[len(times)-1], *s.Newest, 0)
			}
			week := int64(0)
			for at, n := range want {
				if s.Time.Sub(at) <= 7*24*time.Hour {
					week += n
				}
			}
			require.Equal(t, week, s.Ages[0].Segments+s.Ages[1].Segments)
		}
	}
}

// TestStatusAfterAReset: what was released and came back since it was read may
// have been written anew, so that it counts as read by nobody.
func TestStatusAfterAReset(t *testing.T) {
	dst := memory(t)
	points := generationsAt(t, dst, "h-gen3")
	mustRead(t, dst, dbsync.VerifyOptions{Subset: "1/1"})
	points = append(points, generationsAt(t, dst, "h-gen2", "h-gen3")...)
	old, middle := listed(t, dst, points[0]), listed(t, dst, points[1])
	s := statusOf(t, dst, "")
	both := int64(0)
	for _, id := range listed(t, dst, points[2]) {
		if slices.Contains(old, id) && slices.Contains(middle, id) {
			both++
		}
	}
	assert.Equal(t, both, s.ReadSegments)
	assert.Positive(t, s.NeverSegments)
}

// TestRecordsAreDamaged: records that cannot be read count for nothing and are
// begun anew; those of a newer version are left alone.
func TestRecordsAreDamaged(t *testing.T) {
	dst := memory(t)
	point := generationsAt(t, dst, "h-gen1")[0]
	mustRead(t, dst, dbsync.VerifyOptions{Deep: true})
	good := string(dump(t, dst)["verified.edn"])
	for what, bad := range map[string]string{
		"empty":              "",
		"no EDN":             "\x00{",
		"cut":                good[:len(good)/2],
		"deep":               strings.Repeat("[", 1<<19),
		"too large":          good + strings.Repeat(" ", 1<<20),
		"a list":             "(1 2 3)",
		"no version":         strings.Replace(good, ":format/version 1", ":format/version 0", 1),
		"part 2 of 1":        strings.Replace(good, ":verified/part 1", ":verified/part 2", 1),
		"of no parts":        strings.Replace(good, ":verified/parts 1", ":verified/parts 0", 1),
		"of many parts":      strings.Replace(good, ":verified/parts 1", ":verified/parts 10001", 1),
		"a path":             strings.Replace(good, point, point+"/../x", 1),
		"no point":           strings.Replace(good, point, "x", 1),
		"fewer than nothing": strings.Replace(good, ":verified/bytes ", ":verified/bytes -", 1),
	} {
		t.Run(what, func(t *testing.T) {
			require.NotEqual(t, good, bad)
			write(t, dst, "verified.edn", []byte(bad))
			s := statusOf(t, dst, "")
			assert.Equal(t, [2]int64{s.Segments, 0}, [2]int64{s.NeverSegments, int64(s.Records)})
			mustRead(t, dst, dbsync.VerifyOptions{Subset: "1/1"})
			s = statusOf(t, dst, "")
			assert.Equal(t, [2]int64{0, 1}, [2]int64{s.NeverSegments, int64(s.Records)})
		})
	}
	newer := strings.Replace(good, ":format/version 1", ":format/version 2", 1)
	write(t, dst, "verified.edn", []byte(newer))
	mustRead(t, dst, dbsync.VerifyOptions{Deep: true})
	assert.Equal(t, newer, string(dump(t, dst)["verified.edn"]))
	_, err := dbsync.VerifyStatus(quick(), dst, dbsync.StatusOptions{})
	require.ErrorIs(t, err, graph.ErrUnsupported)
}

// TestRecordsAreBounded: the newest thousand are kept.
func TestRecordsAreBounded(t *testing.T) {
	dst := memory(t)
	point := generationsAt(t, dst, "h-gen1")[0]
	old := slices.Repeat([]snapshot.Verified{{Point: point, Time: time.Unix(1, 0), Part: 1, Parts: 1, Segments: 1}}, 1500)
	data, err := snapshot.EncodeVerified(old)
	require.NoError(t, err)
	write(t, dst, "verified.edn", data)
	mustRead(t, dst, dbsync.VerifyOptions{Subset: "1/1"})
	records, err := snapshot.Open(dst).Verified(quick())
	require.NoError(t, err)
	assert.Len(t, records, 1000)
	assert.Greater(t, records[999].Time, time.Unix(1, 0))
}

// TestNothingIsRecorded: by a look without reading, by a dry run, where it is
// not asked for; and that it cannot be written is no failure.
func TestNothingIsRecorded(t *testing.T) {
	dst := fault.New(memory(t), fault.Options{})
	generationsAt(t, dst, "h-gen1")
	before := dump(t, dst)
	mustRead(t, dst, dbsync.VerifyOptions{})
	dry, ci := fs.AddConfig(quick())
	ci.DryRun = true
	_, err := dbsync.Verify(dry, dst, dbsync.VerifyOptions{Subset: "1/1", Record: true})
	require.NoError(t, err)
	_, err = dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Subset: "1/1"})
	require.NoError(t, err)
	dst.Inject(fault.Rule{N: 1, Dead: true, Match: func(c fault.Call) bool { return c.Op.Writes() }})
	mustRead(t, dst, dbsync.VerifyOptions{Subset: "1/1"})
	require.NotNil(t, dst.Tripped())
	dst.Heal()
	assert.Empty(t, before.differs(dump(t, dst)))
}

// TestSubsetRefused: what is no part, and what cannot be compared.
func TestSubsetRefused(t *testing.T) {
	dst := memory(t)
	generationsAt(t, dst, "h-gen1")
	for _, s := range []string{"0/1", "2/1", "1", "1/0", "-1/2", "1/10001", "1/2/3", "a/b", "/", "1/ 2", "10%", "+1/2"} {
		_, err := readPart(dst, dbsync.VerifyOptions{Subset: s})
		assert.ErrorContains(t, err, "is no part", "%q", s)
	}
	_, err := readPart(dst, dbsync.VerifyOptions{Since: "nothing"})
	require.ErrorIs(t, err, fs.ErrorObjectNotFound)
	_, err = readPart(dst, dbsync.VerifyOptions{Deep: true, Datoms: true, Subset: "1/2"})
	require.Error(t, err)
	require.False(t, errors.Is(err, dbsync.ErrFaults))
}
