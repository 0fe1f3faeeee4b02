// Package runs has what peers and clients take and return when they run a script of their own:
// [Script], [Result], and the errors [Error] and [TimeoutError].
//
//	result, err := peer.Run(ctx, runs.Script{Aqua: `greet("bob")`})
//
// # What a script can ask of who runs it
//
//	getDataSrv "-relay-"          the relay's peer id; a node is its own relay
//	getDataSrv NAME               Script.Data[NAME]
//	callbackSrv NAME              Script.Callbacks[NAME]
//	callbackSrv "response"        ends the run with the arguments as result
//	errorHandlingSrv "error"      ends the run with an [Error]
//
// A script compiled from Aqua does all of that by itself. These names belong to one particle:
// another one cannot reach them.
//
// # Endings
//
// A run ends at the first response or error, when the interpreter refuses the script, when the
// peer is closed, or at the deadline with a [TimeoutError] that says what was waited for. Other
// branches of the script may go on after it.
package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/aqua/types"
	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// DefaultTTL is how long scripts may take unless configured.
const DefaultTTL = 10 * time.Second

// Script is a script, in AIR or in Aqua, with what it asks of who runs it.
type Script struct {
	AIR string

	// Aqua is source text. It may be a script with statements outside of functions, which may call
	// functions of the peer's own services without declaring them.
	Aqua string
	// Call names the function to run, with its arguments: `greet("bob", n)`. They are literals,
	// lists of literals, and names of Data. It may be empty where there is only one thing to run.
	Call string
	// Peers are names in the source that stand for peer ids.
	Peers map[string]string

	// Data are values by name, as [value.FromGo] takes them.
	Data map[string]any
	// Callbacks are the arguments of the function that are functions, by name.
	Callbacks map[string]Callback

	TTL time.Duration // DefaultTTL, or what the peer is configured to, when 0
	// NoResult says that the script does not respond: its run ends when there is nothing more to
	// do here.
	NoResult bool

	function *aqua.Function // nil: the types are not known
}

// A Callback is a function that a script calls where it is run.
type Callback = func(ctx context.Context, args []value.Value) (value.Value, error)

// Errors of Of.
var (
	ErrNothing = errors.New("nothing to run: write statements outside of functions, or export a function")
	ErrNoCall  = errors.New("several functions, or one with arguments: choose one with a call")
)

// Compile compiles Aqua to AIR and checks the data. Run does it for scripts that are not compiled.
// known lists functions by service ID, which the source may call without declaring them; it may be
// nil. Data of a compiled script are the arguments of the function, in the form of AIR: ?T is a list.
func (s Script) Compile(known map[string][]string) (Script, error) {
	if s.AIR != "" && s.Aqua != "" {
		return Script{}, errors.New("a script is AIR or Aqua, not both")
	}
	for name, x := range s.Data {
		if _, err := value.FromGo(x); err != nil {
			return Script{}, fmt.Errorf("data %q: %w", name, err)
		}
	}
	if s.Aqua == "" {
		return s, nil
	}
	options := aqua.Options{
		Script: true, EmptyResponse: true, Peers: s.Peers, Call: s.Call,
		Data: map[string]json.RawMessage{},
	}
	for name, x := range s.Data {
		v, _ := value.FromGo(x) // checked before
		options.Data[name] = json.RawMessage(v.Text())
	}
	for _, id := range slices.Sorted(maps.Keys(known)) {
		options.Services = append(options.Services, aqua.ServiceInfo{ID: id, Functions: known[id]})
	}
	r, err := aqua.Compile(aqua.Source{Path: "script.aqua", Text: s.Aqua}, options)
	if err != nil {
		return Script{}, err
	}
	compiled, err := Of(r)
	if err != nil {
		return Script{}, err
	}
	compiled.Callbacks, compiled.TTL, compiled.NoResult = s.Callbacks, s.TTL, s.NoResult
	return compiled, nil
}

// Of returns the script to run of a compiled source: its call, or its statements outside of
// functions, or the only function, if that takes no values. Values of results and callbacks are converted by their
// types, see [aqua.FromAqua].
func Of(r *aqua.Result) (Script, error) {
	switch {
	case r.Call != nil:
		s := of(r.Call.Function)
		for _, arg := range r.Call.Args {
			v, err := value.Parse(string(arg.JSON))
			if err != nil {
				return Script{}, fmt.Errorf("argument %s: %w", arg.Name, err)
			}
			s.Data[arg.Name] = v
		}
		return s, nil
	case r.Main != nil:
		return of(r.Main), nil
	case len(r.Functions) == 0:
		return Script{}, ErrNothing
	case len(r.Functions) == 1 && !slices.ContainsFunc(r.Functions[0].Args, isValue):
		return of(&r.Functions[0]), nil
	}
	return Script{}, ErrNoCall
}

func isValue(a aqua.Arg) bool { return !a.Callback }

func of(f *aqua.Function) Script {
	return Script{AIR: f.AIR, Data: map[string]any{}, function: f}
}

// Function is the compiled function of a script in Aqua, nil for other scripts.
func (s *Script) Function() *aqua.Function { return s.function }

// CallBack calls the callback of a name. It reports false when there is none.
func (s *Script) CallBack(ctx context.Context, name string, args []value.Value) (v value.Value, ok bool, err error) {
	f := s.Callbacks[name]
	if f == nil {
		return v, false, nil
	}
	t := s.arrow(name)
	if t == nil {
		v, err = f(ctx, args)
		return v, true, err
	}
	args = slices.Clone(args)
	for i := range args {
		if i < len(t.Args) {
			args[i] = fromAqua(t.Args[i].Type, args[i])
		}
	}
	if v, err = f(ctx, args); err != nil || len(t.Results) != 1 {
		return v, true, err
	}
	text, err := aqua.ToAqua(t.Results[0], []byte(v.Text()))
	if err != nil {
		return v, true, fmt.Errorf("result of %s: %w", name, err)
	}
	v, err = value.Parse(string(text))
	return v, true, err
}

// arrow is the type of a callback, nil if it is not known.
func (s *Script) arrow(name string) *types.Arrow {
	if s.function == nil {
		return nil
	}
	for _, a := range s.function.Args {
		if a.Name == name {
			t, _ := a.Type.(*types.Arrow)
			return t
		}
	}
	return nil
}

// Result is the result of a particle with the script, from the arguments of its response.
func (s *Script) Result(particleID string, values []value.Value) *Result {
	if s.function != nil {
		values = slices.Clone(values)
		for i, t := range s.function.Type.Results[:min(len(values), len(s.function.Type.Results))] {
			values[i] = fromAqua(t, values[i])
		}
	}
	return &Result{ParticleID: particleID, Values: values}
}

// fromAqua is a value as clients return it.
func fromAqua(t types.Type, v value.Value) value.Value {
	text, err := aqua.FromAqua(t, []byte(v.Text()))
	if err != nil {
		return v
	}
	out, err := value.Parse(string(text))
	if err != nil {
		return v
	}
	return out
}

// Result is the end of a script that went well.
type Result struct {
	ParticleID string
	Values     []value.Value // arguments of the response
}

// JSON is the result as one value: null for none, the value itself for one, an array of more.
func (r *Result) JSON() value.Value {
	switch len(r.Values) {
	case 0:
		return value.Value{}
	case 1:
		return r.Values[0]
	}
	return value.Array(r.Values)
}

// Decode stores the values of the result in the variables that the pointers point to, see
// [value.Value.Decode].
func (r *Result) Decode(to ...any) error {
	if len(to) != len(r.Values) {
		return fmt.Errorf("the script returned %d values, not %d", len(r.Values), len(to))
	}
	for i, v := range r.Values {
		if err := v.Decode(to[i]); err != nil {
			return fmt.Errorf("result %d: %w", i+1, err)
		}
	}
	return nil
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

// TimeoutError is the end of a script whose time ran out.
type TimeoutError struct {
	ParticleID string
	TTL        time.Duration
	Relay      string             // the peer id of a client's relay
	Refused    string             // why arriving data was refused; empty: it was not
	Unsent     string             // why data was not sent; empty: it was
	Waiting    []interpreter.Wait // instructions that waited, and for what
}

func (e *TimeoutError) Error() string {
	text := fmt.Sprintf("particle %s got no answer within %s", e.ParticleID, e.TTL)
	if e.Relay != "" {
		text += " through the relay " + e.Relay
	}
	if e.Refused != "" {
		text += "\ndata that came was refused: " + e.Refused
	}
	if e.Unsent != "" {
		text += "\ndata was not sent " + e.Unsent
	}
	for _, w := range e.Waiting {
		text += fmt.Sprintf("\nwaiting at %s: %s", strings.TrimSpace(w.Instruction), w.Reason)
	}
	return text
}
