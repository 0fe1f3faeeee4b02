package interpreter

import "unsafe"

// scopes says which scalars and canons can be seen. Depth 0 is the script;
// every fold, and every further element of it, is one deeper. A variable set at a
// depth that is not allowed now (an earlier element's) is invisible.
type scopes struct {
	depth   int32
	allowed []bool // by depth
}

func (s *scopes) reset() {
	s.depth = 0
	s.allowed = append(s.allowed[:0], true)
}

func (s *scopes) deeper() {
	s.depth++
	if int(s.depth) == len(s.allowed) {
		s.allowed = append(s.allowed, false)
	}
	s.allowed[s.depth] = true
}

func (s *scopes) disallow() { s.allowed[s.depth] = s.depth == 0 }

// cell is one meaning of a name.
type cell[T any] struct {
	depth int32
	set   bool // false after new
	news  news // of the results that it comes from
	val   T
}

// table holds the variables of one kind by slot. Only the newest cell of a name counts.
type table[T any] struct {
	cells [][]cell[T]
	deep  []int32 // slots that got a cell below depth 0, in order
	room  int     // of all cells
}

func (t *table[T]) reset(names int) {
	if cap(t.cells) < names {
		t.cells = make([][]cell[T], names)
	}
	t.cells = t.cells[:names]
	for i, c := range t.cells {
		if len(c) > 0 {
			clear(c)
			t.cells[i] = c[:0]
		}
	}
	t.deep = t.deep[:0]
}

type lookup uint8

const (
	missing lookup = iota
	cleared        // by new, and not set since
	found
)

func (t *table[T]) get(s *scopes, slot int32) (v T, how lookup) {
	cells := t.cells[slot]
	if len(cells) == 0 {
		return v, missing
	}
	top := &cells[len(cells)-1]
	switch {
	case !s.allowed[top.depth]:
		return v, missing
	case !top.set:
		return v, cleared
	}
	return top.val, found
}

// news is which results the value of a variable comes from, if it has one.
func (t *table[T]) news(s *scopes, slot int32) news {
	cells := t.cells[slot]
	if len(cells) == 0 {
		return 0
	}
	if top := &cells[len(cells)-1]; top.set && s.allowed[top.depth] {
		return top.news
	}
	return 0
}

// settable reports whether a value may be set now: always in folds, and
// otherwise only where there is none.
func (t *table[T]) settable(s *scopes, slot int32) bool {
	cells := t.cells[slot]
	return len(cells) == 0 || s.depth != 0 || !cells[len(cells)-1].set
}

// put sets a value that is settable.
func (t *table[T]) put(s *scopes, slot int32, v T, from news) {
	cells := t.cells[slot]
	if n := len(cells); n > 0 && cells[n-1].depth == s.depth {
		cells[n-1].set, cells[n-1].val, cells[n-1].news = true, v, from
		return
	}
	t.push(slot, cell[T]{depth: s.depth, set: true, val: v, news: from})
	if s.depth > 0 {
		t.deep = append(t.deep, slot)
	}
}

func (t *table[T]) push(slot int32, c cell[T]) {
	before := cap(t.cells[slot])
	t.cells[slot] = append(t.cells[slot], c)
	t.room += cap(t.cells[slot]) - before
}

// size is the memory of the table.
func (t *table[T]) size() int {
	return cap(t.cells)*int(unsafe.Sizeof([]T{})) + t.room*int(unsafe.Sizeof(cell[T]{})) + 4*cap(t.deep)
}

// open begins a new for the slot.
func (t *table[T]) open(s *scopes, slot int32) {
	t.push(slot, cell[T]{depth: s.depth})
}

// close ends it; it fails if the newest cell is not of this depth.
func (t *table[T]) close(s *scopes, slot int32) bool {
	cells := t.cells[slot]
	n := len(cells)
	if n == 0 || cells[n-1].depth != s.depth {
		return false
	}
	cells[n-1] = cell[T]{}
	t.cells[slot] = cells[:n-1]
	return true
}

// drop forgets the cells that are deeper than the current depth.
func (t *table[T]) drop(s *scopes) {
	for len(t.deep) > 0 {
		slot := t.deep[len(t.deep)-1]
		cells := t.cells[slot]
		if n := len(cells); n > 0 {
			if cells[n-1].depth <= s.depth {
				return
			}
			cells[n-1] = cell[T]{}
			t.cells[slot] = cells[:n-1]
		}
		t.deep = t.deep[:len(t.deep)-1]
	}
}
