package data

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"sync"

	"github.com/aquanode/aquanode/internal/msgpack"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Encode writes data, always under this package's own versions. Equal data give equal bytes; stores
// are written in their order, and equal ids, and equal peers in the trace, once.
func Encode(d *Data) []byte {
	b, _ := EncodeSigning(d, func() {}, 0, nil) // without a counter nothing stops it
	return b
}

// EncodeSigning is Encode for data that lacks a signature under n ids. sign puts it into
// d.Signatures; while it does, all the rest is written. It has returned when EncodeSigning does.
// When count stops it, there are no bytes.
func EncodeSigning(d *Data, sign func(), n int, count *meter.Counter) ([]byte, error) {
	size := sizeHint(d)
	if count.Work(meter.Signature+4*n) != nil || count.Grow(size) != nil {
		return nil, count.Err()
	}
	const many = 200 // ids to sign take some 40 µs to sort and hash, a goroutine 5
	signed := func() {}
	if n < many {
		sign()
	} else {
		var signing sync.WaitGroup
		signing.Go(sign)
		signed = signing.Wait
	}
	const binHead = 5 // at most
	w := writers.Get().(*writer)
	w.base = len(envelopeHead) + binHead
	w.b = make([]byte, w.base, w.base+size)
	w.count = count
	w.data(d, signed)
	b := seal(w.b, w.base)
	w.release()
	if count.Err() != nil {
		return nil, count.Err()
	}
	return b, nil
}

// seal puts the envelope before the archive at b[base:].
func seal(b []byte, base int) []byte {
	var head [64]byte
	h := msgpack.AppendBinHead(append(head[:0], envelopeHead...), len(b)-base)
	start := base - len(h)
	copy(b[start:], h)
	return b[start:]
}

// sizeHint is about what data takes: the records in full, ids once for each key that has them.
func sizeHint(d *Data) int {
	const id = cidLen + 3
	n := rootSize + len(d.Trace)*stateSize + len(d.Signatures)*(signatureSize+33+65+2)
	for i := range d.Trace {
		switch s := &d.Trace[i]; {
		case s.Output == Unused:
			n += id
		case s.Kind == Ap:
			n += generationSize
		case s.Kind == Fold:
			n += len(s.Lore()) * (loreSize + 2*subTraceSize)
		}
	}
	for _, v := range d.Values.values {
		n += entrySize + id + fatSize + len(v.Text()) + 3
	}
	n += d.Tetraplets.Len() * (entrySize + id + tetrapletSize + 100)
	n += d.CanonElements.Len() * (entrySize + id + canonElementSize)
	for _, c := range d.CanonResults.values {
		n += entrySize + id + canonResultSize + len(c.Elements)*fatSize
	}
	return n + d.ServiceResults.Len()*(entrySize+2*id+serviceResultSize) + 256
}

// writer writes an archive, children first. Offsets are from the start of the archive, which
// is at b[base].
type writer struct {
	b     []byte
	base  int
	count *meter.Counter

	texts offsets        // the shared texts written so far
	peers map[string]int // and the shared strings
	parts []int          // a stack, see list
	// Where the ids of results in the trace, the keys of stores, and the source of the latest
	// element of a canon stand; keys is of any store.
	traced, values, tetraplets, elements, source, keys places

	// The elements of the canon result before, and where they were written. A canon of a stream
	// that has grown begins with the same list, in the same memory, and looking up all of its
	// elements again would be quadratic.
	before []CID
	placed []int
}

var writers = sync.Pool{New: func() any { return newWriter() }}

func newWriter() *writer { return &writer{peers: map[string]int{}} }

// mostPooled is how many texts a writer may have written to be used again.
const mostPooled = 1 << 15

// release gives a writer back, with nothing of the data in it.
func (w *writer) release() {
	if w.texts.count > mostPooled || len(w.traced.ids) > mostPooled {
		return
	}
	w.b, w.count, w.before, w.parts = nil, nil, nil, w.parts[:0]
	w.texts.reset()
	clear(w.peers)
	for _, p := range []*places{&w.traced, &w.values, &w.tetraplets, &w.elements, &w.source,
		&w.keys} {
		p.reset()
	}
	writers.Put(w)
}

// places says where ids were written. What refers to them does so mostly in the same order, or to
// the one before once more; then they need not be looked up.
type places struct {
	ids  []CID
	at   []int
	next int // where the next reference is expected
}

func (p *places) add(id CID, at int) { p.ids, p.at = append(p.ids, id), append(p.at, at) }

func (p *places) reset() {
	clear(p.ids)
	p.ids, p.at, p.next = p.ids[:0], p.at[:0], 0
}

func (p *places) guess(id CID) (at int, ok bool) {
	switch {
	case p == nil:
		return 0, false
	case p.next < len(p.ids) && p.ids[p.next] == id:
		p.next++
	case p.next > 0 && p.ids[p.next-1] == id:
	case len(p.ids) > 0 && p.ids[0] == id:
		p.next = 1
	default:
		return 0, false
	}
	return p.at[p.next-1], true
}

// data writes data. Before the signatures it waits until they are complete.
func (w *writer) data(d *Data, signed func()) {
	w.texts.reserve(d.Values.Len() + d.Tetraplets.Len() + d.CanonElements.Len() +
		d.CanonResults.Len() + 2*d.ServiceResults.Len())
	lists := [7]vec{
		w.trace(d.Trace),
		writeStore(w, &d.Values, nil, &w.values, w.value),
		writeStore(w, &d.Tetraplets, nil, &w.tetraplets, w.tetraplet),
		writeStore(w, &d.CanonElements, nil, &w.elements, w.canonElement),
		writeStore(w, &d.CanonResults, nil, nil, w.canonResult),
		writeStore(w, &d.ServiceResults, &w.traced, nil, w.serviceResult),
	}
	signed()
	lists[6] = w.signatures(d.Signatures)
	w.root(lists, d.LastCallID)
}

func (w *writer) root(lists [7]vec, lastCallID uint32) {
	w.align()
	b, at := w.room(rootSize)
	putVec(b, at, lists[0])
	putU32(b[8:], lastCallID)
	for i, list := range lists[1:] {
		putVec(b[12+8*i:], at+12+8*i, list)
	}
}

// vec is a list already written.
type vec struct{ at, count int }

func (w *writer) pos() int { return len(w.b) - w.base }

func (w *writer) align() {
	var zeros [4]byte
	w.b = append(w.b, zeros[:-w.pos()&3]...)
}

// room is space for records, filled with zeros, and where it is.
func (w *writer) room(size int) (b []byte, at int) {
	n := len(w.b)
	w.b = slices.Grow(w.b, size)[:n+size]
	clear(w.b[n:])
	return w.b[n:], n - w.base
}

// record is aligned room for one record.
func (w *writer) record(size int) (b []byte, at int) {
	w.align()
	return w.room(size)
}

// The put functions write to the beginning of b, which is at the offset at.

func putU32(b []byte, n uint32) { binary.BigEndian.PutUint32(b, n) }

// putRel writes a pointer to target.
func putRel(b []byte, at, target int) {
	if target-at < math.MinInt32 {
		panic("data: an archive has outgrown its pointers")
	}
	putU32(b, uint32(int32(target-at)))
}

func putFat(b []byte, at, target, size int) {
	putRel(b, at, target)
	putU32(b[4:], uint32(size))
}

func putVec(b []byte, at int, v vec) { putFat(b, at, v.at, v.count) }

// putString writes a string. If it is too long to stand in place, its text is at text.
func putString(b []byte, at int, s string, text int) {
	if len(s) <= inlineLimit {
		copy(b, s)
		b[inlineLimit] = byte(len(s))
		return
	}
	putU32(b, uint32(len(s)))
	binary.LittleEndian.PutUint32(b[4:], uint32(int32(text-at)))
}

// run writes bytes and returns where.
func (w *writer) run(s string) int {
	_ = w.count.Work(len(s) / meter.Byte)
	at := w.pos()
	w.b = append(w.b, s...)
	return at
}

// stringText writes the text of a string that is too long to stand in place.
func (w *writer) stringText(s string) int {
	if len(s) <= inlineLimit {
		return 0
	}
	return w.run(s)
}

// shareText writes a shared text unless it stands somewhere already. An empty one takes a byte, so
// that nothing else is at its place.
func (w *writer) shareText(s string) int {
	o := w.texts.find(s, w.b[w.base:])
	if o.at == 0 {
		w.texts.fill(o, s, w.run(s))
		if s == "" {
			w.b = append(w.b, 0)
		}
	}
	return int(o.at) - 1
}

// shareCID is shareText for an id that is likely to be the next of some.
func (w *writer) shareCID(c CID, likely *places) int {
	if at, ok := likely.guess(c); ok {
		return at
	}
	return w.shareText(string(c))
}

// sharePeer writes the shared string of a peer unless it stands somewhere already.
func (w *writer) sharePeer(peer string) int {
	at, ok := w.peers[peer]
	if !ok {
		text := w.stringText(peer)
		var b []byte
		b, at = w.record(stringSize)
		putString(b, at, peer, text)
		w.peers[peer] = at
	}
	return at
}

// list writes n records. First part writes what the i-th points at and returns its offset, then
// record writes the record itself, to b, which is at the offset at.
func (w *writer) list(n, size int, part func(i int) int,
	record func(i, part int, b []byte, at int)) vec {
	mine := len(w.parts)
	for i := range n {
		if w.count.Work(2) != nil {
			w.parts = w.parts[:mine]
			return vec{}
		}
		at := part(i)
		w.parts = append(w.parts, at)
	}
	b, at := w.record(n * size)
	for i := range n {
		record(i, w.parts[mine+i], b[i*size:][:size], at+i*size)
	}
	w.parts = w.parts[:mine]
	return vec{at, n}
}

func (w *writer) trace(trace []State) vec {
	return w.list(len(trace), stateSize,
		func(i int) int { return w.statePart(&trace[i]) },
		func(i, part int, b []byte, at int) { putState(b, at, &trace[i], part) })
}

func (w *writer) statePart(s *State) int {
	switch s.Kind {
	case CallRequestSent, CanonRequestSent:
		return w.sharePeer(s.Peer)
	case CallExecuted, CallFailed:
		at := w.shareText(string(s.CID))
		if s.Output != Unused {
			w.traced.add(s.CID, at)
		}
		return at
	case CanonExecuted:
		return w.shareText(string(s.CID))
	case Fold:
		return w.lore(s.Lore())
	case Ap:
		return w.generations(s)
	}
	return 0
}

// putState writes a state in the layout that reader.state describes.
func putState(b []byte, at int, s *State, part int) {
	switch s.Kind {
	case Par:
		b[0] = tagPar
		putU32(b[4:], s.Left)
		putU32(b[8:], s.Right)
	case CallRequestSent:
		b[0], b[4] = tagCall, tagSent
		putRel(b[12:], at+12, part)
		if s.HasCallID {
			b[8] = 1
			putU32(b[16:], s.CallID)
		}
	case CallExecuted:
		b[0], b[4], b[8] = tagCall, tagExecuted, byte(s.Output)
		putFat(b[12:], at+12, part, len(s.CID))
		if s.Output == Stream {
			putU32(b[20:], s.Generation)
		}
	case CallFailed:
		b[0], b[4] = tagCall, tagFailed
		putFat(b[8:], at+8, part, len(s.CID))
	case Fold:
		b[0] = tagFold
		putVec(b[4:], at+4, vec{part, len(s.Lore())})
	case Ap:
		b[0] = tagAp
		n := 1
		if !s.HasOneGeneration() {
			n = len(s.Generations())
		}
		putVec(b[4:], at+4, vec{part, n})
	case CanonRequestSent:
		b[0], b[4] = tagCanon, tagSent
		putRel(b[8:], at+8, part)
	case CanonExecuted:
		b[0], b[4] = tagCanon, tagExecuted
		putFat(b[8:], at+8, part, len(s.CID))
	default:
		panic("data: a state without a kind")
	}
}

func (w *writer) generations(s *State) int {
	if s.HasOneGeneration() {
		b, at := w.record(generationSize)
		putU32(b, s.Generation)
		return at
	}
	b, at := w.record(len(s.Generations()) * generationSize)
	for i, g := range s.Generations() {
		putU32(b[i*generationSize:], g)
	}
	return at
}

func (w *writer) lore(lore []FoldLore) int {
	return w.list(len(lore), loreSize,
		func(i int) int { return w.subTraces(&lore[i]) },
		func(i, part int, b []byte, at int) {
			putU32(b, lore[i].ValuePos)
			putVec(b[4:], at+4, vec{part, lore[i].kept()})
		}).at
}

func (w *writer) subTraces(l *FoldLore) int {
	pair := [...]SubTrace{l.Before, l.After}
	b, at := w.record(l.kept() * subTraceSize)
	for i, t := range pair[:l.kept()] {
		putU32(b[i*subTraceSize:], t.Begin)
		putU32(b[i*subTraceSize+4:], t.Len)
	}
	return at
}

// writeStore writes a store in the order in which its entries were put in. (Sorting the keys of
// 1000 results took two fifths of the time, and readers take any order.) The keys are likely to
// stand where likely says, and it adds them to keys; both may be nil.
func writeStore[V any](w *writer, s *Store[V], likely, keys *places, record func(v *V) int) vec {
	if keys == nil {
		keys = &w.keys
		keys.reset()
	}
	return w.list(len(s.keys), entrySize,
		func(i int) int {
			keys.add(s.keys[i], w.shareCID(s.keys[i], likely))
			return record(&s.values[i])
		},
		func(i, part int, b []byte, at int) {
			putFat(b, at, keys.at[i], len(s.keys[i]))
			putRel(b[8:], at+8, part)
		})
}

func (w *writer) value(v *value.Value) int {
	text := w.run(v.Text())
	b, at := w.record(fatSize)
	putFat(b, at, text, len(v.Text()))
	return at
}

func (w *writer) tetraplet(t *value.Tetraplet) int {
	parts := [...]string{t.PeerPK, t.ServiceID, t.FunctionName, t.Lens}
	var texts [len(parts)]int
	for i, s := range parts {
		texts[i] = w.stringText(s)
	}
	b, at := w.record(tetrapletSize)
	for i, s := range parts {
		putString(b[i*stringSize:], at+i*stringSize, s, texts[i])
	}
	return at
}

func (w *writer) canonElement(e *CanonElement) int {
	val, tet := w.shareCID(e.Value, &w.values), w.shareCID(e.Tetraplet, &w.tetraplets)
	p, source := e.Provenance, 0
	if p.Origin != Literal {
		if source = w.shareCID(p.CID, &w.source); w.source.next == 0 || w.source.ids[0] != p.CID {
			w.source.reset()
			w.source.add(p.CID, source)
		}
	}
	b, at := w.record(canonElementSize)
	putFat(b, at, val, len(e.Value))
	putFat(b[8:], at+8, tet, len(e.Tetraplet))
	if b[16] = byte(p.Origin); p.Origin != Literal {
		putFat(b[20:], at+20, source, len(p.CID))
	}
	return at
}

func (w *writer) canonResult(c *CanonResult) int {
	tet := w.shareCID(c.Tetraplet, &w.tetraplets)
	places := w.elementPlaces(c.Elements)
	_ = w.count.Work(len(places) / 8)
	elements, at := w.record(len(places) * fatSize)
	for i, place := range places {
		putFat(elements[i*fatSize:], at+i*fatSize, place, len(c.Elements[i]))
	}
	list := vec{at, len(places)}
	b, at := w.room(canonResultSize)
	putFat(b, at, tet, len(c.Tetraplet))
	putVec(b[8:], at+8, list)
	return at
}

// elementPlaces writes the ids of elements that do not stand anywhere and lists where all of them
// do.
func (w *writer) elementPlaces(list []CID) []int {
	if len(w.before) == 0 || len(list) == 0 || &list[0] != &w.before[0] {
		w.placed = w.placed[:0]
	}
	for _, c := range list[min(len(w.placed), len(list)):] {
		_ = w.count.Work(1)
		w.placed = append(w.placed, w.shareCID(c, &w.elements))
	}
	if len(list) >= len(w.before) || len(w.placed) == len(list) {
		w.before = list
	}
	return w.placed[:len(list)]
}

func (w *writer) serviceResult(r *ServiceResult) int {
	val, args, tet := w.shareCID(r.Value, &w.values), w.shareText(string(r.ArgumentHash)), w.shareCID(r.Tetraplet, &w.tetraplets)
	b, at := w.record(serviceResultSize)
	putFat(b, at, val, len(r.Value))
	putFat(b[8:], at+8, args, len(r.ArgumentHash))
	putFat(b[16:], at+16, tet, len(r.Tetraplet))
	return at
}

func (w *writer) signatures(signatures []Signature) vec {
	return w.list(len(signatures), signatureSize,
		func(i int) int {
			at := w.run(signatures[i].PublicKey)
			w.run(signatures[i].Signature)
			return at
		},
		func(i, part int, b []byte, at int) {
			s := &signatures[i]
			putFat(b, at, part, len(s.PublicKey))
			putFat(b[8:], at+8, part+len(s.PublicKey), len(s.Signature))
		})
}

// offsets finds the texts that were written: a hash table, probed linearly.
type offsets struct {
	slots []offset
	count int
	spare []offset // memory for slots
}

// offset is where a text was written.
type offset struct {
	hash uint32
	size uint32
	at   uint32 // plus one; 0 in a free slot
}

// find is the slot of a text, a free one if it was not written yet, good until the next find.
func (o *offsets) find(text string, written []byte) *offset {
	if o.count >= len(o.slots)/4*3 {
		o.reserve(2*o.count + 8)
	}
	hash := uint32(maphash.String(storeSeed, text))
	mask := uint32(len(o.slots) - 1)
	i := hash & mask
	for ; o.slots[i].at > 0; i = (i + 1) & mask {
		if s := &o.slots[i]; s.hash == hash && int(s.size) == len(text) &&
			string(written[s.at-1:][:s.size]) == text {
			break
		}
	}
	o.slots[i].hash = hash
	return &o.slots[i]
}

// fill notes where the text of a free slot was written.
func (o *offsets) fill(s *offset, text string, at int) {
	s.size, s.at = uint32(len(text)), uint32(at+1)
	o.count++
}

// reserve makes room for n texts.
func (o *offsets) reserve(n int) {
	size := 8
	for size/4*3 <= n {
		size *= 2
	}
	if size <= len(o.slots) {
		return
	}
	old := o.slots
	if len(old) > 0 || size > len(o.spare) {
		o.spare = make([]offset, size)
	}
	o.slots = o.spare[:size]
	for _, s := range old {
		if s.at == 0 {
			continue
		}
		i := s.hash & uint32(size-1)
		for o.slots[i].at > 0 {
			i = (i + 1) & uint32(size-1)
		}
		o.slots[i] = s
	}
}

// reset forgets all texts and keeps the memory.
func (o *offsets) reset() {
	clear(o.slots)
	o.slots, o.count = nil, 0
}
