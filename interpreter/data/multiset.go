package data

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
)

// Multiset is the ids of all results that one peer made in one particle, each as often as it stands
// in the trace. It is what the peer signs. The zero Multiset is empty.
type Multiset struct {
	cids   []CID
	sorted bool
}

// MultisetOf is the multiset of the ids in a list, which it takes over and sorts.
func MultisetOf(cids []CID) *Multiset { return &Multiset{cids: cids} }

// Add puts one more id in.
func (m *Multiset) Add(cid CID) {
	m.cids = append(m.cids, cid)
	m.sorted = false
}

// Len is the number of ids, repeated ones counted.
func (m *Multiset) Len() int { return len(m.cids) }

// Sorted is the list of ids in the order that is signed.
func (m *Multiset) Sorted() []CID {
	if !m.sorted {
		sortCIDs(m.cids)
		m.sorted = true
	}
	return m.cids
}

// sortCIDs sorts ids. Those of the usual form begin with the same letters, so the next eight decide
// nearly all comparisons.
func sortCIDs(cids []CID) {
	type led struct {
		lead uint64
		cid  CID
	}
	list := make([]led, len(cids))
	for i, cid := range cids {
		if len(cid) != cidLen || cid[:len(cidPrefix)] != cidPrefix {
			slices.Sort(cids)
			return
		}
		list[i] = led{binary.BigEndian.Uint64([]byte(cid[len(cidPrefix):][:8])), cid}
	}
	slices.SortFunc(list, func(a, b led) int {
		if a.lead != b.lead {
			return cmp.Compare(a.lead, b.lead)
		}
		return cmp.Compare(a.cid, b.cid)
	})
	for i := range list {
		cids[i] = list[i].cid
	}
}

// Includes reports whether all of part is in m.
func (m *Multiset) Includes(part *Multiset) bool {
	all := m.Sorted()
	for _, cid := range part.Sorted() {
		i := 0
		for i < len(all) && all[i] < cid {
			i++
		}
		if i == len(all) || all[i] != cid {
			return false
		}
		all = all[i+1:]
	}
	return true
}

// fingerprint is equal for equal multisets, whatever the order, and for no others: who
// writes the ids cannot know the seeds.
type fingerprint struct {
	count int
	sums  [2]uint64
}

var fingerprintSeed = maphash.MakeSeed()

func (m *Multiset) fingerprint() fingerprint {
	f := fingerprint{count: len(m.cids)}
	for _, cid := range m.cids {
		f.sums[0] += maphash.String(storeSeed, string(cid))
		f.sums[1] += maphash.String(fingerprintSeed, string(cid))
	}
	return f
}

// message is what is signed: the count, each id and the salt with its length, all lengths in
// little-endian 32 bits. The salt is the particle id, so that signatures of one particle are worth
// nothing in another.
func (m *Multiset) message(salt string) []byte {
	msg := make([]byte, 0, 4+len(m.cids)*(4+cidLen)+4+len(salt))
	msg = binary.LittleEndian.AppendUint32(msg, uint32(len(m.cids)))
	for _, cid := range m.Sorted() {
		msg = appendSized(msg, string(cid))
	}
	return appendSized(msg, salt)
}

func appendSized(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// mostListed is how many ids an error lists.
const mostListed = 32

// String lists the ids as error messages do.
func (m *Multiset) String() string {
	var b strings.Builder
	for i, cid := range m.cids {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == mostListed {
			b.WriteString("...")
			break
		}
		b.WriteString(`"` + string(cid) + `"`)
	}
	return "[" + b.String() + "]"
}
