package fressian

// MaxDepth is how deeply values may nest, cache references counted as what
// they stand for.
const MaxDepth = 512

// maxExpansion bounds the values that cache references stand for, per byte of
// input: without it a few references to references make billions.
const maxExpansion = 1024

// maxCached bounds the entries of each cache: an entry takes some thirty times
// the bytes that make it. What one value shares are a few thousand strings.
const maxCached = 1 << 20

// maxBuilt bounds the values that one Read makes, which take ten times their
// bytes and more.
const maxBuilt = 1 << 22

// cached is one entry of the priority cache. Its value is decoded when first
// needed, and then kept.
type cached struct {
	off     int   // of the value, behind its PUT code
	weight  int64 // values in it, references counted as what they stand for
	height  int   // levels of nesting in it
	struct0 int   // scursor at off
	done    bool  // its end has been seen: it may be referred to
	str     bool  // it is a string
	known   bool  // value is set
	value   any
}

// place is a position in the bytes with the cache state that belongs to it.
// Bytes may be walked again from an earlier place: the nth PUT then finds the
// entry it made the first time, since cursor counts PUTs from the left.
type place struct {
	pos     int
	cursor  int // PUTs passed = index of the next entry
	base    int // index of the first entry after the last reset
	scursor int // the same two for the struct cache
	sbase   int
}

// forget consumes a RESET_CACHES code. Entries stay, for walks of bytes before.
func (r *Reader) forget() error {
	if r.puts > 0 {
		return r.fail("caches reset inside a cached value")
	}
	r.pos++
	r.base, r.sbase = r.cursor, r.scursor
	return nil
}

// compact drops the entries that a reset has made unreachable. Only at a
// place where nobody goes back.
func (r *Reader) compact() {
	r.entries = append(r.entries[:0], r.entries[r.base:]...)
	r.structs = append(r.structs[:0], r.structs[r.sbase:]...)
	r.cursor, r.base = len(r.entries), 0
	r.scursor, r.sbase = len(r.structs), 0
}

// put is a PUT in progress.
type put struct {
	index int
	nodes int64
	peak  int
}

// beginPut passes a PUT code.
func (r *Reader) beginPut() (put, error) {
	if r.cursor >= maxCached {
		return put{}, r.fail("more than %d cached values", maxCached)
	}
	p := put{index: r.cursor, nodes: r.nodes, peak: r.peak}
	r.pos++
	if r.cursor == len(r.entries) {
		r.entries = append(r.entries, cached{off: r.pos, struct0: r.scursor})
	}
	r.cursor++
	r.puts++
	r.peak = r.depth
	return p, nil
}

func (r *Reader) endPut(p put) {
	e := &r.entries[p.index]
	if !e.done {
		e.weight = r.nodes - p.nodes
		e.height = r.peak - r.depth
		e.str = r.stringAt(e.off, p.index+1)
		e.done = true
	}
	r.puts--
	r.peak = max(r.peak, p.peak)
	r.high = max(r.high, r.pos)
}

// stringAt tells whether the walked value at off, behind which the next PUT
// has index next, is a string or stands for one.
func (r *Reader) stringAt(off, next int) bool {
	switch c := r.buf[off]; {
	case c == codePutPriority:
		return r.entries[next].str
	case c >= codePriority0 && c < codeStruct0, c == codeGetPriority:
		i, _, err := r.refAt(off)
		return err == nil && r.entries[i].str
	default:
		return isString(c)
	}
}

// refAt reads the cache reference at off and returns the index of its entry
// and the offset behind it.
func (r *Reader) refAt(off int) (index, end int, err error) {
	was := r.pos
	r.pos = off + 1
	n := int64(r.buf[off]) - codePriority0
	if r.buf[off] == codeGetPriority {
		n, err = r.rawInt()
	}
	end, r.pos = r.pos, was
	switch {
	case err != nil:
		return 0, 0, err
	case n < 0 || n >= int64(r.cursor-r.base):
		return 0, 0, r.fail("cache reference %d of %d", n, r.cursor-r.base)
	case !r.entries[r.base+int(n)].done:
		return 0, 0, r.fail("cache reference %d to the value around it", n)
	}
	return r.base + int(n), end, nil
}

// skipRef passes a cache reference.
func (r *Reader) skipRef() error {
	i, end, err := r.refAt(r.pos)
	if err != nil {
		return err
	}
	e := &r.entries[i]
	r.nodes += e.weight
	r.peak = max(r.peak, r.depth+e.height)
	switch {
	case r.peak > MaxDepth:
		return r.fail("nested deeper than %d", MaxDepth)
	case r.nodes > maxExpansion*int64(len(r.buf)) && r.pos >= r.high:
		return r.fail("cache references expand to %d values", r.nodes)
	}
	r.pos = end
	return nil
}

// within returns the place of the value of entry i.
func (r *Reader) within(i int) place {
	p := r.place
	e := &r.entries[i]
	p.pos, p.cursor, p.scursor = e.off, i+1, e.struct0
	return p
}
