package dispatch

import (
	"container/heap"
	"time"

	"github.com/aquanode/aquanode/node/share"
)

// A clock calls actors at their deadlines, with one timer for all. It is guarded by
// Dispatcher.mu.
type clock struct {
	due   deadlines
	timer *time.Timer
	set   time.Time // what the timer is set to; zero: it is not
}

// deadlines is a heap of actors, the next one to end first.
type deadlines []*actor

func (h deadlines) Len() int           { return len(h) }
func (h deadlines) Less(i, j int) bool { return h[i].deadline.Before(h[j].deadline) }
func (h deadlines) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *deadlines) Push(x any) {
	a := x.(*actor)
	a.place = len(*h)
	*h = append(*h, a)
}
func (h *deadlines) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.place = -1
	return a
}

// await takes an actor's deadline down. d.mu is held.
func (d *Dispatcher) await(a *actor) {
	heap.Push(&d.clock.due, a)
	d.setClock()
}

// forget takes an actor's deadline back. d.mu is held.
func (d *Dispatcher) forget(a *actor) {
	if a.place >= 0 {
		heap.Remove(&d.clock.due, a.place)
	}
}

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
	if len(d.clock.due) > 0 {
		earlier(d.clock.due[0].deadline)
	}
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
	for due := &d.clock.due; len(*due) > 0 && !(*due)[0].deadline.After(now); {
		ended = append(ended, heap.Pop(due).(*actor))
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
