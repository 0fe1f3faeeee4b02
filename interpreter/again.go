package interpreter

import (
	"slices"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// A request is sent to its peer once. That peer takes the script on with what it was sent, and when a value that it needs
// comes later, from the other branch of a par, to another peer, it waits for ever:
//
//	(seq (par (call "a" .. x) (call "b" .. y)) (seq (call "relay" ..) (call "c" .. [x y])))
//
// The relay asks c when x is there, and does not ask twice. So a peer to which a value is new looks at the open requests
// that it meets. It brings the data again
//
//   - to the peer of a request that has the value as an argument;
//   - to the peer of a request that it sent itself, if something that follows uses the value before this peer's own next
//     instruction;
//   - to the sender of another's request, if something that follows uses the value. The sender then does likewise.
//
// Bringing data twice is harmless, since merging is idempotent; bringing it to everyone who was asked for something
// would make a fan-out quadratic.

// fresh are the results in scalars that this peer learned of in the run.
type fresh struct {
	list   []freshScalar
	left   int        // how much may still be looked at, see sight
	sender *data.Data // what arrived, nil if this peer knew nothing before
}

type freshScalar struct {
	prov  *data.Provenance
	depth int32 // of the scope of the scalar
}

// sight bounds how many instructions, frames and values are looked at in one run; it takes 100 us. Beyond it nobody is
// named again.
const sight = 1 << 13

// sightUp bounds how many enclosing instructions are looked at for one request: every element of a fold is one.
const sightUp = 256

func (f *fresh) reset() { f.list, f.left, f.sender = f.list[:0], sight, nil }

// learn notes a new result in a scalar.
func (m *machine) learn(r *result) {
	m.fresh.list = append(m.fresh.list, freshScalar{&r.prov, m.scopes.depth})
}

// used reports whether a value comes from a new result.
func (f *fresh) used(it *item) bool {
	f.left -= len(f.list)
	return f.left > 0 && slices.ContainsFunc(f.list, func(s freshScalar) bool { return s.prov == it.prov })
}

// beyond reports whether whoever sent what arrived does not know a value.
func (f *fresh) beyond(it *item) bool {
	f.left--
	return f.left > 0 && it.provenance().Origin == data.FromService && !f.sender.ServiceResults.Has(it.prov.CID)
}

// remind names peers again for an open request to a peer, if they need what is new to this one; for a request that is new itself,
// also if they need what its sender did not know.
func (m *machine) remind(peer string, args []*item, request *trace.Entry, from trace.Source) {
	news := m.fresh.used
	switch {
	case from == trace.FromCurrent && m.fresh.sender != nil:
		news = func(it *item) bool { return m.fresh.used(it) || m.fresh.beyond(it) }
	case len(m.fresh.list) == 0 || !m.visible():
		return
	}
	if slices.ContainsFunc(args, news) {
		m.again = append(m.again, peer)
		return
	}
	if request.Peer != m.st.params.CurrentPeerID {
		peer = request.Peer
	}
	if !slices.Contains(m.again, peer) && m.neededAhead(news) {
		m.again = append(m.again, peer)
	}
}

// visible reports whether a new result can be seen from here: what other elements of a fold learned cannot.
func (m *machine) visible() bool {
	m.fresh.left -= len(m.fresh.list)
	return m.fresh.left > 0 && slices.ContainsFunc(m.fresh.list, func(s freshScalar) bool { return m.scopes.allowed[s.depth] })
}

// view is what lies ahead in a part of the script.
type view uint8

const (
	onward view = iota // nothing of interest: the script goes on elsewhere
	needs              // a new value is used
	home               // this peer's turn comes before that
)

// neededAhead reports whether what follows the current instruction uses a new value before it is this peer's turn again.
func (m *machine) neededAhead(news func(*item) bool) bool {
	up := 0
	for fr := m.top.orAhead(); fr != nil && up < sightUp && m.fresh.left > 0; fr, m.fresh.left = fr.ahead, m.fresh.left-1 {
		up++
		switch {
		case fr.n.op == opXor && fr.index == 0:
			if m.lookInto(fr.n.kids[1], news) == needs {
				return true
			}
		case fr.n.op == opSeq:
			for _, kid := range fr.n.kids[fr.index+1:] {
				if v := m.lookInto(kid, news); v != onward {
					return v == needs
				}
			}
		}
	}
	return false
}

func (m *machine) lookInto(n *node, news func(*item) bool) view {
	if m.fresh.left--; m.fresh.left < 0 {
		return home
	}
	if !n.ready.Load() {
		m.p.resolve(n)
	}
	switch n.op {
	case opSeq, opNew:
		for _, kid := range n.kids {
			if v := m.lookInto(kid, news); v != onward {
				return v
			}
		}
	case opPar:
		a, b := m.lookInto(n.kids[0], news), m.lookInto(n.kids[1], news)
		switch {
		case a == needs || b == needs:
			return needs
		case a == home && b == home:
			return home
		}
	case opXor:
		a := m.lookInto(n.kids[0], news)
		if a == onward && m.lookInto(n.kids[1], news) == needs {
			return needs
		}
		return a
	case opNext:
		return home // what other elements need they ask for themselves
	default:
		return m.lookAt(n, news)
	}
	return onward
}

// lookAt looks at an instruction with operands.
func (m *machine) lookAt(n *node, news func(*item) bool) view {
	if n.op == opCall || n.op == opCanon {
		if peer, f := m.text(&n.operands[callPeer]); f == nil && peer == m.st.params.CurrentPeerID {
			return home
		}
	}
	for i := range n.operands {
		o := &n.operands[i]
		if o.src.Kind != air.Variable || o.src.Var.Kind != air.Scalar {
			continue
		}
		if it, f := m.scalar(o.slot); f == nil && news(it) {
			return needs
		}
	}
	switch n.op {
	case opMatch, opMismatch, opFold:
		return m.lookInto(n.kids[0], news)
	}
	return onward
}
