package machine

import (
	"slices"

	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// A request is sent to its peer once. A result that comes to the sender later stays there, and
// whoever needs it waits for ever:
//
//	(seq (par (call "a" .. x) (call "b" .. y)) (seq (call "relay" ..) (call "c" .. [x y])))
//
// The par is complete with x, so the relay is asked, and then c. When y comes, nobody is asked for
// anything. So a run names a peer again, in Outcome.Again, for every open request that it comes to,
// if
//
//  1. a result stands before the request that its sender did not know. "Before" is in an earlier
//     part of a seq around both. In two branches of a par it counts up to the end of the par: there
//     the run goes on from the result's branch itself;
//  2. the run does not get past the request, and what follows it needs the result before it is this
//     peer's turn again. To need is to have to wait for it: an operand is a variable that it set,
//     or a fold walks over a stream that it is in. A canon takes what is there and waits for
//     nothing.
//
// The peer named is that of the request if this peer sent it, and otherwise the sender, which then
// does likewise. A result is new to a request if neither what this peer kept nor what arrived had
// both: whoever has both first tells. So data that comes twice names nobody, and a fan-out to n
// peers that is joined on another one names that one n times.
//
// The request waits in again.open while its frames are left, from the inside out. A seq that is
// left incomplete looks at the parts that the run did not come to. One that goes on puts the
// requests in the part before aside: the run itself takes the result to what follows, unless it is
// stuck there for want of a value, which those bring who were asked. Then they wait again.

// unknownTo are the results that a request is without, by which inputs had the request: those that
// no input had together with it.
var unknownTo = [...]trace.Sources{
	trace.FromPrevious: 1<<trace.FromNone | 1<<trace.FromCurrent,
	trace.FromCurrent:  1<<trace.FromNone | 1<<trace.FromPrevious,
	trace.FromBoth:     1 << trace.FromNone,
}

// openRequest is a request that the run did not get past.
type openRequest struct {
	peer  string // to be named
	wants trace.Sources
	// the results that it wants are all in left branches of pars whose right branch it is in
	beside bool
	ended  bool // what follows it comes to this peer or fails: only a xor can lead to more
}

// again is what a run knows about results and open requests.
type again struct {
	before trace.Sources // of the results before the current instruction, see rule 1
	must   trace.Sources // of those without which nobody comes here: not in a par before
	beside trace.Sources // of those in left branches of pars whose right branch runs
	open   []openRequest
	behind []openRequest // that the run got past, see stuckAt
	peers  []string      // to name, without duplicates
	named  map[string]bool
	budget int // what looks ahead may still take
}

// lookBudget bounds how many instructions a run looks at for Outcome.Again; that takes about 100
// us. Beyond it everything is taken to be needed. Eight operands, 16 open requests, and 1 kB of a
// value that a lens looks into, count as one more.
const lookBudget = 1 << 13

func (a *again) reset() {
	*a = again{open: a.open[:0], behind: a.behind[:0], budget: lookBudget}
}

// addResult notes a result that stands at the current instruction.
func (a *again) addResult(from trace.Source) {
	a.before |= from.Set()
	a.must |= from.Set()
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

// checkRequest looks whether an open request to a peer wants a new result.
func (m *Machine) checkRequest(n *program.Node, peer string, request *trace.Entry,
	from trace.Source) {
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
	if m.sourcesIn(n)&r.wants != 0 {
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
	if fr.beside == 0 && a.beside != 0 && a.affordable(fr) {
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

// inside are the open requests inside a frame. (One that was suspended may have begun with more
// than there are now.)
func (a *again) inside(fr *frame) []openRequest { return a.open[min(int(fr.open), len(a.open)):] }

// affordable reports whether the open requests inside a frame may still be looked at. If not, they
// are named.
func (a *again) affordable(fr *frame) bool {
	in := a.inside(fr)
	if a.budget -= len(in) / 16; a.budget >= 0 {
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

// stuckAt says that the run does not get past an instruction that wants a value. Those who were
// asked for something before may bring it, and then go on.
func (m *Machine) stuckAt(n *program.Node) {
	a := &m.again
	if len(a.behind) == 0 {
		return
	}
	list := a.behind
	a.behind = nil
	a.budget -= len(list) / 16
	l := lookahead{m: m, budget: &a.budget}
	for _, r := range list {
		l.wanted |= r.wants
	}
	way := l.needs(n)
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
func (m *Machine) lookAhead(fr *frame) {
	a := &m.again
	if !a.affordable(fr) {
		return
	}
	l := lookahead{m: m, budget: &a.budget}
	_ = m.count.Work(len(a.inside(fr)))
	for _, r := range a.inside(fr) {
		if !r.ended || fr.n.Op == program.OpXor {
			l.wanted |= r.wants
		}
	}
	if l.wanted == 0 {
		return
	}
	way := l.needsOfSeq(fr.following())
	a.forget(fr, func(r *openRequest) bool {
		switch {
		case fr.n.Op == program.OpXor && way == onward:
			r.ended = false
		case fr.n.Op == program.OpSeq && r.ended:
			return false
		case fr.n.Op == program.OpSeq && way != onward:
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
func (m *Machine) lookAheadFromHere() {
	for fr := m.top; fr != nil && len(m.again.open) > 0; fr = fr.up {
		switch {
		case fr.n.Op == program.OpSeq, fr.n.Op == program.OpXor && fr.index == 0:
			m.lookAhead(fr)
		case fr.n.Op == program.OpPar:
			m.again.leaveBeside(fr)
		}
	}
}

// PeersAgain are the peers to name again that are not next peers anyway.
func (m *Machine) PeersAgain() []string {
	return slices.DeleteFunc(m.again.peers, func(peer string) bool { return m.named[peer] })
}
