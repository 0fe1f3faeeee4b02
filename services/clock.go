package services

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aquanode/aquanode/internal/due"
)

// ErrClosed is the answer to calls and registrations after Close.
var ErrClosed = errors.New("the peer is stopping")

// maxPauses bounds the calls that wait for time, at 400 bytes each. What one particle or owner
// may have running is bounded by who starts the calls.
const maxPauses = 1 << 20

var errPauses = errors.New("too many calls are waiting on this peer")

// After calls f once: with nil when d has passed, or with the reason why it is not waited for,
// such as the error of a context that ended before. It costs an entry of a heap and no goroutine.
// A time beyond the deadline of the context is not even that: only its end is waited for.
// f must not block; it may be called before After returns.
func (r *Registry) After(ctx context.Context, d time.Duration, f func(error)) {
	if err := ctx.Err(); err != nil {
		f(err)
		return
	}
	if r.pauses.Add(1) > maxPauses {
		r.pauses.Add(-1)
		f(errPauses)
		return
	}
	p := &pause{registry: r, ctx: ctx, f: f}
	now := time.Now()
	due := now.Add(max(d, 0))
	if deadline, ok := ctx.Deadline(); !ok || due.Before(deadline) {
		p.mu.Lock()
		p.alarm = r.clock.set(due, p.end)
		p.mu.Unlock()
	}
	r.ends.watch(ctx, p, &p.watch)
}

// A pause is one After.
type pause struct {
	registry *Registry
	ctx      context.Context
	f        func(error)
	watch    watch
	over     atomic.Bool

	mu    sync.Mutex
	alarm *alarm // nil: the context ends before
}

func (p *pause) ended() { p.end(p.ctx.Err()) }

func (p *pause) end(err error) {
	if !p.over.CompareAndSwap(false, true) {
		return
	}
	p.registry.pauses.Add(-1)
	p.registry.ends.forget(&p.watch)
	p.mu.Lock()
	if p.alarm != nil {
		p.registry.clock.cancel(p.alarm)
	}
	p.mu.Unlock()
	p.f(err)
}

// A clock runs functions at their times, from one timer for all of them.
type clock struct {
	mu     sync.Mutex
	alarms due.Queue[*alarm]
	timer  *time.Timer // rings at next; nil: nothing is set
	next   time.Time
	closed bool
}

// An alarm is a function in a clock. It gets nil when its time has come, ErrClosed at the end.
type alarm struct {
	due.Entry
	ring func(error)
}

// set runs ring at a time, by a goroutine of the clock's.
func (c *clock) set(at time.Time, ring func(error)) *alarm {
	a := &alarm{ring: ring}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		go ring(ErrClosed)
		return a
	}
	c.alarms.Add(a, at)
	c.arm()
	return a
}

func (c *clock) cancel(a *alarm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alarms.Remove(a) {
		c.arm()
	}
}

// arm sets the timer to the first alarm; c.mu is held.
func (c *clock) arm() {
	next := c.alarms.Next()
	if !next.IsZero() && c.timer != nil && c.next.Equal(next) {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if !next.IsZero() {
		c.next = next
		c.timer = time.AfterFunc(time.Until(next), c.ring)
	}
}

// ring runs all that is due.
func (c *clock) ring() {
	c.mu.Lock()
	c.timer = nil
	c.mu.Unlock()
	for a, ok := c.due(); ok; a, ok = c.due() {
		a.ring(nil)
	}
}

func (c *clock) due() (a *alarm, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok = c.alarms.Pop(time.Now()); !ok {
		c.arm()
	}
	return a, ok
}

// close rings all alarms, and later ones at once.
func (c *clock) close() {
	c.mu.Lock()
	rest := c.alarms.Clear()
	c.closed = true
	c.arm()
	c.mu.Unlock()
	for _, a := range rest {
		a.ring(ErrClosed)
	}
}

// ends calls jobs and pauses when their context has ended. However many belong to one context,
// there is one context.AfterFunc, so that the end of a particle with 10,000 calls is one goroutine.
type ends struct {
	mu     sync.Mutex
	groups map[<-chan struct{}]*group // by Context.Done
}

type group struct {
	done    <-chan struct{}
	stop    func() bool
	members []member
}

type member struct {
	watch *watch
	of    interface{ ended() }
}

// A watch is a place in a group.
type watch struct {
	group *group
	index int
}

// watch calls of.ended when the context has ended, until forget.
func (e *ends) watch(ctx context.Context, of interface{ ended() }, w *watch) {
	done := ctx.Done()
	if done == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	g := e.groups[done]
	if g == nil {
		g = &group{done: done}
		if e.groups == nil {
			e.groups = map[<-chan struct{}]*group{}
		}
		e.groups[done] = g
		g.stop = context.AfterFunc(ctx, func() { e.end(g) })
	}
	w.group, w.index = g, len(g.members)
	g.members = append(g.members, member{w, of})
}

func (e *ends) end(g *group) {
	e.mu.Lock()
	members := g.members
	g.members = nil
	for _, m := range members {
		m.watch.group = nil
	}
	e.drop(g)
	e.mu.Unlock()
	for _, m := range members {
		m.of.ended()
	}
}

// drop removes a group; e.mu is held.
func (e *ends) drop(g *group) {
	if e.groups[g.done] == g {
		delete(e.groups, g.done)
	}
}

func (e *ends) forget(w *watch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := w.group
	if g == nil {
		return
	}
	w.group = nil
	last := len(g.members) - 1
	g.members[w.index] = g.members[last]
	g.members[w.index].watch.index = w.index
	g.members[last] = member{}
	g.members = g.members[:last]
	if last == 0 {
		e.drop(g)
		g.stop()
	}
}
