package trace

import (
	"fmt"
	"math"
	"slices"

	"github.com/aquanode/aquanode/interpreter/data"
)

// Fold is the bookkeeping of one fold over a stream or a stream map.
//
// Each visited element has a record of two ranges of the result: before (what
// its body wrote up to next) and after (what it wrote after next returned).
// The records of one generation form a chain, since next nests.
type Fold struct {
	at        int
	prev, cur foldSide
	lore      []data.FoldLore
	before    []data.FoldLore // of the fold state in the previous trace
	chain     []record
	current   int  // index in chain of the element whose body runs
	returning bool // a next of this generation found no further element
}

type foldSide struct {
	entries map[uint32]subTraces // by value position; each is used once
	final   window
}

// subTraces are the windows that belong to one element of an input fold. The
// lengths are extended over all that is nested inside.
type subTraces struct{ before, after window }

type record struct {
	value                                int // result position of the element
	beforeBegin, beforeEnd               int
	afterBegin, afterEnd                 int
	beforeClosed, afterOpen, afterClosed bool
	prevAfter, curAfter                  window
	prevKnown, curKnown                  bool
}

// FoldStart takes the fold states and reserves one in the result.
func (h *Handler) FoldStart() (*Fold, error) {
	m, err := h.meet(data.Fold, data.Fold, "fold")
	if err != nil {
		return nil, err
	}
	f := &Fold{at: h.Pos()}
	if m.pk != data.None {
		f.before = h.prev.at(m.p).Lore()
	}
	if f.prev, err = h.prev.enterFold(m.pk, f.before); err != nil {
		return nil, err
	}
	var lore []data.FoldLore
	if m.ck != data.None {
		lore = h.cur.at(m.c).Lore()
	}
	if f.cur, err = h.cur.enterFold(m.ck, lore); err != nil {
		return nil, err
	}
	h.Append(Entry{State: data.State{Kind: data.Fold}})
	return f, nil
}

func (s *slider) enterFold(k data.Kind, lore []data.FoldLore) (foldSide, error) {
	if k == data.None {
		return foldSide{final: window{s.pos, s.rest()}}, nil
	}
	total := 0
	side := foldSide{entries: make(map[uint32]subTraces, len(lore))}
	for i := 0; i < len(lore); {
		end, err := s.generationEnd(lore, i)
		if err != nil {
			return side, err
		}
		n, err := side.add(lore[i:end])
		if err != nil {
			return side, err
		}
		total += n
		i = end
	}
	if total > math.MaxUint32 || total > s.rest() {
		return side, fmt.Errorf("fold covers %d states, but %d are left", total, s.rest())
	}
	side.final = window{s.pos + total, s.rest() - total}
	return side, nil
}

// generationEnd finds the end of the run of neighbours that share the generation of lore[i].
func (s *slider) generationEnd(lore []data.FoldLore, i int) (int, error) {
	gen, err := s.generationAt(lore[i].ValuePos)
	if err != nil {
		return 0, err
	}
	end := i + 1
	for ; end < len(lore); end++ {
		g, err := s.generationAt(lore[end].ValuePos)
		if err != nil {
			return 0, err
		}
		if g != gen {
			break
		}
	}
	return end, nil
}

func (s *slider) generationAt(pos uint32) (uint32, error) {
	if int64(pos) >= int64(s.size) {
		return 0, fmt.Errorf("requested an element at position '%d', but state contains only '%d' elements", pos, s.size)
	}
	gen, ok := s.generation(int(pos))
	if !ok {
		return 0, fmt.Errorf("expected a state of CallResult(Value::Stream) or Ap types but '%s' obtained", DebugState(&s.at(int(pos)).State))
	}
	return gen, nil
}

// add takes the entries of one generation and returns the states they cover.
func (f *foldSide) add(run []data.FoldLore) (int, error) {
	total, extAfter := 0, make([]int, len(run))
	for i, l := range run {
		if l.Parts != 2 {
			return 0, fmt.Errorf("fold lore has %d descriptors instead of 2", l.Parts)
		}
		total += int(l.After.Len)
		extAfter[i] = total
	}
	beforeSum, afterSum := 0, total
	for i := len(run) - 1; i >= 0; i-- {
		l := run[i]
		if _, dup := f.entries[l.ValuePos]; dup {
			return 0, fmt.Errorf("fold has two entries for the value at position %d", l.ValuePos)
		}
		beforeSum += int(l.Before.Len)
		f.entries[l.ValuePos] = subTraces{
			before: window{int(l.Before.Begin), beforeSum + afterSum},
			after:  window{int(l.After.Begin), extAfter[i]},
		}
	}
	return beforeSum + afterSum, nil
}

func (f *foldSide) claim(input int) (subTraces, bool) {
	if input < 0 || f.entries == nil {
		return subTraces{}, false
	}
	s, ok := f.entries[uint32(input)]
	if ok {
		delete(f.entries, uint32(input))
	}
	return s, ok
}

// IterationStart begins the body for the element whose state is at result
// position value.
func (h *Handler) IterationStart(f *Fold, value int) error {
	r := record{value: value, beforeBegin: h.Pos()}
	p, pOK := f.prev.claim(h.prevMap.input(value))
	c, cOK := f.cur.claim(h.curMap.input(value))
	if err := h.prev.enter(p.before, pOK); err != nil {
		return err
	}
	if err := h.cur.enter(c.before, cOK); err != nil {
		return err
	}
	r.prevAfter, r.prevKnown, r.curAfter, r.curKnown = p.after, pOK, c.after, cOK
	f.chain = append(f.chain, r)
	f.current = len(f.chain) - 1
	return nil
}

// enter opens the window of an element, or an empty one where it is unknown.
func (s *slider) enter(w window, known bool) error {
	if !known {
		return s.setLength(0)
	}
	return s.setWindow(w)
}

// IterationEnd is called when the body reaches next.
func (h *Handler) IterationEnd(f *Fold) {
	r := &f.chain[f.current]
	r.beforeEnd, r.beforeClosed = h.Pos(), true
}

// BackIterator is called when next has no further element, and each time a
// next returns: what follows belongs to the after part of the element before.
func (h *Handler) BackIterator(f *Fold) error {
	if !f.returning {
		f.returning = true
		r := &f.chain[f.current]
		if !r.beforeClosed {
			r.beforeEnd, r.beforeClosed = h.Pos(), true
		}
	} else {
		r := &f.chain[f.current]
		r.afterEnd, r.afterClosed = h.Pos(), true
		if f.current > 0 {
			f.current--
		}
	}
	r := &f.chain[f.current]
	r.afterBegin, r.afterOpen = h.Pos(), true
	if err := h.prev.enter(r.prevAfter, r.prevKnown); err != nil {
		return err
	}
	return h.cur.enter(r.curAfter, r.curKnown)
}

// GenerationEnd finishes the records of one generation.
func (h *Handler) GenerationEnd(f *Fold) {
	end := h.Pos()
	for i := range f.chain {
		r := &f.chain[i]
		if !r.beforeClosed {
			r.beforeEnd = end
		}
		if !r.afterOpen {
			r.afterBegin = end
		}
		if !r.afterClosed {
			r.afterEnd = end
		}
		f.lore = append(f.lore, data.FoldLore{
			ValuePos: uint32(r.value),
			Before: data.SubTrace{Begin: uint32(r.beforeBegin),
				Len: uint32(r.beforeEnd - r.beforeBegin)},
			After: data.SubTrace{Begin: uint32(r.afterBegin),
				Len: uint32(r.afterEnd - r.afterBegin)},
			Parts: 2,
		})
	}
	f.chain, f.current, f.returning = f.chain[:0], 0, false
}

// Same reports whether a fold that ended wrote what it found in the previous trace.
func (f *Fold) Same() bool { return slices.Equal(f.lore, f.before) }

// FoldEnd writes the fold state and moves both sliders behind the fold.
func (h *Handler) FoldEnd(f *Fold) {
	h.Result[f.at].State = data.FoldState(f.lore)
	h.prev.trySetWindow(f.prev.final)
	h.cur.trySetWindow(f.cur.final)
}
