package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/aquanode/aquanode/internal/due"
	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

// An actor owns one particle in one scope.
type actor struct {
	d        *Dispatcher
	key      key
	owner    share.Owner
	p        particle.Particle // without data
	scope    Scope
	by       Initiator // nil: nobody here
	deadline time.Time // the first moment at which the particle's life is over
	kept     *history  // nil: ends with the process

	mailbox mailbox

	// Guarded by Dispatcher.mu.
	due.Entry // in the clock
	resting   resting

	// Guarded by the mailbox.
	ctx    context.Context // while the actor is awake; ends with it, with the deadline, and with the dispatcher
	cancel context.CancelCauseFunc
	live   bool  // counts as a live particle
	size   int64 // bytes that are booked for it, all but what waits in the mailbox and what its run makes

	// What follows belongs to the goroutine that runs, see mailbox.running.
	machine Machine // nil before the first step and while the state is kept as bytes
	prev    []byte  // the state as bytes, when machine is nil and they are not on disk
	spilled Spilled // the state on disk; nil: it is not there
	waited  []interpreter.Wait
	broken  error // why there will never be a machine
	settled bool  // nothing can follow from it here
	run     run
}

// A mailbox holds what an actor has to do.
type mailbox struct {
	mu       sync.Mutex
	arrivals [][]byte
	bytes    int // of arrivals and results
	results  map[uint32]interpreter.CallResult
	calls    int  // running
	fresh    bool // not stepped yet: there is something to do even without data
	running  bool // a goroutine owns the actor's state
	ended    ending
	why      error // more about an ending before the deadline
}

func (m *mailbox) pending() bool { return m.fresh || len(m.arrivals) > 0 || len(m.results) > 0 }

// What a particle and a call take besides their scripts and data: measured on those of which nothing
// is left but to wait.
const (
	actorWeight = 1 << 10
	callWeight  = 1 << 10
)

// newActor makes the actor of a particle whose memory is booked already.
func newActor(d *Dispatcher, k key, p *particle.Particle, o share.Owner, scope Scope, by Initiator, log Log) *actor {
	a := &actor{d: d, key: k, owner: o, p: *p, scope: scope, by: by}
	// Not the frame that the first arrival came in; scripts mostly come in many particles.
	a.p.Data, a.p.Signature = nil, []byte(k.signature)
	a.p.ID, a.p.Script = strings.Clone(p.ID), unique.Make(p.Script).Value()
	a.p.InitPeerID = o.Init
	// The deadline itself still belongs to the particle's life.
	a.deadline = time.Now().Add(p.Left(time.Now().Add(-d.cfg.Skew)) + time.Millisecond)
	a.mailbox.fresh = true
	a.run.a = a
	if log != nil {
		a.kept = newHistory(log)
	}
	return a
}

// baseSize is the memory of a particle before its first step.
func baseSize(p *particle.Particle) int64 { return actorWeight + int64(len(p.Script)) }

// same reports whether p is the particle that was verified when the actor was made.
func (a *actor) same(p *particle.Particle) bool {
	return a.p.ID == p.ID && a.p.InitPeerID == p.InitPeerID && a.p.Timestamp == p.Timestamp &&
		a.p.TTL == p.TTL && a.p.Script == p.Script
}

func (a *actor) grow(k share.Kind, n int64) error {
	if err := a.d.ledger.Grow(a.owner, k, n); err != nil {
		return fmt.Errorf("%w: %w", journal.Overload, err)
	}
	return nil
}

// setSize books the state after a step or when it is turned into bytes. What there is already is
// booked whatever the limits. The mailbox is locked.
func (a *actor) setSize(state int64) {
	size := baseSize(&a.p) + state
	a.d.ledger.Force(a.owner, share.Particles, size-a.size)
	a.size = size
}

// arrive puts data in the mailbox.
func (a *actor) arrive(data []byte) error {
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	switch limits := &a.d.cfg.Limits; {
	case m.ended != alive:
		return m.ended.refusal()
	case len(data) == 0:
	case len(m.arrivals) >= limits.Mailbox || m.bytes+len(data) > max(limits.MailboxBytes, len(data)):
		return fmt.Errorf("%w: %d arrivals, %d bytes", journal.MailboxFull, len(m.arrivals), m.bytes)
	default:
		if err := a.grow(share.Particles, int64(len(data))); err != nil {
			return err
		}
		m.arrivals = append(m.arrivals, data)
		m.bytes += len(data)
		a.kept.arrived(data)
	}
	if a.kept != nil && m.fresh && a.d.draining.Load() { // a new one is for the next process
		return nil
	}
	if err := a.wake(); a.kept == nil { // else it is in the log
		return err
	}
	return nil
}

// answer puts the result of a call in the mailbox. There is always room: calls are bounded where
// they begin. The mailbox is locked.
func (a *actor) answer(id uint32, r interpreter.CallResult) {
	m := &a.mailbox
	if m.ended != alive || a.ctx.Err() != nil { // the call was cut short, and is asked again if the particle is kept
		return
	}
	a.d.ledger.Force(a.owner, share.Particles, int64(len(r.Result)))
	m.bytes += len(r.Result)
	a.kept.answered(id, r)
	if m.results == nil {
		m.results = make(map[uint32]interpreter.CallResult)
	}
	m.results[id] = r
	a.wake()
}

// wake starts the actor's goroutine if there is work and none runs. The mailbox is locked.
func (a *actor) wake() error {
	m := &a.mailbox
	if m.running || m.ended != alive || !m.pending() {
		return nil
	}
	if a.ctx == nil {
		a.ctx, a.cancel = a.d.life(a.deadline)
	}
	if !a.live {
		a.d.ledger.Return(a.owner)
		a.live = true
	}
	if m.running = a.d.begin(a.work); !m.running {
		return journal.ShuttingDown
	}
	return nil
}

// life is a context for an actor that is awake.
func (d *Dispatcher) life(deadline time.Time) (context.Context, context.CancelCauseFunc) {
	late, stop := context.WithDeadline(d.ctx, deadline)
	ctx, cancel := context.WithCancelCause(late)
	return ctx, func(cause error) { cancel(cause); stop() }
}

// sleep ends what an actor has only while it is awake. The mailbox is locked.
func (a *actor) sleep() {
	if a.cancel != nil {
		a.cancel(nil)
		a.ctx, a.cancel = nil, nil
	}
	a.dropLive()
}

func (a *actor) dropLive() {
	if a.live {
		a.live = false
		a.d.ledger.Leave(a.owner)
		a.d.asleep(a)
	}
}

// input is what one step folds in.
type input struct {
	arrivals [][]byte
	results  map[uint32]interpreter.CallResult
	bytes    int
}

// work steps until the mailbox is empty.
func (a *actor) work() {
	a.d.awake(a)
	if a.kept != nil && a.kept.old {
		a.resume()
	}
	size := a.machineSize() // as long as the state is this goroutine's
	a.book(size)
	for began := time.Now(); ; {
		in, ok := a.take()
		if !ok {
			break
		}
		a.step(in)
		size = a.machineSize()
		if time.Since(began) > slice { // short steps one after the other keep a processor as well as a long one
			runtime.Gosched()
			began = time.Now()
		}
	}
	a.d.rest(a, size)
}

// take empties the mailbox. When there is nothing in it, or no time for it, the goroutine no
// longer owns the actor.
func (a *actor) take() (in input, ok bool) {
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended == alive && !m.pending() && m.calls == 0 && a.settled && a.kept.paid() {
		m.ended = done
	}
	if m.ended != alive || !m.pending() || a.ctx.Err() != nil {
		m.running = false
		a.rekeep()
		if m.ended != alive {
			a.bury()
		}
		return input{}, false
	}
	in = input{m.arrivals, m.results, m.bytes}
	m.arrivals, m.bytes, m.results, m.fresh = nil, 0, nil, false
	a.kept.stepped()
	return in, true
}

// step does one step of the machine and what follows from it.
func (a *actor) step(in input) {
	if !a.run.begin(a.ctx) {
		a.note(nil)
		a.giveBack(in)
		return // its life ended while it waited for a slot
	}
	began, before := time.Now(), a.run.spent
	out, data := a.advance(in)
	took := a.run.spent - before + time.Since(a.run.began)
	a.giveBack(in)
	a.book(a.machineSize())
	a.note(&out)
	a.record(began, took, out)
	if o := a.d.cfg.Observer; o != nil {
		o.Stepped(&a.p, a.scope, &out, took)
	}
	if a.by != nil {
		a.by.Stepped(&out)
	}
	why := out.Stopped
	if why == nil {
		why = a.call(out.CallRequests) // those that only compute use the same slot
	}
	a.run.end()
	if why != nil && a.ctx.Err() == nil {
		if errors.Is(why, interpreter.ErrSteps) {
			why = fmt.Errorf("%w: %w", journal.OverBudget, why)
		}
		a.end(overBudget, why)
		return
	}
	a.send(out.NextPeers, out.Again, data)
}

// advance runs the machine. Data is encoded here too, as long as the slot is held, but only
// when somebody is to get it.
func (a *actor) advance(in input) (out interpreter.Outcome, data []byte) {
	a.settled = false
	if err := a.open(); err != nil {
		return interpreter.Outcome{RetCode: 1, ErrorMessage: err.Error(), Stopped: a.run.err}, nil
	}
	out = a.machine.Step(a.ctx, in.arrivals, in.results)
	if len(out.NextPeers)+len(out.Again) > 0 {
		var err error
		if data, err = a.machine.Data(); err != nil {
			return interpreter.Outcome{RetCode: fault.CodeStopped, ErrorMessage: err.Error(), Stopped: err}, nil
		}
	}
	a.settled = len(out.CallRequests) == 0 && a.machine.Settled()
	return out, data
}

func (a *actor) open() error {
	if a.machine != nil || a.broken != nil {
		return a.broken
	}
	if a.broken = a.unspill(); a.broken != nil {
		return a.broken
	}
	a.machine, a.broken = a.d.cfg.Interpreter.Open(&a.p, a.scope, a.prev, &a.run)
	if a.broken != nil {
		a.machine = nil
	}
	a.prev = nil
	return a.broken
}

// giveBack takes the input of a step off the account: it is in the state now, or refused.
func (a *actor) giveBack(in input) {
	a.d.ledger.Force(a.owner, share.Particles, -int64(in.bytes))
}

// book books the state after a step, instead of what the step asked for on its way.
func (a *actor) book(size int64) {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	a.d.ledger.Force(a.owner, share.Particles, -a.run.grown)
	a.run.grown = 0
	if a.mailbox.ended == alive {
		a.setSize(size)
	}
}

// machineSize is the memory of the state.
func (a *actor) machineSize() int64 {
	if a.machine == nil {
		return int64(len(a.prev))
	}
	return int64(a.machine.MemSize())
}

// record writes what a step did into the journal.
func (a *actor) record(began time.Time, took time.Duration, out interpreter.Outcome) {
	j := a.d.cfg.Journal
	e := journal.Entry{At: began, Took: took, Kind: journal.Stepped, Particle: a.p.ID, Init: a.p.InitPeerID, Code: out.RetCode}
	if out.RetCode != 0 {
		e.Kind, e.Reason, e.Detail = journal.Failed, journal.Interpreter, out.ErrorMessage
	}
	j.Add(e)
	for _, r := range out.Refused {
		j.Add(journal.Entry{
			At: began, Kind: journal.Refused, Particle: a.p.ID, Init: a.p.InitPeerID, Code: r.Code,
			Reason: journal.Interpreter, Detail: r.Message,
		})
	}
}

// call starts service calls. Places in the queues are taken in the order of the script. It fails
// when the particle has used up its time.
func (a *actor) call(requests []interpreter.CallRequest) error {
	for i := range requests {
		if err := a.run.Work(0); err != nil {
			return err
		}
		r := &requests[i]
		c := &call{a: a, id: r.ID}
		size, err := c.begin(r)
		if err != nil {
			a.refuse(r, err)
			continue
		}
		if size > longCall {
			if err := a.run.giveWay(); err != nil {
				c.abandon()
				return err
			}
		}
		a.d.cfg.Services.Start(a.ctx, c.of(r), c.end)
	}
	return nil
}

// A call is one of the actor's calls that run. It is the account of its memory.
type call struct {
	a    *actor
	id   uint32
	held atomic.Int64
}

// abandon takes back what begin counted, of a call that is not made.
func (c *call) abandon() {
	c.a.d.ledger.Force(c.a.owner, share.Calls, -c.held.Load())
	m := &c.a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls--
	c.a.d.leave()
}

// Grow implements [services.Memory].
func (c *call) Grow(n int64) error {
	if err := c.a.d.ledger.Grow(c.a.owner, share.Calls, n); err != nil {
		return err
	}
	c.held.Add(n)
	return nil
}

// longCall is from how many bytes of arguments on a call may take longer than a slice: a built-in
// function takes some ns for each and cannot be interrupted. Such calls leave a slot to others.
const longCall = 64 << 10

// begin counts the call and books its arguments, as if they were copied: mostly they are, on
// their way to the service.
func (c *call) begin(r *interpreter.CallRequest) (size int64, err error) {
	size = callWeight
	for _, arg := range r.Arguments {
		size += int64(len(arg.Text()))
	}
	if err := c.Grow(size); err != nil {
		return 0, fmt.Errorf("%w: no memory for the arguments of the call: %w", journal.Overload, err)
	}
	m := &c.a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	if most := c.a.d.cfg.Calls; m.calls >= most {
		c.a.d.ledger.Force(c.a.owner, share.Calls, -c.held.Load())
		return 0, fmt.Errorf("%w: at most %d per particle", journal.TooManyCalls, most)
	}
	m.calls++
	c.a.d.enter()
	return size, nil
}

func (c *call) end(r services.Result) {
	c.a.d.ledger.Force(c.a.owner, share.Calls, -c.held.Load())
	m := &c.a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls--
	c.a.answer(c.id, interpreter.CallResult(r))
	c.a.d.leave()
}

// refuse answers a call that was not begun.
func (a *actor) refuse(r *interpreter.CallRequest, err error) {
	e := journal.Entry{
		Kind: journal.Called, Particle: a.p.ID, Init: a.p.InitPeerID,
		Service: r.ServiceID, Function: r.FunctionName, Code: 1,
	}
	a.d.cfg.Journal.AddError(e, err)
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	a.answer(r.ID, interpreter.CallResult{RetCode: 1, Result: value.String(err.Error()).Text()})
}

func (c *call) of(r *interpreter.CallRequest) *services.Call {
	a := c.a
	return &services.Call{
		Memory:     c,
		ParticleID: a.p.ID,
		InitPeerID: a.p.InitPeerID,
		HostPeerID: a.scope.Peer,
		Timestamp:  a.p.Timestamp,
		TTL:        a.p.TTL,
		Signature:  a.p.Signature,
		Service:    r.ServiceID,
		Function:   r.FunctionName,
		Args:       r.Arguments,
		Tetraplets: r.Tetraplets,
		Closure:    a.by,
	}
}

// send passes the particle on. Peers that live on this host get it without a network.
func (a *actor) send(next, again []string, data []byte) {
	to := union(next, again)
	if len(to) == 0 {
		return
	}
	p := a.p
	p.Data = data
	handed := a.handed()
	var remote []string
	for _, peer := range to {
		if scope, ok := a.d.scope(peer); ok {
			a.d.deliver(a.owner, a.scope.Peer, &p, scope, nil, trusted)
			if handed != nil {
				handed(peer)
			}
		} else {
			remote = append(remote, peer)
		}
	}
	o := Outgoing{Particle: &p, Owner: a.owner, To: remote, Initiator: a.by, Handed: handed}
	switch {
	case len(remote) == 0:
	case a.kept == nil:
		a.d.cfg.Network.Send(o)
	default:
		a.d.cfg.Keeper.After(func() { a.d.cfg.Network.Send(o) })
	}
}

// union is a list and what of another one it lacks. There may be 100,000 next peers.
func union(list, more []string) []string {
	if len(more) == 0 {
		return list
	}
	has := make(map[string]bool, len(list)+len(more))
	for _, s := range list {
		has[s] = true
	}
	for _, s := range more {
		if !has[s] {
			has[s] = true
			list = append(list, s)
		}
	}
	return list
}

// handed notes that a peer has got the data of the latest step; nil when nobody asks.
func (a *actor) handed() func(peer string) {
	if a.kept == nil {
		return nil
	}
	step := a.kept.steps
	return func(peer string) {
		a.mailbox.mu.Lock()
		defer a.mailbox.mu.Unlock()
		if a.mailbox.ended != alive {
			return
		}
		a.kept.handed(step, peer)
		a.finish()
	}
}

// finish ends an actor at rest from which nothing can follow here. The mailbox is locked.
func (a *actor) finish() {
	m := &a.mailbox
	if !m.running && !m.pending() && m.calls == 0 && a.settled && a.kept.paid() {
		a.endLocked(done, nil)
	}
}

// end ends the actor, at once or when its run has ended.
func (a *actor) end(how ending, why error) {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	a.endLocked(how, why)
}

// endLocked reports whether the actor had not ended before. The mailbox is locked.
func (a *actor) endLocked(how ending, why error) bool {
	m := &a.mailbox
	if m.ended != alive {
		return false
	}
	m.ended, m.why = how, why
	if a.cancel != nil && how != expired { // a context that is late ends by itself, and says so
		a.cancel(how.refusal())
	}
	if !m.running {
		a.bury()
	}
	return true
}

// bury forgets the particle. It is called once, by whoever owns the state at the end, with
// the mailbox locked.
func (a *actor) bury() {
	m := &a.mailbox
	e := journal.Entry{At: time.Now(), Kind: journal.Expired, Particle: a.p.ID, Init: a.p.InitPeerID}
	waiting := a.waiting()
	for _, w := range waiting {
		e.Waits = append(e.Waits, journal.Wait{Instruction: w.Instruction, Variable: w.Variable, Peer: w.Peer})
	}
	if len(waiting) > 0 {
		e.Reason = journal.Unfinished
	}
	gone, before := true, errors.Is(m.why, errFinished)
	switch m.ended {
	case done:
		e.Kind, e.Reason, e.Waits = journal.Done, "", nil
	case displaced, overBudget:
		e.Kind, e.Reason, e.Detail = journal.Ended, journal.ReasonOf(m.why), m.why.Error()
	case closing:
		if a.kept != nil {
			gone = false
			e.Kind, e.Reason = journal.Kept, ""
			if !a.kept.old && !a.kept.torn && (a.machine != nil || a.prev != nil || a.spilled != nil) {
				a.checkpoint() // also for a next process whose interpreter is another one
			}
		}
	case expired:
		if a.kept != nil {
			a.kept.log.Remove()
		}
	}
	if !before { // an earlier process said it
		a.d.cfg.Journal.Add(e)
		if m.ended != closing && m.ended != expired {
			a.kept.finished(m.ended)
		}
	}
	if o := a.d.cfg.Observer; o != nil && gone {
		o.Ended(&a.p, a.scope)
	}
	if a.by != nil {
		a.by.Ended(waiting, a.why())
	}
	a.machine, a.prev = nil, nil
	if a.spilled != nil {
		a.spilled.Drop()
		a.spilled = nil
	}
	a.d.ledger.Force(a.owner, share.Particles, -a.size-int64(m.bytes))
	a.size, m.bytes, m.arrivals, m.results = 0, 0, nil, nil
	if m.calls == 0 && m.ended != expired {
		a.sleep()
	} else {
		a.dropLive()
	}
	a.d.remove(a) // last: Close waits for it
}

// why is the reason of the actor's end; nil when nothing could follow. The mailbox is locked.
func (a *actor) why() error {
	if a.mailbox.why != nil {
		return a.mailbox.why
	}
	return a.mailbox.ended.refusal()
}

// refusal is what somebody hears who brings more for an actor that has ended.
func (e ending) refusal() error {
	switch e {
	case closing:
		return journal.ShuttingDown
	case displaced:
		return journal.Displaced
	case overBudget:
		return journal.OverBudget
	case expired:
		return particle.ErrExpired
	}
	return nil
}
