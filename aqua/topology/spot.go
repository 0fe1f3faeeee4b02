package topology

import "github.com/aquanode/aquanode/aqua/step"

// spot is where the particle may be after a node, with the hops in it.
type spot struct {
	peer    *step.Operand // the last peer visited, nil if none is
	several bool          // or one of several
	moved   bool          // a peer is visited on every way through the node
	writes  bool          // something is written after the last visit
	fails   bool          // the node always fails
}

// or returns where the particle may be after one of two nodes.
func (s spot) or(t spot) spot {
	switch {
	case s.fails:
		return t
	case t.fails:
		return s
	}
	differ := s.peer != nil && t.peer != nil && !s.peer.Same(*t.peer)
	out := spot{
		peer: s.peer, several: s.several || t.several || differ,
		moved: s.moved && t.moved, writes: s.writes || t.writes,
	}
	if out.peer == nil {
		out.peer = t.peer
	}
	return out
}

// then returns where the particle may be after a node and, after it, another.
func (s spot) then(t spot) spot {
	switch {
	case t.moved, t.fails:
		return t
	case s.fails:
		return s
	}
	out := t.or(s)
	out.moved = s.moved
	return out
}

// ownSpot returns the spot of a node without the hops around it. Loops and branches
// of a par in n end where the program continues, as for the published compiler.
func (n *node) ownSpot() spot {
	switch op := n.op.(type) {
	case *step.CallOp:
		return spot{peer: &op.Peer, moved: true}
	case *step.CanonOp:
		return spot{peer: &op.Peer, moved: true}
	case *step.ParOp:
		return spot{moved: !op.Detached}
	case *step.FoldOp:
		return spot{moved: true}
	case *step.ApOp, *step.ApMapOp:
		return spot{writes: true}
	case *step.FailOp:
		return spot{fails: true}
	case *step.SeqOp, *step.OnOp, *step.AtOp:
		var s spot
		for i := len(n.kids) - 1; i >= 0; i-- {
			s = n.kids[i].spot.then(s)
		}
		return s
	case *step.XorOp:
		s := spot{fails: true}
		for _, k := range n.kids {
			s = s.or(k.spot)
		}
		return s
	case *step.MatchOp, *step.NewOp:
		return n.kids[0].spot
	}
	return spot{}
}

// hopSpot returns the spot after hops.
func hopSpot(hops []step.Operand) spot {
	if len(hops) == 0 {
		return spot{}
	}
	last := &hops[len(hops)-1]
	if last.Many {
		return spot{moved: true}
	}
	return spot{peer: last, moved: true}
}
