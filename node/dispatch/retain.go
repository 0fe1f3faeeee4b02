package dispatch

import (
	"container/list"

	"github.com/aquanode/aquanode/interpreter"
)

// states is the account of what idle actors keep in memory. When they come to more than
// the budget, those that rest longest are turned into bytes, which are several times
// smaller and cost a decoding when the particle goes on. It is guarded by Dispatcher.mu.
type states struct {
	bytes int64
	order list.List // of *state, longest at rest first
	of    map[*actor]*list.Element
}

type state struct {
	actor *actor
	size  int64
}

func (s *states) add(a *actor, size int64) {
	s.drop(a)
	s.of[a] = s.order.PushBack(&state{a, size})
	s.bytes += size
}

func (s *states) drop(a *actor) {
	if at := s.of[a]; at != nil {
		s.bytes -= s.order.Remove(at).(*state).size
		delete(s.of, a)
	}
}

// excess takes those off the account that have to go.
func (s *states) excess(budget int64) (out []*actor) {
	for s.bytes > budget {
		a := s.order.Front().Value.(*state).actor
		s.drop(a)
		out = append(out, a)
	}
	return out
}

// rest notes that an actor came to rest with a state of some size, and makes room if
// needed. No lock is held by the caller.
func (d *Dispatcher) rest(a *actor, size int64) {
	for _, idle := range d.account(a, size) {
		idle.freeze()
	}
}

func (d *Dispatcher) account(a *actor, size int64) []*actor {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.actors[a.key] == a { // else it ended meanwhile
		d.states.add(a, size)
	}
	return d.states.excess(d.cfg.StateBytes)
}

// freeze turns the state of an actor into bytes, unless it is running.
func (a *actor) freeze() {
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running || m.ended || a.machine == nil {
		return
	}
	data, err := a.machine.Data()
	if err != nil {
		return
	}
	a.prev, a.waited, a.machine = data, a.machine.Waiting(), nil
	a.weighState(int64(len(a.prev)))
}

// size is the memory of the state, and waiting what it cannot go on with; both are for the
// owner of the state.
func (a *actor) size() int64 {
	if a.machine == nil {
		return 0
	}
	return int64(a.machine.MemSize())
}

func (a *actor) waiting() []interpreter.Wait {
	if a.machine == nil {
		return a.waited
	}
	return a.machine.Waiting()
}
