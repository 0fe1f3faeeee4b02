package topology

import "github.com/aquanode/aquanode/aqua/step"

// hopsBefore returns the peers to visit before a node.
func (r *resolver) hopsBefore(n *node) []step.Operand {
	before, begin := r.before(n), r.begin(n)
	hops := route(before, begin)
	if _, ok := n.op.(*step.FailOp); ok {
		if len(hops) > 0 {
			hops = append(hops, begin.on.Peer)
		}
		return hops
	}
	if l := r.firstLeaf(n); l != nil && !begin.samePeer(before) && !begin.same(r.path(l)) &&
		(begin.atRelay() || begin.relays(r.path(l))) {
		hops = append(hops, begin.on.Peer)
	}
	return hops
}

// hopsAfter returns the peers to visit after a node.
func (r *resolver) hopsAfter(n *node) []step.Operand {
	switch r.exit(n) {
	case leaveRelay:
		return arrive(r.end(n), r.path(n).relay())
	case leaveFull:
		return r.hopsBack(n)
	}
	return nil
}

func (r *resolver) hopsBack(n *node) []step.Operand {
	end, after := r.end(n), r.after(n)
	branchEnd := branchOf(n) != nil
	var hops []step.Operand
	if l := r.nextLeaf(n); l == nil || r.path(l).same(after) {
		hops = route(end, after)
	} else {
		hops = arrive(end, after.relay())
	}
	if !branchEnd || end.same(after) {
		return hops
	}
	// The peer that waits for the branch must see its results: visit it.
	if l := r.lastLeaf(n); l != nil && r.path(l).same(end) {
		if end.key != after.key {
			hops = ping(hops, after)
		}
		return hops
	}
	if end.atRelay() && !end.samePeer(after) {
		hops = append(hops, end.on.Peer)
	}
	return ping(hops, after)
}

func ping(hops []step.Operand, p *place) []step.Operand {
	if p == nowhere {
		return hops
	}
	return append(hops, p.on.Peer)
}

// resolve removes the on-nodes below n and inserts hops. It returns the node that
// replaces n.
func (r *resolver) resolve(n *node) *step.Node {
	for i, k := range n.kids {
		n.out.Kids[i] = r.resolve(k)
	}
	switch op := n.op.(type) {
	case *step.OnOp, *step.AtOp:
		n.out.Op = &step.SeqOp{}
	case *step.CallOp:
		op.Peer = r.path(n).on.Peer
	case *step.CanonOp:
		op.Peer = r.path(n).on.Peer
	case *step.MarkOp, *step.NullOp:
		return n.out
	}
	n.spot = n.ownSpot()
	if n.parent == nil {
		return n.out
	}
	return r.surround(n)
}

// surround inserts the hops before and after a node.
func (r *resolver) surround(n *node) *step.Node {
	before, after := r.hopsBefore(n), r.hopsAfter(n)
	if len(after) == 0 && r.strays(n) {
		after = ping(nil, r.after(n))
	}
	if len(before) == 0 && len(after) == 0 {
		return n.out
	}
	kids := make([]*step.Node, 0, len(before)+1+len(after))
	for _, p := range before {
		kids = append(kids, visit(p, false))
	}
	kids = append(kids, n.out)
	for _, p := range after {
		kids = append(kids, visit(p, true))
	}
	n.spot = hopSpot(before).then(n.spot).then(hopSpot(after))
	return step.Seq(kids...)
}

// strays reports whether n, at the end of a branch of a par, may leave what it writes
// elsewhere than where the program waits for it. Hops end before the peer that they
// lead to if the next step happens there anyway. At the end of a branch that step may
// be an ap, which happens wherever the particle is: "out <- f()" in a branch, where f
// runs on another peer, ends at the relay.
//
// The published compiler goes home only where the branch itself is an on.
func (r *resolver) strays(n *node) bool {
	if r.exit(n) != leaveFull || branchOf(n) == nil {
		return false
	}
	s := n.spot
	return s.writes && (s.several || s.peer != nil && !r.after(n).isAt(*s.peer))
}

// visit returns a hop to a peer, or to all peers of a collection: in their order
// before a node, in reverse on the way back.
func visit(peer step.Operand, back bool) *step.Node {
	if !peer.Many {
		return step.Hop(peer)
	}
	const item = "-via-peer-"
	hop, next := step.Hop(step.Var(item)), step.Next(item)
	if back {
		hop, next = next, hop
	}
	return step.Fold(peer, item, step.Seq(hop, next))
}
