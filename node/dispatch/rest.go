package dispatch

import (
	"container/list"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/share"
)

// restAfter is how long an actor that has nothing to do keeps its machine. Answers of other
// peers come within it; what comes later costs a decoding.
const restAfter = 500 * time.Millisecond

// states are the actors that have nothing to do at this moment, those that rest longest first.
// The ones with a machine are turned into bytes after a while, or when they come to more than the
// budget; they are a tenth as large then. It is guarded by Dispatcher.mu.
type states struct {
	bytes    int64     // of machines
	machines list.List // of *actor, those that have one
	all      byOwner
	live     byOwner // those that count as live particles
	running  byOwner // those not at rest: they run, or wait for a slot
}

// resting is the place of an actor in the lists; nil where it is not in one.
type resting struct {
	since              time.Time
	size               int64 // of its machine
	machine, all, live *list.Element
	running            *list.Element // instead of the others
}

// byOwner lists the actors of each owner.
type byOwner map[share.Owner]*list.List

func (m byOwner) add(a *actor) *list.Element {
	l := m[a.owner]
	if l == nil {
		l = list.New()
		m[a.owner] = l
	}
	return l.PushBack(a)
}

func (m byOwner) drop(a *actor, e **list.Element) {
	if *e == nil {
		return
	}
	l := m[a.owner]
	l.Remove(*e)
	*e = nil
	if l.Len() == 0 {
		delete(m, a.owner)
	}
}

// first are the first n actors of an owner.
func (m byOwner) first(o share.Owner, n int) (all []*actor) {
	l := m[o]
	if l == nil {
		return nil
	}
	for e := l.Front(); e != nil && len(all) < n; e = e.Next() {
		all = append(all, e.Value.(*actor))
	}
	return all
}

// last are the last n actors of an owner.
func (m byOwner) last(o share.Owner, n int) (all []*actor) {
	l := m[o]
	if l == nil {
		return nil
	}
	for e := l.Back(); e != nil && len(all) < n; e = e.Prev() {
		all = append(all, e.Value.(*actor))
	}
	return all
}

// run notes that an actor no longer rests.
func (s *states) run(a *actor) {
	s.drop(a)
	a.resting.running = s.running.add(a)
}

// add notes that an actor rests, with a machine of some size.
func (s *states) add(a *actor, size int64) {
	s.drop(a)
	r := &a.resting
	r.since, r.size = time.Now(), size
	r.machine, r.all, r.live = s.machines.PushBack(a), s.all.add(a), s.live.add(a)
	s.bytes += size
}

// drop takes an actor off the lists.
func (s *states) drop(a *actor) {
	s.shrunk(a)
	s.all.drop(a, &a.resting.all)
	s.live.drop(a, &a.resting.live)
	s.running.drop(a, &a.resting.running)
}

// shrunk takes the machine of an actor off the account.
func (s *states) shrunk(a *actor) {
	if r := &a.resting; r.machine != nil {
		s.machines.Remove(r.machine)
		s.bytes -= r.size
		r.machine = nil
	}
}

// due is when the next machine is to go.
func (s *states) due() time.Time {
	if first := s.machines.Front(); first != nil {
		return first.Value.(*actor).resting.since.Add(restAfter)
	}
	return time.Time{}
}

// rested takes the machines off the account that are to go.
func (s *states) rested(now time.Time) (all []*actor) {
	for at := s.due(); !at.IsZero() && !at.After(now); at = s.due() {
		all = append(all, s.first())
	}
	return all
}

// over takes machines off the account until it has room for n more bytes.
func (s *states) over(budget, n int64) (all []*actor) {
	for s.machines.Len() > 0 && s.bytes+n > budget {
		all = append(all, s.first())
	}
	return all
}

func (s *states) first() *actor {
	a := s.machines.Front().Value.(*actor)
	s.shrunk(a)
	return a
}

// rest notes that an actor has nothing to do. No lock is held by the caller.
func (d *Dispatcher) rest(a *actor, size int64) {
	d.mu.Lock()
	if d.actors[a.key] == a { // else it ended meanwhile
		d.states.add(a, size)
		d.setClock()
	}
	over := d.states.over(d.cfg.StateBytes, 0)
	d.mu.Unlock()
	for _, a := range over {
		a.shrink()
	}
}

// shrink turns the machine of an actor into bytes, unless it runs. Without calls nothing is left
// of it but these: no context, no timer, and it no longer counts as a live one.
func (a *actor) shrink() {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	a.shrinkLocked()
}

// shrinkLocked reports whether the actor is no longer live.
func (a *actor) shrinkLocked() bool {
	m := &a.mailbox
	if m.running || m.ended != alive {
		return false
	}
	if a.machine != nil {
		bytes, err := a.machine.Data()
		if err != nil {
			return false
		}
		a.prev, a.waited, a.machine = bytes, a.machine.Waiting(), nil
		a.setSize(int64(len(bytes)))
	}
	if m.calls > 0 {
		return false
	}
	a.sleep()
	return true
}

// makeRoom is the ledger's Reclaim: machines of those who rest become bytes, then particles of
// those who hold the most are ended. The mailbox of the actor that asks may be locked.
func (d *Dispatcher) makeRoom(o share.Owner, full *share.ErrFull, n int64) {
	if full.What == share.Memory && full.Depth == 0 {
		for _, a := range d.machinesOf(n) {
			if a.mailbox.mu.TryLock() {
				before := a.size
				a.shrinkLocked()
				n -= before - a.size
				a.mailbox.mu.Unlock()
			}
		}
	}
	missing := full.Held + full.Asked - full.Limit // of work that goes on, no more than that is ended
	for n > 0 {
		victim, others := d.ledger.Largest(o, full.What, full.Depth)
		if !others {
			victim = o
		}
		freed := d.displace(victim, full.What, n, others)
		if freed == 0 && missing > 0 && others && d.ledger.Outweighs(victim, o, full.What, full.Asked) {
			freed = d.abort(victim, full.What, missing)
		}
		if freed == 0 {
			return
		}
		n -= freed
		missing -= freed
	}
}

// machinesOf takes machines of n bytes off the account.
func (d *Dispatcher) machinesOf(n int64) []*actor {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.states.over(max(d.states.bytes-n, 0), 0)
}

// displaceAtOnce bounds how many particles are ended before it is looked again who holds the most.
const displaceAtOnce = 64

// displace makes room at an owner's cost, beginning with the particles that rest longest: large
// states go to disk, and where live ones are wanted, those without calls sleep; the others end if
// they may. It reports what was freed.
func (d *Dispatcher) displace(o share.Owner, what share.Resource, n int64, mayEnd bool) (freed int64) {
	all := d.restingOf(o, what)
	free := func(f func(a *actor) int64) {
		for _, a := range all {
			if freed >= n {
				return
			}
			if a.mailbox.mu.TryLock() {
				freed += f(a)
				a.mailbox.mu.Unlock()
			}
		}
	}
	if what == share.Live {
		free(func(a *actor) int64 { return one(a.shrinkLocked()) })
	} else {
		free((*actor).spill)
	}
	if freed > 0 || !mayEnd {
		return freed
	}
	free(func(a *actor) int64 {
		before := a.size
		if a.mailbox.running || !a.endLocked(displaced, journal.Displaced) {
			return 0
		}
		if what == share.Live {
			return 1
		}
		return before
	})
	return freed
}

// abort makes room where none of an owner's particles rests: those that run or wait for a slot end,
// the latest first. Else an owner whose particles all have work to do could not be displaced.
func (d *Dispatcher) abort(o share.Owner, what share.Resource, n int64) (freed int64) {
	for _, a := range d.runningOf(o) {
		if freed >= n {
			break
		}
		if a.mailbox.mu.TryLock() {
			freed += a.abort(what)
			a.mailbox.mu.Unlock()
		}
	}
	return freed
}

// abort ends an actor that runs and reports what that freed. Its run ends when the meter is asked
// next, within 50 us of work, so its place and its state are given back at once.
func (a *actor) abort(what share.Resource) int64 {
	live, size := a.live, a.size
	if !a.mailbox.running || !a.endLocked(displaced, journal.Displaced) {
		return 0
	}
	a.dropLive()
	a.d.ledger.Force(a.owner, share.Particles, -size)
	a.size = 0
	if what == share.Live {
		return one(live)
	}
	return size
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// spillFrom is from how many bytes on a state is worth a file.
const spillFrom = 8 << 10

// spill puts the state of an actor at rest on disk and reports how many bytes of memory that freed.
// The mailbox is locked.
func (a *actor) spill() int64 {
	m := &a.mailbox
	if a.d.cfg.Spill == nil || m.running || m.ended != alive {
		return 0
	}
	before := a.size
	a.shrinkLocked()
	if len(a.prev) < spillFrom {
		return 0
	}
	at, err := a.d.cfg.Spill.Put(a.prev)
	if err != nil {
		return 0
	}
	a.spilled, a.prev = at, nil
	a.setSize(0)
	a.d.spilled(a)
	return before - a.size
}

// spilled puts an actor behind those whose state is still in memory.
func (d *Dispatcher) spilled(a *actor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.resting.all != nil {
		d.states.all[a.owner].MoveToBack(a.resting.all)
	}
}

// unspill brings the state back from disk. It is for the owner of the state.
func (a *actor) unspill() error {
	if a.spilled == nil {
		return nil
	}
	state, err := a.spilled.Take()
	a.spilled, a.prev = nil, state
	return err
}

func (d *Dispatcher) restingOf(o share.Owner, what share.Resource) []*actor {
	d.mu.Lock()
	defer d.mu.Unlock()
	if what == share.Live {
		return d.states.live.first(o, displaceAtOnce)
	}
	return d.states.all.first(o, displaceAtOnce)
}

func (d *Dispatcher) runningOf(o share.Owner) []*actor {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.states.running.last(o, displaceAtOnce)
}

func (a *actor) waiting() []interpreter.Wait {
	if a.machine == nil {
		return a.waited
	}
	return a.machine.Waiting()
}
