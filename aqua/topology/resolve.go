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
