package topology

// place builds the tree without on-nodes, with hops.
func (r *resolver) place(n *Node) *Node {
	var kids []*Node
	for _, k := range n.Kids {
		kids = append(kids, r.place(k))
	}
	out := &Node{Op: n.Op, Kids: kids}
	switch op := n.Op.(type) {
	case *On, *At, *Seq:
		out.Op = &Seq{}
	case *Call:
		return r.surround(n, &Node{Op: &Placed{r.path(n).on.Peer, op}})
	case *Canon:
		return r.surround(n, &Node{Op: &Placed{r.path(n).on.Peer, op}})
	case *Mark, *Null:
		return out
	}
	if n.parent == nil {
		return out
	}
	return r.surround(n, out)
}

// Placed is a *Call or a *Canon with the peer it happens on.
type Placed struct {
	Peer Operand
	Op   Op
}

func (*Placed) op() {}

// surround puts hops before and after a node.
func (r *resolver) surround(n, out *Node) *Node {
	before, after := r.hopsBefore(n), r.hopsAfter(n)
	if len(after) == 0 && r.strays(n, out) {
		after = ping(nil, r.after(n))
	}
	if len(before) == 0 && len(after) == 0 {
		return out
	}
	seq := NewNode(&Seq{})
	for _, p := range before {
		seq.Kids = append(seq.Kids, hopNode(p, false))
	}
	seq.Kids = append(seq.Kids, out)
	for _, p := range after {
		seq.Kids = append(seq.Kids, hopNode(p, true))
	}
	return seq
}

// strays reports whether n, at the end of a branch of a par, may leave what it writes somewhere else
// than where the program waits for it. Hops stop before the peer that they lead to, when the next
// step happens there anyway. At the end of a branch that step may be an ap, which happens wherever
// the particle is: "out <- f()" in a branch, where f runs on another peer, ends at the relay.
//
// The published compiler goes home only where the branch itself is an on.
func (r *resolver) strays(n, out *Node) bool {
	if r.exit(n) != leaveFull || parBranch(n) == nil {
		return false
	}
	s := out.leaves()
	return s.writes && (s.several || s.peer != "" && s.peer != r.after(n).peer())
}

// spot is where the particle may be after a node of the resolved tree.
type spot struct {
	known   bool
	peer    string // key of the last peer visited, "" if none is
	several bool   // or it is one of several
	moved   bool   // a peer is visited in any case
	writes  bool   // something is written after the last visit
	fails   bool   // what follows the node is not reached
}

// or is where the particle may be after one of two nodes.
func (s spot) or(t spot) spot {
	switch {
	case s.fails:
		return t
	case t.fails:
		return s
	}
	out := spot{
		peer: s.peer, several: s.several || t.several || s.peer != "" && t.peer != "" && s.peer != t.peer,
		moved: s.moved && t.moved, writes: s.writes || t.writes,
	}
	if out.peer == "" {
		out.peer = t.peer
	}
	return out
}

// leaves computes the spot of a node once, since branches nest.
func (n *Node) leaves() spot {
	if !n.spot.known {
		n.spot = n.computeSpot()
		n.spot.known = true
	}
	return n.spot
}

// computeSpot takes loops and the branches of a par inside n for what they are for the
// published compiler: they end where the program goes on.
func (n *Node) computeSpot() spot {
	switch op := n.Op.(type) {
	case *Placed:
		return spot{peer: op.Peer.key(), moved: true}
	case *Par:
		return spot{moved: !op.Detached}
	case *Fold:
		return spot{moved: true}
	case *Ap, *ApMap:
		return spot{writes: true}
	case *Fail:
		return spot{fails: true}
	case *Seq:
		return n.lastSpot()
	case *Xor:
		s := spot{fails: true}
		for _, k := range n.Kids {
			s = s.or(k.leaves())
		}
		return s
	case *Match, *New:
		return n.Kids[0].leaves()
	}
	return spot{}
}

// lastSpot looks at the parts of a sequence from the last one back, until one that moves the
// particle in any case.
func (n *Node) lastSpot() spot {
	var s spot
	for i := len(n.Kids) - 1; i >= 0 && !s.moved; i-- {
		k := n.Kids[i].leaves()
		if k.fails {
			return k
		}
		moved := k.moved
		s = s.or(k)
		s.moved = moved
	}
	return s
}

const viaPeer = "-via-peer-"

// hopNode visits a peer, or all peers of a collection: in their order before a
// node, in the reverse order after it, which is the way back.
func hopNode(peer Operand, back bool) *Node {
	if !peer.Many {
		return hopTo(peer)
	}
	visit, on := hopTo(Var(viaPeer)), NewNode(&Next{Item: viaPeer})
	body := NewNode(&Seq{}, visit, on)
	if back {
		body = NewNode(&Seq{}, on, visit)
	}
	return NewNode(&Fold{In: peer, Item: viaPeer}, body)
}

func hopTo(peer Operand) *Node {
	stream := Operand{Sort: Stream, Name: "-hop-"}
	canon := Operand{Sort: Canonical, Name: "-hopc-"}
	return NewNode(&New{stream}, NewNode(&New{canon}, NewNode(&Placed{peer, &Canon{stream, canon}})))
}
