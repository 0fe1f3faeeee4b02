package trace

import (
	"fmt"
	"math"

	"github.com/aquanode/aquanode/interpreter/data"
)

// Par is the bookkeeping of one par instruction.
type Par struct {
	at        int // position of the par state in the result
	leftSize  int
	branch    int // result position at the start of the running branch
	prev, cur parSide
	inRight   bool
}

type parSide struct {
	right                 int
	afterLeft, afterRight window
}

// ParStart takes the par states and narrows both sliders to the left branch.
func (h *Handler) ParStart(par *Par) error {
	p, c := h.prev.take(), h.cur.take()
	if p != nil && p.Kind != data.Par || c != nil && c.Kind != data.Par {
		return wrongKind(p, c, isPar, "par")
	}
	par.at = h.Pos()
	h.Append(Entry{State: data.State{Kind: data.Par}})
	par.branch = h.Pos()
	if err := h.prev.enterPar(p, &par.prev); err != nil {
		return err
	}
	if err := h.cur.enterPar(c, &par.cur); err != nil {
		return err
	}
	if err := h.prev.setLength(par.prev.afterLeft.len); err != nil {
		return err
	}
	return h.cur.setLength(par.cur.afterLeft.len)
}

func (s *slider) enterPar(e *data.State, side *parSide) error {
	var left, right int
	if e != nil {
		left, right = int(e.Left), int(e.Right)
	}
	both := left + right
	if both > math.MaxUint32 || both > s.rest() {
		return fmt.Errorf("par sizes %d and %d go beyond the %d states that are left", left, right, s.rest())
	}
	side.right = right
	side.afterLeft = window{s.pos + left, left}
	side.afterRight = window{s.pos + both, s.rest() - both}
	return nil
}

// ParLeftEnd closes the left branch and moves both sliders to the right one.
// The window set first has the length of the left branch, and a failure leaves
// that slider where the branch stopped: data of other peers depends on both.
func (h *Handler) ParLeftEnd(par *Par) {
	par.leftSize, par.inRight = h.Pos()-par.branch, true
	par.branch = h.Pos()
	_ = h.prev.setWindow(par.prev.afterLeft)
	_ = h.cur.setWindow(par.cur.afterLeft)
	if h.prev.setLength(par.prev.right) == nil {
		_ = h.cur.setLength(par.cur.right)
	}
}

// ParRightEnd closes the right branch, writes the par state and moves both
// sliders behind the par.
func (h *Handler) ParRightEnd(par *Par) {
	e := &h.Result[par.at]
	e.Left, e.Right = uint32(par.leftSize), uint32(h.Pos()-par.branch)
	_ = h.prev.setWindow(par.prev.afterRight)
	_ = h.cur.setWindow(par.cur.afterRight)
}

// OpenPar is a par that has not ended.
type OpenPar struct {
	at, leftSize, branch int
	inRight              bool
}

// Open says how far a par is.
func (par *Par) Open() OpenPar {
	return OpenPar{at: par.at, leftSize: par.leftSize, branch: par.branch, inRight: par.inRight}
}

// ClosePars writes the sizes of pars as if they ended here.
func ClosePars(result []Entry, pars []OpenPar) {
	for _, p := range pars {
		e, size := &result[p.at], uint32(len(result)-p.branch)
		if p.inRight {
			e.Left, e.Right = uint32(p.leftSize), size
		} else {
			e.Left, e.Right = size, 0
		}
	}
}

// ForgetInputs lets a par go on after Resume.
func (par *Par) ForgetInputs() { par.prev, par.cur = parSide{}, parSide{} }
