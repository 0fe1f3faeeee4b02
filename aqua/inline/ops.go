package inline

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/step"
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
		if body.node().Idle() {
			return body
		}
		return code{step.Detach(body.node())}
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
func (in *inliner) stream(name string) step.Operand {
	if block, ok := in.blockOf[name]; !ok || block != in.current {
		in.blockOf[name] = in.current
		in.streams = append(in.streams, name)
	}
	return step.StreamVar(name)
}

// par drops an empty branch and keeps the other parallel to null.
func (in *inliner) par(op *ir.Par, e *env) code {
	l, r := in.op(op.Left, e), in.op(op.Right, e)
	left, right := l.node(), r.node()
	switch {
	case left.Idle() && right.Idle():
		return append(l, r...)
	case left.Idle():
		return append(l, step.Par(right, step.Null()))
	case right.Idle():
		return append(r, step.Par(left, step.Null()))
	}
	if p, ok := left.Op.(*step.ParOp); ok && !p.Detached {
		left.Kids = append(left.Kids, right) // a par b par c is one par of three
		return code{left}
	}
	return code{step.Par(left, right)}
}

// on brings the particle back when its body fails, and raises the error again:
//
//	(xor BODY (seq hops (fail :error:)))
func (in *inliner) on(op *ir.On, e *env) code {
	place, c := in.place(op, e)
	return append(c, in.guarded(place, in.op(op.Body, e)))
}

func (in *inliner) guarded(place *step.OnOp, body code) *step.Node {
	n := step.On(place, body...)
	if in.opts.NoXor {
		return n
	}
	return step.Xor(n, rethrow())
}

func rethrow() *step.Node { return step.Fail(step.ErrorName) }

// place computes the peer and the relays of an on.
func (in *inliner) place(op *ir.On, e *env) (*step.OnOp, code) {
	peer, c := in.value(op.Peer, e, false)
	parts := []code{c}
	on := &step.OnOp{Peer: peer.Operand}
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

// Codes of the errors that match and mismatch raise.
const (
	matchFailed    = "10001"
	mismatchFailed = "10002"
)

// ifOp compares and runs a branch. An error of a branch is not taken for a false
// condition: it is saved and raised again.
//
// The published compiler drops an empty branch too early: "if c: nothing else: x"
// runs x when c is true. Here an empty branch keeps its position.
func (in *inliner) ifOp(op *ir.If, e *env) code {
	cond, c := in.condition(op.Cond, e)
	then := in.branch(op.Then, e)
	other := in.branch(op.Else, e)
	if then == nil && other == nil {
		return c
	}
	if then == nil {
		then = step.Null()
	}
	test := cond.node(then)
	if in.opts.NoXor {
		if other == nil {
			other = step.Null()
		}
		return append(c, step.Xor(test, other))
	}
	return append(c, ifElse(test, other, cond.differ))
}

func (in *inliner) branch(op ir.Op, e *env) *step.Node {
	if op == nil {
		return nil
	}
	return in.block(func() code { return in.op(op, e) })
}

func apError(from, to string) *step.Node {
	return step.Ap(step.Var(from), step.Var(to))
}

// errorIs runs n if the last error has a code.
func errorIs(code string, n *step.Node) *step.Node {
	field := step.Var(step.ErrorName).WithField("error_code")
	return step.Match(field, step.Lit(code), n)
}

func restricted(n *step.Node, names ...string) *step.Node {
	for _, name := range names {
		n = step.New(step.Var(name), n)
	}
	return n
}

// ifElse runs test, a match or mismatch with the first branch, or other if it is
// false. Any other error of test or other is saved and raised again.
func ifElse(test, other *step.Node, differ bool) *step.Node {
	code := matchFailed
	if differ {
		code = mismatchFailed
	}
	const ifError, elseError, both = "-if-error-", "-else-error-", "-if-else-error-"
	if other == nil {
		return restricted(step.Xor(test, step.Seq(
			apError(step.ErrorName, ifError),
			step.Xor(errorIs(code, step.Null()), step.Fail(ifError)))), ifError)
	}
	return restricted(step.Xor(test, step.Seq(
		apError(step.ErrorName, ifError),
		step.Xor(errorIs(code, other), step.Seq(
			apError(step.ErrorName, elseError),
			step.Xor(errorIs(matchFailed, apError(ifError, both)), apError(elseError, both)),
			step.Fail(both))))), ifError, elseError, both)
}

// comparison is the test of an if.
type comparison struct {
	l, r   step.Operand
	differ bool
}

func (c comparison) node(body *step.Node) *step.Node {
	return step.Compare(c.l, c.r, c.differ, body)
}

// condition compares the sides of == and != directly, any other value with true.
func (in *inliner) condition(v ir.Value, e *env) (comparison, code) {
	b, ok := v.(*ir.Binary)
	if !ok || b.Op != "==" && b.Op != "!=" {
		o, c := in.value(v, e, false)
		return comparison{l: o.Operand, r: step.Lit("true")}, c
	}
	l, lc := in.data(b.L, e, false)
	r, rc := in.data(b.R, e, false)
	return comparison{l, r, b.Op == "!="}, parallel([]code{lc, rc})
}

// try leaves out the handler of an empty body, which cannot fail.
func (in *inliner) try(op *ir.Try, e *env) code {
	body := in.block(func() code { return in.op(op.Body, e) })
	handler := in.branch(op.Handler, e)
	switch {
	case body == nil:
		return nil
	case handler == nil:
		handler = step.Null()
	}
	return code{step.Xor(body, handler)}
}

// loop is a fold. A loop over an empty literal is left out.
func (in *inliner) loop(op *ir.For, e *env) code {
	items, c := in.value(op.In, e, false)
	o := items.Operand
	if op.Mode != ir.Recursive {
		f, freeze := in.frozen(o)
		o, c = f, append(c, freeze...)
	}
	item := in.fresh(e.name(op.Item))
	e.vars[op.Item] = binding{Operand: step.Var(item)}
	body := in.block(func() code { return in.loopBody(op, e, item) })
	if o.IsLiteral() {
		return c
	}
	if body == nil {
		body = step.Null()
	}
	fold := step.Wait(o, item, body)
	if op.Mode == ir.InSeq || op.Mode == ir.UntilSuccess {
		fold = step.Fold(o, item, body)
	}
	if op.Mode == ir.InPar || op.Mode == ir.Recursive {
		return code{step.Detach(append(c, fold).node())}
	}
	return append(c, fold)
}

// loopBody is the body with the next of the fold.
func (in *inliner) loopBody(op *ir.For, e *env, item string) code {
	next := step.Next(item)
	if op.Mode == ir.UntilSuccess {
		body := in.branch(op.Body, e)
		if body == nil {
			return nil
		}
		return code{step.Xor(body, next)}
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
	case n.Idle():
		return code{step.Par(next, step.Null())}
	}
	return code{step.Par(n, next)}
}

// invoke calls a function and names its results.
func (in *inliner) invoke(op *ir.Invoke, e *env) code {
	return in.callValue(op.Call, e, func(results []binding) (pushes code) {
		for i, t := range op.Targets {
			if !t.Push {
				e.vars[t.Name] = results[i]
				continue
			}
			stream, _ := e.find(t.Name)
			pushes = append(pushes, step.Ap(results[i].Operand, stream.Operand))
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
func (in *inliner) append(o, stream step.Operand) code {
	if !o.IsStream() {
		return code{step.Ap(o, stream)}
	}
	canon := step.CanonVar(in.fresh("push-to-stream"))
	return code{
		step.Canon(o, canon),
		step.Ap(canon, stream),
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
	a.mark = step.Mark()
	return code{a.mark}
}
