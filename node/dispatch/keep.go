package dispatch

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

// A Keeper keeps particles over a restart of the process. What an actor does follows from what
// it takes in, so its log holds just that, in order, and the actor is brought back by doing it
// again. A step costs its delta on disk, too.
//
//	head        scope and particle, without data
//	arrival     data that was admitted
//	result      of a call
//	step        all before it since the last step was folded in
//	handed      a next peer has got the data of a step
//	finished    how the particle ended here before its deadline, instead of all records before it
//	checkpoint  the state and what goes with it, instead of all records before it
//
// What a restart keeps:
//
//   - An arrival is taken over when its record is on disk. The stream it came on is closed by
//     this side only then, see p2p.Receiver.
//   - Data leaves when all that it was made from is on disk: this peer never contradicts after a
//     crash what it said before.
//   - Calls without a result on disk are asked again: a service sees such a call at least once,
//     and twice when the process ended between its work and the record of its result.
//   - Next peers that the network has not taken the data for get it again, also at least once.
//
// Particles with an initiator belong to the program that started them and are not kept.
type Keeper interface {
	Begin(head []byte) Log
	// After calls f when all that was appended before is on disk. f does not wait.
	After(f func())
	// Room waits while the disk is much slower than what is appended. The error says why nothing
	// more is to be taken.
	Room(ctx context.Context) error
}

// A Log belongs to one particle. Its methods do not wait for the disk; records do not change.
type Log interface {
	Append(record []byte)
	Replace(records [][]byte) // instead of all but the head
	Remove()
	Torn() bool              // records are missing, as the disk took none; Replace mends it
	Read() ([][]byte, error) // what was there when the process started, without the head
}

// The kinds of records: the first byte.
const (
	recordArrival    = 'a' // data
	recordResult     = 'r' // call id, return code, text
	recordStep       = 's'
	recordHanded     = 'h' // number of the step, peer
	recordCheckpoint = 'c' // JSON of checkpoint, its length first; the state
	recordFinished   = 'f' // how it ended; instead of all records before it
)

// checkpointBytes is how long a log gets before a checkpoint takes its place, as long as that is
// not more than a fourth of it: so they cost less than the log.
const checkpointBytes = 256 << 10

// history is what an actor that is kept knows of its log. It is guarded by the mailbox's lock.
type history struct {
	log     Log
	old     bool // records are to be done again, see resume
	torn    bool // the state lacks a step of the log, which was cut short
	steps   uint32
	pending map[uint32]interpreter.CallRequest // calls without a result
	owed    map[string]uint32                  // next peers that have not got the data of a step
	bytes   int                                // of the log, roughly
	limit   int                                // of them, before the next checkpoint
}

func newHistory(log Log) *history {
	return &history{log: log, pending: map[uint32]interpreter.CallRequest{}, owed: map[string]uint32{}, limit: checkpointBytes}
}

// checkpoint is what a state does not tell of itself.
type checkpoint struct {
	Steps   uint32
	Pending []keptCall
	Owed    map[string]uint32
}

type keptCall struct {
	ID         uint32
	Service    string
	Function   string
	Args       []string // JSON
	Tetraplets [][]value.Tetraplet
}

// The methods that append do nothing for an actor that is not kept.

func (h *history) append(kind byte, parts ...[]byte) {
	if h == nil {
		return
	}
	r := slices.Concat(append([][]byte{{kind}}, parts...)...)
	h.bytes += len(r)
	h.log.Append(r)
}

func (h *history) arrived(data []byte) { h.append(recordArrival, data) }

func (h *history) answered(id uint32, r interpreter.CallResult) {
	if h == nil {
		return
	}
	delete(h.pending, id)
	h.append(recordResult, resultRecord(id, r))
}

func resultRecord(id uint32, r interpreter.CallResult) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 8+len(r.Result)), id)
	b = binary.BigEndian.AppendUint32(b, uint32(r.RetCode))
	return append(b, r.Result...)
}

func (h *history) stepped() {
	if h == nil {
		return
	}
	h.steps++
	h.append(recordStep)
}

func (h *history) handed(step uint32, peer string) {
	if h.owed[peer] != step {
		return // it is to get newer data
	}
	delete(h.owed, peer)
	h.append(recordHanded, binary.BigEndian.AppendUint32(nil, step), []byte(peer))
}

// paid reports that nobody is owed anything.
func (h *history) paid() bool { return h == nil || len(h.owed) == 0 && len(h.pending) == 0 }

// finished keeps of the particle that it ended here.
func (h *history) finished(how ending) {
	if h != nil {
		h.log.Replace([][]byte{{recordFinished, byte(how)}})
	}
}

// asked notes what the latest step asks for.
func (h *history) asked(out *interpreter.Outcome) {
	for _, r := range out.CallRequests {
		h.pending[r.ID] = r
	}
	for _, peer := range slices.Concat(out.NextPeers, out.Again) {
		h.owed[peer] = h.steps
	}
}

// note takes down what a step asks for, and makes a checkpoint when it is time.
func (a *actor) note(out *interpreter.Outcome) {
	if a.kept == nil {
		return
	}
	a.mailbox.mu.Lock()
	defer a.mailbox.mu.Unlock()
	if out == nil || a.ctx.Err() != nil { // the step may have stopped on its way
		a.kept.torn = true
		return
	}
	a.kept.asked(out)
	if a.kept.bytes > a.kept.limit || a.kept.limit < 0 {
		a.checkpoint()
	}
}

// Rekeep makes checkpoints of the particles whose logs are torn, when the disk takes writes again.
// Those that run make theirs at the end of a step.
func (d *Dispatcher) Rekeep() {
	d.mu.Lock()
	actors := slices.Collect(maps.Values(d.actors))
	torn := d.finished.torn()
	d.mu.Unlock()
	for _, a := range actors {
		a.mailbox.mu.Lock()
		if a.kept != nil && a.mailbox.ended == alive && a.kept.log.Torn() {
			a.kept.limit = -1
			if !a.mailbox.running {
				a.rekeep()
			}
		}
		a.mailbox.mu.Unlock()
	}
	for log, how := range torn {
		log.Replace([][]byte{{recordFinished, byte(how)}})
	}
}

// rekeep makes a checkpoint that Rekeep asked for. It is for the owner of the state, with the
// mailbox locked.
func (a *actor) rekeep() {
	if h := a.kept; h != nil && h.limit < 0 && !h.old && !h.torn {
		a.checkpoint()
	}
}

// checkpoint replaces the log by the state. What waits in the mailbox stays in the log. It is
// for the owner of the state, with the mailbox locked.
func (a *actor) checkpoint() {
	h, m := a.kept, &a.mailbox
	if a.unspill() != nil {
		return // the log goes on
	}
	state := a.prev
	if a.machine != nil {
		var err error
		if state, err = a.machine.Data(); err != nil {
			return // the log goes on
		}
	}
	c := checkpoint{Steps: h.steps, Owed: h.owed}
	for _, id := range slices.Sorted(maps.Keys(h.pending)) {
		r := h.pending[id]
		k := keptCall{ID: id, Service: r.ServiceID, Function: r.FunctionName, Tetraplets: r.Tetraplets}
		for _, arg := range r.Arguments {
			k.Args = append(k.Args, arg.Text())
		}
		c.Pending = append(c.Pending, k)
	}
	head, err := json.Marshal(c)
	if err != nil {
		return // of a text that is not UTF-8; the log goes on
	}
	first := binary.AppendUvarint([]byte{recordCheckpoint}, uint64(len(head)))
	records := [][]byte{slices.Concat(first, head, state)}
	for _, data := range m.arrivals {
		records = append(records, slices.Concat([]byte{recordArrival}, data))
	}
	for id, r := range m.results {
		records = append(records, slices.Concat([]byte{recordResult}, resultRecord(id, r)))
	}
	h.log.Replace(records)
	h.bytes = 0
	h.limit = max(checkpointBytes, 4*len(records[0]))
}

// Recall reads the head of a particle that was kept by an earlier process. It changes nothing. The
// error says why the particle does not go on: its time is over, or its scope is no longer here.
func (d *Dispatcher) Recall(head []byte) (p *particle.Particle, scope Scope, err error) {
	p, peer, err := decodeHead(head)
	if err != nil {
		return nil, scope, err
	}
	scope, ok := d.scope(peer)
	switch {
	case !ok:
		err = fmt.Errorf("%w: scope %s", journal.NotConnected, peer)
	case p.Expired(time.Now().Add(-d.cfg.Skew)):
		err = fmt.Errorf("%w, %s ago", journal.WhileDown, late(p, time.Now()))
	}
	return p, scope, err
}

// Restore makes the actor of a particle that was kept by an earlier process. It goes on with
// Resume, or with its first arrival. Its deadline counts from here on, so whatever Observer.Ended needs has
// to exist. Restore reports false for a particle that does not go on, see Recall: its log is
// removed, with an entry in the journal.
func (d *Dispatcher) Restore(head []byte, log Log) (p *particle.Particle, scope Scope, ok bool) {
	p, scope, err := d.Recall(head)
	if err != nil {
		log.Remove()
		e := journal.Entry{Kind: journal.Expired}
		if p != nil {
			e.Particle, e.Init = p.ID, p.InitPeerID
		}
		d.cfg.Journal.AddError(e, err)
		return nil, scope, false
	}
	of := share.Owner{Range: restoredRange, Remote: p.InitPeerID, Init: p.InitPeerID}
	a := newActor(d, key{scope.Peer, string(p.Signature)}, p, of, scope, nil, log)
	a.kept.old = true
	a.setSize(0)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.actors[a.key] = a
	d.await(a)
	return p, scope, true
}

// restoredRange is the address range of particles that an earlier process kept: who brought them
// is not known.
const restoredRange = "restored"

func (d *Dispatcher) scope(peer string) (Scope, bool) {
	switch {
	case peer == d.cfg.Host.Peer:
		return d.cfg.Host, true
	case d.cfg.Scopes == nil:
		return Scope{}, false
	}
	return d.cfg.Scopes.Scope(peer)
}

// Resume lets the restored particles go on.
func (d *Dispatcher) Resume() {
	d.mu.Lock()
	actors := slices.Collect(maps.Values(d.actors))
	d.mu.Unlock()
	for _, a := range actors {
		a.mailbox.mu.Lock()
		_ = a.wake() // fails when the dispatcher is closed
		a.mailbox.mu.Unlock()
	}
}

// encodeHead: the length of the scope's peer id, the id, the particle's frame.
func encodeHead(scope string, p *particle.Particle) []byte {
	bare := *p
	bare.Data = nil
	b := binary.AppendUvarint(nil, uint64(len(scope)))
	return wire.Append(append(b, scope...), &bare)
}

var errRecord = errors.New("record of a kept particle is broken")

// KeptParticle is the particle of a log with this head.
func KeptParticle(head []byte) (*particle.Particle, error) {
	p, _, err := decodeHead(head)
	return p, err
}

func decodeHead(b []byte) (p *particle.Particle, scope string, err error) {
	peer, frame, ok := cut(b)
	_, n := binary.Uvarint(frame)
	if !ok || n <= 0 {
		return nil, "", errRecord
	}
	p, err = wire.Decode(frame[n:])
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errRecord, err)
	}
	return p, string(peer), nil
}

// cut splits off what has its length before it.
func cut(b []byte) (first, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}

// resume does the records of an earlier process again. Steps have no effects in it; at the end
// the calls without a result are asked, the peers that are owed data get it, and what was not
// folded in is before everything else in the mailbox.
func (a *actor) resume() {
	if !a.run.begin(a.ctx) {
		return
	}
	began := time.Now()
	in, size, err := a.replay()
	var data []byte
	if err == nil && len(a.kept.owed) > 0 {
		if err = a.open(); err == nil {
			data, err = a.machine.Data()
		}
	}
	a.settled = err == nil && a.machine != nil && a.machine.Settled()
	a.run.end()
	if errors.Is(err, errFinished) {
		return
	}
	if err != nil {
		a.broken = err
	}
	h, m := a.kept, &a.mailbox
	m.mu.Lock()
	m.arrivals = append(in.arrivals, m.arrivals...)
	m.results = in.results
	before := m.bytes
	for _, b := range in.arrivals {
		m.bytes += len(b)
	}
	for _, r := range in.results {
		m.bytes += len(r.Result)
	}
	a.d.ledger.Force(a.owner, share.Particles, int64(m.bytes-before))
	m.fresh = h.steps == 0 || err != nil
	var calls []interpreter.CallRequest
	for _, id := range slices.Sorted(maps.Keys(h.pending)) {
		calls = append(calls, h.pending[id])
	}
	owed := slices.Sorted(maps.Keys(h.owed))
	for _, peer := range owed {
		h.owed[peer] = h.steps
	}
	h.old, h.torn = false, a.ctx.Err() != nil
	h.bytes += size
	m.mu.Unlock()
	a.d.cfg.Journal.Add(journal.Entry{
		At: began, Took: time.Since(began), Kind: journal.Resumed, Particle: a.p.ID, Init: a.p.InitPeerID,
		Detail: fmt.Sprintf("%d steps, %d calls are asked again, %d peers are owed data", h.steps, len(calls), len(owed)),
	})
	a.call(calls)
	a.send(owed, nil, data)
}

// replay steps the machine through the log and gives what was not folded in. Nobody else has
// the pending calls and the owed peers yet: arrivals only append to the log.
func (a *actor) replay() (in input, size int, err error) {
	records, err := a.kept.log.Read()
	if err != nil {
		return in, 0, err
	}
	for i, r := range records {
		if err := a.redo(&in, r); err != nil {
			return input{}, size, fmt.Errorf("record %d: %w", i+1, err)
		}
		size += len(r)
	}
	return in, size, nil
}

func (a *actor) redo(in *input, record []byte) error {
	h := a.kept
	if len(record) == 0 {
		return errRecord
	}
	kind, b := record[0], record[1:]
	switch {
	case kind == recordArrival:
		in.arrivals = append(in.arrivals, b)
	case kind == recordResult && len(b) >= 8:
		id := binary.BigEndian.Uint32(b)
		delete(h.pending, id)
		if in.results == nil {
			in.results = map[uint32]interpreter.CallResult{}
		}
		in.results[id] = interpreter.CallResult{RetCode: int32(binary.BigEndian.Uint32(b[4:])), Result: string(b[8:])}
	case kind == recordStep:
		if err := a.open(); err != nil {
			return err
		}
		out := a.machine.Step(a.ctx, in.arrivals, in.results)
		h.steps++
		h.asked(&out)
		*in = input{}
	case kind == recordHanded && len(b) >= 4:
		if peer := string(b[4:]); h.owed[peer] == binary.BigEndian.Uint32(b) {
			delete(h.owed, peer)
		}
	case kind == recordCheckpoint:
		return a.goTo(b)
	case kind == recordFinished && len(b) == 1:
		a.end(ending(b[0]), errFinished)
		return errFinished
	default:
		return errRecord
	}
	return nil
}

// errFinished is what the log of a particle says that ended in an earlier process.
var errFinished = errors.New("the particle has ended here before")

// goTo begins at a checkpoint.
func (a *actor) goTo(b []byte) error {
	head, state, ok := cut(b)
	var c checkpoint
	if !ok || json.Unmarshal(head, &c) != nil {
		return errRecord
	}
	a.machine, a.prev = nil, state
	a.kept.steps = c.Steps
	for _, k := range c.Pending {
		r := interpreter.CallRequest{ID: k.ID, ServiceID: k.Service, FunctionName: k.Function, Tetraplets: k.Tetraplets}
		for _, text := range k.Args {
			arg, err := value.Parse(text)
			if err != nil {
				return fmt.Errorf("%w: argument of call %d: %w", errRecord, k.ID, err)
			}
			r.Arguments = append(r.Arguments, arg)
		}
		a.kept.pending[k.ID] = r
	}
	if c.Owed != nil {
		a.kept.owed = c.Owed
	}
	return nil
}
