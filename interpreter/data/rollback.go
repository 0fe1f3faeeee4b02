package data

import "unsafe"

// Mark is how far the stores were filled at some time.
type Mark struct{ values, tetraplets, elements, canons, results int }

// Mark remembers how far the stores are filled, for RollBack.
func (d *Data) Mark() Mark {
	return Mark{d.Values.Len(), d.Tetraplets.Len(), d.CanonElements.Len(), d.CanonResults.Len(),
		d.ServiceResults.Len()}
}

// RollBack forgets the entries added since. Entries that were replaced stay so.
func (d *Data) RollBack(to Mark) {
	d.Values.truncate(to.values)
	d.Tetraplets.truncate(to.tetraplets)
	d.CanonElements.truncate(to.elements)
	d.CanonResults.truncate(to.canons)
	d.ServiceResults.truncate(to.results)
}

// truncate keeps the first n entries. Those put in last are taken out of the index first, so
// nothing was probed past one that goes.
func (s *Store[V]) truncate(n int) {
	for i := len(s.keys) - 1; i >= n; i-- {
		s.index[s.slot(s.keys[i])] = 0
		s.texts -= behind(&s.values[i])
	}
	clear(s.keys[n:])
	clear(s.values[n:])
	s.keys, s.values = s.keys[:n], s.values[:n]
}

// Size is about how many bytes the stores hold in memory.
func (d *Data) Size() int {
	return heldBy(&d.Values) + heldBy(&d.Tetraplets) + heldBy(&d.CanonElements) +
		heldBy(&d.CanonResults) +
		heldBy(&d.ServiceResults) + 160*len(d.Signatures)
}

// heldBy is the memory of a store, with its keys and the ids in its values where they are not keys
// of others.
func heldBy[V any](s *Store[V]) int {
	const key = 64 // an id, as it is allocated
	return s.texts + len(s.keys)*key + cap(s.keys)*int(unsafe.Sizeof(CID(""))) +
		cap(s.values)*int(unsafe.Sizeof(*new(V))) + 4*len(s.index)
}

// Encoded is about how many bytes the stores and signatures take in an archive.
func (d *Data) Encoded() int {
	const key = entrySize + cidLen
	return d.Values.texts + d.Values.Len()*(key+fatSize) +
		d.Tetraplets.texts + d.Tetraplets.Len()*(key+tetrapletSize) +
		d.CanonElements.Len()*(key+canonElementSize) +
		d.CanonResults.texts/2 + d.CanonResults.Len()*(key+canonResultSize) +
		d.ServiceResults.Len()*(key+serviceResultSize+cidLen) +
		len(d.Signatures)*(signatureSize+33+65)
}
