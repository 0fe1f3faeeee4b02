// Package dispatch gives every live particle an owner.
//
// [Dispatcher.Deliver] admits what arrives: expiry, signature, quotas. An admitted
// particle belongs to an actor, one for each (signature, scope), where a scope is the
// host or another peer id that lives on it. The actor gathers arrivals and call results
// in its mailbox and folds all that wait into one step of the interpreter:
//
//	arrivals ─┐                        ┌─> calls, each on a goroutine of its own
//	results  ─┴─> mailbox ─> step ─────┤
//	    ^                              └─> frames for the next peers
//	    └────────── results ───────────────┘
//
// The particle's state is touched only by the actor's goroutine, which exists while
// there is something to do: a particle that waits costs memory but no goroutine. Steps
// of all actors share [Config.Parallel] slots, handed out in turns among init peers so
// that a peer with a thousand particles does not starve one with a single particle.
//
// Calls run in parallel. Their place in the queue of a service is taken before the
// goroutines start, so calls of one service run in the order of the script. A call's
// context ends at the particle's deadline.
//
// A particle ends at its deadline: calls are cancelled, the state goes, one journal entry
// stays and says what was waited for. It is not removed earlier, since only its state
// tells a late duplicate from something new.
//
// Nothing is dropped without an entry in the journal.
package dispatch

import (
	"container/list"
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

// A Machine runs one particle on one peer; it is an [interpreter.State] everywhere but
// in tests.
type Machine interface {
	Step(ctx context.Context, arrivals [][]byte, results map[uint32]interpreter.CallResult) interpreter.Outcome
	Data() ([]byte, error)
	MemSize() int
	Waiting() []interpreter.Wait
}

// Scope is a peer that runs particles here: the host or one that lives on it.
type Scope struct {
	Peer string
	Key  ed25519.PrivateKey
}

// Config configures a Dispatcher. Open, Enqueue and Send are required.
type Config struct {
	Host    Scope
	Journal *journal.Journal

	// Open makes the machine of a particle from data kept earlier, if any.
	Open func(p *particle.Particle, scope Scope, prev []byte) (Machine, error)
	// Enqueue takes a call's place in the queue of its service, see services.Registry.
	Enqueue func(ctx context.Context, c *services.Call) func() services.Result
	// Send takes a particle with its new data for other peers. It must not wait. It calls
	// handed, unless that is nil, for each peer of which nothing more is to be tried.
	Send func(p *particle.Particle, to []string, handed func(peer string))
	// Keeper, if set, keeps particles over a restart.
	Keeper Keeper
	// Local finds the scope of a peer that lives on this host; nil: there is only the host.
	Local func(peer string) (Scope, bool)
	// Stepped, if set, hears of each step before its calls and sends begin.
	Stepped func(p *particle.Particle, scope Scope, out *interpreter.Outcome, took time.Duration)
	// Ended, if set, hears that a particle is gone and what it was waiting for.
	Ended func(p *particle.Particle, scope Scope, waiting []interpreter.Wait)

	Parallel int // steps at once; 0 is GOMAXPROCS
	Limits
}

// DefaultParticles is how many particles may live when nothing is said.
const DefaultParticles = 200_000

// What one init peer may start in a second when nothing else is said: more than a machine of
// some cores can do, so that it stops nobody but those who would fill up memory.
const (
	DefaultRate     = 10_000
	DefaultByteRate = 256 << 20
)

// Limits bound what strangers can make a peer keep.
type Limits struct {
	MaxTTL           time.Duration // longest life of a particle; 0 is 24 h
	Particles        int           // live particles; 0 is 200,000
	ParticlesPerPeer int           // live particles of one init peer; 0 is a quarter of Particles
	Rate             int           // new particles of one init peer a second, twice as many at once; 0 is 10,000
	ByteRate         int           // bytes of script and data in them a second, twice as many at once; 0 is 256 MiB
	Mailbox          int           // arrivals waiting for one particle; 0 is 1024
	MailboxBytes     int           // bytes of arrivals waiting for one particle; 0 is 128 MiB
	Calls            int           // calls of one particle running at once; 0 is 10,000
	Memory           int64         // bytes of scripts, states and waiting data of all particles, a quarter for one init peer; 0 is 1 GiB
	StateBytes       int64         // memory of retained states; beyond it the idle ones are kept as bytes; 0 is 64 MiB
	Skew             time.Duration // how long after its deadline a particle is still admitted, for clocks that lag
}

func (l *Limits) setDefaults() {
	set := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	if l.MaxTTL == 0 {
		l.MaxTTL = 24 * time.Hour
	}
	if l.Memory == 0 {
		l.Memory = 1 << 30
	}
	if l.StateBytes == 0 {
		l.StateBytes = 64 << 20
	}
	set(&l.Particles, DefaultParticles)
	set(&l.ParticlesPerPeer, l.Particles/4)
	set(&l.Rate, DefaultRate)
	set(&l.ByteRate, DefaultByteRate)
	set(&l.Mailbox, 1024)
	set(&l.MailboxBytes, 128<<20)
	set(&l.Calls, 10_000)
}

// Dispatcher owns all live particles of a host. It is safe for concurrent use.
type Dispatcher struct {
	cfg    Config
	slots  *slots
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	draining atomic.Bool
	weight   atomic.Int64 // bytes of all live particles

	mu      sync.Mutex
	closed  bool // no new particles
	stopped bool // no new goroutines
	actors  map[key]*actor
	quotas  map[string]*quota // by init peer
	states  states
	work    sync.WaitGroup // actors' goroutines and calls
	busy    int            // particles with work to do or calls running
	idle    *sync.Cond     // busy became 0, or the last actor went
}

// key names an actor. The signature alone decides which particle it is: the same id with
// another signature is another particle.
type key struct{ scope, signature string }

// New makes a dispatcher. It needs no start; Close ends it.
func New(cfg Config) *Dispatcher {
	cfg.Limits.setDefaults()
	if cfg.Parallel == 0 {
		cfg.Parallel = runtime.GOMAXPROCS(0)
	}
	d := &Dispatcher{cfg: cfg, slots: newSlots(cfg.Parallel), actors: make(map[key]*actor), quotas: make(map[string]*quota)}
	d.states.of = make(map[*actor]*list.Element)
	d.idle = sync.NewCond(&d.mu)
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Deliver takes a particle that arrived for the host. Whether it was admitted is in the
// journal.
func (d *Dispatcher) Deliver(from string, p *particle.Particle) {
	if d.cfg.Keeper != nil {
		if err := d.cfg.Keeper.Room(d.ctx); err != nil {
			e := journal.Entry{At: time.Now(), Kind: journal.Refused, Particle: p.ID, Peer: from}
			d.cfg.Journal.AddError(e, fmt.Errorf("%w: %w", journal.DiskFull, err))
			return
		}
	}
	d.deliver(from, p, d.cfg.Host, nil, func() error { return d.verify(from, p) })
}

// verify checks a signature. It takes a slot for it, so that a peer that floods us with
// particles waits in its own line, and its streams with it.
func (d *Dispatcher) verify(from string, p *particle.Particle) error {
	if !d.slots.acquire(d.ctx, from) {
		return journal.ShuttingDown
	}
	defer d.slots.release()
	return p.Verify()
}

// Start takes a particle made here, whose signature is taken to be good. What no service answers is asked of closure, which
// may be nil.
func (d *Dispatcher) Start(p *particle.Particle, closure services.Handler) error {
	return d.deliver(d.cfg.Host.Peer, p, d.cfg.Host, closure, trusted)
}

// trusted stands in for the verification of particles that were made or verified here.
func trusted() error { return nil }

func (d *Dispatcher) deliver(from string, p *particle.Particle, scope Scope, closure services.Handler, verify func() error) error {
	entry := journal.Entry{At: time.Now(), Kind: journal.Arrived, Particle: p.ID, Peer: from}
	err := d.admit(p, scope, closure, verify)
	if err != nil {
		entry.Kind = journal.Refused
		d.cfg.Journal.AddError(entry, err)
		return err
	}
	d.cfg.Journal.Add(entry)
	return nil
}

func (d *Dispatcher) admit(p *particle.Particle, scope Scope, closure services.Handler, verify func() error) error {
	now := time.Now()
	if p.Expired(now.Add(-d.cfg.Skew)) {
		return fmt.Errorf("%w %s ago", particle.ErrExpired, late(p, now))
	}
	if left := p.Left(now); left > d.cfg.MaxTTL {
		return fmt.Errorf("%w: %s left, at most %s", journal.TTLTooLong, left, d.cfg.MaxTTL)
	}
	a, err := d.find(p, scope)
	if err == nil && a == nil {
		// Verifying takes 50 us and must not happen under the lock. Two first arrivals at
		// once are both verified.
		if err = verify(); err == nil {
			a, err = d.findOrAdd(p, scope, closure)
		}
	}
	if err != nil {
		return err
	}
	return a.arrive(p.Data)
}

func late(p *particle.Particle, now time.Time) time.Duration {
	deadline, ok := p.Deadline()
	if !ok {
		return 0
	}
	return now.Sub(time.UnixMilli(int64(deadline))).Round(time.Millisecond)
}

// find gives the actor of a particle that was verified before. One with the signature of
// a known particle but other fields has to be verified, and will fail.
func (d *Dispatcher) find(p *particle.Particle, scope Scope) (*actor, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.actors[key{scope.Peer, string(p.Signature)}]
	switch {
	case a == nil:
		return nil, d.room(p) // before a signature is verified for nothing
	case !a.same(p):
		return nil, nil
	}
	return a, nil
}

// room reports why there is no room for a new particle. d.mu is held.
func (d *Dispatcher) room(p *particle.Particle) error {
	switch {
	case d.closed:
		return journal.ShuttingDown
	case len(d.actors) >= d.cfg.Particles:
		return fmt.Errorf("%w: %d", journal.TooMany, len(d.actors))
	case d.liveOf(p.InitPeerID) >= d.cfg.ParticlesPerPeer:
		return fmt.Errorf("%w: %d of this init peer", journal.TooMany, d.liveOf(p.InitPeerID))
	}
	if err := d.heavy(p.InitPeerID, d.quotas[p.InitPeerID], actorWeight+int64(len(p.Script)+len(p.Data))); err != nil {
		return err
	}
	return d.rate(p, time.Now())
}

func (d *Dispatcher) findOrAdd(p *particle.Particle, scope Scope, closure services.Handler) (*actor, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := key{scope.Peer, string(p.Signature)}
	if a := d.actors[k]; a != nil {
		return a, nil
	}
	if err := d.room(p); err != nil {
		return nil, err
	}
	var log Log
	if d.cfg.Keeper != nil && closure == nil {
		log = d.cfg.Keeper.Begin(encodeHead(scope.Peer, p))
	}
	return d.add(p, scope, closure, log), nil
}

// add makes an actor. d.mu is held.
func (d *Dispatcher) add(p *particle.Particle, scope Scope, closure services.Handler, log Log) *actor {
	var kept *history
	if log != nil {
		kept = newHistory(log)
	}
	k := key{scope.Peer, string(p.Signature)}
	a := newActor(d, k, p, scope, closure, kept, d.charge(p, time.Now()))
	d.actors[k] = a
	return a
}

// remove forgets an actor at its end.
func (d *Dispatcher) remove(a *actor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.actors, a.key)
	d.quotas[a.p.InitPeerID].live--
	d.states.drop(a)
	if len(d.actors) == 0 {
		d.idle.Broadcast()
	}
}

// begin runs f on a goroutine that Close waits for. It reports false when the dispatcher
// has stopped.
func (d *Dispatcher) begin(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return false
	}
	d.busy++
	d.work.Add(1)
	go func() {
		defer d.end()
		f()
	}()
	return true
}

func (d *Dispatcher) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy--; d.busy == 0 {
		d.idle.Broadcast()
	}
	d.work.Done()
}

// Live is the number of live particles.
func (d *Dispatcher) Live() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.actors)
}

// Stats are what a dispatcher has in hand at a moment.
type Stats struct {
	Live       int   // particles
	Waiting    int   // arrivals in their mailboxes
	Slots      int   // steps that may run at once
	Free       int   // of these, now
	StateBytes int64 // memory of retained states
}

// Stats counts. It looks at every particle.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	s := Stats{Live: len(d.actors), Slots: d.cfg.Parallel, StateBytes: d.states.bytes}
	actors := slices.Collect(maps.Values(d.actors))
	d.mu.Unlock()
	for _, a := range actors {
		a.mailbox.mu.Lock()
		s.Waiting += len(a.mailbox.arrivals)
		a.mailbox.mu.Unlock()
	}
	d.slots.mu.Lock()
	defer d.slots.mu.Unlock()
	s.Free = d.slots.free
	return s
}

// Drain refuses new particles and returns when those that live have nothing to do at this
// moment, or when the context ends. What arrives for those that live is taken as before. With
// a Keeper nothing is refused: new particles are kept for the next process.
func (d *Dispatcher) Drain(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.idle.Broadcast()
	})
	defer stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draining.Store(true)
	d.closed = d.cfg.Keeper == nil
	for d.busy > 0 && ctx.Err() == nil {
		d.idle.Wait()
	}
}

// Close ends all particles and waits for their goroutines.
func (d *Dispatcher) Close() {
	d.mu.Lock()
	d.closed, d.stopped = true, true
	d.mu.Unlock()
	d.cancel() // ends every actor's context, and with it the actor
	d.work.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.actors) > 0 {
		d.idle.Wait()
	}
}
