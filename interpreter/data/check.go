package data

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"unicode/utf8"

	"github.com/aquanode/aquanode/interpreter/meter"
)

// checkArchive says whether b is an archive that readArchive can read and the reference would
// accept. It demands exactly what the reference does; that is more than safety, and keeps the order
// in which writers may lay things out:
//
// The records are visited from the root, fields in order, elements in order, with a window that
// what is visited must lie in. It is [0, root) at first. For a target the window ends where the
// target begins while its content is visited, and begins where the target ends from then on. So
// children lie before their parent, siblings in order, and nothing is used twice, except that a
// shared target, once visited, may be pointed at again from anywhere as the same kind of thing.
//
// Every byte is visited at most once, so the time is bounded by the size. One thing is refused that
// the reference lets through: shared texts, which are ids and peers, of more than maxShared bytes.
// A pointer of a few bytes could stand for megabytes otherwise, once for each reader of the text.
//
// On the way it collects the offsets of the states that somebody may have to sign.
func checkArchive(b []byte, count *meter.Counter) (results []int, err error) {
	root := len(b) - rootSize
	if root < 0 {
		return nil, fmt.Errorf("an archive of %d bytes has no room for its root", len(b))
	}
	if root%4 != 0 {
		return nil, fmt.Errorf("the root at %d is not aligned", root)
	}
	states := min(int64(binary.BigEndian.Uint32(b[root+4:]))*stateSize, int64(root))
	if err := count.Grow(len(b) / 48 * visitSize); err != nil {
		return nil, err
	}
	c := checker{b: b, hi: root, visits: newVisits(len(b) - int(states)), latestPeer: -1,
		count: count}
	c.trace(root)
	c.vec(root+12, entrySize, c.entry(sharedValue, fatSize, c.text))
	c.vec(root+20, entrySize, c.entry(sharedTetraplet, tetrapletSize, c.tetraplet))
	c.vec(root+28, entrySize, c.entry(sharedCanonElement, canonElementSize, c.canonElement))
	c.vec(root+36, entrySize, c.entry(sharedCanonResult, canonResultSize, c.canonResult))
	c.vec(root+44, entrySize, c.entry(sharedServiceResult, serviceResultSize, c.serviceResult))
	c.vec(root+52, signatureSize, c.signature)
	return c.results, c.err
}

const maxShared = 300 // an id in base 2, the longest spelling, has 289

// checker visits the records of an archive. After the first error nothing is visited any more. The
// methods that visit take the offset of the record.
type checker struct {
	b      []byte
	lo, hi int // the window
	visits visits
	err    error

	latestPeer int // the peer visited last
	results    []int
	count      *meter.Counter
}

// work counts the bytes of something visited.
func (c *checker) work(n int) {
	if err := c.count.Bytes(n); err != nil && c.err == nil {
		c.err = err
	}
}

func (c *checker) fail(at int, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("at byte %d: %s", at, fmt.Sprintf(format, args...))
	}
}

func (c *checker) u32(at int) uint32 { return binary.BigEndian.Uint32(c.b[at:]) }

// rel is the target of the relative pointer at at.
func (c *checker) rel(at int) int { return at + int(int32(c.u32(at))) }

// owns checks that a target lies in the window.
func (c *checker) owns(at, target, size int) bool {
	if c.err != nil {
		return false
	}
	if target < c.lo || target > c.hi || size > c.hi-target {
		c.fail(at, "the target [%d, %d+%d) is not within [%d, %d)", target, target, size, c.lo,
			c.hi)
		return false
	}
	return true
}

func (c *checker) aligned(at, target int) bool {
	if c.err == nil && target%4 != 0 {
		c.fail(at, "the target %d is not aligned", target)
	}
	return c.err == nil
}

// within visits the content of a target with the window narrowed, and moves the window past it.
func (c *checker) within(target, size int, content func()) {
	hi := c.hi
	c.hi = target
	content()
	c.lo, c.hi = target+size, hi
}

// vec visits the vec at at and its elements.
func (c *checker) vec(at, size int, element func(at int)) {
	c.list(at, size, func(i, end int) {
		for ; i < end && c.err == nil; i += size {
			c.work(size)
			element(i)
		}
	})
}

// list visits the vec at at and its elements, which are those between two offsets.
func (c *checker) list(at, size int, elements func(from, to int)) {
	target, count := c.rel(at), int64(c.u32(at+4))
	if count > int64(len(c.b)/size) {
		c.fail(at, "%d elements of %d bytes are more than there are bytes", count, size)
	}
	if !c.aligned(at, target) || !c.owns(at, target, int(count)*size) {
		return
	}
	c.within(target, int(count)*size, func() { elements(target, target+int(count)*size) })
}

// run visits a run of bytes and moves the window past it.
func (c *checker) run(at, target int, size uint32, isText bool) bool {
	if int64(size) > int64(len(c.b)) {
		c.fail(at, "a length of %d is more than there are bytes", size)
	}
	if !c.owns(at, target, int(size)) {
		return false
	}
	c.work(int(size))
	if isText && !utf8.Valid(c.b[target:target+int(size)]) {
		c.fail(at, "the text at %d is not UTF-8", target)
		return false
	}
	c.lo = target + int(size)
	return true
}

func (c *checker) text(at int)  { c.run(at, c.rel(at), c.u32(at+4), true) }
func (c *checker) bytes(at int) { c.run(at, c.rel(at), c.u32(at+4), false) }

// sharedText visits a shared text. Pointers that come back to it may see the beginning of it only;
// the reference reads beyond its end for those that want more, this reader refuses them.
func (c *checker) sharedText(at int) {
	if c.err != nil {
		return
	}
	target, size := c.rel(at), c.u32(at+4)
	v := c.visits.at(target)
	switch {
	case size > maxShared:
		c.fail(at, "an id of %d bytes", size)
	case v.kind == 0:
		if c.run(at, target, size, true) {
			*v = visit{target, sharedText, size}
			c.visits.added()
		}
	case v.kind != sharedText:
		c.fail(at, "the target %d is something else already", target)
	case size > v.size:
		c.fail(at, "the target %d was a text of %d bytes and is one of %d now", target, v.size,
			size)
	case size < v.size && !utf8.RuneStart(c.b[target+int(size)]):
		c.fail(at, "the text at %d ends within a character", target)
	}
}

// record visits a shared record.
func (c *checker) record(at int, kind shared, size int, content func(at int)) {
	target := c.rel(at)
	if !c.aligned(at, target) {
		return
	}
	v := c.visits.at(target)
	switch {
	case v.kind == kind:
	case v.kind != 0:
		c.fail(at, "the target %d is something else already", target)
	case c.owns(at, target, size):
		*v = visit{target, kind, uint32(size)}
		c.visits.added()
		c.within(target, size, func() { content(target) })
	}
}

// string visits the two forms of a string.
func (c *checker) string(at int) {
	if c.err != nil {
		return
	}
	last := c.b[at+stringSize-1]
	switch {
	case last&0x80 != 0:
		c.run(at, at+stringOffset(c.b, at), c.u32(at), true)
	case last > inlineLimit:
		c.fail(at, "a string of %d bytes in place", last)
	case !utf8.Valid(c.b[at : at+int(last)]):
		c.fail(at, "the text is not UTF-8")
	}
}

// stringOffset is the offset of the text of an out-of-line string, the one little-endian number in
// archives.
func stringOffset(b []byte, at int) int { return int(int32(binary.LittleEndian.Uint32(b[at+4:]))) }

// tag reads a tag, one of n.
func (c *checker) tag(at, n int) int {
	tag := int(c.b[at])
	if tag >= n {
		c.fail(at, "tag %d where %d is the last", tag, n-1)
	}
	return tag
}

func (c *checker) peer(at int) {
	if c.rel(at) == c.latestPeer {
		return
	}
	if c.record(at, sharedPeer, stringSize, c.peerName); c.err == nil {
		c.latestPeer = c.rel(at)
	}
}

func (c *checker) peerName(at int) {
	if c.string(at); c.b[at+stringSize-1]&0x80 != 0 && c.u32(at) > maxShared {
		c.fail(at, "a peer id of %d bytes", c.u32(at))
	}
}

// trace visits the vec of states. Most of them are pars and requests of the peer before, which
// takes no visit.
func (c *checker) trace(at int) {
	c.list(at, stateSize, func(i, end int) {
		for ; i < end && c.err == nil; i += stateSize {
			c.work(stateSize)
			b := c.b[i:][:stateSize]
			sent := b[0] == tagCall && b[4] == tagSent && b[8] < 2
			if b[0] == tagPar ||
				sent && i+12+int(int32(binary.BigEndian.Uint32(b[12:]))) == c.latestPeer {
				continue
			}
			if (b[0] == tagCall || b[0] == tagCanon) && b[4] != tagSent {
				c.results = append(c.results, i)
			}
			c.state(i)
		}
	})
}

func (c *checker) state(at int) {
	switch c.tag(at, tagCanon+1) {
	case tagCall:
		c.call(at + 4)
	case tagFold:
		c.vec(at+4, loreSize, c.lore)
	case tagAp:
		c.vec(at+4, generationSize, func(int) {})
	case tagCanon:
		if c.tag(at+4, tagExecuted+1) == tagSent {
			c.peer(at + 8)
		} else {
			c.sharedText(at + 8)
		}
	}
}

func (c *checker) call(at int) {
	switch c.tag(at, tagFailed+1) {
	case tagSent:
		c.tag(at+4, 2) // without and with a call id
		c.peer(at + 8)
	case tagExecuted:
		c.tag(at+4, tagUnused+1)
		c.sharedText(at + 8)
	case tagFailed:
		c.sharedText(at + 4)
	}
}

func (c *checker) lore(at int) { c.vec(at+4, subTraceSize, func(int) {}) }

// entry makes the visit of an entry of a store.
func (c *checker) entry(kind shared, size int, content func(at int)) func(at int) {
	return func(at int) {
		c.sharedText(at)
		c.record(at+8, kind, size, content)
	}
}

func (c *checker) tetraplet(at int) {
	for i := range 4 {
		c.string(at + i*stringSize)
	}
}

func (c *checker) canonElement(at int) {
	c.sharedText(at)
	c.sharedText(at + 8)
	if c.tag(at+16, int(FromCanon)+1) != int(Literal) {
		c.sharedText(at + 20)
	}
}

func (c *checker) canonResult(at int) {
	c.sharedText(at)
	c.vec(at+8, fatSize, c.sharedText)
}

func (c *checker) serviceResult(at int) {
	c.sharedText(at)
	c.sharedText(at + 8)
	c.sharedText(at + 16)
}

func (c *checker) signature(at int) {
	c.bytes(at)
	c.bytes(at + 8)
}

// shared is a kind of shared target, 0 for none.
type shared uint8

const (
	sharedText shared = iota + 1
	sharedPeer
	sharedValue
	sharedTetraplet
	sharedCanonElement
	sharedCanonResult
	sharedServiceResult
)

// visit is a shared target that was visited.
type visit struct {
	target int
	kind   shared
	size   uint32
}

const visitSize = 16 // bytes of a visit

// visits is the set of shared targets visited so far, a hash table by offset that is probed
// linearly.
type visits struct {
	slots []visit
	count int
}

// visitFactor spreads offsets over the table in a way that writers of archives cannot know.
var visitFactor = rand.Uint64() | 1

// newVisits expects one target in 64 bytes besides the states: an id takes 61 of them.
func newVisits(size int) visits {
	slots := 16
	for slots < size/48 {
		slots *= 2
	}
	return visits{slots: make([]visit, slots)}
}

// at is the slot of a target; its kind is 0 if the target was not visited.
func (s *visits) at(target int) *visit {
	mask := len(s.slots) - 1
	i := int(uint64(target)*visitFactor>>32) & mask
	for s.slots[i].kind != 0 && s.slots[i].target != target {
		i = (i + 1) & mask
	}
	return &s.slots[i]
}

// added is called when a slot was filled.
func (s *visits) added() {
	s.count++
	if s.count <= len(s.slots)/4*3 {
		return
	}
	old := s.slots
	s.slots = make([]visit, 2*len(old))
	for _, v := range old {
		if v.kind != 0 {
			*s.at(v.target) = v
		}
	}
}
