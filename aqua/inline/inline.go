// Package inline turns checked functions into trees of steps that call services
// only: a function is copied to where it is called, closures and abilities
// disappear, expressions become steps.
//
// [Export] wraps a function for its host: the script fetches the relay and the
// arguments from the host, runs the body and returns results and errors to it.
//
// Each copy of a function renames what its body defines: a name that is not used
// yet stays as it is, later ones become name-0, name-1 and so on. Steps and names
// are those of the published compiler where its code is right; comments name the
// exceptions.
package inline

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/step"
	"github.com/aquanode/aquanode/aqua/types"
)

// Options are switches of the generated code.
type Options struct {
	NoRelay       bool // the initiator is reached directly
	NoXor         bool // no error handling around on and if
	EmptyResponse bool // respond although there are no results
	Tracing       bool // report entering and leaving of functions
}

// maxSteps bounds the work for one exported function: functions that call others
// twice can describe programs of any size in a few lines. 200 thousand steps
// make a script of some 20 MB, more than a particle can carry.
const maxSteps = 200_000

// failure is a panic that unwinds the inliner and becomes the error of [Export].
type failure string

func (f failure) Error() string { return string(f) }

// Export returns the tree of an exported function and the place where it starts.
func Export(fn *ir.Func, opts Options) (root *step.Node, start *step.OnOp, err error) {
	in := &inliner{
		opts: opts, used: map[string]bool{}, counts: map[string]int{}, blockOf: map[string]int{},
	}
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			root, start, err = nil, nil, f
		}
	}()
	return in.export(fn), in.initiator(), nil
}

// inliner works on one exported function.
type inliner struct {
	opts    Options
	used    map[string]bool
	counts  map[string]int
	streams []string       // declared in the current block, to be restricted to it
	blockOf map[string]int // the block that declares a stream
	blocks  int            // blocks begun
	current int            // the block that steps are made for
	steps   int
}

// step counts a piece of work.
func (in *inliner) step() {
	in.steps++
	if in.steps > maxSteps {
		panic(failure(fmt.Sprintf(
			"too large: with the functions that it calls, it has more than %d steps", maxSteps)))
	}
}

// fresh returns a name that is not used yet.
func (in *inliner) fresh(stem string) string {
	name := stem
	for in.used[name] {
		n := in.counts[stem]
		in.counts[stem]++
		name = fmt.Sprintf("%s-%d", stem, n)
	}
	in.used[name] = true
	return name
}

// binding is the meaning of a name: a value, an arrow or an ability.
type binding struct {
	step.Operand
	arrow   *arrow
	ability map[string]binding
}

// arrow is a function value. One of fn, service and callback is set.
type arrow struct {
	fn   *ir.Func
	env  *env       // names the function captures
	mark *step.Node // where a closure was made; nil for an arrow that runs where it is called

	service  *step.Operand // id
	name     string        // function of the service
	title    string        // name for tracing
	results  []types.Type
	callback string // name of an argument of the exported function
}

// env holds the names of one copy of a function.
type env struct {
	vars   map[string]binding
	rename map[string]string
	outer  *env // of closures
}

func (e *env) find(name string) (binding, bool) {
	for ; e != nil; e = e.outer {
		if b, ok := e.vars[name]; ok {
			return b, true
		}
	}
	return binding{}, false
}

// name returns the fresh name of a defined name.
func (e *env) name(defined string) string { return e.rename[defined] }

// code is a list of steps that run in sequence.
type code []*step.Node

// node joins the steps into one, nil if there are none.
func (c code) node() *step.Node {
	if len(c) == 0 {
		return nil
	}
	return step.Seq(c...)
}

// parallel runs independent computations side by side.
func parallel(parts []code) code {
	var nodes []*step.Node
	for _, p := range parts {
		if n := p.node(); n != nil {
			nodes = append(nodes, n)
		}
	}
	switch len(nodes) {
	case 0:
		return nil
	case 1:
		for _, p := range parts {
			if len(p) > 0 {
				return p
			}
		}
	}
	return code{step.Par(nodes...)}
}

var initPeer = step.Lit("%init_peer_id%")

const relayName = "-relay-"

// initiator returns the place where an exported function starts.
func (in *inliner) initiator() *step.OnOp {
	on := &step.OnOp{Peer: initPeer}
	if !in.opts.NoRelay {
		on.Via = []step.Operand{step.Var(relayName)}
	}
	return on
}

func call(service, function string, out *step.Operand, args ...step.Operand) *step.Node {
	return step.Call(step.Text(service), step.Text(function), out, args...)
}

func getData(name, out string) *step.Node {
	v := step.Var(out)
	return call("getDataSrv", name, &v)
}

// export wraps a function:
//
//	(xor
//	 (seq fetch the relay and the arguments, body, respond)
//	 (call %init_peer_id% ("errorHandlingSrv" "error") [:error: 0]))
func (in *inliner) export(fn *ir.Func) *step.Node {
	var steps code
	if !in.opts.NoRelay {
		steps = append(steps, getData(relayName, relayName))
	}
	var args []binding
	for _, a := range fn.Type.Args {
		arg, fetch := in.argument(a)
		args = append(args, arg)
		steps = append(steps, fetch...)
	}
	results, body := in.call(&arrow{fn: fn, title: fn.Name}, args)
	steps = append(steps, in.traced(fn.Name, body)...)
	steps = append(steps, in.respond(fn, results)...)
	return step.Xor(
		in.restrict(step.Seq(steps...)),
		call("errorHandlingSrv", "error", nil, step.Var(step.ErrorName), step.Lit("0")))
}

// argument fetches an argument. Arrows become callbacks; a stream is filled
// from an array.
func (in *inliner) argument(a types.Field) (binding, code) {
	name := "-" + a.Name + "-arg-"
	switch t := a.Type.(type) {
	case *types.Arrow:
		return binding{arrow: &arrow{
			callback: a.Name, results: t.Results, title: "init_peer_callable_" + a.Name,
		}}, nil
	case types.Stream:
		items := in.fresh(a.Name + "-iter")
		item := in.fresh(in.fresh(a.Name + "-item"))
		stream := step.StreamVar(name)
		return binding{Operand: stream}, code{
			getData(a.Name, items),
			step.Fold(step.Var(items), item, step.Seq(
				step.Ap(step.Var(item), stream),
				step.Next(item))),
		}
	}
	return binding{Operand: step.Var(name)}, code{getData(a.Name, name)}
}

func (in *inliner) respond(fn *ir.Func, results []binding) code {
	if len(results) == 0 && !in.opts.EmptyResponse {
		return nil
	}
	var freeze []code
	var args []step.Operand
	for _, r := range results {
		o, c := in.frozen(r.Operand)
		freeze = append(freeze, c)
		args = append(args, o)
	}
	return append(parallel(freeze), call("callbackSrv", "response", nil, args...))
}

// restrict limits the streams of the current block to a node. Those declared first
// are innermost.
func (in *inliner) restrict(n *step.Node) *step.Node {
	for _, s := range in.streams {
		n = step.New(step.StreamVar(s), n)
	}
	in.streams = nil
	return n
}

// block returns the steps that make returns as one node, with the streams that
// they declare restricted to it; nil if they do nothing.
func (in *inliner) block(make func() code) *step.Node {
	outer, outerBlock := in.streams, in.current
	in.blocks++
	in.streams, in.current = nil, in.blocks
	n := make().node()
	if n.Idle() {
		n = nil
	} else {
		n = in.restrict(n)
	}
	in.streams, in.current = outer, outerBlock
	return n
}
