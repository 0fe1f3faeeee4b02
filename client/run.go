package client

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aquanode/aquanode/internal/text"
	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

// Names of the services by which a compiled script talks to its initiator. They are fixed:
// clients of all kinds know them by heart.
const (
	dataService     = "getDataSrv"
	callbackService = "callbackSrv"
	errorService    = "errorHandlingSrv"
	relayName       = "-relay-"
	responseName    = "response"
	errorName       = "error"
)

// A run is a script that somebody waits for. It answers what the script asks of its
// initiator.
type run struct {
	client *Client
	id     string // of the particle
	ttl    time.Duration
	script Script
	end    chan ending // holds the first ending
	// refused is why data that came for the particle was not taken, the latest time.
	refused atomic.Pointer[string]
}

type ending struct {
	result *Result
	err    error
}

func (r *run) timeout(waiting []interpreter.Wait) *TimeoutError {
	e := &TimeoutError{ParticleID: r.id, TTL: r.ttl, Relay: r.client.relay, Waiting: waiting}
	if refused := r.refused.Load(); refused != nil {
		e.Refused = text.Cut(*refused, maxRefused)
	}
	return e
}

// maxRefused is how much an error shows of what was wrong with data: relays make it.
const maxRefused = 300

func (r *run) finish(result *Result, err error) {
	select {
	case r.end <- ending{result, err}:
	default: // it has ended before
	}
}

// Call implements [services.Handler].
func (r *run) Call(ctx context.Context, c *services.Call) (value.Value, error) {
	switch c.Service {
	case dataService:
		return r.data(c)
	case callbackService:
		return r.callback(ctx, c)
	case errorService:
		if c.Function == errorName {
			r.finish(nil, errorOf(r.id, c.Args))
			return value.Object(nil), nil
		}
	}
	return value.Value{}, services.Errorf("Service with id '%s' not found (function %s)", c.Service, c.Function)
}

func (r *run) data(c *services.Call) (value.Value, error) {
	if c.Function == relayName {
		return value.String(r.client.relay), nil
	}
	if v, ok := r.script.Data[c.Function]; ok {
		return v, nil
	}
	return value.Value{}, services.Errorf("no value was given for the argument %q of the script", strings.TrimSuffix(c.Function, "-arg"))
}

func (r *run) callback(ctx context.Context, c *services.Call) (value.Value, error) {
	if c.Function == responseName {
		r.finish(&Result{ParticleID: r.id, Values: c.Args}, nil)
		return value.Object(nil), nil
	}
	if f := r.script.Callbacks[c.Function]; f != nil {
		return f(ctx, c.Args)
	}
	return value.Value{}, services.Errorf("no function was given for the argument %q of the script", c.Function)
}

// Error is an error that a script reported or that the interpreter had with it.
type Error struct {
	ParticleID  string      `json:"particleId"`
	PeerID      string      `json:"peerId,omitempty"` // where it happened
	Code        int64       `json:"code,omitempty"`
	Message     string      `json:"message"`
	Instruction string      `json:"instruction,omitempty"`
	Value       value.Value `json:"-"` // what was reported
}

func (e *Error) Error() string {
	where := ""
	if e.PeerID != "" {
		where = " on peer " + e.PeerID
	}
	return fmt.Sprintf("particle %s failed%s: %s", e.ParticleID, where, e.Message)
}

// errorOf reads what errorHandlingSrv was given: an error object of AIR, or any value.
func errorOf(id string, args []value.Value) *Error {
	e := &Error{ParticleID: id, Message: "the script reported an error without a value"}
	if len(args) == 0 {
		return e
	}
	e.Value = args[0]
	e.Message = args[0].Text()
	text := func(name string) (s string) {
		if f, ok := args[0].Field(name); ok {
			s, _ = f.AsString()
		}
		return s
	}
	if message := text("message"); message != "" {
		e.Message = message
	}
	e.PeerID, e.Instruction = text("peer_id"), text("instruction")
	if f, ok := args[0].Field("error_code"); ok {
		e.Code, _ = f.AsInt64()
	}
	return e
}

// TimeoutError is the end of a script whose time ran out.
type TimeoutError struct {
	ParticleID string
	TTL        time.Duration
	Relay      string             // the peer id of the client's relay
	Refused    string             // why data that came was not taken; empty: none came, or it was taken
	Waiting    []interpreter.Wait // what the client could not go on with
}

func (e *TimeoutError) Error() string {
	text := fmt.Sprintf("particle %s got no answer within %s through the relay %s", e.ParticleID, e.TTL, e.Relay)
	if e.Refused != "" {
		text += "\ndata that came was refused: " + e.Refused
	}
	for _, w := range e.Waiting {
		text += fmt.Sprintf("\nwaiting at %s: %s", strings.TrimSpace(w.Instruction), w.Reason)
	}
	return text
}
