package topology

import "github.com/aquanode/aquanode/aqua/step"

// exit is how the particle leaves a node.
type exit uint8

const (
	leaveNone  exit = iota // it stays where the node ends
	leaveRelay             // it goes to the last relay on its way
	leaveFull              // it goes to where the program continues
)

// exit decides how the particle leaves a node.
func (r *resolver) exit(n *node) exit {
	if !n.memo.exitKnown {
		n.memo.exit, n.memo.exitKnown = r.computeExit(n), true
	}
	return n.memo.exit
}

func (r *resolver) computeExit(n *node) exit {
	if on, ok := n.op.(*step.OnOp); ok && on.ToRelay {
		return leaveRelay
	}
	if _, ok := n.op.(*step.FailOp); ok || n.parent == nil {
		return leaveNone
	}
	switch {
	case n.parent.isPar():
		if n.awaited() || r.nobodyReturns(n.parent) {
			return leaveFull
		}
	case n.parent.isXor():
		if branch := branchOf(n); branch != nil {
			return r.exit(branch)
		}
		if i := len(r.leaves) - 1; i >= 0 && r.leaves[i] > n.parent.last {
			return leaveFull
		}
	}
	return leaveNone
}

// nobodyReturns reports whether all branches of a par end on other peers and the program stops
// there: the way back leads over relays, and no step reads what a branch writes. The published
// compiler inserts no hops then, and the program never continues. Here the branches come back.
func (r *resolver) nobodyReturns(par *node) bool {
	if !par.memo.aloneKnown {
		par.memo.alone, par.memo.aloneKnown = r.computeAlone(par), true
	}
	return par.memo.alone
}

func (r *resolver) computeAlone(par *node) bool {
	if par.op.(*step.ParOp).Detached || !r.continues(par) {
		return false
	}
	home := r.path(par)
	for _, k := range par.kids {
		l := r.lastLeaf(k)
		if l == nil || len(route(r.path(l), home)) == 0 || k.awaited() {
			return false
		}
	}
	return true
}

// continues reports whether a peer executes a step after n, within the innermost branch of a par
// that n is in.
func (r *resolver) continues(n *node) bool {
	for ; n.parent != nil && !n.parent.isPar(); n = n.parent {
		if r.leafAfter(n) != nil {
			return true
		}
	}
	return false
}
