package trace

import (
	"fmt"

	"github.com/aquanode/aquanode/interpreter/data"
)

// Par is the bookkeeping of one par instruction. Positions and sizes are below 2^31 as archives
// are; pars nest a thousand deep, so it is small.
type Par struct {
	at        int32 // position of the par state in the result
	leftSize  int32
	branch    int32 // result position at the start of the running branch
	inRight   bool
	prev, cur parSide
}

// parSide is a par state of an input: where its branches begin, their sizes, and how many states of
// the window follow them.
type parSide struct{ start, left, right, rest int32 }

func (p *parSide) afterLeft() window { return window{int(p.start + p.left), int(p.left)} }
func (p *parSide) afterRight() window {
	return window{int(p.start + p.left + p.right),
		int(p.rest)}
}

// ParStart takes the par states and narrows both sliders to the left branch.
func (h *Handler) ParStart(par *Par) error {
	m, err := h.meet(data.Par, data.Par, "par")
	if err != nil {
		return err
	}
	*par = Par{at: int32(h.Pos()), branch: int32(h.Pos() + 1)}
	h.Append(Entry{State: data.State{Kind: data.Par}})
	if err := h.prev.enterPar(m.p, &par.prev); err != nil {
		return err
	}
	if err := h.cur.enterPar(m.c, &par.cur); err != nil {
		return err
	}
	if err := h.prev.setLength(int(par.prev.left)); err != nil {
		return err
	}
	return h.cur.setLength(int(par.cur.left))
}

// enterPar reads the par state at i, -1 for none.
func (s *slider) enterPar(i int, side *parSide) error {
	var left, right uint32
	if i >= 0 {
		left, right = s.par(i)
	}
	both := int64(left) + int64(right)
	if both > int64(s.rest()) {
		return fmt.Errorf("par sizes %d and %d go beyond the %d states that are left", left, right,
			s.rest())
	}
	*side = parSide{int32(s.pos), int32(left), int32(right), int32(s.rest() - int(both))}
	return nil
}

// ParLeftEnd closes the left branch and moves both sliders to the right one.
// The window set first has the length of the left branch, and a failure leaves
// that slider where the branch stopped: data of other peers depends on both.
func (h *Handler) ParLeftEnd(par *Par) {
	end := int32(h.Pos())
	par.leftSize, par.inRight, par.branch = end-par.branch, true, end
	h.prev.trySetWindow(par.prev.afterLeft())
	h.cur.trySetWindow(par.cur.afterLeft())
	if h.prev.trySetLength(int(par.prev.right)) {
		h.cur.trySetLength(int(par.cur.right))
	}
}

// ParRightEnd closes the right branch, writes the par state and moves both
// sliders behind the par.
func (h *Handler) ParRightEnd(par *Par) {
	e := &h.Result[par.at]
	e.Left, e.Right = uint32(par.leftSize), uint32(int32(h.Pos())-par.branch)
	h.prev.trySetWindow(par.prev.afterRight())
	h.cur.trySetWindow(par.cur.afterRight())
}

// OpenPar is a par that has not ended.
type OpenPar struct {
	at, leftSize, branch int32
	inRight              bool
}

// Within reports whether the state of the par is among the first n of the result.
func (p *OpenPar) Within(n int) bool { return int(p.at) < n }

// Open says how far a par is.
func (par *Par) Open() OpenPar {
	return OpenPar{at: par.at, leftSize: par.leftSize, branch: par.branch, inRight: par.inRight}
}

// ClosePars writes the sizes of pars as if they ended here.
func ClosePars(result []Entry, pars []OpenPar) {
	for _, p := range pars {
		e, size := &result[p.at], uint32(len(result)-int(p.branch))
		if p.inRight {
			e.Left, e.Right = uint32(p.leftSize), size
		} else {
			e.Left, e.Right = size, 0
		}
	}
}

// ForgetInputs lets a par go on after Resume.
func (par *Par) ForgetInputs() { par.prev, par.cur = parSide{}, parSide{} }
