// Package inline turns checked functions into trees in which nothing is left
// to call but services: every function is put where it is called, closures and
// abilities disappear, expressions become steps.
//
// [Export] wraps a function for the outside world: it fetches the relay and the
// arguments from the host, runs the body and hands results and errors back.
//
// Each use of a function gives the names of its body fresh names: a name that
// was not used yet stays as it is, later ones become name-0, name-1 and so on.
// Steps and names are those of the published compiler wherever that is right;
// the exceptions are listed at the places where they are made.
package inline

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/topology"
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

// failure is what a function cannot be inlined for; it unwinds the inliner.
type failure string

func (f failure) Error() string { return string(f) }

// Export makes the tree of an exported function and the place it starts at.
func Export(fn *ir.Func, opts Options) (root *topology.Node, start *topology.On, err error) {
	in := &inliner{opts: opts, used: map[string]bool{}, counts: map[string]int{}, blockOf: map[string]int{}}
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
		panic(failure(fmt.Sprintf("it is too large: inlined it has more than %d steps", maxSteps)))
	}
}

// fresh gives a name that was not used before.
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

// binding is what a name means: a value, an arrow or an ability.
type binding struct {
	topology.Operand
	arrow   *arrow
	ability map[string]binding
}

// arrow is a function value. One of fn, service and callback is set.
type arrow struct {
	fn   *ir.Func
	env  *env           // names the function captures
	mark *topology.Node // where a closure was made, nil for functions that run where they are called

	service  *topology.Operand // id
	name     string            // function of the service
	title    string            // name for tracing
	results  []types.Type
	callback string // name of an argument of the exported function
}

// env is the names of one use of a function.
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

// name is the fresh name of a defined name.
func (e *env) name(defined string) string { return e.rename[defined] }

// code is the steps that compute a value, with what it is then.
type code []*topology.Node

func seq(kids ...*topology.Node) *topology.Node {
	if len(kids) == 1 {
		return kids[0]
	}
	return topology.NewNode(&topology.Seq{}, kids...)
}

// node makes the steps one, or nil if there are none.
func (c code) node() *topology.Node {
	if len(c) == 0 {
		return nil
	}
	return seq(c...)
}

// parallel runs independent computations side by side.
func parallel(parts []code) code {
	var nodes []*topology.Node
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
	return code{topology.NewNode(&topology.Par{}, nodes...)}
}

var initPeer = topology.Lit("%init_peer_id%")

const relayName = "-relay-"

// initiator is the place an exported function starts at.
func (in *inliner) initiator() *topology.On {
	on := &topology.On{Peer: initPeer}
	if !in.opts.NoRelay {
		on.Via = []topology.Operand{topology.Var(relayName)}
	}
	return on
}

func text(s string) topology.Operand { return topology.Lit(`"` + s + `"`) }

func call(service, function string, out *topology.Operand, args ...topology.Operand) *topology.Node {
	return topology.NewNode(&topology.Call{Service: text(service), Function: text(function), Args: args, Out: out})
}

func getData(name, out string) *topology.Node {
	v := topology.Var(out)
	return call("getDataSrv", name, &v)
}

// export wraps a function:
//
//	(xor
//	 (seq fetch the relay and the arguments, body, respond)
//	 (call %init_peer_id% ("errorHandlingSrv" "error") [:error: 0]))
func (in *inliner) export(fn *ir.Func) *topology.Node {
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
	return topology.NewNode(&topology.Xor{},
		in.restrict(seq(steps...)),
		call("errorHandlingSrv", "error", nil, topology.Var(":error:"), topology.Lit("0")))
}

// argument fetches an argument. Arrows become callbacks; a stream is filled
// from an array.
func (in *inliner) argument(a types.Field) (binding, code) {
	name := "-" + a.Name + "-arg-"
	switch t := a.Type.(type) {
	case *types.Arrow:
		return binding{arrow: &arrow{callback: a.Name, results: t.Results, title: "init_peer_callable_" + a.Name}}, nil
	case types.Stream:
		items := in.fresh(a.Name + "-iter")
		item := in.fresh(in.fresh(a.Name + "-item"))
		stream := topology.Operand{Sort: topology.Stream, Name: name}
		return binding{Operand: stream}, code{
			getData(a.Name, items),
			topology.NewNode(&topology.Fold{In: topology.Var(items), Item: item}, seq(
				topology.NewNode(&topology.Ap{Arg: topology.Var(item), Out: stream}),
				topology.NewNode(&topology.Next{Item: item}))),
		}
	}
	return binding{Operand: topology.Var(name)}, code{getData(a.Name, name)}
}

func (in *inliner) respond(fn *ir.Func, results []binding) code {
	if len(results) == 0 && !in.opts.EmptyResponse {
		return nil
	}
	var freeze []code
	var args []topology.Operand
	for _, r := range results {
		o, c := in.frozen(r.Operand)
		freeze = append(freeze, c)
		args = append(args, o)
	}
	return append(parallel(freeze), call("callbackSrv", "response", nil, args...))
}

// restrict limits the streams declared in the current block to a node and
// starts afresh. Streams declared first are innermost.
func (in *inliner) restrict(n *topology.Node) *topology.Node {
	for _, s := range in.streams {
		n = topology.NewNode(&topology.New{Var: topology.Operand{Sort: topology.Stream, Name: s}}, n)
	}
	in.streams = nil
	return n
}

// idle tells whether nothing happens in a node. Marks may be in it.
func idle(n *topology.Node) bool {
	if n == nil {
		return true
	}
	switch n.Op.(type) {
	case *topology.Mark, *topology.Null:
		return true
	case *topology.Seq, *topology.New, *topology.At:
		for _, k := range n.Kids {
			if !idle(k) {
				return false
			}
		}
		return true
	}
	return false
}

// block makes a node of steps in which streams may be declared; make appends
// what belongs inside the restriction. It is nil when there is nothing in it.
func (in *inliner) block(make func() code) *topology.Node {
	outer, outerBlock := in.streams, in.current
	in.blocks++
	in.streams, in.current = nil, in.blocks
	n := make().node()
	if idle(n) {
		n = nil
	} else {
		n = in.restrict(n)
	}
	in.streams, in.current = outer, outerBlock
	return n
}
