// Package topology decides which peers a program visits between the places
// where it runs.
//
// Its input is a tree in which all functions are inlined and places are still
// written as on-nodes. [Resolve] removes the on-nodes and inserts hops: a hop is
// a canonicalisation of an empty stream, which makes the particle visit a peer
// and does nothing else there.
//
// Every node has a place where it begins and one where it ends; a node that
// begins elsewhere than the one before it ended gets hops before it, and a node
// that must come back (because what follows needs its results there, or because
// the next step is reached from there) gets hops after it. Services run on the
// peer of the innermost on; ap, match and fail happen wherever the particle is.
package topology

import "sort"

// memo keeps what was computed for a node; the zero value is nothing yet.
type memo struct {
	path, begin, end, after *place
	exit                    exit
	exitKnown               bool
	alone, aloneKnown       bool // of a par: see nobodyReturns
	branch, next            *Node
	branchKnown, nextKnown  bool
}

// exit is how a node is left.
type exit uint8

const (
	leaveNone  exit = iota // stays where it ends
	leaveRelay             // goes to the last relay on its way
	leaveFull              // goes where the program goes on
)

// resolver works on one tree.
type resolver struct {
	root    *place
	nodes   []*Node // preorder
	leaves  []int   // numbers of the nodes that execute on a peer
	lastUse map[binding]int
}

// binding is a variable: its name and the node that restricts it, nil if none does.
type binding struct {
	name  string
	scope *Node
}

// Resolve replaces the on-nodes of a tree by hops. The tree is changed.
func Resolve(root *Node, init *On) *Node {
	top := NewNode(init, root)
	r := &resolver{root: newPlace(init, nil), lastUse: map[binding]int{}}
	r.link(top)
	r.uses(top, map[string]*Node{})
	r.reaches(top)
	return r.place(top)
}

// link sets parents and preorder numbers and finds the empty nodes: those
// nothing happens in.
func (r *resolver) link(n *Node) {
	n.first = len(r.nodes)
	r.nodes = append(r.nodes, n)
	n.empty = true
	for i, k := range n.Kids {
		k.parent, k.index = n, i
		r.link(k)
		n.empty = n.empty && k.empty
	}
	switch n.Op.(type) {
	case *Null, *Mark, *Seq, *Par, *Xor, *On, *New, *At, *Match:
	default:
		n.empty = false
	}
	if n.executes() {
		r.leaves = append(r.leaves, n.first)
	}
	n.last = len(r.nodes) - 1
}

// uses notes, for every variable, the last node that reads it. scopes maps
// names to the nodes that restrict them here.
func (r *resolver) uses(n *Node, scopes map[string]*Node) {
	read := func(list ...Operand) {
		for _, o := range list {
			if o.Sort != Literal {
				r.lastUse[binding{o.sigil(), scopes[o.sigil()]}] = n.first
			}
			for _, s := range o.Lens {
				if s.Var != "" {
					r.lastUse[binding{s.Var, scopes[s.Var]}] = n.first
				}
			}
		}
	}
	switch op := n.Op.(type) {
	case *Call:
		read(op.Service, op.Function)
		read(op.Args...)
	case *Canon:
		read(op.From)
	case *Ap:
		read(op.Arg)
	case *ApMap:
		read(op.Arg)
	case *Match:
		read(op.L, op.R)
	case *Fold:
		read(op.In)
	case *On:
		read(op.Peer)
		read(op.Via...)
	case *Fail:
		read(op.Of)
	case *New:
		name := op.Var.sigil()
		outer, had := scopes[name]
		scopes[name] = n
		defer func() {
			delete(scopes, name)
			if had {
				scopes[name] = outer
			}
		}()
	}
	n.remember(scopes)
	for _, k := range n.Kids {
		r.uses(k, scopes)
	}
}

// remember keeps, for nodes that write, what they write.
func (n *Node) remember(scopes map[string]*Node) {
	if out, ok := n.writes(); ok {
		n.out = binding{out.sigil(), scopes[out.sigil()]}
	}
}

// reaches computes, for every node, the last node that reads something written in it. Loops left at
// the relay of each branch do not count: nothing waits for them.
func (r *resolver) reaches(n *Node) {
	n.reach = -1
	if use, ok := r.lastUse[n.out]; ok && n.out.name != "" {
		n.reach = use
	}
	for _, k := range n.Kids {
		r.reaches(k)
		n.reach = max(n.reach, k.reach)
	}
	if on, ok := n.Op.(*On); ok && on.ToRelay {
		n.reach = -1
	}
}

// sigil is the name of a variable with the sign of its sort.
func (o Operand) sigil() string {
	switch o.Sort {
	case Stream:
		return "$" + o.Name
	case Canonical:
		return "#" + o.Name
	case Map:
		return "%" + o.Name
	}
	return o.Name
}

// writes is the variable a leaf writes.
func (n *Node) writes() (Operand, bool) {
	switch op := n.Op.(type) {
	case *Call:
		if op.Out != nil {
			return *op.Out, true
		}
	case *Canon:
		return op.Out, true
	case *Ap:
		return op.Out, true
	case *ApMap:
		return op.Map, true
	}
	return Operand{}, false
}

// awaited tells whether something to the right of n reads what n writes. What is restricted to a
// part of n is read there only.
func (r *resolver) awaited(n *Node) bool { return n.reach > n.last }

// path is the place where a node stands.
func (r *resolver) path(n *Node) *place {
	if n.memo.path != nil {
		return n.memo.path
	}
	outer := r.root
	if n.parent != nil {
		outer = r.path(n.parent)
	}
	switch op := n.Op.(type) {
	case *On:
		if n.parent != nil {
			outer = newPlace(op, outer)
		}
	case *At:
		outer = r.path(op.Mark)
	}
	n.memo.path = outer
	return outer
}

// prev and next are the nearest siblings in which something happens.
func prev(n *Node) *Node {
	for i := n.index - 1; i >= 0; i-- {
		if k := n.parent.Kids[i]; !k.empty {
			return k
		}
	}
	return nil
}

func next(n *Node) *Node {
	for i := n.index + 1; i < len(n.parent.Kids); i++ {
		if k := n.parent.Kids[i]; !k.empty {
			return k
		}
	}
	return nil
}

func firstKid(n *Node) *Node {
	for _, k := range n.Kids {
		if !k.empty {
			return k
		}
	}
	return nil
}

func lastKid(n *Node) *Node {
	for i := len(n.Kids) - 1; i >= 0; i-- {
		if !n.Kids[i].empty {
			return n.Kids[i]
		}
	}
	return nil
}

// before is where the particle is when it comes to a node.
func (r *resolver) before(n *Node) *place {
	p := n.parent
	switch {
	case p == nil:
		return r.begin(n)
	case p.isXor():
		if k := prev(n); k != nil {
			return r.begin(k)
		}
	case p.seqLike():
		if k := prev(n); k != nil {
			return r.final(k)
		}
	}
	return r.begin(p)
}

// begin is where a node begins.
func (r *resolver) begin(n *Node) *place {
	if n.memo.begin != nil {
		return n.memo.begin
	}
	n.memo.begin = r.path(n)
	switch op := n.Op.(type) {
	case *Next:
		if f := fold(n, op.Item); f != nil && n.parent.seqLike() {
			n.memo.begin = r.begin(f)
		}
	case *Par:
		if !op.Detached {
			n.memo.begin = r.commonBegin(n)
		}
	case *Fold:
		n.memo.begin = r.foldBegin(n, op.Item)
	}
	return n.memo.begin
}

// foldBegin is where the body begins, as far as that does not depend on the
// item: the way there is the same for all items and is taken once.
func (r *resolver) foldBegin(n *Node, item string) *place {
	kid := firstKid(n)
	if kid == nil {
		return r.path(n)
	}
	begin, end := r.begin(kid), r.path(n)
	for p := begin; p != nil && p != end; p = p.outer {
		if p.on.mentions(item) && p.outer != nil {
			begin = p.outer
		}
	}
	return begin
}

func (on *On) mentions(name string) bool {
	for _, o := range append([]Operand{on.Peer}, on.Via...) {
		if o.Sort != Literal && o.Name == name {
			return true
		}
		for _, s := range o.Lens {
			if s.Var == name {
				return true
			}
		}
	}
	return false
}

// fold is the loop a next-node belongs to.
func fold(n *Node, item string) *Node {
	for n = n.parent; n != nil; n = n.parent {
		if f, ok := n.Op.(*Fold); ok && f.Item == item {
			return n
		}
	}
	return nil
}

// commonBegin is the outer part that the begins of all branches share.
func (r *resolver) commonBegin(n *Node) *place {
	var shared *place
	for _, k := range n.Kids {
		if shared = sharedPlace(shared, r.begin(k)); shared == nil {
			return r.path(n)
		}
	}
	if shared == nil {
		return r.path(n)
	}
	return shared
}

// exit is how a node is left.
func (r *resolver) exit(n *Node) exit {
	if !n.memo.exitKnown {
		n.memo.exit, n.memo.exitKnown = r.computeExit(n), true
	}
	return n.memo.exit
}

func (r *resolver) computeExit(n *Node) exit {
	if on, ok := n.Op.(*On); ok && on.ToRelay {
		return leaveRelay
	}
	if _, ok := n.Op.(*Fail); ok || n.parent == nil {
		return leaveNone
	}
	switch {
	case n.parent.isPar():
		if r.awaited(n) || r.nobodyReturns(n.parent) {
			return leaveFull
		}
	case n.parent.isXor():
		if branch := parBranch(n); branch != nil {
			return r.exit(branch)
		}
		if i := len(r.leaves) - 1; i >= 0 && r.leaves[i] > n.parent.last {
			return leaveFull
		}
	}
	return leaveNone
}

// nobodyReturns reports whether all branches of a par end on other peers, from which the program
// could not go on: the way back leads over relays, and nothing calls a branch home. The published
// compiler leaves it so, and the program stops.
func (r *resolver) nobodyReturns(par *Node) bool {
	if !par.memo.aloneKnown {
		par.memo.alone, par.memo.aloneKnown = r.computeAlone(par), true
	}
	return par.memo.alone
}

func (r *resolver) computeAlone(par *Node) bool {
	if par.Op.(*Par).Detached || !r.goesOn(par) {
		return false
	}
	home := r.path(par)
	for _, k := range par.Kids {
		l := r.lastLeaf(k)
		if l == nil || len(route(r.path(l), home)) == 0 || r.awaited(k) {
			return false
		}
	}
	return true
}

// goesOn reports whether something happens on a certain peer after n, before the end of the branch
// of a par that n is in.
func (r *resolver) goesOn(n *Node) bool {
	for ; n.parent != nil && !n.parent.isPar(); n = n.parent {
		if r.leafAfter(n) != nil {
			return true
		}
	}
	return false
}

// parBranch is the branch of a par that n is the end of, or nil.
func parBranch(n *Node) *Node {
	if !n.memo.branchKnown {
		n.memo.branch, n.memo.branchKnown = computeBranch(n), true
	}
	return n.memo.branch
}

func computeBranch(n *Node) *Node {
	switch {
	case n.parent == nil:
		return nil
	case n.parent.isPar():
		return n
	case n.parent.isXor():
	case !n.parent.seqLike() || next(n) != nil:
		return nil
	}
	return parBranch(n.parent)
}

// nextLeaf is the first leaf that executes on a peer after n, to its right in
// the sequences around it, or nil.
func (r *resolver) nextLeaf(n *Node) *Node {
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

// leafAfter is the first leaf that executes on a peer after n in the sequence that n is a part of.
func (r *resolver) leafAfter(n *Node) *Node {
	if !n.parent.seqLike() {
		return nil
	}
	if i := sort.SearchInts(r.leaves, n.last+1); i < len(r.leaves) && r.leaves[i] <= n.parent.last {
		return r.nodes[r.leaves[i]]
	}
	return nil
}

// firstLeaf and lastLeaf are the first and the last leaf in n that executes on a peer.
func (r *resolver) firstLeaf(n *Node) *Node {
	if i := sort.SearchInts(r.leaves, n.first); i < len(r.leaves) && r.leaves[i] <= n.last {
		return r.nodes[r.leaves[i]]
	}
	return nil
}

func (r *resolver) lastLeaf(n *Node) *Node {
	if i := sort.SearchInts(r.leaves, n.last+1) - 1; i >= 0 && r.leaves[i] >= n.first {
		return r.nodes[r.leaves[i]]
	}
	return nil
}

// end is where a node ends, before hops after it.
func (r *resolver) end(n *Node) *place {
	if n.memo.end == nil {
		n.memo.end = r.computeEnd(n)
	}
	return n.memo.end
}

func (r *resolver) computeEnd(n *Node) *place {
	var kid *Node
	switch {
	case n.isPar():
		return r.endPar(n)
	case n.seqLike():
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

func (r *resolver) endPar(n *Node) *place {
	relay := false
	for _, k := range n.Kids {
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

// after is where the program goes on after a node.
func (r *resolver) after(n *Node) *place {
	if n.memo.after == nil {
		n.memo.after = r.computeAfter(n)
	}
	return n.memo.after
}

func (r *resolver) computeAfter(n *Node) *place {
	p := n.parent
	switch {
	case p == nil:
		return r.root
	case p.isXor():
		return r.afterBranch(n)
	case p.seqLike():
		if k := next(n); k != nil {
			return r.begin(k)
		}
	}
	return r.after(p)
}

func (r *resolver) afterBranch(n *Node) *place {
	switch r.exit(n) {
	case leaveNone:
		return r.path(n)
	case leaveRelay:
		return r.path(n).relay()
	}
	if branch := parBranch(n); branch != nil {
		return r.after(branch.parent)
	}
	return r.after(n.parent)
}

// final is where the particle is when a node and the hops after it are done.
func (r *resolver) final(n *Node) *place {
	switch r.exit(n) {
	case leaveFull:
		return r.after(n)
	case leaveRelay:
		return r.path(n).relay()
	}
	return r.end(n)
}

// hopsBefore are the peers to visit before a node.
func (r *resolver) hopsBefore(n *Node) []Operand {
	before, begin := r.before(n), r.begin(n)
	hops := route(before, begin)
	if _, ok := n.Op.(*Fail); ok {
		if len(hops) > 0 {
			hops = append(hops, begin.on.Peer)
		}
		return hops
	}
	if l := r.firstLeaf(n); l != nil && begin.peer() != before.peer() && !begin.same(r.path(l)) &&
		(begin.atRelay() || begin.relays(r.path(l))) {
		hops = append(hops, begin.on.Peer)
	}
	return hops
}

// hopsAfter are the peers to visit after a node.
func (r *resolver) hopsAfter(n *Node) []Operand {
	switch r.exit(n) {
	case leaveRelay:
		return arrive(r.end(n), r.path(n).relay())
	case leaveFull:
		return r.hopsBack(n)
	}
	return nil
}

func (r *resolver) hopsBack(n *Node) []Operand {
	end, after := r.end(n), r.after(n)
	branchEnd := parBranch(n) != nil
	var hops []Operand
	if l := r.nextLeaf(n); l == nil || r.path(l).same(after) {
		hops = route(end, after)
	} else {
		hops = arrive(end, after.relay())
	}
	if !branchEnd || end.same(after) {
		return hops
	}
	// The peer that waits for the branch must see its results: ping it.
	if l := r.lastLeaf(n); l != nil && r.path(l).same(end) {
		if end.key != after.key {
			hops = ping(hops, after)
		}
		return hops
	}
	if end.atRelay() && end.peer() != after.peer() {
		hops = append(hops, end.on.Peer)
	}
	return ping(hops, after)
}

func ping(hops []Operand, p *place) []Operand {
	if p == nowhere {
		return hops
	}
	return append(hops, p.on.Peer)
}
