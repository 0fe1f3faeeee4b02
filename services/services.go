// Package services runs the service calls of a peer.
//
// The interpreter turns (call peer ("service" "function") [args] out) into a call request.
// The node makes a [Call] of it and hands it to the [Registry], which finds the service,
// waits for its turn, runs it and returns a [Result] for the interpreter:
//
//	r := services.New(services.Config{Host: hostPeerID})
//	r.Register("greeter", services.Funcs{"greet": services.Func(greet)})
//	r.Start(ctx, call, func(result services.Result) { ... })
//
// A service is a [Handler]. [Funcs] makes one of typed Go functions, [HandlerFunc] of one that
// reads its arguments itself.
//
// # Which service answers
//
//  1. a service of every scope ([Everywhere], the built-in functions) that knows the function;
//  2. a service of the call's scope, by id, then by alias;
//  3. the call's own Closure, if the embedding program gave one;
//  4. nobody: "Service with id 's' not found (function f)".
//
// A scope is the host or one worker, named by its peer id. Services are registered in the scope of
// the host unless [In] says otherwise. Scopes do not see each other's services and aliases. Since
// rule 1 looks at the function too, a service may take the id or alias of a built-in one, and gets
// the calls to functions that the built-in service does not have.
//
// # Order and parallelism
//
// One instance does one job at a time, in the order of arrival; scripts may rely on it.
// Different services run in parallel. [Registry.Start] takes the place in the queue before it
// returns, so that a caller can fix the order, and answers later through a function. Services
// without state are registered as [Concurrent] and are not queued.
//
// A call has a goroutine only while its handler runs. One that waits for its turn is an entry of
// a list; a [Starter] answers at once, or waits in [Registry.After], which has one timer for all.
//
// # Deadlines
//
// The caller's context ends with the particle. A waiting call leaves the queue then, and a running
// one finds its context done. A handler that has not returned
// [Grace] later is given up: its call is answered with an error, it is listed in [Registry.Stuck]
// until it returns, and the service goes on without it if it is a [Renewer]. If it is not, or has
// too many of these, its calls are refused until one returns.
//
// # Errors
//
// A handler's error becomes return code 1 and the JSON string of its text. An [Error] chooses
// another code or a JSON body. A panic is an error of that one call: it is logged with its
// stack and counted. Texts of callers are cut ([Cut]) before they get into errors, logs and
// counters.
//
// # Memory
//
// A handler whose result or working memory may be larger than its arguments asks [Call.Grow]
// before it allocates.
package services

import (
	"context"
	"fmt"

	"github.com/aquanode/aquanode/interpreter/value"
)

// A Call is one call request of a particle, as a service sees it.
type Call struct {
	ParticleID string
	InitPeerID string
	HostPeerID string // peer id of the scope the call runs in: the host's or a worker's
	Timestamp  uint64 // ms since the epoch, as the init peer wrote it
	TTL        uint32 // ms
	Signature  []byte // of the particle

	Service  string // id or alias, as the script wrote it
	Function string
	Args     []value.Value
	// Tetraplets are the origins of each argument: one for a scalar, one per element for a
	// canonicalised stream.
	Tetraplets [][]value.Tetraplet

	// Memory is the account of the particle; nil: there is none.
	Memory Memory

	// Closure answers what no service does. It serves programs that embed a peer and bind
	// functions to a particle of their own; calls to it are not queued.
	Closure Handler
}

// Memory is an account that handlers ask before they allocate.
type Memory interface {
	// Grow reserves n bytes, or returns an error that names the limit and reserves none. A
	// negative n releases and never fails.
	Grow(n int64) error
}

// Grow asks for memory; see [Memory].
func (c *Call) Grow(n int64) error {
	if c.Memory == nil {
		return nil
	}
	return c.Memory.Grow(n)
}

// A Result is what the interpreter is told: RetCode 0 and a JSON value, or another code and
// the JSON text of an error.
type Result struct {
	RetCode int32
	Result  string
}

// A Handler answers calls. It may be called by several goroutines at once only when it was
// registered as [Concurrent].
type Handler interface {
	Call(ctx context.Context, c *Call) (value.Value, error)
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(ctx context.Context, c *Call) (value.Value, error)

// Call calls f.
func (f HandlerFunc) Call(ctx context.Context, c *Call) (value.Value, error) { return f(ctx, c) }

// A Signature describes a function of a service to callers. Types are written as in the
// interfaces of wasm modules: string, u64, []T, ...; "any" is a value of any type.
type Signature struct {
	Name      string
	Arguments []Parameter
	Outputs   []string
}

// A Parameter is a named argument of a function.
type Parameter struct{ Name, Type string }

// A Describer is a Handler that knows the signatures of its functions.
type Describer interface{ Signatures() []Signature }

// An Error is a service error with more than a text.
type Error struct {
	RetCode int32  // 0 stands for 1
	Message string // reported as a JSON string
	JSON    string // reported instead of Message when not empty; JSON text
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.JSON
	}
	return e.Message
}

// result reports the error; text is its own or that of an error which wraps it.
func (e *Error) result(text string) Result {
	r := Result{RetCode: e.RetCode, Result: e.JSON}
	if r.RetCode == 0 {
		r.RetCode = 1
	}
	if r.Result == "" {
		r.Result = value.String(text).Text()
	}
	return r
}

// Errorf is an Error with return code 1 and a text.
func Errorf(format string, args ...any) *Error {
	return &Error{RetCode: 1, Message: fmt.Sprintf(format, args...)}
}
