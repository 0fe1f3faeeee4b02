package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// bbolt maps its file and trusts every byte of it: one flipped bit is a panic, a fault, an endless
// recursion or another record's bytes. So a file is read here first, with plain reads, each page at
// most once. The format is bbolt's version 2:
//
//	meta page 0, meta page 1   where the root is, with a checksum; the higher transaction counts
//	branch page                keys and the pages below them
//	leaf page                  keys and values; a value may be a bucket, with its page inside or apart
//	free list                  pages that no tree has; may be absent
//
// The elements of a page are packed without gaps, so each bit of a page's header and of its
// elements has one right value. Bits of keys and values are guarded by seals, see seal.go.

const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = ^uint64(0)

	pageHeader    = 16
	elementSize   = 16 // of a branch and of a leaf
	bucketHeader  = 16
	metaSize      = 64
	metaSummed    = 56 // bytes before the checksum
	branchPage    = 0x01
	leafPage      = 0x02
	metaPage      = 0x04
	freelistPage  = 0x10
	bucketElement = 0x01

	// maxDepth bounds nesting of pages. A tree of depth 16 with two keys a page has more leaves
	// than a file of 128 MiB; bbolt's have a hundred.
	maxDepth = 64
)

var order = binary.LittleEndian // bbolt writes as the machine does; all that Go runs peers on are

// ErrNewer means that a file was written by a later version of the program.
var ErrNewer = errors.New("written by a newer version of aquanode")

// A damage is something wrong at a place of a file.
type damage struct {
	page uint64
	what string
}

func (d damage) Error() string { return fmt.Sprintf("page %d: %s", d.page, d.what) }

type meta struct {
	pageSize         uint32
	root, free, high uint64 // pages; high is the number of them
	transaction      uint64
}

// elsewhere is the path of damage that loses no record by itself.
var elsewhere = []string{"", "elsewhere"}

// A reader walks the pages of a bbolt file.
type reader struct {
	file io.ReaderAt
	size int64
	meta meta

	seen []bool // pages that are in use
	// record is called for each key with a value, in order within a bucket. Slices belong to it.
	record func(path []string, key, value []byte)
	// broken is called between records, where something is missing or wrong.
	broken func(path []string, d damage)
}

// open reads the meta pages. It reports damage of one of them to broken and goes on with the other.
func (r *reader) open() error {
	if r.size == 0 {
		return errors.New("the file is empty")
	}
	var metas [2]*meta
	var errs [2]error // also of metas that can be used
	metas[0], errs[0] = r.readMeta(0, 0)
	pageSize := int64(0)
	if metas[0] != nil {
		pageSize = int64(metas[0].pageSize)
	} else { // the second one is where the size of pages puts it
		for guess := int64(512); guess <= 1<<16 && pageSize == 0; guess *= 2 {
			if m, err := r.readMeta(1, guess); m != nil && int64(m.pageSize) == guess || errors.Is(err, ErrNewer) {
				pageSize = guess
			}
		}
	}
	if pageSize > 0 {
		metas[1], errs[1] = r.readMeta(1, pageSize)
	}
	if errors.Is(errs[0], ErrNewer) || errors.Is(errs[1], ErrNewer) {
		return ErrNewer
	}
	switch {
	case pageSize == 0:
		return damage{0, "no valid header: not a database, or its beginning is damaged"}
	case metas[0] != nil && metas[1] != nil && metas[0].pageSize != metas[1].pageSize:
		return damage{0, "headers contradict each other"}
	}
	lost := ""
	for i, m := range metas {
		if m == nil {
			lost = "; the newest change may be missing"
		} else if r.meta.pageSize == 0 || m.transaction > r.meta.transaction {
			r.meta = *metas[i]
		}
	}
	for i, err := range errs {
		if err != nil {
			r.broken(elsewhere, damage{uint64(i), fmt.Sprintf("header: %v%s", err, lost)})
		}
	}
	if have := uint64(r.size) / uint64(r.meta.pageSize); have < r.meta.high {
		r.broken(elsewhere, damage{have, fmt.Sprintf("the file ends after %d of %d pages", have, r.meta.high)})
	}
	r.seen = make([]bool, min(r.meta.high, uint64(r.size)/uint64(r.meta.pageSize)))
	return nil
}

// readMeta reads a meta page. One with an error may still be of use: of a single flipped bit the
// checksum tells which.
func (r *reader) readMeta(page uint64, pageSize int64) (*meta, error) {
	b := make([]byte, pageHeader+metaSize)
	if _, err := r.file.ReadAt(b, int64(page)*pageSize); err != nil {
		return nil, err
	}
	h, b := b[:pageHeader], b[pageHeader:]
	var err error
	if order.Uint64(h) != page || order.Uint16(h[8:]) != metaPage {
		err = errors.New("wrong page header")
	}
	if !summed(b) {
		err = errors.New("wrong checksum")
		for bit := 0; bit < 8*metaSize && !summed(b); bit++ {
			b[bit/8] ^= 1 << (bit % 8)
			if !summed(b) {
				b[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
	m := &meta{
		pageSize: order.Uint32(b[8:]), root: order.Uint64(b[16:]),
		free: order.Uint64(b[32:]), high: order.Uint64(b[40:]), transaction: order.Uint64(b[48:]),
	}
	switch magic, version := order.Uint32(b), order.Uint32(b[4:]); {
	case !summed(b), magic != boltMagic:
		return nil, errors.New("wrong checksum")
	case version > boltVersion:
		return nil, ErrNewer
	case version != boltVersion, m.pageSize < 512 || m.pageSize > 1<<16 || m.pageSize&(m.pageSize-1) != 0 || m.high < 2:
		return nil, errors.New("impossible values")
	}
	return m, err
}

func summed(meta []byte) bool {
	sum := fnv.New64a()
	sum.Write(meta[:metaSummed])
	return sum.Sum64() == order.Uint64(meta[metaSummed:])
}

// walk goes through all buckets from the root.
func (r *reader) walk() {
	r.tree(nil, r.meta.root, nil, nil, 0)
	if r.meta.free != noFreelist {
		if d := r.freelist(); d != nil {
			r.broken(elsewhere, *d)
		}
	}
}

// page reads a page with those that it overflows into.
func (r *reader) page(id uint64, kinds ...uint16) ([]byte, *damage) {
	if id < 2 || id >= uint64(len(r.seen)) {
		return nil, &damage{id, "is outside of the file"}
	}
	if r.seen[id] {
		return nil, &damage{id, "is used twice"}
	}
	size := int64(r.meta.pageSize)
	head := make([]byte, size)
	if _, err := r.file.ReadAt(head, int64(id)*size); err != nil {
		return nil, &damage{id, err.Error()}
	}
	kind, more := order.Uint16(head[8:]), uint64(order.Uint32(head[12:]))
	switch {
	case order.Uint64(head) != id:
		return nil, &damage{id, "has the number of another page"}
	case !slices.Contains(kinds, kind):
		return nil, &damage{id, fmt.Sprintf("is of kind %#x, which does not belong here", kind)}
	case more >= uint64(len(r.seen))-id:
		return nil, &damage{id, "is longer than the file"}
	}
	for i := id; i <= id+more; i++ {
		if r.seen[i] {
			return nil, &damage{i, "is used twice"}
		}
	}
	b := head
	if more > 0 {
		b = make([]byte, int64(more+1)*size)
		if _, err := r.file.ReadAt(b, int64(id)*size); err != nil {
			return nil, &damage{id, err.Error()}
		}
	}
	for i := id; i <= id+more; i++ {
		r.seen[i] = true
	}
	return b, nil
}

// An element is an entry of a branch or leaf page.
type element struct {
	key, value []byte
	bucket     bool
	page       uint64 // below, of a branch
}

// elements takes a page apart. Keys are to be from low on and below high; nil is no bound.
func elements(b []byte, id uint64, pageSize int, low, high []byte) ([]element, *damage) {
	wrong := func(what string, i int) *damage { return &damage{id, fmt.Sprintf("entry %d: %s", i, what)} }
	leaf, n := order.Uint16(b[8:]) == leafPage, int(order.Uint16(b[10:]))
	at := pageHeader + n*elementSize
	if at > len(b) || n == 0 && !leaf {
		return nil, &damage{id, "has an impossible number of entries"}
	}
	all := make([]element, n)
	for i := range all {
		head := b[pageHeader+i*elementSize:]
		var e element
		var start, keys, values uint64
		if leaf {
			flags := order.Uint32(head)
			if flags&^bucketElement != 0 {
				return nil, wrong("has unknown flags", i)
			}
			e.bucket = flags != 0
			start, keys, values = uint64(order.Uint32(head[4:])), uint64(order.Uint32(head[8:])), uint64(order.Uint32(head[12:]))
		} else {
			start, keys, e.page = uint64(order.Uint32(head)), uint64(order.Uint32(head[4:])), order.Uint64(head[8:])
		}
		start += uint64(pageHeader + i*elementSize)
		if start != uint64(at) || keys == 0 || keys+values > uint64(len(b)-at) {
			return nil, wrong("is not where it belongs", i)
		}
		e.key, e.value = b[at:at+int(keys):at+int(keys)], b[at+int(keys):at+int(keys+values)]
		at += int(keys + values)
		if i > 0 && bytes.Compare(all[i-1].key, e.key) >= 0 || low != nil && bytes.Compare(e.key, low) < 0 || high != nil && bytes.Compare(e.key, high) >= 0 {
			return nil, wrong("its key is out of order", i)
		}
		all[i] = e
	}
	if pageSize > 0 && at <= len(b)-pageSize {
		return nil, &damage{id, "is longer than its entries"}
	}
	return all, nil
}

// tree goes through a page and those below it.
func (r *reader) tree(path []string, id uint64, low, high []byte, depth int) {
	if depth > maxDepth {
		r.broken(path, damage{id, "is nested too deep"})
		return
	}
	b, d := r.page(id, branchPage, leafPage)
	var all []element
	if d == nil {
		all, d = elements(b, id, int(r.meta.pageSize), low, high)
	}
	if d != nil {
		r.broken(path, *d)
		return
	}
	if order.Uint16(b[8:]) == leafPage {
		r.leaf(path, id, all, depth)
		return
	}
	for i, e := range all {
		end := high
		if i+1 < len(all) {
			end = all[i+1].key
		}
		r.tree(path, e.page, e.key, end, depth+1)
	}
}

func (r *reader) leaf(path []string, id uint64, all []element, depth int) {
	for _, e := range all {
		if !e.bucket {
			r.record(path, e.key, e.value)
			continue
		}
		inside := append(path[:len(path):len(path)], string(e.key))
		switch {
		case len(e.value) < bucketHeader || order.Uint64(e.value[8:]) != 0:
			r.broken(inside, damage{id, fmt.Sprintf("bucket %q has a wrong header", e.key)})
		case order.Uint64(e.value) != 0:
			if len(e.value) != bucketHeader {
				r.broken(inside, damage{id, fmt.Sprintf("bucket %q has a wrong length", e.key)})
				continue
			}
			r.tree(inside, order.Uint64(e.value), nil, nil, depth+1)
		default:
			r.inline(inside, id, e.value[bucketHeader:], depth)
		}
	}
}

// inline is a small bucket within a value.
func (r *reader) inline(path []string, id uint64, b []byte, depth int) {
	if len(b) < pageHeader || order.Uint64(b) != 0 || order.Uint16(b[8:]) != leafPage || order.Uint32(b[12:]) != 0 {
		r.broken(path, damage{id, "holds a bucket with a wrong header"})
		return
	}
	all, d := elements(b, id, 0, nil, nil)
	end := pageHeader
	for _, e := range all {
		end += elementSize + len(e.key) + len(e.value)
		if e.bucket {
			d = &damage{id, "holds a bucket within a bucket"}
		}
	}
	if d == nil && end != len(b) {
		d = &damage{id, "holds a bucket of a wrong length"}
	}
	if d != nil {
		r.broken(path, *d)
		return
	}
	r.leaf(path, id, all, depth+1)
}

// freelist makes sure that no page in use is free: bbolt would write over it.
func (r *reader) freelist() *damage {
	id := r.meta.free
	b, d := r.page(id, freelistPage)
	if d != nil {
		return d
	}
	n, ids := uint64(order.Uint16(b[10:])), b[pageHeader:]
	if n == 0xFFFF {
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return &damage{id, "the list of free pages is longer than its page"}
	}
	last := uint64(1)
	for i := range n {
		free := order.Uint64(ids[8*i:])
		if free <= last || free >= uint64(len(r.seen)) || r.seen[free] {
			return &damage{id, "the list of free pages names one that is in use"}
		}
		last = free
	}
	return nil
}
