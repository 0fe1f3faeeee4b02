package data

// Mark is how far the stores were filled at some time.
type Mark struct{ values, tetraplets, elements, canons, results int }

// Mark remembers how far the stores are filled, for RollBack.
func (d *Data) Mark() Mark {
	return Mark{d.Values.Len(), d.Tetraplets.Len(), d.CanonElements.Len(), d.CanonResults.Len(), d.ServiceResults.Len()}
}

// RollBack forgets the entries added since. Entries that were replaced stay so.
func (d *Data) RollBack(to Mark) {
	d.Values.truncate(to.values)
	d.Tetraplets.truncate(to.tetraplets)
	d.CanonElements.truncate(to.elements)
	d.CanonResults.truncate(to.canons)
	d.ServiceResults.truncate(to.results)
}

// truncate keeps the first n entries. It builds the index anew: an open hash table cannot take single
// entries out, and only runs that fail come here.
func (s *Store[V]) truncate(n int) {
	if n >= len(s.keys) {
		return
	}
	clear(s.keys[n:])
	clear(s.values[n:])
	s.keys, s.values, s.index = s.keys[:n], s.values[:n], nil
	s.Reserve(0)
}

// Size is about how many bytes the stores hold.
func (d *Data) Size() int {
	const perEntry = 2*cidLen + 64 // the key, an id in the entry, slices and index
	n := d.Tetraplets.Len() + d.CanonElements.Len() + d.CanonResults.Len() + d.ServiceResults.Len()
	size := perEntry * (n + d.Values.Len())
	for _, v := range d.Values.values {
		size += len(v.Text())
	}
	for _, r := range d.CanonResults.values {
		size += 16 * len(r.Elements)
	}
	return size + 120*len(d.Signatures)
}
