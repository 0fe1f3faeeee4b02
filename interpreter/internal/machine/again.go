package machine

import (
	"slices"

	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// Outcome.Again: which peers have to get the data once more.
//
// A request is sent to its peer once. If the sender gets a result later, the result stays with the
// sender, and a peer that needs it waits for ever:
//
//	(seq (par (call "a" .. x) (call "b" .. y)) (seq (call "relay" ..) (call "c" .. [x y])))
//
// The par is complete with x, so the relay is asked, and then c. When y arrives, no peer is asked
// for anything. So a run names a peer again for every open request that it comes to, if
//
//  1. there is a result before the request that the sender of the request did not know. "Before"
//     means in an earlier part of a seq around both. Of two branches of a par, a result in the left
//     one is before the right one up to the end of the par: in there, the run continues from the
//     branch of the result itself;
//  2. the run does not get past the request, and an instruction after it needs the result before it
//     is this peer's turn again. An instruction needs a result if it has to wait for it: one of its
//     operands is a variable that the result set, or it is a fold over a stream that the result is
//     in. A canon takes what there is and waits for nothing.
//
// The peer to name is the one of the request if this peer sent the request, and otherwise the
// sender, which then does the same. A result is new to a request if neither the known data nor the
// data that arrived had both: the peer that has both first names the others. So data that arrives
// twice names no peer, and a fan-out to n peers that is joined on another peer names that one n
// times.
//
// A request waits in again.open while the run leaves its frames, from the inside out. A seq that
// ends incomplete looks at its parts that the run did not come to (lookahead.go). A seq that
// continues moves the requests of the part before to again.behind: the run itself takes the result
// to what follows, unless it gets stuck there for lack of a value. The peers that were asked before
// may bring that value, so their requests are open again.

// unknownTo are the sources of results that the sender of a request did not know, by the inputs
// that had the request: no input had both.
var unknownTo = [...]trace.Sources{
	trace.FromPrevious: 1<<trace.FromNone | 1<<trace.FromCurrent,
	trace.FromCurrent:  1<<trace.FromNone | 1<<trace.FromPrevious,
	trace.FromBoth:     1 << trace.FromNone,
}

// openRequest is a request that the run did not get past.
type openRequest struct {
	peer  string // to be named
	wants trace.Sources
	// all results that it wants are in left branches of pars whose right branch it is in
	beside bool
	ended  bool // after it comes this peer's turn, or a failure: only a xor can lead to more
}

// again holds the results and open requests of a run.
type again struct {
	before trace.Sources // of the results before the current instruction, see rule 1
	must   trace.Sources // of those that are needed to come here: not in a par before
	beside trace.Sources // of those in left branches of pars whose right branch runs
	open   []openRequest
	behind []openRequest // the run got past them, see stuckAt
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

// passed notes that the run continues after a part of a seq.
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
