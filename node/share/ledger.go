package share

import (
	"fmt"
	"maps"
	"sync"
)

// Kind says what memory is taken for.
type Kind string

// The kinds of memory in a ledger.
const (
	FramesIn  Kind = "frames_in"  // being read or decoded
	FramesOut Kind = "frames_out" // waiting to be sent
	Particles Kind = "particles"  // scripts, states and data that waits for them
	Calls     Kind = "calls"      // arguments of running calls and results on their way
)

// Kinds are all kinds.
var Kinds = []Kind{FramesIn, FramesOut, Particles, Calls}

// Limits bound what a ledger gives out. 0 is no limit.
type Limits struct {
	Memory    int64 // bytes
	Particles int   // live particles
}

// A Ledger is the one account of memory and live particles. Everything that a particle makes is
// booked in it before it is made. One range gets half of everything, one remote or init peer a
// quarter. Where all is given out, those who hold the most have to make room, see Reclaim.
type Ledger struct {
	limits Limits
	// Reclaim, if set, is asked to make room for n more of an owner where an account is full, see
	// [Ledger.Largest]. It is called without a lock, but with those that the caller of Grow holds.
	Reclaim func(o Owner, full *ErrFull, n int64)

	mu    sync.Mutex
	root  account
	kinds map[Kind]int64
	most  int64 // bytes ever
}

// Resource is what a ledger counts.
type Resource int

// The resources of a ledger.
const (
	Memory Resource = iota
	Live
	resources
)

func (r Resource) String() string { return [...]string{"bytes", "live particles"}[r] }

// parts are what one owner gets at each level, as a part of the limit: a range a half, a remote
// and an init peer a quarter.
var parts = [3]int64{2, 4, 4}

// An account is a level of an owner that holds something.
type account struct {
	parent *account
	name   string
	kids   map[string]*account
	held   [resources]int64
}

// NewLedger makes a ledger in which nothing is booked.
func NewLedger(l Limits) *Ledger { return &Ledger{limits: l, kinds: make(map[Kind]int64)} }

// ErrFull is the error of a ledger that cannot give what it is asked for.
type ErrFull struct {
	What  Resource
	Depth int // how many levels of the owner make up the account that is full; 0: the peer
	Asked int64
	Held  int64 // already, in that account
	Limit int64
}

func (e *ErrFull) Error() string {
	return fmt.Sprintf("%d more %s, with %d held: the limit of the %s is %d", e.Asked, e.What, e.Held, levelNames[e.Depth], e.Limit)
}

// Missing is how much has to be given back before what was asked for fits, and some more, so
// that the next one does not have to ask again.
func (e *ErrFull) Missing() int64 { return max(e.Held+e.Asked-e.Limit, e.Limit/256) }

// Full reports what of a new particle of n bytes does not fit in the accounts of an owner, nil
// when all does. It books nothing and asks nobody to make room.
func (l *Ledger) Full(o Owner, n int64) *ErrFull {
	l.mu.Lock()
	defer l.mu.Unlock()
	if full := l.check(o, Live, 1); full != nil {
		return full
	}
	return l.check(o, Memory, n)
}

// Grow books n bytes for an owner; n < 0 gives back. It fails with an *ErrFull.
func (l *Ledger) Grow(o Owner, k Kind, n int64) error { return l.addOrReclaim(o, Memory, n, k) }

// Enter books a live particle of an owner. It fails with an *ErrFull.
func (l *Ledger) Enter(o Owner) error { return l.addOrReclaim(o, Live, 1, "") }

// Return books a live particle whatever the limits: one that was known all the time.
func (l *Ledger) Return(o Owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(o, Live, 1, "")
}

// Leave takes a live particle off the account.
func (l *Ledger) Leave(o Owner) { _ = l.add(o, Live, -1, "") }

// Force books n bytes whatever the limits: of what exists already.
func (l *Ledger) Force(o Owner, k Kind, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(o, Memory, n, k)
}

func (l *Ledger) addOrReclaim(o Owner, what Resource, n int64, k Kind) error {
	full := l.add(o, what, n, k)
	if full != nil && l.Reclaim != nil {
		l.Reclaim(o, full, full.Missing())
		full = l.add(o, what, n, k)
	}
	if full == nil {
		return nil
	}
	return full
}

func (l *Ledger) limit(what Resource) int64 {
	if what == Memory {
		return l.limits.Memory
	}
	return int64(l.limits.Particles)
}

var levelNames = [4]string{"peer", "address range", "remote", "init peer"}

func (l *Ledger) add(o Owner, what Resource, n int64, k Kind) *ErrFull {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n > 0 {
		if err := l.check(o, what, n); err != nil {
			return err
		}
	}
	l.put(o, what, n, k)
	return nil
}

func (l *Ledger) check(o Owner, what Resource, n int64) *ErrFull {
	limit := l.limit(what)
	if limit == 0 {
		return nil
	}
	a := &l.root
	if o.Range != Self {
		levels := o.levels()
		for i, name := range levels {
			a = a.kid(name)
			if part := max(limit/parts[i], 1); a.held[what]+n > part {
				return &ErrFull{What: what, Depth: i + 1, Asked: n, Held: a.held[what], Limit: part}
			}
		}
	}
	if held := l.root.held[what]; held+n > limit {
		return &ErrFull{What: what, Asked: n, Held: held, Limit: limit}
	}
	return nil
}

func (l *Ledger) put(o Owner, what Resource, n int64, k Kind) {
	if what == Memory {
		l.kinds[k] += n
		if l.kinds[k] == 0 {
			delete(l.kinds, k)
		}
	}
	a := &l.root
	a.held[what] += n
	for _, name := range o.levels() {
		kid := a.kids[name]
		if kid == nil {
			kid = &account{parent: a, name: name}
			if a.kids == nil {
				a.kids = make(map[string]*account)
			}
			a.kids[name] = kid
		}
		a = kid
		a.held[what] += n
	}
	l.most = max(l.most, l.root.held[Memory])
	for ; a.parent != nil && a.held == [resources]int64{}; a = a.parent {
		delete(a.parent.kids, a.name)
	}
}

// Held is what all, or one owner, or one of its levels (those behind it are empty) holds.
func (l *Ledger) Held(what Resource, levels ...string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &l.root
	for _, name := range levels {
		if a = a.kids[name]; a == nil {
			return 0
		}
	}
	return a.held[what]
}

// Most is the most that was ever held, in bytes.
func (l *Ledger) Most() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.most
}

// Limit is the limit of a resource.
func (l *Ledger) Limit(what Resource) int64 { return l.limit(what) }

// Kinds is what is held of each kind, in bytes.
func (l *Ledger) Kinds() map[Kind]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.kinds)
}

// Largest is the owner that has to make room for another one, where depth levels of that one are
// full (0: the peer): below there, the largest of each level. ok is false when that is the owner
// itself, or nobody.
func (l *Ledger) Largest(o Owner, what Resource, depth int) (largest Owner, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	levels := o.levels()
	a := &l.root
	for i := range levels {
		var most *account
		if i < depth {
			most = a.kids[levels[i]]
		} else {
			most = a.largest(what, levels[i])
		}
		if most == nil || most.held[what] <= 0 {
			return Owner{}, false
		}
		a, levels[i] = most, most.name
	}
	largest = Owner{levels[0], levels[1], levels[2]}
	return largest, largest != o
}

// Outweighs reports whether one owner holds more than twice what another one would with n more, at
// the level where they part. Work of the one is then ended for the other; with a factor of 1 two
// owners could end each other's work in turns.
func (l *Ledger) Outweighs(larger, o Owner, what Resource, n int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, b := &l.root, &l.root
	names, others := larger.levels(), o.levels()
	for i := range names {
		a, b = a.kid(names[i]), b.kid(others[i])
		if names[i] != others[i] {
			return a.held[what] > 2*(b.held[what]+n)
		}
	}
	return false
}

// kid is the account of a level below, an empty one when it holds nothing.
func (a *account) kid(name string) *account {
	if kid := a.kids[name]; kid != nil {
		return kid
	}
	return &account{}
}

// largest is the kid that holds the most; of equals, the one with a name.
func (a *account) largest(what Resource, name string) (most *account) {
	for _, kid := range a.kids {
		switch {
		case a.parent == nil && kid.name == Self:
		case most == nil, kid.held[what] > most.held[what], kid.held[what] == most.held[what] && kid.name == name:
			most = kid
		}
	}
	return most
}

// A Part books memory of one kind for one owner.
type Part struct {
	Ledger *Ledger
	Owner  Owner
	Kind   Kind
}

// Grow books n bytes; n < 0 gives back.
func (p Part) Grow(n int64) error {
	if p.Ledger == nil {
		return nil
	}
	return p.Ledger.Grow(p.Owner, p.Kind, n)
}
