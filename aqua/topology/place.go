package topology

import "slices"

// place is where a node runs: the enclosing on-nodes, innermost first. The zero
// place is nowhere: the last relay of a place without relays.
type place struct {
	on    *On
	outer *place
	depth int
	key   string // of the innermost on
}

var nowhere = &place{}

func newPlace(on *On, outer *place) *place {
	p := &place{on: on, depth: 1, key: on.Peer.key()}
	for _, v := range on.Via {
		p.key += " via " + v.key()
	}
	if on.ToRelay {
		p.key += " to relay"
	}
	if outer != nil && outer != nowhere {
		p.outer = outer
		p.depth += outer.depth
	}
	return p
}

// peer is the peer of a place as text, "" nowhere.
func (p *place) peer() string {
	if p.on == nil {
		return ""
	}
	return p.on.Peer.key()
}

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

// apart are the ons of two places that are not one and the same, from the outermost in, and what
// is around them, which may be nil.
func apart(p, q *place) (ps, qs []*place, around *place) {
	for p != q {
		pd, qd := depthOf(p), depthOf(q)
		if pd >= qd {
			ps, p = append(ps, p), p.outer
		}
		if qd >= pd {
			qs, q = append(qs, q), q.outer
		}
	}
	slices.Reverse(ps)
	slices.Reverse(qs)
	return ps, qs, p
}

func depthOf(p *place) int {
	if p == nil {
		return 0
	}
	return p.depth
}

// inside is nil for the places that are nowhere.
func inside(p *place) *place {
	if p == nowhere {
		return nil
	}
	return p
}

// common is how many outermost ons two lists share.
func common(a, b []*place) int {
	n := 0
	for n < len(a) && n < len(b) && a[n].key == b[n].key {
		n++
	}
	return n
}

// sharedPlace is the part that two places share, from outside in, or nil. Nil at first is any place.
func sharedPlace(p, q *place) *place {
	if p == nil {
		return q
	}
	ps, qs, around := apart(inside(p), inside(q))
	if n := common(ps, qs); n > 0 {
		return ps[n-1]
	}
	return around
}

// relay is the place at the last relay on the way to p: ons without relays are
// left, the first with relays is replaced by its last relay.
func (p *place) relay() *place {
	for ; p != nil && p.on != nil; p = p.outer {
		if n := len(p.on.Via); n > 0 {
			return newPlace(&On{Peer: p.on.Via[n-1], Via: p.on.Via[:n-1]}, p.outer)
		}
	}
	return nowhere
}

// atRelay tells whether the peer of a place is the last relay of the on around it.
func (p *place) atRelay() bool {
	if p.outer == nil {
		return false
	}
	via := p.outer.on.Via
	return len(via) > 0 && via[len(via)-1].key() == p.peer()
}

// relays tells whether the next on inside p, on the way to a place, has p's
// peer as its last relay. It must be visited then, though nothing runs on it:
// "on r: on x via r: f()". The published compiler leaves it out.
func (p *place) relays(to *place) bool {
	for ; to != nil && to.outer != nil; to = to.outer {
		if to.outer.same(p) {
			via := to.on.Via
			return len(via) > 0 && via[len(via)-1].key() == p.peer()
		}
	}
	return false
}

// route is the peers to visit between two places, without their own peers.
func route(from, to *place) []Operand {
	hops := walk(from, to)
	if len(hops) > 0 && hops[0].key() == from.peer() {
		hops = hops[1:]
	}
	if n := len(hops); n > 0 && hops[n-1].key() == to.peer() {
		hops = hops[:n-1]
	}
	return hops
}

// arrive is route with the peer of the target at its end.
func arrive(from, to *place) []Operand {
	hops := route(from, to)
	n := len(hops)
	if to == nowhere || n > 0 && hops[n-1].key() == to.peer() {
		return hops
	}
	return append(hops, to.on.Peer)
}

// walk is the way between two places: out of the ons they do not share, over
// their relays in the reverse order, and into the others. When a peer comes
// again, the way between is cut out.
func walk(from, to *place) []Operand {
	outward, inward := parts(from, to)
	if len(outward)+len(inward) == 0 {
		return nil
	}
	var hops []Operand
	add := func(p Operand) {
		for i, old := range hops {
			if old.key() == p.key() {
				hops = hops[:i+1]
				return
			}
		}
		hops = append(hops, p)
	}
	if from != nowhere {
		add(from.on.Peer)
	}
	for i := len(outward) - 1; i >= 0; i-- {
		via := outward[i].on.Via
		for j := len(via) - 1; j >= 0; j-- {
			add(via[j])
		}
	}
	for _, p := range inward {
		for _, v := range p.on.Via {
			add(v)
		}
	}
	if to != nowhere {
		add(to.on.Peer)
	}
	return hops
}

// parts are the ons that only one of the places has. If that leaves nothing of
// one of them, the innermost shared on is part of it, unless the peer stays the same.
func parts(from, to *place) (outward, inward []*place) {
	outward, inward, shared := apart(inside(from), inside(to))
	n := common(outward, inward)
	if n > 0 {
		shared = outward[n-1]
	}
	outward, inward = outward[n:], inward[n:]
	if shared != nil && from.peer() != to.peer() {
		switch {
		case len(outward) == 0:
			outward = []*place{shared}
		case len(inward) == 0:
			inward = []*place{shared}
		}
	}
	return outward, inward
}
