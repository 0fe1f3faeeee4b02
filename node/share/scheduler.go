package share

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// A Scheduler hands out slots by time used: a free slot goes to the range that has used the
// least, in it to the remote that has, in it to the init peer that has. It is start-time fair
// queueing: whoever begins to wait starts at the time of the one served last, so that nobody
// saves up time while idle.
type Scheduler struct {
	perSecond time.Duration // of processor time one range may use, 0: no bound
	now       func() time.Time

	mu      sync.Mutex
	slots   int
	free    int
	waiting int
	order   uint64
	root    node
	spent   map[string]*bucket // by range
	late    []*node            // ranges that have used up their second
	wake    *time.Timer        // when the first of these goes on
}

// quantum is booked when a slot is granted, so that one owner is not granted all slots before
// its time is known. It is that of a short step.
const quantum = 100 * time.Microsecond

// burst is for how long a range may use its time in advance.
const burst = time.Second

// NewScheduler makes a scheduler of n slots. One range gets perSecond of processor time a
// second; 0 is no bound.
func NewScheduler(n int, perSecond time.Duration) *Scheduler {
	return &Scheduler{slots: n, free: n, perSecond: perSecond, now: time.Now, spent: make(map[string]*bucket)}
}

// A node is a level of an owner that waits, runs, or has used time lately.
type node struct {
	parent *node
	name   string
	kids   map[string]*node
	ready  ready         // kids below which somebody waits
	place  int           // in the parent's ready list, from 1; 0: not in it
	used   time.Duration // among its siblings
	clock  time.Duration // of its kids: that of the one served last
	order  uint64        // breaks ties: who came first
	queue  []*waiter
	inUse  int  // slots granted to or taken by those below
	late   bool // a range that has used up its second
}

type waiter struct {
	granted chan struct{}
	since   time.Time
}

// A Slot is the right to use a processor. It is given back with Release.
type Slot struct {
	s     *Scheduler
	owner Owner
	node  *node // nil when it was taken without waiting: nothing is booked yet
}

// Acquire waits for a slot. It reports false when the context ended first.
func (s *Scheduler) Acquire(ctx context.Context, o Owner) (Slot, bool) {
	if ctx.Err() != nil {
		return Slot{}, false
	}
	s.mu.Lock()
	if s.free > 0 && s.waiting == 0 && !s.over(o) {
		s.free--
		s.mu.Unlock()
		return Slot{s: s, owner: o}, true
	}
	w := &waiter{granted: make(chan struct{}), since: s.now()}
	leaf := s.enter(o, w)
	s.grant()
	s.mu.Unlock()
	select {
	case <-w.granted:
		return Slot{s, o, leaf}, true
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-w.granted: // at the same moment: pass it on
		s.give(Slot{s, o, leaf}, 0)
	default:
		s.leave(leaf, w)
	}
	return Slot{}, false
}

// Release gives the slot back after it was used for some time.
func (sl Slot) Release(used time.Duration) {
	sl.s.mu.Lock()
	defer sl.s.mu.Unlock()
	sl.s.give(sl, used)
}

// Waited is how long the one has waited that waits longest, those not counted whose range has
// used up its second.
func (s *Scheduler) Waited() (longest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var look func(n *node)
	look = func(n *node) {
		if len(n.queue) > 0 {
			longest = max(longest, now.Sub(n.queue[0].since))
		}
		for _, kid := range n.ready {
			look(kid)
		}
	}
	look(&s.root)
	return longest
}

// Free is the number of free slots.
func (s *Scheduler) Free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

// Slots is the number of all slots.
func (s *Scheduler) Slots() int { return s.slots }

// enter puts a waiter behind those of its owner.
func (s *Scheduler) enter(o Owner, w *waiter) *node {
	leaf := s.find(o)
	leaf.queue = append(leaf.queue, w)
	s.waiting++
	if len(leaf.queue) > 1 {
		return leaf
	}
	for n := leaf; n.parent != nil && n.place == 0 && !n.late; n = n.parent {
		n.begin(s)
	}
	return leaf
}

// begin makes a node ready.
func (n *node) begin(s *Scheduler) {
	n.used = max(n.used, n.parent.clock)
	s.order++
	n.order = s.order
	heap.Push(&n.parent.ready, n)
}

// find is the node of an owner.
func (s *Scheduler) find(o Owner) *node {
	n := &s.root
	for _, name := range o.levels() {
		kid := n.kids[name]
		if kid == nil {
			n.forgetSome()
			kid = &node{parent: n, name: name, used: n.clock}
			if n.kids == nil {
				n.kids = make(map[string]*node)
			}
			n.kids[name] = kid
		}
		n = kid
	}
	return n
}

// forgetSome looks at some nodes and forgets those at rest. As it goes with every new one, all
// have their turn.
func (n *node) forgetSome() {
	some := 3
	for name, kid := range n.kids {
		if kid.atRest() {
			delete(n.kids, name)
		}
		if some--; some == 0 {
			return
		}
	}
}

func (n *node) atRest() bool {
	return n.place == 0 && !n.late && n.inUse == 0 && len(n.queue) == 0 && n.used <= n.parent.clock
}

// grant gives free slots to those whose turn it is.
func (s *Scheduler) grant() {
	for s.free > 0 && len(s.root.ready) > 0 {
		if top := s.root.ready[0]; s.over(Owner{Range: top.name}) {
			s.delay(top)
			continue
		}
		n := &s.root
		for len(n.ready) > 0 {
			first := n.ready[0]
			n.clock = max(n.clock, first.used)
			n = first
		}
		w := n.queue[0]
		n.queue = n.queue[1:]
		s.waiting--
		s.free--
		for ; n.parent != nil; n = n.parent {
			n.inUse++
			n.book(quantum)
			n.rest()
		}
		close(w.granted)
	}
}

// rest takes a node off the ready list when nobody waits below it.
func (n *node) rest() {
	if n.place > 0 && len(n.queue) == 0 && len(n.ready) == 0 {
		heap.Remove(&n.parent.ready, n.place-1)
	}
}

func (n *node) book(d time.Duration) {
	n.used += d
	if n.place > 0 {
		heap.Fix(&n.parent.ready, n.place-1)
	}
}

// give takes a slot back.
func (s *Scheduler) give(sl Slot, used time.Duration) {
	s.free++
	s.spend(sl.owner, used)
	switch {
	case sl.node != nil:
		for n := sl.node; n.parent != nil; n = n.parent {
			n.inUse--
			n.book(used - quantum)
		}
	case s.waiting > 0:
		for n := s.find(sl.owner); n.parent != nil; n = n.parent {
			n.book(used)
		}
	}
	s.grant()
	s.reset()
}

// reset forgets all nodes when there is nobody to be fair to.
func (s *Scheduler) reset() {
	if s.free == s.slots && s.waiting == 0 && len(s.late) == 0 {
		s.root = node{}
	}
}

// leave takes a waiter out of its queue.
func (s *Scheduler) leave(leaf *node, w *waiter) {
	for i, x := range leaf.queue {
		if x == w {
			leaf.queue = append(leaf.queue[:i], leaf.queue[i+1:]...)
			s.waiting--
			break
		}
	}
	for n := leaf; n.parent != nil; n = n.parent {
		n.rest()
	}
	s.reset()
}

// A bucket is a leaky one: time is used up by what is booked, and passes.
type bucket struct{ until time.Time }

// over reports whether an owner's range has used up its second.
func (s *Scheduler) over(o Owner) bool {
	if s.perSecond == 0 || o.Range == Self {
		return false
	}
	b := s.spent[o.Range]
	return b != nil && b.until.Sub(s.now()) > burst
}

// spend books time for an owner's range.
func (s *Scheduler) spend(o Owner, used time.Duration) {
	if s.perSecond == 0 || o.Range == Self || used <= 0 {
		return
	}
	now := s.now()
	b := s.spent[o.Range]
	if b == nil {
		s.forgetSpent(now)
		b = &bucket{}
		s.spent[o.Range] = b
	}
	if b.until.Before(now) {
		b.until = now
	}
	b.until = b.until.Add(time.Duration(float64(used) * float64(time.Second) / float64(s.perSecond)))
}

func (s *Scheduler) forgetSpent(now time.Time) {
	some := 3
	for name, b := range s.spent {
		if b.until.Before(now) {
			delete(s.spent, name)
		}
		if some--; some == 0 {
			return
		}
	}
}

// delay takes a range that has used up its second off the ready list until it may go on.
func (s *Scheduler) delay(n *node) {
	heap.Remove(&s.root.ready, n.place-1)
	n.late = true
	s.late = append(s.late, n)
	wait := s.spent[n.name].until.Sub(s.now()) - burst
	if s.wake == nil {
		s.wake = time.AfterFunc(wait, s.resume)
	}
}

// resume lets ranges go on whose time has come.
func (s *Scheduler) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := s.late
	s.late, s.wake = nil, nil
	for _, n := range late {
		if n.late = false; len(n.ready) > 0 {
			n.begin(s)
		}
	}
	s.grant() // delays again what is still late
	s.reset()
}

// ready is a heap of nodes, least time first.
type ready []*node

func (r ready) Len() int { return len(r) }
func (r ready) Less(i, j int) bool {
	if r[i].used != r[j].used {
		return r[i].used < r[j].used
	}
	return r[i].order < r[j].order
}
func (r ready) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i+1, j+1
}
func (r *ready) Push(x any) {
	n := x.(*node)
	*r = append(*r, n)
	n.place = len(*r)
}
func (r *ready) Pop() any {
	old := *r
	n := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	n.place = 0
	return n
}
