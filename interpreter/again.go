package interpreter

import (
	"slices"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// A request is sent to its peer once. A result that comes to the sender later stays there, and whoever needs it waits
// for ever:
//
//	(seq (par (call "a" .. x) (call "b" .. y)) (seq (call "relay" ..) (call "c" .. [x y])))
//
// The par is complete with x, so the relay is asked, and then c. When y comes, nobody is asked for anything. So a
// run names a peer again, in Outcome.Again, for every open request that it comes to, if
//
//  1. a result stands before the request that its sender did not know. "Before" is in an earlier part of a seq around
//     both. In two branches of a par it counts up to the end of the par: there the run goes on from the result's branch itself;
//  2. the run does not get past the request, and what follows it needs the result before it is this peer's turn again.
//     To need is to have to wait for it: an operand is a variable that it set, or a fold walks over a stream that it is
//     in. A canon takes what is there and waits for nothing.
//
// The peer named is that of the request if this peer sent it, and otherwise the sender, which then does likewise. A result is
// new to a request if neither what this peer kept nor what arrived had both: whoever has both first tells. So data that comes
// twice names nobody, and a fan-out to n peers that is joined on another one names that one n times.
//
// The request waits in again.open while its frames are left, from the inside out. A seq that is left incomplete looks at the
// parts that the run did not come to. One that goes on puts the requests in the part before aside: the run itself takes the
// result to what follows, unless it is stuck there for want of a value, which those bring who were asked. Then they wait again.

// news is a set of trace.Source: which inputs of the run knew a result, as the bit 1<<source.
type news uint8

func newsFrom(s trace.Source) news { return 1 << s }

// unknownTo are the results that a request is without, by which inputs had the request: those that no input had together with it.
var unknownTo = [...]news{
	trace.FromPrevious: 1<<trace.FromNone | 1<<trace.FromCurrent,
	trace.FromCurrent:  1<<trace.FromNone | 1<<trace.FromPrevious,
	trace.FromBoth:     1 << trace.FromNone,
}

// openRequest is a request that the run did not get past.
type openRequest struct {
	peer   string // to be named
	wants  news
	beside bool // the results that it wants are all in left branches of pars whose right branch it is in
	ended  bool // what follows it comes to this peer or fails: only a xor can lead to more
}

// again is what a run knows about results and open requests.
type again struct {
	before news // of the results before the current instruction, see rule 1
	must   news // of those without which nobody comes here: not in a par before
	beside news // of those in left branches of pars whose right branch runs
	open   []openRequest
	behind []openRequest // that the run got past, see stuckAt
	peers  []string      // to name, without duplicates
	named  map[string]bool
	sight  int // how much may still be looked at
}

// mostSight bounds how many instructions a run looks at; that takes about 100 us. Beyond it everything is taken to be needed. Eight
// operands, 16 open requests, and 1 kB of a value that a lens looks into, count as one more.
const mostSight = 1 << 13

func (a *again) reset() {
	*a = again{open: a.open[:0], behind: a.behind[:0], sight: mostSight}
}

// learn notes a result that stands at the current instruction.
func (a *again) learn(from trace.Source) {
	a.before |= newsFrom(from)
	a.must |= newsFrom(from)
}

func (a *again) name(peer string) {
	if a.named == nil {
		a.named = map[string]bool{}
	}
	if !a.named[peer] {
		a.named[peer] = true
		a.peers = append(a.peers, peer)
	}
}

// remind looks whether an open request to a peer wants a new result.
func (m *machine) remind(n *node, peer string, request *trace.Entry, from trace.Source) {
	a := &m.again
	r := openRequest{peer: request.Peer}
	if request.Peer == m.particle.CurrentPeerID {
		r.peer = peer
		if from == trace.FromBoth { // that others had both does not help: they told this peer
			from = trace.FromPrevious
		}
	}
	r.wants = unknownTo[from]
	if (a.before|a.beside)&r.wants == 0 {
		return
	}
	if m.newsIn(n)&r.wants != 0 {
		a.name(r.peer)
		return
	}
	r.beside = a.before&r.wants == 0
	a.open = append(a.open, r)
}

// enterBeside begins branches, or generations, that do not come one after the other.
func (a *again) enterBeside(fr *frame) {
	fr.before, fr.must, fr.beside, fr.learned = a.before, a.must, a.beside, 0
}

// nextBeside begins another one.
func (a *again) nextBeside(fr *frame) {
	fr.learned |= a.before
	a.beside |= a.before &^ fr.before
	a.before, a.must = fr.before, fr.must
}

// leaveBeside ends them: what each learned is before what follows.
func (a *again) leaveBeside(fr *frame) {
	if fr.beside == 0 && a.beside != 0 && a.sees(fr) {
		a.forget(fr, func(r *openRequest) bool { return r.beside })
	}
	a.before |= fr.learned
	a.must, a.beside = fr.must, fr.beside
}

// forget drops open requests inside a frame.
func (a *again) forget(fr *frame, drop func(*openRequest) bool) {
	in := a.inside(fr)
	kept := in[:0]
	for _, r := range in {
		if !drop(&r) {
			kept = append(kept, r)
		}
	}
	a.open = a.open[:len(a.open)-len(in)+len(kept)]
}

// inside are the open requests inside a frame. (One that was suspended may have begun with more than there are now.)
func (a *again) inside(fr *frame) []openRequest { return a.open[min(int(fr.open), len(a.open)):] }

// sees reports whether the open requests inside a frame may still be looked at. If not, they are named.
func (a *again) sees(fr *frame) bool {
	in := a.inside(fr)
	if a.sight -= len(in) / 16; a.sight >= 0 {
		return true
	}
	for i := range in {
		a.name(in[i].peer)
	}
	a.open = a.open[:len(a.open)-len(in)]
	return false
}

// passed says that the run goes on after a part of a seq.
func (a *again) passed(fr *frame) {
	a.forget(fr, func(r *openRequest) bool {
		if !r.ended {
			a.behind = append(a.behind, *r)
		}
		return true
	})
}

// stuckAt says that the run does not get past an instruction that wants a value. Those who were asked for something before may
// bring it, and then go on.
func (m *machine) stuckAt(n *node) {
	a := &m.again
	if len(a.behind) == 0 {
		return
	}
	list := a.behind
	a.behind = nil
	a.sight -= len(list) / 16
	l := lookahead{m: m}
	for _, r := range list {
		l.wanted |= r.wants
	}
	way := l.look(n)
	for _, r := range list {
		if r.wants&l.found != 0 {
			a.name(r.peer)
			continue
		}
		r.ended = way != onward
		a.open = append(a.open, r)
	}
}

// lookAhead names peers for the open requests inside a seq or xor that is left incomplete.
func (m *machine) lookAhead(fr *frame) {
	a := &m.again
	if !a.sees(fr) {
		return
	}
	l := lookahead{m: m}
	_ = m.count.Work(len(a.inside(fr)))
	for _, r := range a.inside(fr) {
		if !r.ended || fr.n.op == opXor {
			l.wanted |= r.wants
		}
	}
	if l.wanted == 0 {
		return
	}
	var way way
	if fr.n.op == opXor {
		way = l.look(fr.n.kids[1])
	} else {
		way = l.lookAtSeq(fr.n.kids[fr.index+1:])
	}
	a.forget(fr, func(r *openRequest) bool {
		switch {
		case fr.n.op == opXor && way == onward:
			r.ended = false
		case fr.n.op == opSeq && r.ended:
			return false
		case fr.n.op == opSeq && way != onward:
			r.ended = true
		}
		if r.wants&l.found == 0 {
			return false
		}
		a.name(r.peer)
		return true
	})
}

// lookAheadFromHere does so in a run that is suspended, for all frames, as if it had left them.
func (m *machine) lookAheadFromHere() {
	for fr := m.top; fr != nil && len(m.again.open) > 0; fr = fr.up {
		switch {
		case fr.n.op == opSeq, fr.n.op == opXor && fr.index == 0:
			m.lookAhead(fr)
		case fr.n.op == opPar:
			m.again.leaveBeside(fr)
		}
	}
}

// way is how the script goes on after a part of it.
type way uint8

const (
	onward way = iota // behind it, if nothing fails
	ends              // nowhere: it fails, or it is this peer's turn first
	home              // it is this peer's turn at once
)

// lookahead looks at a part of the script that the run did not come to.
type lookahead struct {
	m       *machine
	wanted  news
	found   news  // of the results that are needed there
	further *pass // whose further elements are looked at: variables have other values for them
}

func (l *lookahead) lookAtSeq(parts []*node) way {
	for i, part := range parts {
		switch w := l.look(part); {
		case w == home && i > 0:
			return ends
		case w != onward:
			return w
		}
	}
	return onward
}

func (l *lookahead) look(n *node) way {
	m := l.m
	if m.again.sight--; m.again.sight < 0 {
		l.found = l.wanted
	}
	if l.found&l.wanted == l.wanted {
		return ends
	}
	if !n.ready.Load() {
		m.p.resolve(n)
	}
	m.again.sight -= len(n.operands) / 8
	switch n.op {
	case opNever:
		return ends
	case opSeq:
		return l.lookAtSeq(n.kids)
	case opNew:
		return l.look(n.kids[0])
	case opPar:
		return min(l.look(n.kids[0]), l.look(n.kids[1]))
	case opXor:
		return l.lookAtXor(n)
	case opFoldStream:
		return l.lookAtFoldStream(n)
	case opNext:
		return l.lookAtNext(n)
	case opCall, opCanon:
		if peer := &n.operands[callPeer]; l.isHome(peer) {
			l.found |= m.newsOf(peer) // without which nobody comes here
			return home
		}
	}
	l.found |= m.newsIn(n)
	switch n.op {
	case opFail:
		return ends
	case opMatch, opMismatch:
		return min(l.look(n.kids[0]), ends)
	case opFold:
		l.look(n.kids[0])
		if n.last != nil {
			l.look(n.last)
		}
	}
	return onward
}

func (l *lookahead) lookAtXor(n *node) way {
	left := l.look(n.kids[0])
	if left == home { // and only this peer knows whether that fails
		return home
	}
	return min(left, l.look(n.kids[1]), ends)
}

// lookAtFoldStream looks at a fold that waits for values. One value brings it home if its body does.
func (l *lookahead) lookAtFoldStream(n *node) way {
	w := l.look(n.kids[0])
	if s := l.m.streams.at(&n.from); s != nil && (w != home || s.news&^l.wanted == 0) {
		l.found |= s.news
	}
	if n.last != nil {
		return min(w, l.look(n.last))
	}
	return w
}

// lookAtNext looks at the further elements of a fold.
func (l *lookahead) lookAtNext(n *node) way {
	p := l.m.folds[n.iter]
	if p == nil || l.further != nil { // of a fold that is ahead itself
		return onward
	}
	if p.stream != nil {
		l.found |= p.stream.stream.news
	}
	if p.index+1 < len(p.items) {
		l.further = p
		l.look(p.n.kids[0])
		l.further = nil
	}
	if p.n.last != nil {
		l.look(p.n.last)
	}
	return onward
}

// isHome reports whether a peer is certain to be this one.
func (l *lookahead) isHome(peer *operand) bool {
	if l.further != nil && peer.src.Kind == air.Variable {
		return false
	}
	if peer.lens != nil && peer.src.Var.Kind == air.Scalar {
		if it, f := l.m.scalar(peer.slot); f == nil {
			l.m.again.sight -= len(it.val.Text()) >> 10
		}
	}
	id, f := l.m.text(peer)
	return f == nil && id == l.m.particle.CurrentPeerID
}

// newsIn is which results the operands of an instruction come from.
func (m *machine) newsIn(n *node) (found news) {
	if n.fixed != nil {
		return 0
	}
	for i := range n.operands {
		found |= m.newsOf(&n.operands[i])
	}
	return found
}

// newsOf is which results an operand comes from. Iterators are known to all who come to where they are used.
func (m *machine) newsOf(o *operand) (found news) {
	if o.src.Kind != air.Variable {
		return 0
	}
	switch o.src.Var.Kind {
	case air.CanonStream:
		found = m.canons.news(&m.scopes, o.slot)
	case air.CanonMap:
		found = m.maps.news(&m.scopes, o.slot)
	default:
		found = m.scalars.news(&m.scopes, o.slot)
	}
	if o.lens == nil {
		return found
	}
	for k := range o.lens.path {
		if a := &o.lens.path[k]; a.Kind == air.ByScalar {
			found |= m.scalars.news(&m.scopes, a.slot)
		}
	}
	return found
}

// toName are the peers to name again that are not next peers anyway.
func (m *machine) toName() []string {
	return slices.DeleteFunc(m.again.peers, func(peer string) bool { return m.named[peer] })
}
