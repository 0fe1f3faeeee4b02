package inline

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/topology"
	"github.com/aquanode/aquanode/aqua/types"
)

// op inlines a step of a body.
func (in *inliner) op(op ir.Op, e *env) code {
	in.step()
	switch op := op.(type) {
	case *ir.Seq:
		var steps code
		for _, s := range op.Steps {
			steps = append(steps, in.op(s, e)...)
		}
		return steps
	case *ir.Par:
		return in.par(op, e)
	case *ir.Co:
		body := in.op(op.Body, e)
		if idle(body.node()) {
			return body
		}
		return code{topology.NewNode(&topology.Par{Detached: true}, body.node())}
	case *ir.On:
		return in.on(op, e)
	case *ir.If:
		return in.ifOp(op, e)
	case *ir.Try:
		return in.try(op, e)
	case *ir.For:
		return in.loop(op, e)
	case *ir.Declare:
		name := e.name(op.Name)
		e.vars[op.Name] = binding{Operand: in.stream(name)}
		return nil
	case *ir.Assign:
		b, c := in.value(op.Value, e, true)
		e.vars[op.Name] = b
		return c
	case *ir.Invoke:
		return in.invoke(op, e)
	case *ir.Push:
		return in.push(op, e)
	case *ir.Join:
		return in.join(op, e)
	case *ir.Closure:
		return in.closure(op, e)
	}
	panic(fmt.Sprintf("inline: unknown op %T", op))
}

// stream declares a stream in the current block.
func (in *inliner) stream(name string) topology.Operand {
	if block, ok := in.blockOf[name]; !ok || block != in.current {
		in.blockOf[name] = in.current
		in.streams = append(in.streams, name)
	}
	return topology.Operand{Sort: topology.Stream, Name: name}
}

func null() *topology.Node { return topology.NewNode(&topology.Null{}) }

// par: an empty branch is dropped, the other stays parallel to nothing.
func (in *inliner) par(op *ir.Par, e *env) code {
	l, r := in.op(op.Left, e), in.op(op.Right, e)
	left, right := l.node(), r.node()
	switch {
	case idle(left) && idle(right):
		return append(l, r...)
	case idle(left):
		return append(l, topology.NewNode(&topology.Par{}, right, null()))
	case idle(right):
		return append(r, topology.NewNode(&topology.Par{}, left, null()))
	}
	if p, ok := left.Op.(*topology.Par); ok && !p.Detached {
		left.Kids = append(left.Kids, right) // a par b par c is one par of three
		return code{left}
	}
	return code{topology.NewNode(&topology.Par{}, left, right)}
}

// on carries the particle back when its body fails, and fails again:
//
//	(xor BODY (seq hops (fail :error:)))
func (in *inliner) on(op *ir.On, e *env) code {
	place, c := in.place(op, e)
	return append(c, in.guarded(place, in.op(op.Body, e)))
}

func (in *inliner) guarded(place *topology.On, body code) *topology.Node {
	n := topology.NewNode(place, body...)
	if in.opts.NoXor {
		return n
	}
	return topology.NewNode(&topology.Xor{}, n, rethrow())
}

func rethrow() *topology.Node {
	return topology.NewNode(&topology.Fail{Of: topology.Var(":error:")})
}

// place computes the peer and the relays of an on.
func (in *inliner) place(op *ir.On, e *env) (*topology.On, code) {
	peer, c := in.value(op.Peer, e, false)
	parts := []code{c}
	on := &topology.On{Peer: peer.Operand}
	var freeze code
	for _, v := range op.Via {
		r, c := in.value(v, e, false)
		parts = append(parts, c)
		o, f := in.frozen(r.Operand)
		freeze = append(freeze, f...)
		_, many := types.Elem(v.Type())
		o.Many = many && !types.IsDynamic(v.Type())
		on.Via = append(on.Via, o)
	}
	return on, append(parallel(parts), freeze...)
}

// Codes of the errors that match and mismatch fail with.
const (
	matchFailed    = "10001"
	mismatchFailed = "10002"
)

// ifOp compares and runs a branch. An error of a branch is not taken for a
// false condition: it is kept and raised again.
//
// The published compiler drops an empty branch before it tells the two apart,
// so that "if c: nothing else: x" runs x when c is true. Here an empty branch
// stays where it is.
func (in *inliner) ifOp(op *ir.If, e *env) code {
	match, c := in.condition(op.Cond, e)
	then := in.branch(op.Then, e)
	other := in.branch(op.Else, e)
	if then == nil && other == nil {
		return c
	}
	if then == nil {
		then = null()
	}
	test := topology.NewNode(match, then)
	if in.opts.NoXor {
		if other == nil {
			other = null()
		}
		return append(c, topology.NewNode(&topology.Xor{}, test, other))
	}
	return append(c, ifElse(test, other, match.Differ))
}

func (in *inliner) branch(op ir.Op, e *env) *topology.Node {
	if op == nil {
		return nil
	}
	return in.block(func() code { return in.op(op, e) })
}

func scalar(name string) topology.Operand { return topology.Var(name) }

func keep(from, to string) *topology.Node {
	return topology.NewNode(&topology.Ap{Arg: scalar(from), Out: scalar(to)})
}

func fail(name string) *topology.Node { return topology.NewNode(&topology.Fail{Of: scalar(name)}) }

// errorIs runs n if the current error has a code.
func errorIs(code string, n *topology.Node) *topology.Node {
	field := scalar(":error:").With(topology.Step{Field: "error_code"})
	return topology.NewNode(&topology.Match{L: field, R: topology.Lit(code)}, n)
}

func restricted(n *topology.Node, names ...string) *topology.Node {
	for _, name := range names {
		n = topology.NewNode(&topology.New{Var: scalar(name)}, n)
	}
	return n
}

func xor(a, b *topology.Node) *topology.Node { return topology.NewNode(&topology.Xor{}, a, b) }

func ifElse(test, other *topology.Node, differ bool) *topology.Node {
	code := matchFailed
	if differ {
		code = mismatchFailed
	}
	const ifError, elseError, both = "-if-error-", "-else-error-", "-if-else-error-"
	if other == nil {
		return restricted(xor(test, seq(
			keep(":error:", ifError),
			xor(errorIs(code, null()), fail(ifError)))), ifError)
	}
	return restricted(xor(test, seq(
		keep(":error:", ifError),
		xor(errorIs(code, other), seq(
			keep(":error:", elseError),
			xor(errorIs(matchFailed, keep(ifError, both)), keep(elseError, both)),
			fail(both))))), ifError, elseError, both)
}

// condition is a comparison if that is what is written, else a test for true.
func (in *inliner) condition(v ir.Value, e *env) (*topology.Match, code) {
	b, ok := v.(*ir.Binary)
	if !ok || b.Op != "==" && b.Op != "!=" {
		o, c := in.value(v, e, false)
		return &topology.Match{L: o.Operand, R: topology.Lit("true")}, c
	}
	l, lc := in.data(b.L, e, false)
	r, rc := in.data(b.R, e, false)
	return &topology.Match{L: l, R: r, Differ: b.Op == "!="}, parallel([]code{lc, rc})
}

// try: what cannot fail, because nothing is left of it, needs no handler.
func (in *inliner) try(op *ir.Try, e *env) code {
	body := in.block(func() code { return in.op(op.Body, e) })
	handler := in.branch(op.Handler, e)
	switch {
	case body == nil:
		return nil
	case handler == nil:
		handler = null()
	}
	return code{xor(body, handler)}
}

// loop is a fold; see the forms at its end. Iterating nothing vanishes.
func (in *inliner) loop(op *ir.For, e *env) code {
	items, c := in.value(op.In, e, false)
	o := items.Operand
	if op.Mode != ir.Recursive {
		f, freeze := in.frozen(o)
		o, c = f, append(c, freeze...)
	}
	item := in.fresh(e.name(op.Item))
	e.vars[op.Item] = binding{Operand: scalar(item)}
	body := in.block(func() code { return in.loopBody(op, e, item) })
	if o.Sort == topology.Literal {
		return c
	}
	if body == nil {
		body = null()
	}
	fold := topology.NewNode(&topology.Fold{In: o, Item: item, Never: op.Mode != ir.InSeq && op.Mode != ir.UntilSuccess}, body)
	if op.Mode == ir.InPar || op.Mode == ir.Recursive {
		return code{topology.NewNode(&topology.Par{Detached: true}, append(c, fold).node())}
	}
	return append(c, fold)
}

// loopBody is the body with the step to the next item.
func (in *inliner) loopBody(op *ir.For, e *env, item string) code {
	next := topology.NewNode(&topology.Next{Item: item})
	if op.Mode == ir.UntilSuccess {
		body := in.branch(op.Body, e)
		if body == nil {
			return nil
		}
		return code{xor(body, next)}
	}
	body := in.op(op.Body, e)
	if op.Mode == ir.ParSeq {
		place, c := in.place(op.Place, e)
		place.ToRelay = true
		body = append(c, in.guarded(place, body))
	}
	n := body.node()
	switch {
	case op.Mode == ir.InSeq:
		return append(body, next)
	case idle(n):
		return code{topology.NewNode(&topology.Par{}, next, null())}
	}
	return code{topology.NewNode(&topology.Par{}, n, next)}
}

// invoke calls a function and gives its results their names.
func (in *inliner) invoke(op *ir.Invoke, e *env) code {
	return in.callValue(op.Call, e, func(results []binding) (pushes code) {
		for i, t := range op.Targets {
			if !t.Push {
				e.vars[t.Name] = results[i]
				continue
			}
			stream, _ := e.find(t.Name)
			pushes = append(pushes, topology.NewNode(&topology.Ap{Arg: results[i].Operand, Out: stream.Operand}))
		}
		return pushes
	})
}

func (in *inliner) push(op *ir.Push, e *env) code {
	v, c := in.value(op.Value, e, false)
	stream, _ := e.find(op.Stream)
	return append(c, in.append(v.Operand, stream.Operand)...)
}

// append adds a value to a stream; a stream is added as an array.
func (in *inliner) append(o, stream topology.Operand) code {
	if o.Sort != topology.Stream {
		return code{topology.NewNode(&topology.Ap{Arg: o, Out: stream})}
	}
	canon := topology.Operand{Sort: topology.Canonical, Name: in.fresh("push-to-stream")}
	return code{
		topology.NewNode(&topology.Canon{From: o, Out: canon}),
		topology.NewNode(&topology.Ap{Arg: canon, Out: stream}),
	}
}

func (in *inliner) join(op *ir.Join, e *env) code {
	var parts []code
	for _, v := range op.Values {
		_, c := in.value(v, e, false)
		parts = append(parts, c)
	}
	return parallel(parts)
}

func (in *inliner) closure(op *ir.Closure, e *env) code {
	a := &arrow{fn: op.Func, env: e, title: op.Name}
	e.vars[op.Name] = binding{arrow: a}
	if op.Detached {
		return nil
	}
	a.mark = topology.NewNode(&topology.Mark{})
	return code{a.mark}
}
