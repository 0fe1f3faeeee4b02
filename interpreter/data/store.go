package data

import (
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Store resolves content ids. It keeps its entries in the order they were put in and finds them by
// exact text. The zero Store is empty and ready.
type Store[V any] struct {
	keys   []CID
	values []V
	// index is a hash table of positions in keys plus one, 0 for a free slot, at most 3/4 full,
	// probed linearly. Four bytes an entry and no copies of keys make it three times as fast to
	// build as a Go map, and decoding builds five of them each time.
	index []uint32
	texts int // bytes behind the values: texts, and ids in the lists of canons
}

// storeSeed makes the places of entries in indexes unknown to whoever chooses the keys.
var storeSeed = maphash.MakeSeed()

// Len is the number of entries.
func (s *Store[V]) Len() int { return len(s.keys) }

// At is the i-th entry in order.
func (s *Store[V]) At(i int) (CID, V) { return s.keys[i], s.values[i] }

// All visits the entries in order.
func (s *Store[V]) All() iter.Seq2[CID, V] {
	return func(yield func(CID, V) bool) {
		for i, key := range s.keys {
			if !yield(key, s.values[i]) {
				return
			}
		}
	}
}

// Get finds the entry of a content id.
func (s *Store[V]) Get(cid CID) (v V, ok bool) {
	if i := s.find(cid); i >= 0 {
		return s.values[i], true
	}
	return v, false
}

// Has reports whether there is an entry for a content id.
func (s *Store[V]) Has(cid CID) bool { return s.find(cid) >= 0 }

// Find is Get, with the store's own copy of the content id.
func (s *Store[V]) Find(cid CID) (held CID, v *V) {
	if i := s.find(cid); i >= 0 {
		return s.keys[i], &s.values[i]
	}
	return "", nil
}

// Held is the store's own copy of the content id, for those that want to keep a string but not the
// buffer it was decoded from; without an entry it is a fresh copy.
func (s *Store[V]) Held(cid CID) CID {
	if i := s.find(cid); i >= 0 {
		return s.keys[i]
	}
	return cid.clone()
}

// Put adds an entry, or replaces that of the same content id.
func (s *Store[V]) Put(cid CID, v V) {
	s.Reserve(1)
	slot := s.slot(cid)
	s.texts += behind(&v)
	if i := s.index[slot]; i > 0 {
		s.texts -= behind(&s.values[i-1])
		s.values[i-1] = v
		return
	}
	s.keys = append(s.keys, cid)
	s.values = append(s.values, v)
	s.index[slot] = uint32(len(s.keys))
}

// Clone copies the store; the copies do not see each other's changes.
func (s *Store[V]) Clone() Store[V] {
	return Store[V]{slices.Clone(s.keys), slices.Clone(s.values), slices.Clone(s.index), s.texts}
}

func (s *Store[V]) find(cid CID) int {
	if len(s.keys) == 0 {
		return -1
	}
	return int(s.index[s.slot(cid)]) - 1
}

// slot is where the entry of a content id is, or would be put.
func (s *Store[V]) slot(cid CID) int {
	mask := len(s.index) - 1
	i := int(maphash.String(storeSeed, string(cid))) & mask
	for s.index[i] != 0 && s.keys[s.index[i]-1] != cid {
		i = (i + 1) & mask
	}
	return i
}

// Reserve makes room for n more entries.
func (s *Store[V]) Reserve(n int) {
	need := len(s.keys) + n
	if need <= len(s.index)/4*3 {
		return
	}
	size := 8
	for size/4*3 < need {
		size *= 2
	}
	s.index = make([]uint32, size)
	for i, key := range s.keys {
		s.index[s.slot(key)] = uint32(i + 1)
	}
	if n > 1 {
		s.keys = slices.Grow(s.keys, n)
		s.values = slices.Grow(s.values, n)
	}
}

// Merge takes over the entries of the stores of current. Where both have a different entry for a
// content id, that of current stays, as data from others is verified and our own is not. What is
// taken over is copied; ids that are keys here already are not copied again. When count stops it,
// the stores have a part of the entries.
func (d *Data) Merge(current *Data, count *meter.Counter) error {
	mergeStore(count, &d.Values, &current.Values, sameText, cloneValue)
	mergeStore(count, &d.Tetraplets, &current.Tetraplets, same, cloneTetraplet)
	mergeStore(count, &d.ServiceResults, &current.ServiceResults, same, d.ownServiceResult)
	mergeStore(count, &d.CanonElements, &current.CanonElements, same, d.ownCanonElement)
	mergeStore(count, &d.CanonResults, &current.CanonResults, sameCanon,
		func(r CanonResult) CanonResult {
			_ = count.Work(len(r.Elements))
			return d.ownCanonResult(r)
		})
	return count.Err()
}

// behind is how many bytes a value of a store refers to: texts, or the list of a canon.
func behind[V any](v *V) int {
	switch v := any(v).(type) {
	case *value.Value:
		return len(v.Text())
	case *value.Tetraplet:
		return len(v.PeerPK) + len(v.ServiceID) + len(v.FunctionName) + len(v.Lens)
	case *CanonResult:
		return int(unsafe.Sizeof(CID(""))) * len(v.Elements)
	}
	return 0
}

// entryWork is the work of finding or putting an entry of a store, in units.
const entryWork = 2

// storeSize is the bytes of an entry in memory without its texts.
func storeSize[V any]() int { return int(unsafe.Sizeof(CID(""))+unsafe.Sizeof(*new(V))) + 8 }

func mergeStore[V any](count *meter.Counter, dst, src *Store[V], same func(a, b V) bool,
	clone func(V) V) {
	for i, key := range src.keys {
		n := behind(&src.values[i])
		if count.Work(entryWork+n/meter.Byte) != nil {
			return
		}
		held := dst.find(key)
		switch {
		case held < 0:
			if count.Grow(n+len(key)+storeSize[V]()) != nil {
				return
			}
			dst.Put(key.clone(), clone(src.values[i]))
		case !same(dst.values[held], src.values[i]):
			dst.texts += n - behind(&dst.values[held])
			dst.values[held] = clone(src.values[i])
		}
	}
}

func same[V comparable](a, b V) bool { return a == b }

func sameText(a, b value.Value) bool { return a.Text() == b.Text() }

func sameCanon(a, b CanonResult) bool {
	return a.Tetraplet == b.Tetraplet && slices.Equal(a.Elements, b.Elements)
}

func cloneValue(v value.Value) value.Value { return value.Raw(strings.Clone(v.Text())) }

func cloneTetraplet(t value.Tetraplet) value.Tetraplet {
	return value.Tetraplet{
		PeerPK:       strings.Clone(t.PeerPK),
		ServiceID:    strings.Clone(t.ServiceID),
		FunctionName: strings.Clone(t.FunctionName),
		Lens:         strings.Clone(t.Lens),
	}
}

func (d *Data) ownServiceResult(r ServiceResult) ServiceResult {
	return ServiceResult{d.Values.Held(r.Value), r.ArgumentHash.clone(),
		d.Tetraplets.Held(r.Tetraplet)}
}

func (d *Data) ownCanonElement(e CanonElement) CanonElement {
	p := Provenance{e.Provenance.Origin, d.ServiceResults.Held(e.Provenance.CID)}
	return CanonElement{d.Values.Held(e.Value), d.Tetraplets.Held(e.Tetraplet), p}
}

func (d *Data) ownCanonResult(r CanonResult) CanonResult {
	elements := make([]CID, len(r.Elements))
	for i, e := range r.Elements {
		elements[i] = d.CanonElements.Held(e)
	}
	return CanonResult{d.Tetraplets.Held(r.Tetraplet), elements}
}
