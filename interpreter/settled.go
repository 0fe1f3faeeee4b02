package interpreter

import (
	"slices"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// Settled reports whether nothing can follow here for certain: whatever arrives later brings no call requests and no next
// peers, and Outcome.Again names only peers that know already. So it is when the latest run that changed something came to its end and
//
//   - waits for nothing, or
//   - waits at one place for another peer, as a relay does that has handed an answer on, and no instruction that may come
//     after that place is for this peer.
//
// The second holds only for scripts that run one thing after the other so far. With par, two peers know different things, and
// one that has nothing to do may be the first to know both.
func (s *State) Settled() bool { return s.settled }

// unchanged reports whether the latest run left the known trace as it was.
func (m *machine) unchanged(known []trace.Entry) bool {
	return m.changes == 0 && len(m.trace.Foreign) == 0 && len(m.trace.Result) == len(known)
}

// nothingFollows reports whether nothing can follow from the latest run, which ended with f.
func (m *machine) nothingFollows(f *fault.Fault) bool {
	switch {
	case f != nil || m.stuck || m.unsteady || m.suspended != nil:
		return false
	case len(m.waits) == 0:
		return m.complete
	}
	return len(m.waits) == 1 && m.handedOn
}

// waitForPeer notes that an instruction waits for a peer.
func (m *machine) waitForPeer(n *node, peer string) {
	m.waits = append(m.waits, wait{n: n, peer: peer})
	if len(m.waits) == 1 {
		m.handedOn = peer != m.particle.CurrentPeerID && !m.parted && m.othersFollow(n)
	}
}

// outlook is a look at what may come after an instruction.
type outlook struct {
	m    *machine
	left int       // instructions that may still be looked at
	set  []varSlot // variables that are set there: what they resolve to now says nothing
}

type varSlot struct {
	kind air.VarKind
	slot int32
}

// mostAhead bounds how many instructions are looked at. A script compiled from a function has some tens behind a call.
const mostAhead = 256

// othersFollow reports whether all that may come after n is for other peers.
func (m *machine) othersFollow(n *node) bool {
	o := outlook{m: m, left: mostAhead}
	o.sets(&n.out)
	for fr := m.top; fr != nil; fr = fr.up {
		if o.left--; o.left < 0 {
			return false
		}
		switch fr.n.op {
		case opSeq:
			for _, kid := range fr.n.kids[fr.index+1:] {
				if !o.others(kid) {
					return false
				}
			}
		case opXor:
			if fr.index == 0 && !o.others(fr.n.kids[1]) {
				return false
			}
		case opNew:
			o.sets(&fr.n.out) // outside, the name means another variable
		case opFold, opNext: // what comes after them is in the frames around
		default:
			return false
		}
	}
	return true
}

// others reports whether an instruction and all within it are for other peers.
func (o *outlook) others(n *node) bool {
	if o.left--; o.left < 0 {
		return false
	}
	if !n.ready.Load() {
		o.m.p.resolve(n)
	}
	switch n.op {
	case opNull, opNever, opFail:
		return true
	case opAp:
		o.sets(&n.out)
		return true
	case opCall, opCanon:
		ok := o.another(&n.operands[callPeer])
		o.sets(&n.out)
		return ok
	case opSeq, opXor, opMatch, opMismatch, opNew:
		if n.op == opNew {
			o.sets(&n.out)
		}
		for _, kid := range n.kids {
			if !o.others(kid) {
				return false
			}
		}
		return true
	}
	return false // par and folds are not looked into
}

// another reports whether an operand is the id of another peer for certain.
func (o *outlook) another(operand *operand) bool {
	switch operand.src.Kind {
	case air.String, air.InitPeerID:
	case air.Variable:
		if o.m.scopes.depth > 0 { // other elements of a fold have other values
			return false
		}
		if operand.lens != nil && slices.ContainsFunc(operand.lens.path, func(a accessor) bool { return a.Kind == air.ByScalar }) {
			return false
		}
		if slices.Contains(o.set, varSlot{operand.src.Var.Kind, operand.slot}) {
			return false
		}
	default:
		return false
	}
	peer, f := o.m.text(operand)
	return f == nil && peer != o.m.particle.CurrentPeerID
}

func (o *outlook) sets(t *target) {
	if t.Var != nil {
		o.set = append(o.set, varSlot{t.Kind, t.slot})
	}
}
