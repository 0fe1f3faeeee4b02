package inline

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/step"
	"github.com/aquanode/aquanode/aqua/types"
)

// callValue evaluates the arguments of a call in parallel, then calls. use returns
// the steps that use the results.
func (in *inliner) callValue(v *ir.Call, e *env, use func([]binding) code) code {
	in.step()
	fn, c := in.value(v.Fn, e, false)
	var parts []code
	args := make([]binding, len(v.Args))
	for i, arg := range v.Args {
		b, ac := in.value(arg, e, false)
		args[i] = b
		parts = append(parts, ac)
	}
	c = append(c, parallel(parts)...)
	for i := range args {
		if i < len(v.T.Args) && types.IsStream(v.T.Args[i].Type) && fn.arrow.fn != nil {
			continue // a function takes a stream as it is
		}
		o, freeze := in.frozen(args[i].Operand)
		args[i].Operand = o
		c = append(c, freeze...)
	}
	results, body := in.call(fn.arrow, args)
	c = append(append(c, body...), use(results)...)
	return in.traced(fn.arrow.title, c)
}

// call runs an arrow with evaluated arguments.
func (in *inliner) call(a *arrow, args []binding) ([]binding, code) {
	in.step()
	run := in.callback
	switch {
	case a.fn != nil:
		run = in.inline
	case a.service != nil:
		run = in.serviceCall
	}
	return run(a, args)
}

// inline copies a function: its names are renamed, its arguments replaced by those
// of the call. A closure runs where it was made.
func (in *inliner) inline(a *arrow, args []binding) ([]binding, code) {
	e := &env{vars: map[string]binding{}, rename: map[string]string{}, outer: a.env}
	for _, n := range a.fn.Names {
		e.rename[n] = in.fresh(n)
	}
	for i, arg := range a.fn.Type.Args {
		e.vars[arg.Name] = args[i]
	}
	c := in.op(a.fn.Body, e)
	results, rc := in.returns(a.fn.Returns, e)
	c = append(c, rc...)
	if a.mark != nil && len(c) > 0 {
		c = code{step.At(a.mark, c...)}
	}
	return results, c
}

// returns evaluates the returned values in order, constructors last.
func (in *inliner) returns(values []ir.Value, e *env) ([]binding, code) {
	results := make([]binding, len(values))
	var c code
	for _, constructors := range []bool{false, true} {
		for i, v := range values {
			if _, isMake := v.(*ir.Make); isMake == constructors {
				b, rc := in.returned(v, e)
				results[i] = b
				c = append(c, rc...)
			}
		}
	}
	return results, c
}

// returned evaluates a returned value. A name stands for its binding, even a stream
// that is returned as an array: its user freezes it.
func (in *inliner) returned(v ir.Value, e *env) (binding, code) {
	if x, ok := v.(*ir.Var); ok {
		if b, ok := e.find(x.Name); ok {
			return b, nil
		}
	}
	return in.value(v, e, true)
}

func operands(list []binding) []step.Operand {
	out := make([]step.Operand, len(list))
	for i, b := range list {
		out[i] = b.Operand
	}
	return out
}

// serviceCall calls a function of a service. A stream as its result belongs to the
// current block.
func (in *inliner) serviceCall(a *arrow, args []binding) ([]binding, code) {
	out, results := in.output("ret", a.results)
	n := step.Call(*a.service, step.Text(a.name), out, operands(args)...)
	return results, code{n}
}

// output returns the variable for the result of a call, nil if it has none.
func (in *inliner) output(stem string, results []types.Type) (*step.Operand, []binding) {
	if len(results) == 0 {
		return nil, nil
	}
	name := in.fresh(stem)
	o := step.Var(name)
	if types.IsStream(results[0]) {
		o = in.stream(name)
	}
	return &o, []binding{{Operand: o}}
}

// callback calls an argument of the exported function at the initiator.
func (in *inliner) callback(a *arrow, args []binding) ([]binding, code) {
	out, results := in.output("init_call_res0", a.results)
	n := call("callbackSrv", a.callback, out, operands(args)...)
	return results, code{in.guarded(in.initiator(), code{n})}
}

// arrowOf returns a function or a service as a value.
func (in *inliner) arrowOf(v ir.Value, e *env) (binding, code) {
	switch v := v.(type) {
	case *ir.FuncRef:
		return binding{arrow: &arrow{fn: v.Func, title: v.Func.Name}}, nil
	case *ir.ServiceFn:
		id, c := in.value(v.ID, e, false)
		return binding{arrow: serviceArrow(id.Operand, v.Service, v.Fn, v.T)}, c
	case *ir.ServiceRef:
		id, c := in.value(v.ID, e, false)
		b := binding{ability: map[string]binding{}}
		for _, f := range v.T.Fields {
			if t, ok := f.Type.(*types.Arrow); ok {
				b.ability[f.Name] = binding{arrow: serviceArrow(id.Operand, v.T.Name, f.Name, t)}
			}
		}
		return b, c
	}
	panic(fmt.Sprintf("inline: %T is not an arrow", v))
}

func serviceArrow(id step.Operand, service, name string, t *types.Arrow) *arrow {
	return &arrow{service: &id, name: name, title: service + "." + name, results: t.Results}
}
