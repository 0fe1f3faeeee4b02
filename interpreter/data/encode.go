package data

import (
	"encoding/binary"
	"hash/maphash"
	"math"

	"github.com/aquanode/aquanode/interpreter/value"
)

// Encode writes data, always under this package's own versions. Equal data give equal bytes; stores are written in
// their order, and equal ids, and equal peers in the trace, once.
func Encode(d *Data) []byte {
	const binHead = 5 // at most
	base := len(envelopeHead) + binHead
	w := writer{b: make([]byte, base, base+sizeHint(d)), base: base}
	w.data(d)
	return seal(w.b, base)
}

// seal puts the envelope before the archive at b[base:].
func seal(b []byte, base int) []byte {
	var head [64]byte
	h := appendPackedSize(append(head[:0], envelopeHead...), len(b)-base, 0xc4)
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
	b    []byte
	base int
	// texts and peers are the shared texts and the shared strings written so far.
	texts, peers offsets
	// parts is a stack of offsets of the out-of-line parts of the records of a list, kept until the list follows.
	parts []int
	// The elements of the canon result before, and where they were written. A canon of a stream that has grown begins with the same
	// list, in the same memory, and looking up all of its elements again would be quadratic.
	elements []CID
	places   []int
}

func (w *writer) data(d *Data) {
	w.texts.reserve(d.Values.Len() + d.Tetraplets.Len() + d.CanonElements.Len() + d.CanonResults.Len() + 2*d.ServiceResults.Len())
	var lists [7]vec
	lists[0] = w.trace(d.Trace)
	lists[1] = writeStore(w, &d.Values, w.value)
	lists[2] = writeStore(w, &d.Tetraplets, w.tetraplet)
	lists[3] = writeStore(w, &d.CanonElements, w.canonElement)
	lists[4] = writeStore(w, &d.CanonResults, w.canonResult)
	lists[5] = writeStore(w, &d.ServiceResults, w.serviceResult)
	lists[6] = w.signatures(d.Signatures)
	w.align()
	w.vec(lists[0])
	w.u32(d.LastCallID)
	for _, list := range lists[1:] {
		w.vec(list)
	}
}

// vec is a list already written.
type vec struct{ at, count int }

func (w *writer) pos() int { return len(w.b) - w.base }

func (w *writer) align() {
	for w.pos()%4 != 0 {
		w.b = append(w.b, 0)
	}
}

func (w *writer) u32(n uint32) { w.b = binary.BigEndian.AppendUint32(w.b, n) }

// rel writes a pointer to target.
func (w *writer) rel(target int) {
	offset := target - w.pos()
	if offset < math.MinInt32 {
		panic("data: an archive has outgrown its pointers")
	}
	w.u32(uint32(int32(offset)))
}

func (w *writer) fat(target, size int) {
	w.rel(target)
	w.u32(uint32(size))
}

func (w *writer) vec(v vec) { w.fat(v.at, v.count) }

// tags writes tags, each in four bytes.
func (w *writer) tags(tags ...byte) {
	for _, t := range tags {
		w.b = append(w.b, t, 0, 0, 0)
	}
}

// fill writes zeros up to the end of a record of the given size that begins at start.
func (w *writer) fill(start, size int) {
	var zeros [stateSize]byte
	w.b = append(w.b, zeros[:size-(w.pos()-start)]...)
}

// run writes bytes and returns where.
func (w *writer) run(s string) int {
	at := w.pos()
	w.b = append(w.b, s...)
	return at
}

// shareText writes a shared text unless it stands somewhere already. An empty one takes a byte, so that
// nothing else is at its place.
func (w *writer) shareText(s string) int {
	at, ok := w.texts.find(s)
	if !ok {
		at = w.run(s)
		if s == "" {
			w.b = append(w.b, 0)
		}
		w.texts.add(s, at)
	}
	return at
}

func (w *writer) shareCID(c CID) int { return w.shareText(string(c)) }

func (w *writer) cid(c CID, at int) { w.fat(at, len(c)) }

// sharePeer writes the shared string of a peer unless it stands somewhere already.
func (w *writer) sharePeer(peer string) int {
	at, ok := w.peers.find(peer)
	if !ok {
		text := w.stringText(peer)
		w.align()
		at = w.pos()
		w.string(peer, text)
		w.peers.add(peer, at)
	}
	return at
}

// stringText writes the text of a string that is too long to stand in place.
func (w *writer) stringText(s string) int {
	if len(s) <= inlineLimit {
		return 0
	}
	return w.run(s)
}

func (w *writer) string(s string, text int) {
	if len(s) > inlineLimit {
		offset := text - w.pos()
		w.u32(uint32(len(s)))
		w.b = binary.LittleEndian.AppendUint32(w.b, uint32(int32(offset)))
		return
	}
	var inline [stringSize]byte
	copy(inline[:], s)
	inline[inlineLimit] = byte(len(s))
	w.b = append(w.b, inline[:]...)
}

// list writes n records. First part writes what the i-th points at and returns its offset, then
// record writes the record itself with that offset.
func (w *writer) list(n int, part func(i int) int, record func(i, part int)) vec {
	mine := len(w.parts)
	for i := range n {
		at := part(i)
		w.parts = append(w.parts, at)
	}
	w.align()
	v := vec{w.pos(), n}
	for i := range n {
		record(i, w.parts[mine+i])
	}
	w.parts = w.parts[:mine]
	return v
}

func (w *writer) trace(trace []State) vec {
	return w.list(len(trace),
		func(i int) int { return w.statePart(&trace[i]) },
		func(i, part int) { w.state(&trace[i], part) })
}

func (w *writer) statePart(s *State) int {
	switch s.Kind {
	case CallRequestSent, CanonRequestSent:
		return w.sharePeer(s.Peer)
	case CallExecuted, CallFailed, CanonExecuted:
		return w.shareCID(s.CID)
	case Fold:
		return w.lore(s.Lore())
	case Ap:
		return w.generations(s)
	}
	return 0
}

// state writes a state in the layout that reader.state describes.
func (w *writer) state(s *State, part int) {
	start := w.pos()
	switch s.Kind {
	case Par:
		w.tags(tagPar)
		w.u32(s.Left)
		w.u32(s.Right)
	case CallRequestSent:
		w.sent(s, part)
	case CallExecuted:
		w.tags(tagCall, tagExecuted, byte(s.Output))
		w.cid(s.CID, part)
		if s.Output == Stream {
			w.u32(s.Generation)
		}
	case CallFailed:
		w.tags(tagCall, tagFailed)
		w.cid(s.CID, part)
	case Fold:
		w.tags(tagFold)
		w.vec(vec{part, len(s.Lore())})
	case Ap:
		w.tags(tagAp)
		w.vec(vec{part, len(s.Generations())})
	case CanonRequestSent:
		w.tags(tagCanon, tagSent)
		w.rel(part)
	case CanonExecuted:
		w.tags(tagCanon, tagExecuted)
		w.cid(s.CID, part)
	default:
		panic("data: a state without a kind")
	}
	w.fill(start, stateSize)
}

func (w *writer) sent(s *State, peer int) {
	if !s.HasCallID {
		w.tags(tagCall, tagSent, 0)
		w.rel(peer)
		return
	}
	w.tags(tagCall, tagSent, 1)
	w.rel(peer)
	w.u32(s.CallID)
}

func (w *writer) generations(s *State) int {
	w.align()
	at := w.pos()
	if s.HasOneGeneration() {
		w.u32(s.Generation)
		return at
	}
	for _, g := range s.Generations() {
		w.u32(g)
	}
	return at
}

func (w *writer) lore(lore []FoldLore) int {
	return w.list(len(lore),
		func(i int) int { return w.subTraces(&lore[i]) },
		func(i, part int) {
			w.u32(lore[i].ValuePos)
			w.vec(vec{part, lore[i].kept()})
		}).at
}

func (w *writer) subTraces(l *FoldLore) int {
	w.align()
	at := w.pos()
	pair := [...]SubTrace{l.Before, l.After}
	for _, t := range pair[:l.kept()] {
		w.u32(t.Begin)
		w.u32(t.Len)
	}
	return at
}

// writeStore writes a store in the order in which its entries were put in. (Sorting the keys of 1000 results
// took two fifths of the time, and readers take any order.)
func writeStore[V any](w *writer, s *Store[V], record func(v *V) int) vec {
	// Two parts an entry: the list remembers that of the record.
	keys := make([]int, len(s.keys))
	return w.list(len(s.keys),
		func(i int) int {
			keys[i] = w.shareCID(s.keys[i])
			return record(&s.values[i])
		},
		func(i, part int) {
			w.cid(s.keys[i], keys[i])
			w.rel(part)
		})
}

func (w *writer) value(v *value.Value) int {
	text := w.run(v.Text())
	w.align()
	at := w.pos()
	w.fat(text, len(v.Text()))
	return at
}

func (w *writer) tetraplet(t *value.Tetraplet) int {
	parts := [...]string{t.PeerPK, t.ServiceID, t.FunctionName, t.Lens}
	var texts [len(parts)]int
	for i, s := range parts {
		texts[i] = w.stringText(s)
	}
	w.align()
	at := w.pos()
	for i, s := range parts {
		w.string(s, texts[i])
	}
	return at
}

func (w *writer) canonElement(e *CanonElement) int {
	val, tet, source := w.shareCID(e.Value), w.shareCID(e.Tetraplet), 0
	if e.Provenance.Origin != Literal {
		source = w.shareCID(e.Provenance.CID)
	}
	w.align()
	at := w.pos()
	w.cid(e.Value, val)
	w.cid(e.Tetraplet, tet)
	w.tags(byte(e.Provenance.Origin))
	if e.Provenance.Origin != Literal {
		w.cid(e.Provenance.CID, source)
	}
	w.fill(at, canonElementSize)
	return at
}

func (w *writer) canonResult(c *CanonResult) int {
	tet := w.shareCID(c.Tetraplet)
	places := w.elementPlaces(c.Elements)
	w.align()
	elements := vec{w.pos(), len(places)}
	for i, place := range places {
		w.cid(c.Elements[i], place)
	}
	at := w.pos()
	w.cid(c.Tetraplet, tet)
	w.vec(elements)
	return at
}

// elementPlaces writes the ids of elements that do not stand anywhere and lists where all of them do.
func (w *writer) elementPlaces(list []CID) []int {
	if len(w.elements) == 0 || len(list) == 0 || &list[0] != &w.elements[0] {
		w.places = w.places[:0]
	}
	for _, c := range list[min(len(w.places), len(list)):] {
		w.places = append(w.places, w.shareCID(c))
	}
	if len(list) >= len(w.elements) || len(w.places) == len(list) {
		w.elements = list
	}
	return w.places[:len(list)]
}

func (w *writer) serviceResult(r *ServiceResult) int {
	val, args, tet := w.shareCID(r.Value), w.shareCID(r.ArgumentHash), w.shareCID(r.Tetraplet)
	w.align()
	at := w.pos()
	w.cid(r.Value, val)
	w.cid(r.ArgumentHash, args)
	w.cid(r.Tetraplet, tet)
	return at
}

func (w *writer) signatures(signatures []Signature) vec {
	return w.list(len(signatures),
		func(i int) int {
			at := w.run(signatures[i].PublicKey)
			w.run(signatures[i].Signature)
			return at
		},
		func(i, part int) {
			s := &signatures[i]
			w.fat(part, len(s.PublicKey))
			w.fat(part+len(s.PublicKey), len(s.Signature))
		})
}

// offsets remembers where texts were written: a hash table, probed linearly.
type offsets struct {
	slots []offset
	count int
}

type offset struct {
	text string
	at   int // plus one; 0 in a free slot
}

func (o *offsets) find(text string) (at int, ok bool) {
	if o.count == 0 {
		return 0, false
	}
	s := o.slot(text)
	return s.at - 1, s.at > 0
}

func (o *offsets) slot(text string) *offset {
	mask := len(o.slots) - 1
	i := int(maphash.String(storeSeed, text)) & mask
	for o.slots[i].at > 0 && o.slots[i].text != text {
		i = (i + 1) & mask
	}
	return &o.slots[i]
}

func (o *offsets) add(text string, at int) {
	if o.count+1 > len(o.slots)/4*3 {
		o.reserve(2*o.count + 8)
	}
	*o.slot(text) = offset{text, at + 1}
	o.count++
}

// reserve makes room for n texts.
func (o *offsets) reserve(n int) {
	size := 8
	for size/4*3 < n {
		size *= 2
	}
	old := o.slots
	o.slots = make([]offset, size)
	for _, s := range old {
		if s.at > 0 {
			*o.slot(s.text) = s
		}
	}
}
