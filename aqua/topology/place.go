package topology

// place is where a node runs: the enclosing on-nodes, innermost first.
type place struct {
	on    *On
	outer *place
	depth int
	key   string // of the innermost on
}

func newPlace(on *On, outer *place) *place {
	p := &place{on: on, outer: outer, depth: 1, key: on.Peer.key()}
	for _, v := range on.Via {
		p.key += " via " + v.key()
	}
	if outer != nil {
		p.depth += outer.depth
	}
	return p
}

func (p *place) peer() Operand { return p.on.Peer }

// same compares places by what is written, not by where.
func (p *place) same(q *place) bool {
	for p != q {
		if p == nil || q == nil || p.depth != q.depth || p.key != q.key {
			return false
		}
		p, q = p.outer, q.outer
	}
	return true
}

// list is the place from its outermost on in.
func (p *place) list() []*place {
	out := make([]*place, p.depth)
	for ; p != nil; p = p.outer {
		out[p.depth-1] = p
	}
	return out
}

// common is how many outermost ons two places share.
func common(a, b []*place) int {
	n := 0
	for n < len(a) && n < len(b) && a[n].key == b[n].key {
		n++
	}
	return n
}

// relay is the place at the last relay on the way to p: ons without relays are
// left, the first with relays is replaced by its last relay.
func (p *place) relay() *place {
	for p.outer != nil && len(p.on.Via) == 0 {
		p = p.outer
	}
	n := len(p.on.Via)
	if n == 0 {
		return p
	}
	return newPlace(&On{Peer: p.on.Via[n-1], Via: p.on.Via[:n-1]}, p.outer)
}

// hop is a peer to visit. A collection of relays is visited in its order, or
// in the reverse order on the way back.
type hop struct {
	peer Operand
	back bool
}

// route is the peers to visit between two places, without their own peers.
func route(from, to *place) []hop {
	hops := walk(from, to)
	if len(hops) > 0 && hops[0].peer.key() == from.peer().key() {
		hops = hops[1:]
	}
	if n := len(hops); n > 0 && hops[n-1].peer.key() == to.peer().key() {
		hops = hops[:n-1]
	}
	return hops
}

// arrive is route with the peer of the target at its end.
func arrive(from, to *place) []hop {
	hops := route(from, to)
	if n := len(hops); n > 0 && hops[n-1].peer.key() == to.peer().key() {
		return hops
	}
	return append(hops, hop{peer: to.peer()})
}

func walk(from, to *place) []hop {
	a, b := from.list(), to.list()
	n := common(a, b)
	a, b = a[n:], b[n:]
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	if n > 0 && from.peer().key() != to.peer().key() {
		if len(a) == 0 {
			a = from.list()[n-1:]
		} else if len(b) == 0 {
			b = to.list()[n-1:]
		}
	}
	var hops []hop
	add := func(h hop) {
		for i, old := range hops {
			if old.peer.key() == h.peer.key() {
				hops = hops[:i+1]
				return
			}
		}
		hops = append(hops, h)
	}
	add(hop{peer: from.peer()})
	for i := len(a) - 1; i >= 0; i-- {
		via := a[i].on.Via
		for j := len(via) - 1; j >= 0; j-- {
			add(hop{via[j], true})
		}
	}
	for _, p := range b {
		for _, v := range p.on.Via {
			add(hop{peer: v})
		}
	}
	add(hop{peer: to.peer()})
	return hops
}
