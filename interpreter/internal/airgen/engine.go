package airgen

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strconv"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/simulate"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Engine is something that runs AIR.
type Engine interface {
	Name() string
	// Step runs one step at a peer: r without current data, over all that arrived. An engine that
	// takes one arrival at a time does so by OneByOne.
	Step(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error)
}

// Answer is what a step gave. Of a step with several runs the code and the message are not
// those of all, and not compared.
type Answer struct {
	simulate.Answer
	Trap string `json:"trap,omitempty"` // the engine crashed
}

// refused says that the data is the previous one, nothing was asked for, and results were not used.
func (a *Answer) refused() bool {
	return a.Trap != "" || a.RetCode > 0 && a.RetCode < 10000 ||
		a.RetCode >= 20000 && a.RetCode < 30000
}

// severalRuns tells steps that take more than one run of an engine that takes one thing at a time.
func severalRuns(r *simulate.Request, arrivals [][]byte) bool {
	return len(arrivals) > 1 || len(arrivals) == 1 && len(r.CallResults) > 0
}

// OneByOne takes a step in runs of one arrival each. Results go with the first arrival that is
// not refused, or alone.
func OneByOne(r *simulate.Request, arrivals [][]byte,
	run func(*simulate.Request) (*Answer, error)) (*Answer, error) {
	if !severalRuns(r, arrivals) {
		q := *r
		if len(arrivals) > 0 {
			q.CurrData = arrivals[0]
		}
		return run(&q)
	}
	sum := &Answer{Answer: simulate.Answer{Data: r.PrevData,
		CallRequests: map[string]simulate.CallRequest{}}}
	q, used := *r, false
	for _, data := range arrivals {
		q.PrevData, q.CurrData = sum.Data, data
		a, err := run(&q)
		if err != nil {
			return nil, err
		}
		if !a.refused() {
			sum.add(a)
			q.CallResults, used = nil, true
		}
	}
	if !used && len(q.CallResults) > 0 {
		q.PrevData, q.CurrData = sum.Data, nil
		a, err := run(&q)
		if err != nil {
			return nil, err
		}
		if !a.refused() {
			sum.add(a)
		}
	}
	return sum, nil
}

// add puts another run behind.
func (a *Answer) add(b *Answer) {
	a.Data = b.Data
	a.NextPeerPks = slices.Concat(a.NextPeerPks, b.NextPeerPks)
	for id, q := range b.CallRequests {
		a.CallRequests[id] = q
	}
}

// Cold is our interpreter, bytes in and bytes out.
type Cold struct{ Scripts *interpreter.Scripts }

func (Cold) Name() string { return "cold" }

func (e Cold) Step(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error) {
	return OneByOne(r, arrivals, func(r *simulate.Request) (*Answer, error) {
		a, err := simulate.Step(ctx, r, e.Scripts)
		if err != nil {
			return nil, err
		}
		return &Answer{Answer: *a}, nil
	})
}

// Retained is our interpreter with its state kept from step to step, one particle for an engine. It
// starts anew from bytes when the previous data of a step is not what it gave, or never if it is
// Lazy.
type Retained struct {
	Scripts *interpreter.Scripts
	// Lazy makes data only where somebody will read it, as a node does. Such an engine needs a
	// world of its own.
	Lazy   bool
	Meter  meter.Meter
	states map[string]*interpreter.State // by peer id
	given  map[string]string             // the data given last
}

func (e *Retained) Name() string {
	if e.Lazy {
		return "lazy"
	}
	return "retained"
}

func (e *Retained) Step(
	ctx context.Context, r *simulate.Request, arrivals [][]byte,
) (*Answer, error) {
	in, err := r.Input(e.Scripts)
	if err != nil {
		return nil, err
	}
	s, err := e.state(r, in)
	if err != nil {
		// it cannot be opened: what the cold form says of it
		return Cold{e.Scripts}.Step(ctx, r, arrivals)
	}
	results, err := callResults(r)
	if err != nil {
		return nil, err
	}
	return e.answer(r, s, s.Step(ctx, arrivals, results))
}

func callResults(r *simulate.Request) (map[uint32]interpreter.CallResult, error) {
	results := map[uint32]interpreter.CallResult{}
	for id, res := range r.CallResults {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, err
		}
		results[uint32(n)] = interpreter.CallResult(res)
	}
	return results, nil
}

// answer is what a state says after a step.
func (e *Retained) answer(r *simulate.Request, s *interpreter.State,
	out interpreter.Outcome) (*Answer, error) {
	a := &Answer{Answer: simulate.Answer{
		RetCode: out.RetCode, ErrorMessage: out.ErrorMessage, NextPeerPks: out.NextPeers,
		CallRequests: callRequests(out.CallRequests),
	}}
	if e.Lazy && !r.Human && len(out.NextPeers) == 0 {
		return a, nil
	}
	b, err := s.Data()
	if err != nil {
		return nil, err
	}
	a.Data = slices.Clone(b)
	e.given[r.CurrentPeerID] = string(a.Data)
	return a, nil
}

func callRequests(requests []interpreter.CallRequest) map[string]simulate.CallRequest {
	byID := map[string]simulate.CallRequest{}
	for _, q := range requests {
		byID[strconv.FormatUint(uint64(q.ID), 10)] = simulate.CallRequest{
			ServiceID: q.ServiceID, FunctionName: q.FunctionName, Arguments: q.Arguments, Tetraplets: q.Tetraplets,
			ArgumentsMsgpack: value.AppendMsgpack(nil, value.Array(q.Arguments)),
		}
	}
	return byID
}

func (e *Retained) state(r *simulate.Request, in interpreter.Input) (*interpreter.State, error) {
	if e.states == nil {
		e.states, e.given = map[string]*interpreter.State{}, map[string]string{}
	}
	s := e.states[r.CurrentPeerID]
	if s != nil && (e.Lazy || e.given[r.CurrentPeerID] == string(r.PrevData)) {
		return s, nil
	}
	p := in.Params
	p.Meter = e.Meter
	p.Key = ed25519.NewKeyFromSeed(r.SecretKey)
	s, err := interpreter.Open(r.Air, r.PrevData, p)
	if err == nil {
		e.states[r.CurrentPeerID] = s
	}
	return s, err
}
