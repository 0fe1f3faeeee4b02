package interpreter

import (
	"context"
	"errors"
	"maps"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/machine"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/meter"
)

// State is the retained form of one particle at one peer: the script resolved, the trace and the
// stores decoded, results looked up and signatures verified once. A step costs what is new. A State
// belongs to one goroutine at a time.
type State struct {
	params   Params
	p        *program.Program
	particle machine.Particle
	count    *meter.Counter

	// What this peer knows: the trace, which is in the machine, and everything else.
	m     *machine.Machine
	known *data.Data
	store content.Store // the content of known
	bytes []byte        // all of it encoded
	stale bool          // something changed since

	retained bool           // opened to stay: what is known need not be verified again
	verified data.Verified  // signatures that were good
	signed   map[string]int // places in known.Signatures by public key; nil until the first run
	settled  bool           // see Settled
	looked   bool           // whether a run has found out
}

// Open makes the retained form of a particle at a peer that kept prev of it (no bytes if nothing).
// It fails with a *data.Error, a *fault.Fault, or the error of the meter.
func Open(script string, prev []byte, params Params) (*State, error) {
	count := newCounter(&params, nil)
	defer count.End()
	e, err := data.Open(prev)
	if err != nil {
		return nil, err
	}
	known, trace, err := e.DecodeStates(count)
	if err != nil {
		return nil, err
	}
	p, err := params.program(script, count)
	if err != nil {
		return nil, err
	}
	s := newState(known, trace, prev, params, count, new(machine.Machine))
	if count.Err() != nil {
		return nil, count.Err()
	}
	s.p, s.retained = p, true
	return s, nil
}

func newCounter(p *Params, ctx context.Context) *meter.Counter {
	count := meter.NewCounter(p.Meter)
	count.Begin(ctx)
	return &count
}

// program finds or makes the resolved form of a script.
func (p *Params) program(script string, count *meter.Counter) (*program.Program, error) {
	if err := count.Bytes(len(script)); err != nil {
		return nil, err
	}
	program, err := p.Scripts.Get(script, count)
	switch {
	case count.Err() != nil:
		return nil, count.Err()
	case err != nil:
		return nil, &data.Error{Code: fault.CodeParse, Message: err.Error()}
	}
	return program, nil
}

func newState(known *data.Data, trace data.States, bytes []byte, params Params,
	count *meter.Counter,
	m *machine.Machine) *State {
	s := &State{
		m:        m,
		params:   params,
		known:    known,
		bytes:    bytes,
		count:    count,
		store:    content.NewStore(known, count),
		particle: machine.NewParticle(params.particle()),
	}
	m.Attach(&s.particle, &s.store, count)
	m.Load(trace)
	return s
}

func (p *Params) particle() machine.Params {
	return machine.Params{
		InitPeerID: p.InitPeerID, CurrentPeerID: p.CurrentPeerID,
		Timestamp: p.Timestamp, TTL: p.TTL,
		MaxSteps: p.Limits.Steps, MaxData: p.Limits.data(),
	}
}

// Settled reports whether nothing can follow here for certain: whatever arrives later brings no
// call requests and no next peers, and Outcome.Again names only peers that know already. So it is
// when the latest run that changed something came to its end and
//
//   - waits for nothing, or
//   - waits at one place for another peer, as a relay does that has handed an answer on, and no
//     instruction that may come after that place is for this peer.
//
// The second holds only for scripts that run one thing after the other so far. With par, two peers
// know different things, and one that has nothing to do may be the first to know both.
func (s *State) Settled() bool { return s.settled }

// Step merges all that arrived and takes the results of service calls, and continues the
// script as far as it can. An arrival that cannot be used is refused and changes nothing.
func (s *State) Step(ctx context.Context, arrivals [][]byte,
	results map[uint32]CallResult) Outcome {
	var out Outcome
	if err := s.params.Limits.checkResults(&out, results); err != nil {
		out.fail(err)
		return out
	}
	s.count.Begin(ctx)
	defer s.count.End()
	ran := false
	for i, b := range arrivals {
		err := s.merge(b, results, &out)
		if out.Stopped != nil {
			return out
		}
		if err != nil {
			out.refuse(i, err)
			continue
		}
		ran, results = true, nil
	}
	if !ran && (len(results) > 0 || len(arrivals) == 0) {
		s.stepResults(results, &out)
	}
	return out
}

// merge runs the script over one arrival.
func (s *State) merge(b []byte, results map[uint32]CallResult, out *Outcome) error {
	if len(b) == 0 && s.resumable(results) {
		if f := s.resume(results, out); f != nil {
			out.fail(f)
		}
		return nil
	}
	if err := s.params.Limits.check(out, s.p.Source, b); err != nil {
		return err
	}
	a, err := s.decode(b)
	if err != nil {
		out.recordStop(err)
		return err
	}
	if f := s.run(a, maps.Clone(results), out); f != nil {
		out.recordStop(f)
		return f
	}
	return nil
}

// stepResults runs the script with results alone.
func (s *State) stepResults(results map[uint32]CallResult, out *Outcome) {
	var f *fault.Fault
	if s.resumable(results) {
		f = s.resume(results, out)
	} else {
		f = s.run(nothing, maps.Clone(results), out)
	}
	if f != nil {
		out.fail(f)
	}
}

// recordStop notes the error of a run that was stopped.
func (o *Outcome) recordStop(err error) {
	if code, _ := codeOf(err); code == fault.CodeStopped {
		o.fail(err)
	}
}

func (o *Outcome) refuse(arrival int, err error) {
	code, text := codeOf(err)
	o.Refused = append(o.Refused, Refusal{Arrival: arrival, Code: code, Message: text})
	o.RetCode, o.ErrorMessage = code, text
}

func (o *Outcome) fail(err error) {
	o.RetCode, o.ErrorMessage = codeOf(err)
	if o.RetCode == fault.CodeStopped {
		o.Stopped = err
		if cause := errors.Unwrap(err); cause != nil {
			o.Stopped = cause
		}
	}
}

// run merges one arrival. A fault means that nothing changed; other errors are in the outcome.
func (s *State) run(a *arrival, results map[uint32]CallResult, out *Outcome) *fault.Fault {
	before := s.store.Mark()
	signers, err := s.mergeSigners(a)
	if err == nil {
		err = s.known.Merge(a.data, s.count)
	}
	if err != nil {
		s.store.RollBack(before)
		return asFault(err)
	}
	f := s.m.Run(s.p, a.trace, results)
	if f != nil && !f.Catchable() {
		s.store.RollBack(before)
		return f
	}
	s.updateSettled(f)
	s.commit(signers)
	out.add(s.m, f)
	return nil
}

// resume continues a suspended run. A fault means that nothing changed, as in run.
func (s *State) resume(results map[uint32]CallResult, out *Outcome) *fault.Fault {
	before := s.store.Mark()
	f := s.m.Resume(results)
	if f != nil && !f.Catchable() {
		s.store.RollBack(before)
		return f
	}
	s.updateSettled(f)
	s.bytes, s.stale = nil, true
	out.add(s.m, f)
	return nil
}

// resumable reports whether the results are just the one that the suspended run waits for.
func (s *State) resumable(results map[uint32]CallResult) bool {
	return !s.particle.Unsure && s.m.Resumable(results)
}

// updateSettled finds out whether a run that is to be committed leaves the state settled.
func (s *State) updateSettled(f *fault.Fault) {
	if s.looked && f == nil && s.m.Unchanged() {
		return
	}
	s.looked, s.settled = true, s.m.NothingFollows(f)
}

// commit makes the result of a run what this peer knows.
func (s *State) commit(signers *data.Signers) {
	s.m.Commit()
	for _, signer := range signers.All() {
		s.putSignature(signer.Signature)
	}
	if s.retained { // the signature itself is made when data is asked for
		s.putSignature(data.Signature{PublicKey: data.PublicKeyOf(s.params.Key)})
	}
	s.bytes, s.stale = nil, true
}

// add adds what a run asks for to the outcome.
func (o *Outcome) add(m *machine.Machine, f *fault.Fault) {
	o.RetCode, o.ErrorMessage = 0, ""
	if f == nil && len(m.Results) > 0 {
		f = unusedResults(m.Results, nil)
	}
	if f != nil {
		o.fail(f)
	}
	o.CallRequests = append(o.CallRequests, m.Requests...)
	o.NextPeers = union(o.NextPeers, m.NextPeers)
	o.Again = union(o.Again, m.PeersAgain())
}

// union adds to a list what it does not have. It owns the list, but not more, which has nothing
// twice.
func union(list, more []string) []string {
	if len(list) == 0 {
		return more[:len(more):len(more)]
	}
	has := make(map[string]bool, len(list))
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

// Waiting lists what the latest run could not go on with, in the order in which it was met.
func (s *State) Waiting() []machine.Wait { return s.m.Waiting() }

// MemSize is about how many bytes the state holds, the script not counted, which is shared. It
// takes the same time for all states, since hosts ask after each step.
func (s *State) MemSize() int {
	size := len(s.bytes) + meter.SizeOf[State](1) + 100*len(s.signed) + 120*s.verified.Len()
	return size + s.store.MemSize() + s.particle.MemSize() + s.m.Size()
}
