package interpreter

import (
	"maps"
	"slices"

	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// A run that comes to a local call often has nothing else to do: every enclosing instruction
// would just end as incomplete. Such a run is suspended where it stands, frames, variables and all,
// and goes on from there when the result comes. A particle that makes 1000 calls one after the other
// then costs 1000 times a call, instead of running its whole past 1000 times.
//
// That gives what a new run over the result would give, since that run would take the same way to
// the call: all states before it are there and are its own. Where this is not certain the run
// is marked as unsteady and does not suspend:
//
//   - an instruction took a state and wrote none (a canon whose peer has no value);
//   - a stream fold saw values that were new in the run, or something inside it was new: the values will have other
//     generations in the next run, which may see them in other passes; a body that adds to its own stream does so
//     again; and a failed call makes its pass incomplete only from the run after the failure on.
//
// Frames that go on after an incomplete part (par in its left branch, par whose
// left branch is complete, a stream fold) are counted in blocking.

// pending writes the state of a local call without a result.
func (m *machine) pending(c *invocation, e trace.Entry) {
	m.trace.Append(e)
	m.waits = append(m.waits, wait{n: c.n, peer: e.Peer})
	if m.blocking == 0 && !m.unsteady {
		kept := *c
		kept.args = slices.Clone(c.args)
		m.suspended = &kept
	}
}

// resetRequests empties what a run asks for.
func (m *machine) resetRequests() {
	m.made, m.asked = max(0, m.made-m.asked), 0
	m.requests, m.next, m.named = nil, nil, nil
	m.again.reset()
}

// resumable reports whether the results are just the one that the suspended run waits for.
func (m *machine) resumable(known []trace.Entry, results map[uint32]CallResult) bool {
	if m.suspended == nil || len(results) != 1 {
		return false
	}
	_, ok := results[known[len(known)-1].CallID]
	return ok
}

// savepoint is what a resumed run changes and has to give back when it fails.
type savepoint struct {
	states int // of the trace, with the pending one
	last   trace.Entry
	own    int
}

// resume goes on with the suspended run that made the known trace. After a fault that is not
// catchable, the trace and the list of own results are as before, and the run is lost: the next one
// starts anew.
func (m *machine) resume(known []trace.Entry, results map[uint32]CallResult) *fault.Fault {
	m.renumberStreams(known)
	c := m.suspended
	last := len(known) - 1
	save := savepoint{states: last + 1, last: known[last], own: len(m.own)}

	m.suspended, m.complete = nil, c.before
	m.waits = m.waits[:len(m.waits)-1]
	m.resetRequests()
	m.results = maps.Clone(results)
	m.clearAnswers()
	if !m.resumed {
		m.dropInputs()
	}
	m.resumed, m.ended = true, m.ended[:0]
	m.charged.states, m.charged.bytes = last, 0
	m.start.grown, m.start.known = int(m.count.Grown()), m.store.size()
	m.trace.Resume(known[:last])
	delete(m.results, save.last.CallID)
	n, f := m.leave(m.failed(c.n, m.answered(c, results[save.last.CallID])))
	if n != nil {
		f = m.execute(n)
	}
	if f = m.end(f); f != nil && !f.Catchable() {
		m.suspended = nil
		m.undo(save)
	}
	return f
}

// undo takes back a resumed run that failed.
func (m *machine) undo(to savepoint) {
	m.trace.Result = m.trace.Result[:to.states]
	m.trace.Result[to.states-1] = to.last
	m.own = m.own[:to.own]
	for _, par := range append(m.ended, m.openPars()...) {
		if par.Within(to.states) { // the others are of the run that failed
			trace.ClosePars(m.trace.Result, []trace.OpenPar{par})
		}
	}
}

// openPars are the pars that have not ended, from the inside out.
func (m *machine) openPars() []trace.OpenPar {
	var open []trace.OpenPar
	for fr := m.top; fr != nil; fr = fr.up {
		if fr.n.op == opPar {
			open = append(open, fr.par.Open())
		}
	}
	return open
}

// dropInputs makes the pars around the pending call end without anything left to take.
func (m *machine) dropInputs() {
	for fr := m.top; fr != nil; fr = fr.up {
		fr.par.ForgetInputs()
	}
}

// close writes down what a suspended run left open: the sizes of pars and the
// generations of streams. It can be resumed all the same.
func (m *machine) close(states []trace.Entry) {
	if m.suspended != nil {
		trace.ClosePars(states, m.openPars())
		_ = m.numberStreams(states)
	}
}

// renumberStreams renumbers the streams that the latest run touched; when it was a new run, all.
func (m *machine) renumberStreams(states []trace.Entry) {
	if !m.resumed {
		for _, list := range m.streams {
			for _, s := range list {
				s.settle(states)
			}
		}
	}
	for _, s := range m.touched {
		if s.touched = false; !s.closed && m.resumed {
			s.settle(states)
		}
	}
	clear(m.touched)
	m.touched = m.touched[:0]
}

// touch notes that a run changes a stream.
func (m *machine) touch(s *stream) *stream {
	m.streamed += 2*sizeOfStreamValue + meter.SizeOf[generation](1)
	if s.count == 0 {
		m.streamed += meter.SizeOf[stream](1) + 16
	}
	if !s.touched {
		s.touched = true
		m.touched = append(m.touched, s)
	}
	return s
}

// settle makes all values previous ones, numbered as they are in the data: so a new
// run would find them.
func (s *stream) settle(result []trace.Entry) {
	if len(s.current.held) > 0 || !s.settled {
		s.settleAll(result)
	} else {
		s.append(s.fresh.held, result)
	}
	s.settled = true
	s.current, s.fresh = generations{}, generations{length: s.folds}
}

func (s *stream) settleAll(result []trace.Entry) {
	all := s.batch(cursor{})
	s.previous = generations{}
	s.append(all, result)
}

func (s *stream) append(list []generation, result []trace.Entry) {
	for _, g := range list {
		n := uint32(len(s.previous.held))
		for _, v := range g.values {
			setGeneration(&result[v.pos], n)
		}
		s.previous.held = append(s.previous.held, generation{index: n, values: g.values})
	}
	s.previous.length = len(s.previous.held)
}
