package topology

import (
	"slices"
	"strings"

	"github.com/aquanode/aquanode/aqua/step"
)

// place is where a node runs: the enclosing on-nodes, innermost first. The zero
// place is nowhere: the last relay of a place without relays.
type place struct {
	on    *step.OnOp
	outer *place
	depth int
	key   string // of the innermost on, as text
}

var nowhere = &place{}

func newPlace(on *step.OnOp, outer *place) *place {
	p := &place{on: on, depth: 1, key: key(on.Peer)}
	for _, v := range on.Via {
		p.key += " via " + key(v)
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

// key returns an operand as text: two are written the same way if their keys are equal.
func key(o step.Operand) string {
	if len(o.Lens) == 0 && !o.Length {
		return string('0'+byte(o.Sort)) + o.Name
	}
	var b strings.Builder
	b.WriteString(string('0'+byte(o.Sort)) + o.Name)
	if o.Length {
		b.WriteString(".length")
	}
	for _, a := range o.Lens {
		b.WriteString("." + a.Field + "[" + a.Index + "|" + a.Var + "]")
	}
	return b.String()
}

// isAt reports whether the peer of a place is peer.
func (p *place) isAt(peer step.Operand) bool { return p.on != nil && p.on.Peer.Same(peer) }

// samePeer reports whether two places have the same peer. Nowhere has none.
func (p *place) samePeer(q *place) bool {
	if p.on == nil || q.on == nil {
		return p.on == q.on
	}
	return p.isAt(q.on.Peer)
}

// same compares places by how they are written.
func (p *place) same(q *place) bool {
	for p != q {
		if p == nil || q == nil || p.depth != q.depth || p.key != q.key {
			return false
		}
		p, q = p.outer, q.outer
	}
	return true
}

// apart returns the ons of two places that are not the same node, the outermost first, and the
// place around them, which may be nil.
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

// inside returns nil for nowhere.
func inside(p *place) *place {
	if p == nowhere {
		return nil
	}
	return p
}

// common counts the outermost ons that two lists share.
func common(a, b []*place) int {
	n := 0
	for n < len(a) && n < len(b) && a[n].key == b[n].key {
		n++
	}
	return n
}

// sharedPlace returns the outer part that two places share, or nil. A nil p stands for any place.
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

// relay returns the place of the last relay on the way to p: it leaves ons without
// relays, and replaces the first that has some by its last relay.
func (p *place) relay() *place {
	for ; p != nil && p.on != nil; p = p.outer {
		if n := len(p.on.Via); n > 0 {
			return newPlace(&step.OnOp{Peer: p.on.Via[n-1], Via: p.on.Via[:n-1]}, p.outer)
		}
	}
	return nowhere
}

// atRelay reports whether the peer of a place is the last relay of the on around it.
func (p *place) atRelay() bool {
	if p.outer == nil {
		return false
	}
	via := p.outer.on.Via
	return len(via) > 0 && p.isAt(via[len(via)-1])
}

// relays reports whether the next on inside p, on the way to a place, has p's peer as
// its last relay. The peer must be visited then, though nothing runs on it:
// "on r: on x via r: f()". The published compiler leaves it out.
func (p *place) relays(to *place) bool {
	for ; to != nil && to.outer != nil; to = to.outer {
		if to.outer.same(p) {
			via := to.on.Via
			return len(via) > 0 && p.isAt(via[len(via)-1])
		}
	}
	return false
}

// route returns the peers to visit between two places, without their own peers.
func route(from, to *place) []step.Operand {
	hops := walk(from, to)
	if len(hops) > 0 && from.isAt(hops[0]) {
		hops = hops[1:]
	}
	if n := len(hops); n > 0 && to.isAt(hops[n-1]) {
		hops = hops[:n-1]
	}
	return hops
}

// arrive is route with the peer of the target at its end.
func arrive(from, to *place) []step.Operand {
	hops := route(from, to)
	n := len(hops)
	if to == nowhere || n > 0 && to.isAt(hops[n-1]) {
		return hops
	}
	return append(hops, to.on.Peer)
}

// walk returns the way between two places: out of the ons that they do not share, over
// their relays in reverse order, and into the others. If a peer appears twice, the way
// between is cut out.
func walk(from, to *place) []step.Operand {
	outward, inward := parts(from, to)
	if len(outward)+len(inward) == 0 {
		return nil
	}
	var hops []step.Operand
	add := func(p step.Operand) {
		for i, old := range hops {
			if old.Same(p) {
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

// parts returns the ons that only one of the places has. If one of them has none, the
// innermost shared on is its part, unless both have the same peer.
func parts(from, to *place) (outward, inward []*place) {
	outward, inward, shared := apart(inside(from), inside(to))
	n := common(outward, inward)
	if n > 0 {
		shared = outward[n-1]
	}
	outward, inward = outward[n:], inward[n:]
	if shared != nil && !from.samePeer(to) {
		switch {
		case len(outward) == 0:
			outward = []*place{shared}
		case len(inward) == 0:
			inward = []*place{shared}
		}
	}
	return outward, inward
}
