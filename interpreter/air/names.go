package air

import (
	"hash/maphash"
	"slices"
)

// nameTable numbers the names of variables from 0, in the order of their first mention, and
// holds what the checks know about each. A map of strings took twice the time of its
// hash table, a quarter of all of Parse.
type nameTable struct {
	known []name
	table []slot // a power of two long, at most half full
}

// slot is one of the hash table; id is one more than the number of a name, 0 if the slot is free.
type slot struct {
	hash uint32
	id   int32
}

var seed = maphash.MakeSeed()

// id is the number of a name.
func (n *nameTable) id(text string) int32 {
	if 2*len(n.known) >= len(n.table) {
		n.grow()
	}
	hash := uint32(maphash.String(seed, text))
	slot := n.find(hash, text)
	if slot.id == 0 {
		n.known = append(n.known, name{})
		last := &n.known[len(n.known)-1]
		last.text, last.hash, last.defined = text, hash, undefined
		slot.hash, slot.id = hash, int32(len(n.known))
	}
	return slot.id - 1
}

// find is the slot of a name, or the free one where it goes.
func (n *nameTable) find(hash uint32, text string) *slot {
	for k := hash; ; k++ {
		s := &n.table[int(k)&(len(n.table)-1)]
		if s.id == 0 || s.hash == hash && n.known[s.id-1].text == text {
			return s
		}
	}
}

// grow doubles the table.
func (n *nameTable) grow() {
	size := max(64, 2*len(n.table))
	n.table = slices.Grow(n.table[:0], size)[:size]
	clear(n.table)
	for k := range n.known {
		name := &n.known[k]
		*n.find(name.hash, name.text) = slot{name.hash, int32(k) + 1}
	}
}

// list is the names in the order of their numbers.
func (n *nameTable) list() []string {
	list := make([]string, len(n.known))
	for k := range list {
		list[k] = n.known[k].text
	}
	return list
}
