package machine

import (
	"slices"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// lookahead looks at parts of the script that a run did not come to, and answers one of two
// questions:
//
//   - needs: which results have to be there before it is this peer's turn again? A peer that asked
//     for them before they came has to be named again (again.go).
//   - onlyOthers: is all of it for other peers? Then nothing can follow here (settled.go).
//
// Both follow the instructions in the order in which they may run, resolve peers as the run would,
// and stop when the budget is used up. They are careful to different sides: needs takes a peer to
// be another one unless it is certain to be this one, onlyOthers the other way around.
//
// Nothing else looks ahead: whether a run may be suspended is counted as it goes (suspend.go).
type lookahead struct {
	m      *Machine
	budget *int

	// needs
	wanted trace.Sources
	found  trace.Sources // of the results that are needed there
	// whose further elements are looked at: variables have other values for them
	further *pass

	// onlyOthers
	strict bool      // this is the question
	set    []varSlot // variables that are set there: what they resolve to now says nothing
}

type varSlot struct {
	kind air.VarKind
	slot int32
}

// following are the parts of a seq or xor that may run after the one that runs.
func (fr *frame) following() []*program.Node { return fr.n.Kids[fr.index+1:] }

// visit makes an instruction ready to look at. It reports whether the budget allows that.
func (l *lookahead) visit(n *program.Node) bool {
	if *l.budget--; *l.budget < 0 {
		return false
	}
	if !n.IsReady() {
		l.m.p.Resolve(n)
	}
	return true
}

// turn is whose turn it is at an instruction, as far as that is certain.
type turn uint8

const (
	unknown turn = iota
	ours
	theirs
)

// turn resolves the peer of a call or canon.
func (l *lookahead) turn(peer *program.Operand) turn {
	if l.mayDiffer(peer) {
		return unknown
	}
	if !l.strict && peer.Lens != nil && peer.Source.Var.Kind == air.Scalar {
		if it, f := l.m.scalar(peer.Slot); f == nil {
			*l.budget -= len(it.Val.Text()) >> 10
		}
	}
	id, f := l.m.text(peer)
	switch {
	case f != nil:
		return unknown
	case id == l.m.particle.CurrentPeerID:
		return ours
	}
	return theirs
}

// mayDiffer reports whether an operand may have another value when the run comes there.
func (l *lookahead) mayDiffer(o *program.Operand) bool {
	if !l.strict {
		return o.Source.Kind == air.Variable && l.further != nil
	}
	switch o.Source.Kind {
	case air.String, air.InitPeerID:
		return false
	case air.Variable:
		return l.m.scopes.Depth > 0 || // other elements of a fold have other values
			o.Lens != nil && slices.ContainsFunc(o.Lens.Path,
				func(a program.Accessor) bool { return a.Kind == air.ByScalar }) ||
			slices.Contains(l.set, varSlot{o.Source.Var.Kind, o.Slot})
	}
	return true
}

// way is how the script continues after a part of it.
type way uint8

const (
	onward way = iota // behind it, if nothing fails
	ends              // nowhere: it fails, or it is this peer's turn first
	home              // it is this peer's turn at once
)

func (l *lookahead) needsOfSeq(parts []*program.Node) way {
	for i, part := range parts {
		switch w := l.needs(part); {
		case w == home && i > 0:
			return ends
		case w != onward:
			return w
		}
	}
	return onward
}

// needs looks at an instruction and all within it.
func (l *lookahead) needs(n *program.Node) way {
	if !l.visit(n) {
		l.found = l.wanted
	}
	if l.found&l.wanted == l.wanted {
		return ends
	}
	*l.budget -= len(n.Operands) / 8
	switch n.Op {
	case program.OpNever:
		return ends
	case program.OpSeq:
		return l.needsOfSeq(n.Kids)
	case program.OpNew:
		return l.needs(n.Kids[0])
	case program.OpPar:
		return min(l.needs(n.Kids[0]), l.needs(n.Kids[1]))
	case program.OpXor:
		return l.needsOfXor(n)
	case program.OpFoldStream:
		return l.needsOfFoldStream(n)
	case program.OpNext:
		return l.needsOfNext(n)
	case program.OpCall, program.OpCanon:
		if peer := &n.Operands[program.CallPeer]; l.turn(peer) == ours {
			l.found |= l.m.sourcesOf(peer) // needed to come here
			return home
		}
	}
	l.found |= l.m.sourcesIn(n)
	switch n.Op {
	case program.OpFail:
		return ends
	case program.OpMatch, program.OpMismatch:
		return min(l.needs(n.Kids[0]), ends)
	case program.OpFold:
		l.needs(n.Kids[0])
		if n.Last != nil {
			l.needs(n.Last)
		}
	}
	return onward
}

func (l *lookahead) needsOfXor(n *program.Node) way {
	left := l.needs(n.Kids[0])
	if left == home { // and only this peer knows whether that fails
		return home
	}
	return min(left, l.needs(n.Kids[1]), ends)
}

// needsOfFoldStream looks at a fold that waits for values. One value brings it home if its body
// does.
func (l *lookahead) needsOfFoldStream(n *program.Node) way {
	w := l.needs(n.Kids[0])
	if s := l.m.streams.At(&n.From); s != nil && (w != home || s.Sources&^l.wanted == 0) {
		l.found |= s.Sources
	}
	if n.Last != nil {
		return min(w, l.needs(n.Last))
	}
	return w
}

// needsOfNext looks at the further elements of a fold.
func (l *lookahead) needsOfNext(n *program.Node) way {
	p := l.m.folds[n.Iter]
	if p == nil || l.further != nil { // of a fold that is ahead itself
		return onward
	}
	if p.stream != nil {
		l.found |= p.stream.stream.Sources
	}
	if p.index+1 < len(p.items) {
		l.further = p
		l.needs(p.n.Kids[0])
		l.further = nil
	}
	if p.n.Last != nil {
		l.needs(p.n.Last)
	}
	return onward
}

// sourcesIn is which results the operands of an instruction come from.
func (m *Machine) sourcesIn(n *program.Node) (found trace.Sources) {
	if n.Fixed != nil {
		return 0
	}
	for i := range n.Operands {
		found |= m.sourcesOf(&n.Operands[i])
	}
	return found
}

// sourcesOf is which results an operand comes from. Iterators are known to all who come to where
// they are used.
func (m *Machine) sourcesOf(o *program.Operand) (found trace.Sources) {
	if o.Source.Kind != air.Variable {
		return 0
	}
	switch o.Source.Var.Kind {
	case air.CanonStream:
		found = m.canons.Sources(&m.scopes, o.Slot)
	case air.CanonMap:
		found = m.maps.Sources(&m.scopes, o.Slot)
	default:
		found = m.scalars.Sources(&m.scopes, o.Slot)
	}
	if o.Lens == nil {
		return found
	}
	for k := range o.Lens.Path {
		if a := &o.Lens.Path[k]; a.Kind == air.ByScalar {
			found |= m.scalars.Sources(&m.scopes, a.Slot)
		}
	}
	return found
}

// othersBudget bounds how many instructions onlyOthers looks at. A script compiled from a function
// has some tens behind a call.
const othersBudget = 256

// onlyOthersFollow reports whether all that may come after n is for other peers.
func (m *Machine) onlyOthersFollow(n *program.Node) bool {
	budget := othersBudget
	l := lookahead{m: m, budget: &budget, strict: true, set: m.varSlots[:0]}
	only := l.onlyOthersAfter(n)
	m.varSlots = l.set
	return only
}

func (l *lookahead) onlyOthersAfter(n *program.Node) bool {
	l.sets(&n.Out)
	for fr := l.m.top; fr != nil; fr = fr.up {
		if *l.budget--; *l.budget < 0 {
			return false
		}
		switch fr.n.Op {
		case program.OpSeq, program.OpXor:
			if !l.onlyOthersIn(fr.following()) {
				return false
			}
		case program.OpNew:
			l.sets(&fr.n.Out) // outside, the name means another variable
		case program.OpFold, program.OpNext: // what comes after them is in the frames around
		default:
			return false
		}
	}
	return true
}

func (l *lookahead) onlyOthersIn(parts []*program.Node) bool {
	for _, part := range parts {
		if !l.onlyOthers(part) {
			return false
		}
	}
	return true
}

// onlyOthers reports whether an instruction and all within it are for other peers.
func (l *lookahead) onlyOthers(n *program.Node) bool {
	if !l.visit(n) {
		return false
	}
	switch n.Op {
	case program.OpNull, program.OpNever, program.OpFail:
		return true
	case program.OpAp:
		l.sets(&n.Out)
		return true
	case program.OpCall, program.OpCanon:
		turn := l.turn(&n.Operands[program.CallPeer])
		l.sets(&n.Out)
		return turn == theirs
	case program.OpSeq, program.OpXor, program.OpMatch, program.OpMismatch, program.OpNew:
		if n.Op == program.OpNew {
			l.sets(&n.Out)
		}
		return l.onlyOthersIn(n.Kids)
	}
	return false // par and folds are not looked into
}

func (l *lookahead) sets(t *program.Target) {
	if t.Var != nil {
		l.set = append(l.set, varSlot{t.Kind, t.Slot})
	}
}
