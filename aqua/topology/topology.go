// Package topology decides which peers a program visits between the places where
// it runs.
//
// [Resolve] removes the on-nodes of a tree and inserts hops: a hop canonicalizes an
// empty stream, which makes the particle visit a peer and does nothing else there.
//
// Each node has a place where it begins and one where it ends. A node that begins
// elsewhere than its predecessor ended gets hops before it. A node gets hops after
// it if the particle must come back, because what follows reads its results there
// or the next step is reached from there. Calls happen on the peer of the innermost
// on; ap, match and fail happen wherever the particle is.
package topology

import (
	"slices"

	"github.com/aquanode/aquanode/aqua/step"
)

// resolver works on one tree.
type resolver struct {
	root   *place
	nodes  []node // in preorder
	leaves []int  // numbers of the nodes that execute on a peer
	marks  map[*step.Node]*node
}

// Resolve replaces the on-nodes of a tree by hops, in place. The program starts at
// start. A node may stand in the tree only once.
func Resolve(root *step.Node, start *step.OnOp) *step.Node {
	r := &resolver{root: newPlace(start, nil), marks: map[*step.Node]*node{}}
	top := r.link(step.On(start, root))
	r.reaches(top)
	return r.resolve(top)
}

// path returns the place where a node stands.
func (r *resolver) path(n *node) *place {
	if n.memo.path != nil {
		return n.memo.path
	}
	outer := r.root
	if n.parent != nil {
		outer = r.path(n.parent)
	}
	switch op := n.op.(type) {
	case *step.OnOp:
		if n.parent != nil {
			outer = newPlace(op, outer)
		}
	case *step.AtOp:
		outer = r.root // if the steps around the mark were left out
		if mark := r.marks[op.Mark]; mark != nil {
			outer = r.path(mark)
		}
	}
	n.memo.path = outer
	return outer
}

// before returns where the particle is when it comes to a node.
func (r *resolver) before(n *node) *place {
	p := n.parent
	switch {
	case p == nil:
		return r.begin(n)
	case p.isXor():
		if k := prev(n); k != nil {
			return r.begin(k)
		}
	case p.inSequence():
		if k := prev(n); k != nil {
			return r.final(k)
		}
	}
	return r.begin(p)
}

// begin returns where a node begins.
func (r *resolver) begin(n *node) *place {
	if n.memo.begin != nil {
		return n.memo.begin
	}
	n.memo.begin = r.path(n)
	switch op := n.op.(type) {
	case *step.NextOp:
		if f := foldOf(n, op.Item); f != nil && n.parent.inSequence() {
			n.memo.begin = r.begin(f)
		}
	case *step.ParOp:
		if !op.Detached {
			n.memo.begin = r.commonBegin(n)
		}
	case *step.FoldOp:
		n.memo.begin = r.foldBegin(n, op.Item)
	}
	return n.memo.begin
}

// foldBegin returns where the body begins, without the places that depend on the
// item: the way to the others is the same for all items and is taken once.
func (r *resolver) foldBegin(n *node, item string) *place {
	kid := firstKid(n)
	if kid == nil {
		return r.path(n)
	}
	begin, end := r.begin(kid), r.path(n)
	for p := begin; p != nil && p != end; p = p.outer {
		if mentions(p.on, item) && p.outer != nil {
			begin = p.outer
		}
	}
	return begin
}

func mentions(on *step.OnOp, name string) bool {
	return reads(on.Peer, name) ||
		slices.ContainsFunc(on.Via, func(o step.Operand) bool { return reads(o, name) })
}

func reads(o step.Operand, name string) bool {
	return !o.IsLiteral() && o.Name == name ||
		slices.ContainsFunc(o.Lens, func(a step.Accessor) bool { return a.Var == name })
}

// commonBegin returns the outer part that the begins of all branches share.
func (r *resolver) commonBegin(n *node) *place {
	var shared *place
	for _, k := range n.kids {
		if shared = sharedPlace(shared, r.begin(k)); shared == nil {
			return r.path(n)
		}
	}
	if shared == nil {
		return r.path(n)
	}
	return shared
}

// end returns where a node ends, without the hops after it.
func (r *resolver) end(n *node) *place {
	if n.memo.end == nil {
		n.memo.end = r.computeEnd(n)
	}
	return n.memo.end
}

func (r *resolver) computeEnd(n *node) *place {
	var kid *node
	switch {
	case n.isPar():
		return r.endPar(n)
	case n.inSequence():
		kid = lastKid(n)
	case n.isXor():
		kid = firstKid(n)
	}
	if kid == nil {
		return r.begin(n)
	}
	switch r.exit(kid) {
	case leaveFull:
		return r.after(n)
	case leaveRelay:
		return r.path(kid).relay()
	}
	return r.end(kid)
}

func (r *resolver) endPar(n *node) *place {
	relay := false
	for _, k := range n.kids {
		switch r.exit(k) {
		case leaveFull:
			return r.after(n)
		case leaveRelay:
			relay = true
		}
	}
	if relay {
		return r.path(n).relay()
	}
	return r.begin(n)
}

// after returns where the program continues after a node.
func (r *resolver) after(n *node) *place {
	if n.memo.after == nil {
		n.memo.after = r.computeAfter(n)
	}
	return n.memo.after
}

func (r *resolver) computeAfter(n *node) *place {
	p := n.parent
	switch {
	case p == nil:
		return r.root
	case p.isXor():
		return r.afterBranch(n)
	case p.inSequence():
		if k := next(n); k != nil {
			return r.begin(k)
		}
	}
	return r.after(p)
}

func (r *resolver) afterBranch(n *node) *place {
	switch r.exit(n) {
	case leaveNone:
		return r.path(n)
	case leaveRelay:
		return r.path(n).relay()
	}
	if branch := branchOf(n); branch != nil {
		return r.after(branch.parent)
	}
	return r.after(n.parent)
}

// final returns where the particle is after a node and the hops after it.
func (r *resolver) final(n *node) *place {
	switch r.exit(n) {
	case leaveFull:
		return r.after(n)
	case leaveRelay:
		return r.path(n).relay()
	}
	return r.end(n)
}
