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
// of all actors share [Config.Parallel] slots, handed out by time used among the owners
// of particles, see package share; a long step gives its slot back every 2 ms.
//
// Calls run in parallel. Their place in the queue of a service is taken in the order of the
// script, so calls of one service run in that order. A call's context ends at the particle's
// deadline.
//
// # Rest and end
//
// An actor that has had nothing to do for half a second becomes the bytes of its state, without
// machine, context and timer. A particle of which nothing can follow here for certain ends, and what
// it takes to know it again is kept until its deadline; so is it when it used up its budget, or had
// to make room for others. All others end at their deadline: calls are cancelled, the state goes,
// one journal entry stays and says what was waited for.
//
// # Bounds
//
// All memory is booked in one [share.Ledger] before it is taken: scripts, states, what a step
// makes, data and results that wait, arguments of calls. Where it is full, those who hold the most
// make room for those who hold less.
//
// Nothing is dropped without an entry in the journal.
package dispatch

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

// A Machine runs one particle on one peer; it is an [interpreter.State] everywhere but
// in tests.
type Machine interface {
	Step(ctx context.Context, arrivals [][]byte, results map[uint32]interpreter.CallResult) interpreter.Outcome
	Data() ([]byte, error)
	// Settled reports that nothing can follow from the particle here, whatever arrives.
	Settled() bool
	MemSize() int
	Waiting() []interpreter.Wait
}

// Scope is a peer that runs particles here: the host or one that lives on it.
type Scope struct {
	Peer string
	Key  ed25519.PrivateKey
}

// A Spill keeps states of particles at rest on disk while memory is short.
type Spill interface {
	Put(state []byte) (Spilled, error)
}

// Spilled is a state on disk. It is used by one goroutine at a time.
type Spilled interface {
	Take() ([]byte, error) // and removes it
	Drop()
}

// An Interpreter opens the machines of particles.
type Interpreter interface {
	// Open makes the machine of a particle from data kept earlier, if any.
	Open(p *particle.Particle, scope Scope, prev []byte, m meter.Meter) (Machine, error)
}

// Services start the calls of particles.
type Services interface {
	// Start takes a call's place in the queue of its service and returns. done gets the result,
	// at once or later, but not long after the context has ended.
	Start(ctx context.Context, c *services.Call, done func(services.Result))
}

// A Network takes particles for other peers.
type Network interface {
	// Send must not wait.
	Send(o Outgoing)
}

// Outgoing is a particle with its new data for other peers.
type Outgoing struct {
	Particle  *particle.Particle
	Owner     share.Owner
	To        []string
	Initiator Initiator // nil for a particle that was not started with one
	// Handed, unless nil, is to be called for each peer for which nothing more is to be tried.
	Handed func(peer string)
}

// An Initiator is who started a particle here. It answers the calls that no service answers, and
// is told what becomes of the particle.
type Initiator interface {
	services.Handler
	// Stepped is called after each step, before its calls and sends begin.
	Stepped(out *interpreter.Outcome)
	// Ended is called once. why is nil when nothing could follow from the particle here.
	Ended(waiting []interpreter.Wait, why error)
}

// An Observer is told what happens to all particles.
type Observer interface {
	// Stepped is called after each step, before its calls and sends begin.
	Stepped(p *particle.Particle, scope Scope, out *interpreter.Outcome, took time.Duration)
	// Ended is called once for a particle that is gone for good.
	Ended(p *particle.Particle, scope Scope)
}

// Scopes finds the scopes of peers that live on this host, besides the host itself.
type Scopes interface {
	Scope(peer string) (Scope, bool)
}

// Config configures a Dispatcher. Host, Journal, Interpreter, Services and Network are required.
type Config struct {
	Host        Scope
	Journal     *journal.Journal
	Interpreter Interpreter
	Services    Services
	Network     Network

	// Scopes, if set, finds the peers that live on this host.
	Scopes Scopes
	// Observer, if set, is told what happens to particles.
	Observer Observer
	// Spill, if set, takes states of particles at rest while memory is short.
	Spill Spill
	// Ledger is where memory and live particles are booked; nil: one that belongs to the
	// dispatcher, with the limits below.
	Ledger *share.Ledger
	// Keeper, if set, keeps particles over a restart.
	Keeper Keeper

	Parallel int // steps at once; 0 is GOMAXPROCS
	Limits
}

// DefaultParticles is how many particles may live unless configured.
const DefaultParticles = 200_000

// How much one init peer may start in a second unless configured: more than a machine with some
// cores can run, so that it stops only those who would fill up the memory.
const (
	DefaultRate     = 10_000
	DefaultByteRate = 256 << 20
)

// Limits bound the memory and time that strangers can take.
type Limits struct {
	MaxTTL time.Duration // longest life of a particle; 0 is 24 h
	// Particles bounds the live ones; a half of them may be of one address range, a quarter of one
	// remote or init peer; 0 is 200,000.
	Particles int
	// Rate bounds the new particles a second of one init peer behind one remote, with a burst of
	// twice as many; 0 is 10,000.
	Rate int
	// ByteRate bounds the bytes a second of script and data in them, with a burst of twice as many;
	// 0 is 256 MiB.
	ByteRate     int
	Mailbox      int           // arrivals waiting for one particle; 0 is 1024
	MailboxBytes int           // bytes of arrivals waiting for one particle; 0 is 128 MiB
	Calls        int           // calls of one particle running at once; 0 is 10,000
	Memory       int64         // bytes of all that particles make, divided like Particles; 0 is 1 GiB
	StateBytes   int64         // of retained states; beyond it idle ones are encoded; 0 is 64 MiB
	Time         time.Duration // of a processor, for one particle in all its steps; 0 is 10 s
	RangeTime    time.Duration // of processors, for a range in a second; 0 is three quarters of all
	Skew         time.Duration // a particle is admitted so long after its deadline: clocks lag
}

func (l *Limits) setDefaults(processors int) {
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
	if l.RangeTime == 0 {
		l.RangeTime = time.Duration(processors) * time.Second * 3 / 4
	}
	if l.Time == 0 {
		l.Time = 10 * time.Second
	}
	set(&l.Particles, DefaultParticles)
	set(&l.Rate, DefaultRate)
	set(&l.ByteRate, DefaultByteRate)
	set(&l.Mailbox, 1024)
	set(&l.MailboxBytes, 128<<20)
	set(&l.Calls, 10_000)
}

// Dispatcher owns all live particles of a host. It is safe for concurrent use.
type Dispatcher struct {
	cfg       Config
	ledger    *share.Ledger
	admission *share.Scheduler // of signatures; it never waits for runs
	short     *share.Scheduler // of runs in their first slice
	long      *share.Scheduler // of the others
	ctx       context.Context  // ends with Close
	cancel    context.CancelFunc

	draining atomic.Bool

	mu       sync.Mutex
	closed   bool // no new particles
	stopped  bool // no new goroutines
	actors   map[key]*actor
	rates    map[share.Owner]*rates
	states   states
	finished finished
	clock    clock
	work     sync.WaitGroup // actors' goroutines and calls
	busy     int            // of these
	idle     *sync.Cond     // busy became 0, or the last actor went
}

// key names an actor. The signature alone decides which particle it is: the same id with
// another signature is another particle.
type key struct{ scope, signature string }

// finishedPart is which part of the memory finished particles may take.
const finishedPart = 16

// New makes a dispatcher. It needs no start; Close ends it.
func New(cfg Config) *Dispatcher {
	if cfg.Parallel == 0 {
		cfg.Parallel = runtime.GOMAXPROCS(0)
	}
	cfg.Limits.setDefaults(cfg.Parallel)
	if cfg.Ledger == nil {
		cfg.Ledger = share.NewLedger(share.Limits{Memory: cfg.Memory, Particles: cfg.Particles})
	}
	d := &Dispatcher{
		cfg: cfg, ledger: cfg.Ledger, actors: make(map[key]*actor), rates: make(map[share.Owner]*rates),
		admission: share.NewScheduler(cfg.Parallel, 0),
		short:     share.NewScheduler(cfg.Parallel, cfg.RangeTime),
		long:      share.NewScheduler(max(cfg.Parallel-1, 1), cfg.RangeTime),
		states:    states{all: byOwner{}, live: byOwner{}, running: byOwner{}},
		finished:  newFinished(int(max(cfg.Memory/finishedPart/finishedWeight, 1))),
	}
	d.ledger.Reclaim = d.makeRoom
	d.idle = sync.NewCond(&d.mu)
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Deliver takes a particle that arrived for the host from a remote in an address range. Whether it
// was admitted is in the journal.
func (d *Dispatcher) Deliver(from share.Owner, p *particle.Particle) {
	if d.cfg.Keeper != nil {
		if err := d.cfg.Keeper.Room(d.ctx); err != nil {
			e := journal.Entry{At: time.Now(), Kind: journal.Refused, Particle: p.ID, Init: p.InitPeerID, Peer: from.Remote}
			d.cfg.Journal.AddError(e, fmt.Errorf("%w: %w", journal.DiskFull, err))
			return
		}
	}
	from.Init = ""
	of := from
	of.Init = unique.Make(p.InitPeerID).Value()
	d.deliver(of, from.Remote, p, d.cfg.Host, nil, func() error { return d.verify(from, p) })
}

// verify checks a signature. Those who wait for it wait in turns, so that a remote that floods us
// with particles waits for itself, and its streams with it.
func (d *Dispatcher) verify(from share.Owner, p *particle.Particle) error {
	slot, ok := d.admission.Acquire(d.ctx, from)
	if !ok {
		return journal.ShuttingDown
	}
	began := time.Now()
	err := p.Verify()
	slot.Release(time.Since(began))
	return err
}

// Start takes a particle made here, whose signature is taken to be good. The initiator may be nil.
func (d *Dispatcher) Start(p *particle.Particle, by Initiator) error {
	return d.deliver(d.self(), d.cfg.Host.Peer, p, d.cfg.Host, by, trusted)
}

// self is the owner of what the host does for itself.
func (d *Dispatcher) self() share.Owner { return share.Owner{Range: share.Self, Init: d.cfg.Host.Peer} }

// trusted stands in for the verification of particles that were made or verified here.
func trusted() error { return nil }

func (d *Dispatcher) deliver(of share.Owner, from string, p *particle.Particle, scope Scope, by Initiator, verify func() error) error {
	entry := journal.Entry{At: time.Now(), Kind: journal.Arrived, Particle: p.ID, Init: p.InitPeerID, Peer: from}
	err := d.admit(of, p, scope, by, verify)
	if err != nil {
		entry.Kind = journal.Refused
		d.cfg.Journal.AddError(entry, err)
		return err
	}
	d.cfg.Journal.Add(entry)
	return nil
}

func (d *Dispatcher) admit(of share.Owner, p *particle.Particle, scope Scope, by Initiator, verify func() error) error {
	now := time.Now()
	if p.Expired(now.Add(-d.cfg.Skew)) {
		return fmt.Errorf("%w %s ago", particle.ErrExpired, late(p, now))
	}
	if left := p.Left(now); left > d.cfg.MaxTTL {
		return fmt.Errorf("%w: %s left, at most %s", journal.TTLTooLong, left, d.cfg.MaxTTL)
	}
	a, ended, err := d.find(of, p, scope)
	if ended != alive {
		return ended.refusal() // none when it is done: it is a duplicate
	}
	if err == nil && a == nil {
		// Verifying takes 50 us and must not happen under the lock. Two first arrivals at
		// once are both verified.
		if err = d.overQuota(of, p); err == nil {
			err = verify()
		}
		if err == nil {
			a, err = d.findOrAdd(of, p, scope, by)
		}
	}
	if err != nil || a == nil {
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

// find gives the actor of a particle that was verified before, or how it ended here. One with the
// signature of a known particle but other fields has to be verified, and will fail. For a new one it
// reports, before a signature is verified for nothing, that its owner is too fast.
func (d *Dispatcher) find(of share.Owner, p *particle.Particle, scope Scope) (*actor, ending, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := key{scope.Peer, string(p.Signature)}
	a := d.actors[k]
	switch ended := d.finished.known[d.finished.digest(k)]; {
	case ended != alive:
		return nil, ended, nil
	case a != nil && a.same(p):
		return a, alive, nil
	case a != nil:
		return nil, alive, nil
	case d.closed:
		return nil, alive, journal.ShuttingDown
	}
	return nil, alive, d.tooFast(of, time.Now())
}

// findOrAdd gives the actor of a verified particle; nil when it has ended meanwhile.
func (d *Dispatcher) findOrAdd(of share.Owner, p *particle.Particle, scope Scope, by Initiator) (*actor, error) {
	if err := d.ledger.Enter(of); err != nil {
		return nil, fmt.Errorf("%w: %w", refusals[share.Live], err)
	}
	size := baseSize(p)
	if err := d.ledger.Grow(of, share.Particles, size); err != nil {
		d.ledger.Leave(of)
		return nil, fmt.Errorf("%w: %w", refusals[share.Memory], err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k := key{scope.Peer, string(p.Signature)}
	a, err := d.actors[k], error(nil)
	switch ended := d.finished.known[d.finished.digest(k)]; {
	case a != nil:
	case ended != alive:
		err = ended.refusal()
	case d.closed:
		err = journal.ShuttingDown
	default:
		if err = d.tooFast(of, time.Now()); err != nil {
			break
		}
		var log Log
		if d.cfg.Keeper != nil && by == nil {
			log = d.cfg.Keeper.Begin(encodeHead(scope.Peer, p))
		}
		a = newActor(d, k, p, of, scope, by, log)
		a.live, a.size = true, size
		d.actors[k] = a
		d.bookRates(of, p, time.Now())
		d.await(a)
		return a, nil
	}
	d.ledger.Leave(of)
	d.ledger.Force(of, share.Particles, -size)
	return a, err
}

// remove forgets an actor at its end.
func (d *Dispatcher) remove(a *actor) {
	d.mu.Lock()
	delete(d.actors, a.key)
	d.states.drop(a)
	d.forget(a)
	var logs []Log
	switch how := a.mailbox.ended; how {
	case done, displaced, overBudget:
		before := d.finished.weight()
		logs = d.finished.add(a, how)
		d.ledger.Force(d.self(), share.Particles, d.finished.weight()-before)
		d.setClock()
	}
	if len(d.actors) == 0 {
		d.idle.Broadcast()
	}
	d.mu.Unlock()
	for _, l := range logs {
		l.Remove()
	}
}

// awake takes an actor off the lists of those at rest.
func (d *Dispatcher) awake(a *actor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.states.run(a)
}

// asleep notes that an actor no longer counts as a live particle.
func (d *Dispatcher) asleep(a *actor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.states.live.drop(a, &a.resting.live)
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
		defer d.leave()
		f()
	}()
	return true
}

// enter counts a call that is begun by an actor's goroutine.
func (d *Dispatcher) enter() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy++
	d.work.Add(1)
}

func (d *Dispatcher) leave() {
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
	Live       int           // particles that did not end here
	Awake      int           // of these, those that have machines, calls, or work to do
	Finished   int           // particles that ended here and are known until their deadline
	Waiting    int           // arrivals in mailboxes
	Slots      int           // steps that may run at once
	Free       int           // of these, now
	Waited     time.Duration // for how long the step has waited for a slot that waits longest
	StateBytes int64         // memory of retained states
}

// Stats counts. It looks at every particle.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	s := Stats{Live: len(d.actors), StateBytes: d.states.bytes, Finished: len(d.finished.known)}
	actors := slices.Collect(maps.Values(d.actors))
	d.mu.Unlock()
	for _, a := range actors {
		a.mailbox.mu.Lock()
		s.Waiting += len(a.mailbox.arrivals)
		if a.live {
			s.Awake++
		}
		a.mailbox.mu.Unlock()
	}
	s.Slots, s.Free = d.short.Slots(), d.short.Free()
	s.Waited = d.Waited()
	return s
}

// Waited is for how long the step has waited for a slot that waits longest.
func (d *Dispatcher) Waited() time.Duration { return max(d.short.Waited(), d.long.Waited()) }

// Ledger is where memory and live particles are booked.
func (d *Dispatcher) Ledger() *share.Ledger { return d.ledger }

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
	d.cancel()
	d.mu.Lock()
	all := slices.Collect(maps.Values(d.actors))
	d.mu.Unlock()
	for _, a := range all {
		a.end(closing, nil)
	}
	d.work.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clock.timer != nil {
		d.clock.timer.Stop()
	}
	for len(d.actors) > 0 {
		d.idle.Wait()
	}
}
