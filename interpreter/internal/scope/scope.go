// Package scope says what the names of a script mean: scalars and canons in tables of cells,
// streams in lists of generations.
package scope

import (
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/trace"
)

// Scopes says which scalars and canons can be seen. Depth 0 is the script;
// every fold, and every further element of it, is one deeper. A variable set at a
// depth that is not allowed now (an earlier element's) is invisible.
type Scopes struct {
	Depth   int32
	allowed []bool // by depth
}

func (s *Scopes) Reset() {
	s.Depth = 0
	s.allowed = append(s.allowed[:0], true)
}

func (s *Scopes) Enter() {
	s.Depth++
	if int(s.Depth) == len(s.allowed) {
		s.allowed = append(s.allowed, false)
	}
	s.allowed[s.Depth] = true
}

// Hide hides what was set at the current depth.
func (s *Scopes) Hide() { s.allowed[s.Depth] = s.Depth == 0 }

// Leave goes back to the depth above.
func (s *Scopes) Leave() {
	s.Hide()
	s.Depth--
}

// Show undoes disallow.
func (s *Scopes) Show() { s.allowed[s.Depth] = true }

// Size is the memory of the scopes.
func (s *Scopes) Size() int { return cap(s.allowed) }

// cell is one meaning of a name.
type cell[T any] struct {
	depth   int32
	set     bool          // false after new
	sources trace.Sources // of the results that it comes from
	val     T
}

// Table holds the variables of one kind by slot. Only the newest cell of a name counts.
type Table[T any] struct {
	cells [][]cell[T]
	deep  []int32 // slots that got a cell below depth 0, in order
	room  int     // of all cells
}

func (t *Table[T]) Reset(names int) {
	if cap(t.cells) < names {
		t.cells, t.room = make([][]cell[T], names), 0
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

// Release drops all values and keeps the memory for a next run, unless that is for more than most
// names and values: making it took a third of the step of a script of 200 kB that mostly passes through.
func (t *Table[T]) Release(most int) {
	if cap(t.cells)+t.room > most {
		*t = Table[T]{}
		return
	}
	t.Reset(len(t.cells))
}

type Lookup uint8

const (
	Missing Lookup = iota
	Cleared        // by new, and not set since
	Found
)

func (t *Table[T]) Get(s *Scopes, slot int32) (v T, how Lookup) {
	cells := t.cells[slot]
	if len(cells) == 0 {
		return v, Missing
	}
	top := &cells[len(cells)-1]
	switch {
	case !s.allowed[top.depth]:
		return v, Missing
	case !top.set:
		return v, Cleared
	}
	return top.val, Found
}

// Sources are those of the results that the value of a variable comes from, if it has one.
func (t *Table[T]) Sources(s *Scopes, slot int32) trace.Sources {
	cells := t.cells[slot]
	if len(cells) == 0 {
		return 0
	}
	if top := &cells[len(cells)-1]; top.set && s.allowed[top.depth] {
		return top.sources
	}
	return 0
}

// CanSet reports whether a value may be set now: always in folds, and
// otherwise only where there is none.
func (t *Table[T]) CanSet(s *Scopes, slot int32) bool {
	cells := t.cells[slot]
	return len(cells) == 0 || s.Depth != 0 || !cells[len(cells)-1].set
}

// Set sets a value that is settable.
func (t *Table[T]) Set(s *Scopes, slot int32, v T, from trace.Sources) {
	cells := t.cells[slot]
	if n := len(cells); n > 0 && cells[n-1].depth == s.Depth {
		cells[n-1].set, cells[n-1].val, cells[n-1].sources = true, v, from
		return
	}
	t.push(slot, cell[T]{depth: s.Depth, set: true, val: v, sources: from})
	if s.Depth > 0 {
		t.deep = append(t.deep, slot)
	}
}

func (t *Table[T]) push(slot int32, c cell[T]) {
	before := cap(t.cells[slot])
	t.cells[slot] = append(t.cells[slot], c)
	t.room += cap(t.cells[slot]) - before
}

// Size is the memory of the table.
func (t *Table[T]) Size() int {
	return cap(t.cells)*int(unsafe.Sizeof([]T{})) + t.room*int(unsafe.Sizeof(cell[T]{})) +
		4*cap(t.deep)
}

// Open begins a new for the slot.
func (t *Table[T]) Open(s *Scopes, slot int32) {
	t.push(slot, cell[T]{depth: s.Depth})
}

// Close ends it; it fails if the newest cell is not of this depth.
func (t *Table[T]) Close(s *Scopes, slot int32) bool {
	cells := t.cells[slot]
	n := len(cells)
	if n == 0 || cells[n-1].depth != s.Depth {
		return false
	}
	cells[n-1] = cell[T]{}
	t.cells[slot] = cells[:n-1]
	return true
}

// DropDeeper forgets the cells that are deeper than the current depth.
func (t *Table[T]) DropDeeper(s *Scopes) {
	for len(t.deep) > 0 {
		slot := t.deep[len(t.deep)-1]
		cells := t.cells[slot]
		if n := len(cells); n > 0 {
			if cells[n-1].depth <= s.Depth {
				return
			}
			cells[n-1] = cell[T]{}
			t.cells[slot] = cells[:n-1]
		}
		t.deep = t.deep[:len(t.deep)-1]
	}
}
