package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

// An actor owns one particle in one scope.
type actor struct {
	d       *Dispatcher
	key     key
	p       particle.Particle // without data
	scope   Scope
	closure services.Handler
	ctx     context.Context // ends at the deadline or with the dispatcher
	cancel  context.CancelFunc
	kept    *history // nil: ends with the process

	mailbox mailbox

	quota               *quota // of its init peer
	weight, stateWeight int64  // bytes that it takes, and its state of them; guarded by the mailbox

	// What follows belongs to the goroutine that runs, see mailbox.running.
	machine Machine // nil before the first step and while the state is kept as bytes
	prev    []byte  // the state as bytes, when machine is nil
	waited  []interpreter.Wait
	broken  error // why there will never be a machine
}

// A mailbox holds what an actor has to do.
type mailbox struct {
	mu       sync.Mutex
	arrivals [][]byte
	bytes    int
	results  map[uint32]interpreter.CallResult
	calls    int  // running
	fresh    bool // not stepped yet: there is something to do even without data
	running  bool // a goroutine owns the actor's state
	ended    bool
}

func (m *mailbox) pending() bool { return m.fresh || len(m.arrivals) > 0 || len(m.results) > 0 }

func newActor(d *Dispatcher, k key, p *particle.Particle, scope Scope, closure services.Handler, kept *history, q *quota) *actor {
	a := &actor{d: d, key: k, p: *p, scope: scope, closure: closure, kept: kept, quota: q}
	a.p.Data = nil
	a.p.Signature = []byte(k.signature) // not the frame that the first arrival came in
	a.mailbox.fresh = true
	a.weigh(actorWeight + int64(len(p.Script)))
	// The deadline itself still belongs to the particle's life.
	left := p.Left(time.Now()) + d.cfg.Skew + time.Millisecond
	a.ctx, a.cancel = context.WithTimeout(d.ctx, left)
	context.AfterFunc(a.ctx, a.expire)
	return a
}

// same reports whether p is the particle that was verified when the actor was made.
func (a *actor) same(p *particle.Particle) bool {
	return a.p.ID == p.ID && a.p.InitPeerID == p.InitPeerID && a.p.Timestamp == p.Timestamp &&
		a.p.TTL == p.TTL && a.p.Script == p.Script
}

// arrive puts data in the mailbox.
func (a *actor) arrive(data []byte) error {
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	switch limits := &a.d.cfg.Limits; {
	case m.ended:
		return particle.ErrExpired
	case len(data) == 0:
	case len(m.arrivals) >= limits.Mailbox || m.bytes+len(data) > max(limits.MailboxBytes, len(data)):
		return fmt.Errorf("%w: %d arrivals, %d bytes", journal.MailboxFull, len(m.arrivals), m.bytes)
	default:
		if err := a.d.heavy(a.p.InitPeerID, a.quota, int64(len(data))); err != nil {
			return err
		}
		a.weigh(int64(len(data)))
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

// answer puts the result of a call in the mailbox. There is always room: calls are
// bounded where they begin.
func (a *actor) answer(id uint32, r interpreter.CallResult) {
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls--
	if a.ctx.Err() != nil { // the call was cut short, and is asked again if the particle is kept
		return
	}
	a.kept.answered(id, r)
	m.put(id, r)
	a.wake()
}

// refuse answers a call that was not begun.
func (a *actor) refuse(id uint32) {
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	r := interpreter.CallResult{RetCode: 1, Result: fmt.Sprintf(`"too many calls at once: at most %d per particle"`, a.d.cfg.Calls)}
	a.kept.answered(id, r)
	m.put(id, r)
	a.wake()
}

func (m *mailbox) put(id uint32, r interpreter.CallResult) {
	if m.results == nil {
		m.results = make(map[uint32]interpreter.CallResult)
	}
	m.results[id] = r
}

// wake starts the actor's goroutine if there is work and none runs. The mailbox is locked.
func (a *actor) wake() error {
	m := &a.mailbox
	if m.running || m.ended || !m.pending() {
		return nil
	}
	m.running = a.d.begin(a.run)
	if !m.running {
		return journal.ShuttingDown
	}
	return nil
}

// input is what one step folds in.
type input struct {
	arrivals [][]byte
	results  map[uint32]interpreter.CallResult
}

// run steps until the mailbox is empty.
func (a *actor) run() {
	size := int64(0)
	if a.kept != nil && a.kept.old {
		a.resume()
		size = a.size()
	}
	for {
		in, ok := a.take()
		if !ok {
			break
		}
		a.work(in)
		size = a.size()
		a.settle(size)
	}
	a.d.rest(a, size)
}

// settle books the state after a step.
func (a *actor) settle(size int64) {
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	a.weighState(size)
}

// take empties the mailbox. When there is nothing in it, or no time for it, the goroutine no
// longer owns the actor.
func (a *actor) take() (in input, ok bool) {
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended || !m.pending() || a.ctx.Err() != nil {
		m.running = false
		a.rekeep()
		if m.ended {
			a.bury()
		}
		return input{}, false
	}
	in = input{m.arrivals, m.results}
	a.weigh(-int64(m.bytes))
	m.arrivals, m.bytes, m.results, m.fresh = nil, 0, nil, false
	a.kept.stepped()
	return in, true
}

// work does one step and what follows from it.
func (a *actor) work(in input) {
	if !a.d.slots.acquire(a.ctx, a.p.InitPeerID) {
		a.note(nil)
		return // expired while waiting for a slot
	}
	began := time.Now()
	out, data := a.step(in)
	a.note(&out)
	took := time.Since(began)
	a.d.slots.release()

	a.book(began, took, out)
	if a.d.cfg.Stepped != nil {
		a.d.cfg.Stepped(&a.p, a.scope, &out, took)
	}
	a.call(out.CallRequests)
	a.send(out.NextPeers, out.Again, data)
}

// step runs the machine. Data is encoded here too, as long as the slot is held, but only
// when somebody is to get it.
func (a *actor) step(in input) (out interpreter.Outcome, data []byte) {
	if err := a.open(); err != nil {
		return interpreter.Outcome{RetCode: 1, ErrorMessage: err.Error()}, nil
	}
	out = a.machine.Step(a.ctx, in.arrivals, in.results)
	if len(out.NextPeers)+len(out.Again) > 0 {
		var err error
		if data, err = a.machine.Data(); err != nil {
			return interpreter.Outcome{RetCode: interpreter.CodeStopped, ErrorMessage: err.Error(), Stopped: err}, nil
		}
	}
	return out, data
}

func (a *actor) open() error {
	if a.machine != nil || a.broken != nil {
		return a.broken
	}
	a.machine, a.broken = a.d.cfg.Open(&a.p, a.scope, a.prev)
	if a.broken != nil {
		a.machine = nil
	}
	a.prev = nil
	return a.broken
}

// book writes what a step did into the journal.
func (a *actor) book(began time.Time, took time.Duration, out interpreter.Outcome) {
	j := a.d.cfg.Journal
	e := journal.Entry{At: began, Took: took, Kind: journal.Stepped, Particle: a.p.ID, Code: out.RetCode}
	if out.RetCode != 0 {
		e.Kind, e.Reason, e.Detail = journal.Failed, journal.Interpreter, out.ErrorMessage
	}
	j.Add(e)
	for _, r := range out.Refused {
		j.Add(journal.Entry{At: began, Kind: journal.Refused, Particle: a.p.ID, Code: r.Code, Reason: journal.Interpreter, Detail: r.Message})
	}
}

// call starts service calls. Places in the queues are taken in the order of the script.
func (a *actor) call(requests []interpreter.CallRequest) {
	for _, r := range requests {
		if !a.countCall() {
			a.refuse(r.ID)
			continue
		}
		result := a.d.cfg.Enqueue(a.ctx, a.callOf(&r))
		if !a.d.begin(func() { a.answer(r.ID, interpreter.CallResult(result())) }) {
			result() // gives the place back; the context has ended
		}
	}
}

// countCall counts a call that begins, unless there are too many.
func (a *actor) countCall() bool {
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls >= a.d.cfg.Calls {
		return false
	}
	m.calls++
	return true
}

func (a *actor) callOf(r *interpreter.CallRequest) *services.Call {
	return &services.Call{
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
		Closure:    a.closure,
	}
}

// send passes the particle on. Peers that live on this host get it without a network.
func (a *actor) send(next, again []string, data []byte) {
	to := next
	for _, peer := range again {
		if !slices.Contains(to, peer) {
			to = append(to, peer)
		}
	}
	if len(to) == 0 {
		return
	}
	p := a.p
	p.Data = data
	handed := a.handed()
	var remote []string
	for _, peer := range to {
		if scope, ok := a.d.scope(peer); ok {
			a.d.deliver(a.scope.Peer, &p, scope, nil, trusted)
			if handed != nil {
				handed(peer)
			}
		} else {
			remote = append(remote, peer)
		}
	}
	switch {
	case len(remote) == 0:
	case a.kept == nil:
		a.d.cfg.Send(&p, remote, nil)
	default:
		a.d.cfg.Keeper.After(func() { a.d.cfg.Send(&p, remote, handed) })
	}
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
		if !a.mailbox.ended {
			a.kept.handed(step, peer)
		}
	}
}

// expire ends the actor at its deadline or with the dispatcher.
func (a *actor) expire() {
	a.cancel()
	m := &a.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	if !m.running {
		a.bury()
	}
}

// bury forgets the particle. It is called once, by whoever owns the state at the end, with
// the mailbox locked.
func (a *actor) bury() {
	stays := a.kept != nil && !errors.Is(a.ctx.Err(), context.DeadlineExceeded)
	e := journal.Entry{At: time.Now(), Kind: journal.Expired, Particle: a.p.ID}
	waiting := a.waiting()
	if len(waiting) > 0 {
		e.Reason = journal.Unfinished
	}
	for _, w := range waiting {
		e.Waits = append(e.Waits, journal.Wait{Instruction: w.Instruction, Variable: w.Variable, Peer: w.Peer})
	}
	switch {
	case stays:
		e.Kind, e.Reason = journal.Kept, ""
		if !a.kept.old && !a.kept.torn && (a.machine != nil || a.prev != nil) {
			a.checkpoint() // also for a next process whose interpreter is another one
		}
	case a.kept != nil:
		a.kept.log.Remove()
	}
	a.d.cfg.Journal.Add(e)
	if a.d.cfg.Ended != nil && !stays {
		a.d.cfg.Ended(&a.p, a.scope, waiting)
	}
	a.machine, a.prev = nil, nil
	a.weigh(-a.weight)
	a.d.remove(a) // last: Close waits for it
}
