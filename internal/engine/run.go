package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aquanode/aquanode/internal/text"
	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/runs"
	"github.com/aquanode/aquanode/services"
)

// Run starts a particle with the script and waits for its end.
func (e *Engine) Run(ctx context.Context, s runs.Script) (*runs.Result, error) {
	if err := e.Ready(); err != nil {
		return nil, err
	}
	if s.TTL == 0 {
		s.TTL = e.cfg.TTL
	}
	var known map[string][]string
	if s.Aqua != "" {
		known = e.functions()
	}
	s, err := s.Compile(known)
	if err != nil {
		return nil, err
	}
	p := particle.New(e.cfg.Key, s.AIR, s.TTL, time.Now())
	r := &run{engine: e, id: p.ID, script: s, end: make(chan ending, 1)}
	if err := e.Dispatcher.Start(p, r); err != nil {
		if e.Closed() {
			err = ErrClosed
		}
		return nil, fmt.Errorf("particle %s: %w", p.ID, err)
	}
	late := time.NewTimer(s.TTL + lateGrace)
	defer late.Stop()
	select {
	case end := <-r.end:
		return end.result, end.err
	case <-late.C:
		return nil, r.timeout(nil)
	case <-ctx.Done():
		return nil, fmt.Errorf("particle %s: %w", p.ID, ctx.Err())
	}
}

// lateGrace is how long after the deadline Run ends by itself. The particle's end does it
// before, and knows what was waited for, unless a step or callback still runs.
const lateGrace = time.Second

// functions are those that services of this peer have, for scripts that call them by name.
func (e *Engine) functions() map[string][]string {
	all := map[string][]string{}
	for _, s := range e.Services.List(e.ID) {
		all[s.ID] = s.Functions
	}
	return all
}

// A run is a script that somebody waits for. It is the initiator of its particle: it answers what
// the script asks, and ends the waiting.
type run struct {
	engine *Engine
	id     string // of the particle
	script runs.Script
	ended  atomic.Bool
	end    chan ending // holds the first ending

	mu      sync.Mutex
	refused string // why arriving data was refused, the latest time
	unsent  string // why data was not sent, the latest time
	to      string // the peer for which it did not
}

type ending struct {
	result *runs.Result
	err    error
}

func (r *run) finish(result *runs.Result, err error) {
	if r.ended.CompareAndSwap(false, true) {
		r.end <- ending{result, err}
	}
}

// fail ends the run with an error of this peer.
func (r *run) fail(code int64, message string) {
	r.finish(nil, &runs.Error{ParticleID: r.id, PeerID: r.engine.ID, Code: code, Message: message})
}

// maxShown is how much an error shows of what others wrote.
const maxShown = 300

func (r *run) timeout(waiting []interpreter.Wait) *runs.TimeoutError {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &runs.TimeoutError{
		ParticleID: r.id, TTL: r.script.TTL, Refused: r.refused, Unsent: r.unsent, Waiting: waiting,
	}
	if relay := r.engine.relay.Load(); relay != nil {
		e.Relay = *relay
	}
	return e
}

// Names of the services by which a script talks to who runs it. Clients of all kinds know them.
const (
	dataService     = "getDataSrv"
	callbackService = "callbackSrv"
	errorService    = "errorHandlingSrv"
	relayName       = "-relay-"
	responseName    = "response"
	errorName       = "error"
)

// Call implements [services.Handler].
func (r *run) Call(ctx context.Context, c *services.Call) (value.Value, error) {
	switch {
	case c.Service == dataService:
		return r.data(c)
	case c.Service == callbackService && c.Function == responseName:
		r.finish(r.script.Result(r.id, c.Args), nil)
		return value.Object(nil), nil
	case c.Service == callbackService:
		v, ok, err := r.script.CallBack(ctx, c.Function, c.Args)
		if !ok {
			err = services.Errorf("no function was given for the argument %q of the script", c.Function)
		}
		return v, err
	case c.Service == errorService && c.Function == errorName:
		r.finish(nil, errorOf(r.id, c.Args))
		return value.Object(nil), nil
	}
	return value.Value{}, services.Errorf("Service with id '%s' not found (function %s)", c.Service, c.Function)
}

func (r *run) data(c *services.Call) (value.Value, error) {
	if c.Function == relayName {
		return value.String(r.engine.RelayID()), nil
	}
	if x, ok := r.script.Data[c.Function]; ok {
		return value.FromGo(x)
	}
	name := strings.TrimSuffix(c.Function, "-arg")
	return value.Value{}, services.Errorf("no value was given for the argument %q of the script", name)
}

// errorOf reads the arguments of errorHandlingSrv: an error object of AIR, or any value.
func errorOf(id string, args []value.Value) *runs.Error {
	e := &runs.Error{ParticleID: id, Message: "the script reported an error without a value"}
	if len(args) == 0 {
		return e
	}
	e.Value = args[0]
	e.Message = args[0].Text()
	field := func(name string) (s string) {
		if f, ok := args[0].Field(name); ok {
			s, _ = f.AsString()
		}
		return s
	}
	if message := field("message"); message != "" {
		e.Message = message
	}
	e.PeerID, e.Instruction = field("peer_id"), field("instruction")
	if f, ok := args[0].Field("error_code"); ok {
		e.Code, _ = f.AsInt64()
	}
	return e
}

// Stepped implements [dispatch.Initiator]: it ends runs whose script the interpreter does not
// take, and those that expect no response.
func (r *run) Stepped(out *interpreter.Outcome) {
	switch {
	case r.ended.Load():
	case len(out.Refused) > 0:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.refused = text.Cut(out.Refused[0].Message, maxShown)
	case out.RetCode != 0:
		r.fail(out.RetCode, out.ErrorMessage)
	case r.script.NoResult && len(out.CallRequests) == 0:
		r.finish(&runs.Result{ParticleID: r.id}, nil)
	}
}

// Ended implements [dispatch.Initiator].
func (r *run) Ended(waiting []interpreter.Wait, why error) {
	switch {
	case r.ended.Load():
	case r.engine.Closed():
		r.finish(nil, fmt.Errorf("particle %s: %w", r.id, ErrClosed))
	case why == nil:
		r.fail(0, "the script ended without a response")
	case errors.Is(why, particle.ErrExpired):
		r.finish(nil, r.timeout(waiting))
	default:
		r.finish(nil, fmt.Errorf("particle %s: %w", r.id, why))
	}
}

// sent records what became of data for a peer. A client that cannot reach its relay cannot
// continue; a node may reach others.
func (r *run) sent(to string, err error) {
	if err != nil && r.engine.relay.Load() != nil {
		r.finish(nil, fmt.Errorf("particle %s: cannot send to the relay %s: %w", r.id, to, err))
		return
	}
	if err != nil {
		r.held(to, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to == to {
		r.to, r.unsent = "", ""
	}
}

// held records why data for a peer was not sent.
func (r *run) held(to string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to, r.unsent = to, text.Cut(fmt.Sprintf("to %s: %s", to, err), maxShown)
}
