package check

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/syntax"
	"github.com/aquanode/aquanode/aqua/types"
)

// block checks statements in order. Some attach to the one before them.
func (f *fileChecker) block(stmts []syntax.Stmt) ir.Op {
	seq := &ir.Seq{}
	var prev syntax.Stmt
	for _, s := range stmts {
		f.statement(seq, s, prev)
		prev = s
	}
	return seq
}

// scoped checks a block that is a scope of names.
func (f *fileChecker) scoped(stmts []syntax.Stmt) ir.Op {
	f.fn.push(true)
	defer f.fn.pop()
	return f.block(stmts)
}

// statement checks s and appends it to seq, or combines it with the last step.
func (f *fileChecker) statement(seq *ir.Seq, s, prev syntax.Stmt) {
	last := len(seq.Steps) - 1
	switch s := s.(type) {
	case *syntax.Par:
		right := f.single(s.Stmt)
		if last < 0 {
			span := diag.Span{Start: s.Span.Start, End: s.Span.Start + len("par")}
			f.report(diag.Error, span, "Unexpected `par` without previous instruction",
				"put it behind the statement that runs in parallel, or start this one with co")
			return
		}
		seq.Steps[last] = &ir.Par{Left: seq.Steps[last], Right: right}
	case *syntax.Else:
		f.elseBlock(seq, s, prev)
	case *syntax.Catch:
		f.catch(seq, s, prev)
	case *syntax.Otherwise:
		body := f.scoped(s.Body)
		if last < 0 {
			f.err(s.Span, "Unexpected `otherwise` without previous instruction")
			return
		}
		seq.Steps[last] = handled(seq.Steps[last], body)
	case *syntax.Return:
		f.returnStmt(s)
	default:
		seq.Steps = append(seq.Steps, f.single(s))
	}
}

func (f *fileChecker) elseBlock(seq *ir.Seq, s *syntax.Else, prev syntax.Stmt) {
	body := f.scoped(s.Body)
	if _, ok := prev.(*syntax.If); !ok {
		f.err(s.Span, "Unexpected `else` without `if`")
		return
	}
	seq.Steps[len(seq.Steps)-1].(*ir.If).Else = body
}

func (f *fileChecker) catch(seq *ir.Seq, s *syntax.Catch, prev syntax.Stmt) {
	f.fn.push(true)
	if !f.taken(s.Name.Text) {
		f.fn.set(s.Name, lastError)
	} else {
		f.again(s.Name, "This name was already defined in the scope")
	}
	body := f.block(s.Body)
	f.fn.pop()
	switch prev.(type) {
	case *syntax.Try, *syntax.Catch, *syntax.Otherwise:
		last := len(seq.Steps) - 1
		if last >= 0 {
			seq.Steps[last] = handled(seq.Steps[last], body)
			return
		}
	}
	f.err(s.Name.Span, "Unexpected `catch` without `try`")
}

// handled adds a handler to a step, or to a try that has none.
func handled(step, handler ir.Op) ir.Op {
	if try, ok := step.(*ir.Try); ok && try.Handler == nil {
		try.Handler = handler
		return try
	}
	return &ir.Try{Body: step, Handler: handler}
}

func (f *fileChecker) returnStmt(s *syntax.Return) {
	if f.fn.ret != nil {
		f.err(s.Values[0].At(), "Return expression was already used in scope; "+
			"you can use only one Return in an arrow declaration, "+
			"use conditional return pattern if you need to return based on condition")
		return
	}
	f.fn.ret = s
	for _, x := range s.Values {
		v, ok := f.expr(x)
		if !ok {
			v = nil
		}
		f.fn.returned = append(f.fn.returned, v)
	}
}

// single checks a statement that does not attach to another. A failed one becomes an empty step.
func (f *fileChecker) single(s syntax.Stmt) ir.Op {
	var op ir.Op
	ok := true
	switch s := s.(type) {
	case *syntax.SetService:
		op, ok = f.setService(s)
	case *syntax.Push:
		op, ok = f.push(s)
	case *syntax.For:
		op, ok = f.forLoop(s)
	case *syntax.On:
		op, ok = f.on(s)
	case *syntax.If:
		op, ok = f.ifStmt(s)
	case *syntax.Try:
		op = &ir.Try{Body: f.scoped(s.Body)}
	case *syntax.ParSeq:
		op, ok = f.parSeq(s)
	case *syntax.Co:
		op = &ir.Co{Body: f.single(s.Stmt)}
	case *syntax.Join:
		op, ok = f.join(s)
	case *syntax.Declare:
		op, ok = f.declareStream(s)
	case *syntax.Closure:
		op, ok = f.closure(s)
	case *syntax.Assign:
		op, ok = f.assign(s)
	case *syntax.Call:
		op, ok = f.call(s)
	default:
		panic(fmt.Sprintf("check: statement %T cannot stand alone", s))
	}
	if !ok {
		return &ir.Seq{}
	}
	return op
}

func (f *fileChecker) setService(s *syntax.SetService) (ir.Op, bool) {
	id, ok := f.expr(s.ID)
	name := s.Service.String()
	if !f.isService(s.Service) {
		return nil, false
	}
	services := f.fn.frames[len(f.fn.frames)-1].services
	if !ok || !f.accepts(types.String, id, s.ID.At()) {
		services[name] = &ir.Lit{Text: `""`, T: types.Dynamic{}}
		return nil, false
	}
	switch id.(type) {
	case *ir.Lit, *ir.Var:
		services[name] = id
		return &ir.Seq{}, true
	}
	hidden := fmt.Sprintf("-%s-id-%d-", name, f.next("id-"+name))
	f.fn.note(hidden)
	services[name] = &ir.Var{Name: hidden, T: types.String}
	return &ir.Assign{Name: hidden, Value: id}, true
}

// isService checks that a path names a service.
func (f *fileChecker) isService(p syntax.Path) bool {
	message := "Type " + p.String() + " is not defined"
	if n, last, ok := f.m.known.lookup(p); ok {
		if _, isService := n.services[last]; isService {
			return true
		}
		if t, isType := n.types[last]; isType {
			message = "Type `" + t.String() + "` is not a service"
		}
	}
	f.err(p.Span, message)
	return false
}

func (f *fileChecker) push(s *syntax.Push) (ir.Op, bool) {
	v, ok := f.expr(s.Value)
	target, found := f.name(s.Stream)
	if !ok || !found {
		return nil, false
	}
	stream, isStream := target.Type().(types.Stream)
	x, isVar := target.(*ir.Var)
	if !isStream || !isVar {
		f.err(s.Stream.Span, fmt.Sprintf("Expected stream value, got value of type '%s'", target.Type()))
		return nil, false
	}
	if !types.Accepts(stream.Elem, asArray(v.Type())) {
		f.mismatch(stream.Elem, v.Type(), s.Value.At())
		return nil, false
	}
	return &ir.Push{Stream: x.Name, Value: v}, true
}

// asArray returns the type of a value as an element: that of a stream is an array.
func asArray(t types.Type) types.Type {
	if s, ok := t.(types.Stream); ok {
		return types.Array(s)
	}
	return t
}

var modes = map[syntax.ForMode]ir.Mode{
	syntax.ForSeq: ir.InSeq, syntax.ForPar: ir.InPar,
	syntax.ForTry: ir.UntilSuccess, syntax.ForRec: ir.Recursive,
}

func (f *fileChecker) forLoop(s *syntax.For) (ir.Op, bool) {
	in, ok := f.expr(s.In)
	f.fn.push(true)
	defer f.fn.pop()
	ok = f.item(s.Item, in, ok, s.In) && ok
	f.fn.loops++
	body := f.block(s.Body)
	f.fn.loops--
	f.endsSilently(s)
	return &ir.For{Item: s.Item.Text, In: in, Mode: modes[s.Mode], Body: body}, ok
}

// endsSilently warns about "for .. try" whose body ends with an if without else: a false
// condition is not a failure, so that the loop ends at the first item.
func (f *fileChecker) endsSilently(s *syntax.For) {
	if s.Mode != syntax.ForTry || len(s.Body) == 0 {
		return
	}
	if last, ok := s.Body[len(s.Body)-1].(*syntax.If); ok {
		f.report(diag.Warning, last.Span,
			"A false condition is not a failure: the loop ends here and does not try the next item",
			"add an else with a call that fails, or use for without try")
	}
}

// item defines the name of a loop.
func (f *fileChecker) item(n syntax.Name, in ir.Value, ok bool, x syntax.Expr) bool {
	var elem types.Type = types.Dynamic{}
	if ok {
		e, isCollection := types.Elem(in.Type())
		if isCollection {
			elem = e
		} else {
			f.err(x.At(), fmt.Sprintf("Value of type '%s' could not be iterated over", in.Type()))
			ok = false
		}
	}
	return f.define(n, elem) && ok
}

func (f *fileChecker) on(s *syntax.On) (ir.Op, bool) {
	place, ok := f.peerAndRelays(s.Peer, s.Via)
	f.fn.push(false)
	defer f.fn.pop()
	place.Body = f.block(s.Body)
	return place, ok
}

// peerAndRelays checks the place of an on.
func (f *fileChecker) peerAndRelays(peer syntax.Expr, via []syntax.Expr) (*ir.On, bool) {
	f.inPlace = true
	defer func() { f.inPlace = false }()
	p, ok := f.expr(peer)
	ok = ok && f.accepts(types.String, p, peer.At())
	on := &ir.On{Peer: p}
	for _, x := range via {
		r, fine := f.expr(x)
		relays := types.Option{Elem: types.String}
		if fine && !types.Accepts(types.String, r.Type()) && !types.Accepts(relays, r.Type()) {
			f.mismatch(types.String, r.Type(), x.At())
			fine = false
		}
		on.Via = append(on.Via, r)
		ok = ok && fine
	}
	return on, ok
}

func (f *fileChecker) ifStmt(s *syntax.If) (ir.Op, bool) {
	cond, ok := f.expr(s.Cond)
	ok = ok && f.accepts(types.Bool, cond, s.Cond.At())
	op := &ir.If{Cond: cond, Then: f.scoped(s.Body)}
	if !ok {
		op.Cond = &ir.Lit{Text: "true", T: types.BoolLit}
	}
	return op, true // an else may follow
}

func (f *fileChecker) parSeq(s *syntax.ParSeq) (ir.Op, bool) {
	in, ok := f.expr(s.In)
	f.fn.push(true)
	defer f.fn.pop()
	ok = f.item(s.Item, in, ok, s.In) && ok
	f.fn.loops++
	place, fine := f.peerAndRelays(s.Peer, s.Via)
	body := f.block(s.Body)
	f.fn.loops--
	return &ir.For{Item: s.Item.Text, In: in, Mode: ir.ParSeq, Place: place, Body: body}, ok && fine
}

func (f *fileChecker) join(s *syntax.Join) (ir.Op, bool) {
	op, ok := &ir.Join{}, true
	for _, x := range s.Values {
		v, fine := f.expr(x)
		op.Values = append(op.Values, v)
		ok = ok && fine
	}
	return op, ok
}

func (f *fileChecker) declareStream(s *syntax.Declare) (ir.Op, bool) {
	t, ok := f.resolve(s.Type)
	if !ok {
		f.define(s.Name, types.Dynamic{})
		return nil, false
	}
	stream, isStream := t.(types.Stream)
	if !isStream {
		f.err(s.Type.At(), "Expected stream type, got "+t.String())
		f.define(s.Name, types.Dynamic{})
		return nil, false
	}
	ok = f.define(s.Name, t)
	if v, defined := f.fn.local(s.Name.Text); ok && defined {
		f.fn.unused[v] = f.fn.loops
	}
	return &ir.Declare{Name: s.Name.Text, Type: stream}, ok
}

func (f *fileChecker) closure(s *syntax.Closure) (ir.Op, bool) {
	fn := f.body(s.Name.Text, s.Arrow, s.Body, f.fn)
	ok := f.define(s.Name, fn.Type)
	return &ir.Closure{Name: s.Name.Text, Func: fn, Detached: s.Detached}, ok
}

func (f *fileChecker) assign(s *syntax.Assign) (ir.Op, bool) {
	v, ok := f.expr(s.Value)
	if !ok {
		f.define(s.Name, types.Dynamic{})
		return nil, false
	}
	return &ir.Assign{Name: s.Name.Text, Value: v}, f.define(s.Name, v.Type())
}

// call checks a call with the names for its results.
func (f *fileChecker) call(s *syntax.Call) (ir.Op, bool) {
	v, ok := f.expr(s.Value)
	call, isCall := v.(*ir.Call)
	if ok && !isCall {
		f.report(diag.Error, s.Value.At(), "Expected arrow call, got "+describe(v),
			"use = to give a value a name")
		ok = false
	}
	if !ok {
		f.unknownTargets(s.Targets)
		return nil, false
	}
	f.unused(s, call)
	op := &ir.Invoke{Call: call}
	for i, n := range s.Targets {
		if i >= len(call.T.Results) {
			f.err(n.Span,
				"Types mismatch. Cannot assign to a variable the result of a call that returns nothing")
			f.unknownTargets(s.Targets[i : i+1])
			ok = false
			continue
		}
		t, fine := f.target(n, call.T.Results[i])
		op.Targets = append(op.Targets, t)
		ok = ok && fine
	}
	return op, ok
}

// unknownTargets defines the results of a failed call, so that their uses are not errors.
func (f *fileChecker) unknownTargets(targets []syntax.Name) {
	for _, n := range targets {
		if !f.taken(n.Text) {
			f.fn.set(n, &ir.Var{Name: n.Text, T: types.Dynamic{}})
		}
	}
}

// target returns where a result goes.
func (f *fileChecker) target(n syntax.Name, t types.Type) (ir.Target, bool) {
	if old, ok := f.fn.find(n.Text); ok {
		if stream, isStream := old.Type().(types.Stream); isStream {
			if !types.Accepts(stream.Elem, t) || types.IsStream(t) {
				f.mismatch(stream.Elem, t, n.Span)
				return ir.Target{}, false
			}
			return ir.Target{Name: old.(*ir.Var).Name, Push: true}, true
		}
	}
	return ir.Target{Name: n.Text}, f.define(n, t)
}

// unused warns about results without a name.
func (f *fileChecker) unused(s *syntax.Call, call *ir.Call) {
	results := len(call.T.Results)
	if len(s.Targets) >= results || f.fn.fn == f.main || types.IsDynamic(call.Type()) {
		return
	}
	what := "a value"
	if results > 1 {
		what = fmt.Sprintf("%d values", results)
	}
	used := "none are used"
	switch n := len(s.Targets); {
	case n == 1:
		used = "only one is used"
	case n > 1:
		used = fmt.Sprintf("only %d are used", n)
	}
	f.report(diag.Warning, s.Value.At(), "Arrow returns "+what+", but "+used, "")
}

// describe prints a value for messages.
func describe(v ir.Value) string {
	switch v := v.(type) {
	case *ir.Var:
		return fmt.Sprintf("var{%s: %s}", v.Name, v.T)
	case *ir.FuncRef:
		return fmt.Sprintf("var{%s: %s}", v.Func.Name, v.Type())
	case *ir.Lit:
		return v.Text
	}
	return "a value of type " + v.Type().String()
}
