package dispatch

import (
	"time"

	"github.com/aquanode/aquanode/internal/due"
	"github.com/aquanode/aquanode/node/share"
)

// A clock calls actors at their deadlines, with one timer for all. It is guarded by
// Dispatcher.mu.
type clock struct {
	due   due.Queue[*actor] // by deadline
	timer *time.Timer
	set   time.Time // what the timer is set to; zero: it is not
}

// await takes an actor's deadline down. d.mu is held.
func (d *Dispatcher) await(a *actor) {
	d.clock.due.Add(a, a.deadline)
	d.setClock()
}

// forget takes an actor's deadline back. d.mu is held.
func (d *Dispatcher) forget(a *actor) { d.clock.due.Remove(a) }

// setClock sets the timer to what is due next: a deadline, a state to shrink, a finished
// particle to forget. d.mu is held.
func (d *Dispatcher) setClock() {
	if d.stopped {
		return
	}
	var next time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	earlier(d.clock.due.Next())
	earlier(d.states.due())
	earlier(d.finished.due())
	c := &d.clock
	if next.IsZero() || !c.set.IsZero() && !next.Before(c.set) {
		return
	}
	c.set = next
	if c.timer == nil {
		c.timer = time.AfterFunc(time.Until(next), func() { d.begin(d.tick) })
		return
	}
	c.timer.Reset(time.Until(next))
}

// tick does what is due.
func (d *Dispatcher) tick() {
	now := time.Now()
	d.mu.Lock()
	d.clock.set = time.Time{}
	var ended []*actor
	for a, ok := d.clock.due.Pop(now); ok; a, ok = d.clock.due.Pop(now) {
		ended = append(ended, a)
	}
	rested := d.states.rested(now)
	before := d.finished.weight()
	logs := d.finished.expire(now)
	d.ledger.Force(d.self(), share.Particles, d.finished.weight()-before)
	d.setClock()
	d.mu.Unlock()
	for _, a := range ended {
		a.end(expired, nil)
	}
	for _, a := range rested {
		a.shrink()
	}
	for _, l := range logs {
		l.Remove()
	}
}
