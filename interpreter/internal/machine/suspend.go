package machine

import (
	"maps"
	"slices"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/internal/scope"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// A run that comes to a call of this peer often has nothing else to do: every enclosing instruction
// would end as incomplete. Such a run is suspended with its frames and variables, and continues
// when the result arrives. A particle that makes 1000 calls one after the other then costs 1000
// calls; running its whole past for each result is quadratic.
//
// The outcome equals that of a new run over the result. A new run would take the same way to the
// call, since all states before it are there and are its own. Where this is not certain the run is
// marked as unsteady and is not suspended:
//
//   - an instruction took a state and wrote none (a canon whose peer has no value);
//   - a fold over a stream saw values that were new in the run, or something inside it was new. In
//     the next run these values have other generations, so it may see them in other passes; a body
//     that adds to its own stream does so again; and a failed call makes its pass incomplete only
//     from the run after the failure on.
//
// Frames that continue after an incomplete part (a par in its left branch, a par whose left branch
// is complete, a fold over a stream) are counted in blocking.

// addPending writes the state of a local call without a result.
func (m *Machine) addPending(c *invocation, e trace.Entry) {
	m.trace.Append(e)
	m.waits = append(m.waits, wait{n: c.n, peer: e.Peer})
	if m.blocking == 0 && !m.unsteady {
		kept := *c
		kept.args = slices.Clone(c.args)
		m.suspended = &kept
	}
}

// resetRequests empties what a run asks for.
func (m *Machine) resetRequests() {
	m.made, m.requested = max(0, m.made-m.requested), 0
	m.Requests, m.NextPeers, m.named = nil, nil, nil
	m.again.reset()
}

// Resumable reports whether the results are just the one that the suspended run waits for.
func (m *Machine) Resumable(results map[uint32]data.CallResult) bool {
	if m.suspended == nil || len(results) != 1 {
		return false
	}
	_, ok := results[m.Known[len(m.Known)-1].CallID]
	return ok
}

// savepoint is what a resumed run changes and has to give back when it fails.
type savepoint struct {
	states int // of the trace, with the pending one
	last   trace.Entry
	own    int
}

// Resume continues the suspended run, whose outcome is known. After a fault that is not
// catchable that is as before, and the run is lost: the next one starts anew. Otherwise nothing is
// to be committed.
func (m *Machine) Resume(results map[uint32]data.CallResult) *fault.Fault {
	known := m.Known
	m.renumberStreams(known)
	c := m.suspended
	last := len(known) - 1
	save := savepoint{states: last + 1, last: known[last], own: len(m.own)}

	m.suspended, m.complete = nil, c.before
	m.waits = m.waits[:len(m.waits)-1]
	m.resetRequests()
	m.Results = maps.Clone(results)
	m.clearAnswers()
	if !m.resumed {
		m.dropInputs()
	}
	m.resumed, m.endedPars = true, m.endedPars[:0]
	m.charged.states, m.charged.bytes = last, 0
	m.start.grown, m.start.known = int(m.count.Grown()), m.store.Size()
	m.trace.Resume(known[:last])
	delete(m.Results, save.last.CallID)
	n, f := m.leave(m.recordError(c.n, m.answered(c, results[save.last.CallID])))
	if n != nil {
		f = m.execute(n)
	}
	if f = m.end(f); f != nil && !f.Catchable() {
		m.suspended = nil
		m.undo(save)
	}
	m.Known, m.KnownOwn = m.trace.Result, m.own
	return f
}

// undo takes back a resumed run that failed.
func (m *Machine) undo(to savepoint) {
	m.trace.Result = m.trace.Result[:to.states]
	m.trace.Result[to.states-1] = to.last
	m.own = m.own[:to.own]
	for _, par := range append(m.endedPars, m.openPars()...) {
		if par.Within(to.states) { // the others are of the run that failed
			trace.ClosePars(m.trace.Result, []trace.OpenPar{par})
		}
	}
}

// openPars are the pars that have not ended, from the inside out.
func (m *Machine) openPars() []trace.OpenPar {
	var open []trace.OpenPar
	for fr := m.top; fr != nil; fr = fr.up {
		if fr.n.Op == program.OpPar {
			open = append(open, fr.par.Open())
		}
	}
	return open
}

// dropInputs makes the pars around the pending call end without anything left to take.
func (m *Machine) dropInputs() {
	for fr := m.top; fr != nil; fr = fr.up {
		fr.par.ForgetInputs()
	}
}

// CloseOpen writes down what a suspended run left open: the sizes of pars and the
// generations of streams. It can be resumed all the same.
func (m *Machine) CloseOpen() {
	if m.suspended != nil {
		trace.ClosePars(m.Known, m.openPars())
		_ = m.numberStreams(m.Known)
	}
}

// renumberStreams renumbers the streams that the latest run touched; when it was a new run, all.
func (m *Machine) renumberStreams(states []trace.Entry) {
	if !m.resumed {
		for _, list := range m.streams {
			for _, s := range list {
				s.Renumber(states)
			}
		}
	}
	for _, s := range m.changedStreams {
		if s.Changed = false; !s.Closed && m.resumed {
			s.Renumber(states)
		}
	}
	clear(m.changedStreams)
	m.changedStreams = m.changedStreams[:0]
}

// markChanged notes that a run changes a stream.
func (m *Machine) markChanged(s *scope.Stream) *scope.Stream {
	m.streamed += 2*scope.SizeOfStreamValue + meter.SizeOf[scope.Generation](1)
	if s.Count == 0 {
		m.streamed += meter.SizeOf[scope.Stream](1) + 16
	}
	if !s.Changed {
		s.Changed = true
		m.changedStreams = append(m.changedStreams, s)
	}
	return s
}
