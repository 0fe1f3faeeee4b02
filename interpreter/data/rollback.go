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
	s.reserve(0)
}
