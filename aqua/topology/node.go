package topology

import (
	"sort"

	"github.com/aquanode/aquanode/aqua/step"
)

// node is a node of the tree with what the resolver knows about it.
type node struct {
	op     step.Op // before the resolver changes it
	out    *step.Node
	kids   []*node
	parent *node
	index  int // among the parent's kids
	first  int // number of the node in preorder
	last   int // number of the last node below it
	empty  bool
	reach  int // number of the last node that reads what is written in it, or -1
	memo   memo
	spot   spot // where the particle is after it, once it is resolved
}

// memo holds what was computed for a node. The zero value is nothing yet.
type memo struct {
	path, begin, end, after *place
	exit                    exit
	exitKnown               bool
	alone, aloneKnown       bool // of a par: see nobodyReturns
	branch, next            *node
	branchKnown, nextKnown  bool
}

// link makes the nodes of a tree: their numbers, their neighbours, and which are
// empty. All share two blocks of memory.
func (r *resolver) link(root *step.Node) *node {
	r.nodes = make([]node, count(root))
	kids := make([]*node, len(r.nodes))
	used := 0
	var link func(out *step.Node) *node
	link = func(out *step.Node) *node {
		n := &r.nodes[used]
		n.op, n.out, n.first, n.empty = out.Op, out, used, mayBeEmpty(out.Op)
		n.kids, kids = kids[:0:len(out.Kids)], kids[len(out.Kids):]
		used++
		if _, ok := n.op.(*step.MarkOp); ok {
			r.marks[out] = n
		}
		if n.executes() {
			r.leaves = append(r.leaves, n.first)
		}
		for i, k := range out.Kids {
			kid := link(k)
			kid.parent, kid.index = n, i
			n.kids = append(n.kids, kid)
			n.empty = n.empty && kid.empty
		}
		n.last = used - 1
		return n
	}
	return link(root)
}

func count(n *step.Node) int {
	sum := 1
	for _, k := range n.Kids {
		sum += count(k)
	}
	return sum
}

// mayBeEmpty reports whether a step does nothing if all of its parts do nothing.
func mayBeEmpty(op step.Op) bool {
	switch op.(type) {
	case *step.NullOp, *step.MarkOp, *step.SeqOp, *step.ParOp, *step.XorOp, *step.OnOp, *step.NewOp,
		*step.AtOp, *step.MatchOp:
		return true
	}
	return false
}

// inSequence reports whether the parts of n run one after the other.
func (n *node) inSequence() bool {
	switch n.op.(type) {
	case *step.SeqOp, *step.OnOp, *step.MatchOp, *step.FoldOp, *step.NewOp, *step.AtOp:
		return true
	}
	return false
}

func (n *node) isPar() bool {
	_, ok := n.op.(*step.ParOp)
	return ok
}

func (n *node) isXor() bool {
	_, ok := n.op.(*step.XorOp)
	return ok
}

// executes reports whether n is a leaf that a certain peer executes. The other
// leaves happen wherever the particle is.
func (n *node) executes() bool {
	switch n.op.(type) {
	case *step.CallOp, *step.CanonOp:
		return true
	}
	return false
}

// prev and next return the nearest sibling that is not empty.
func prev(n *node) *node {
	for i := n.index - 1; i >= 0; i-- {
		if k := n.parent.kids[i]; !k.empty {
			return k
		}
	}
	return nil
}

func next(n *node) *node {
	for _, k := range n.parent.kids[n.index+1:] {
		if !k.empty {
			return k
		}
	}
	return nil
}

// firstKid and lastKid return the first and the last part that is not empty.
func firstKid(n *node) *node {
	for _, k := range n.kids {
		if !k.empty {
			return k
		}
	}
	return nil
}

func lastKid(n *node) *node {
	for i := len(n.kids) - 1; i >= 0; i-- {
		if !n.kids[i].empty {
			return n.kids[i]
		}
	}
	return nil
}

// foldOf returns the fold that a next-node continues.
func foldOf(n *node, item string) *node {
	for n = n.parent; n != nil; n = n.parent {
		if f, ok := n.op.(*step.FoldOp); ok && f.Item == item {
			return n
		}
	}
	return nil
}

// branchOf returns the branch of a par that ends with n, or nil.
func branchOf(n *node) *node {
	if !n.memo.branchKnown {
		n.memo.branch, n.memo.branchKnown = findBranch(n), true
	}
	return n.memo.branch
}

func findBranch(n *node) *node {
	switch {
	case n.parent == nil:
		return nil
	case n.parent.isPar():
		return n
	case n.parent.isXor():
	case !n.parent.inSequence() || next(n) != nil:
		return nil
	}
	return branchOf(n.parent)
}

// leafIn returns the first executing leaf with a number from first to last, or nil.
func (r *resolver) leafIn(first, last int) *node {
	if i := sort.SearchInts(r.leaves, first); i < len(r.leaves) && r.leaves[i] <= last {
		return &r.nodes[r.leaves[i]]
	}
	return nil
}

// firstLeaf and lastLeaf return the first and the last executing leaf in n, or nil.
func (r *resolver) firstLeaf(n *node) *node { return r.leafIn(n.first, n.last) }

func (r *resolver) lastLeaf(n *node) *node {
	if i := sort.SearchInts(r.leaves, n.last+1) - 1; i >= 0 && r.leaves[i] >= n.first {
		return &r.nodes[r.leaves[i]]
	}
	return nil
}

// leafAfter returns the first executing leaf after n in the sequence that n is a part of, or nil.
func (r *resolver) leafAfter(n *node) *node {
	if !n.parent.inSequence() {
		return nil
	}
	return r.leafIn(n.last+1, n.parent.last)
}

// nextLeaf returns the first executing leaf after n in any of the sequences around it, or nil.
func (r *resolver) nextLeaf(n *node) *node {
	if n.parent == nil {
		return nil
	}
	if !n.memo.nextKnown {
		l := r.leafAfter(n)
		if l == nil {
			l = r.nextLeaf(n.parent)
		}
		n.memo.next, n.memo.nextKnown = l, true
	}
	return n.memo.next
}
