package check

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/types"
)

// script checks the top-level statements as the body of a function without arguments. It returns
// the values of its return statement, or else of its last statement:
//
//	f(x)           the results of the call
//	a, b <- f(x)   a and b;  s <- f(x) with a stream s: the values in s
//	a = value      a
//	join a, b      a and b
//	on p: ...      those of the last line of the block
//	a par b        those of both, in this order
//
// Other statements have none.
func (f *fileChecker) script() {
	if len(f.file.Script) == 0 {
		return
	}
	if fn, ok := f.m.known.funcs[Main]; ok {
		f.report(diag.Error, f.file.Script[0].At(),
			"The file has both top-level statements and a function '"+fn.Name+"'",
			"rename the function: the statements are compiled as one with this name")
		return
	}
	fn := &ir.Func{Name: Main, Type: &types.Arrow{}}
	f.main = fn
	scope := newFuncScope(fn, nil)
	scope.body = f.file.Script
	f.fn = scope
	defer func() { f.fn = nil }()
	body := f.block(f.file.Script).(*ir.Seq)
	fn.Body = body
	values := scope.returned
	if scope.ret == nil && len(body.Steps) > 0 {
		values = f.yields(body.Steps[len(body.Steps)-1])
	}
	for _, v := range values {
		if v == nil || types.IsArrow(v.Type()) || types.IsAbility(v.Type()) {
			continue
		}
		t := resultType(v.Type())
		fn.Type.Results = append(fn.Type.Results, t)
		fn.Returns = append(fn.Returns, f.frozen(v, t))
	}
	fn.Names = scope.defined
	f.m.main, f.m.start = fn, diag.Place{Source: f.src, Span: f.file.Script[0].At()}
}

// yields returns the values of a statement of a script. It gives results without names hidden ones.
func (f *fileChecker) yields(op ir.Op) (list []ir.Value) {
	switch op := op.(type) {
	case *ir.Invoke:
		if len(op.Targets) == 0 {
			for range op.Call.T.Results {
				name := fmt.Sprintf("-result-%d-", f.next("result"))
				f.fn.note(name)
				op.Targets = append(op.Targets, ir.Target{Name: name})
			}
		}
		for i, t := range op.Targets {
			v := &ir.Var{Name: t.Name, T: op.Call.T.Results[i]}
			if t.Push {
				v.T = types.Stream{Elem: v.T}
			}
			list = append(list, v)
		}
	case *ir.Assign:
		list = append(list, &ir.Var{Name: op.Name, T: op.Value.Type()})
	case *ir.Join:
		list = op.Values
	case *ir.On:
		if seq, ok := op.Body.(*ir.Seq); ok && len(seq.Steps) > 0 {
			list = f.yields(seq.Steps[len(seq.Steps)-1])
		}
	case *ir.Par:
		list = append(f.yields(op.Left), f.yields(op.Right)...)
	}
	return list
}

// resultType returns the type that a result of a script would be declared with.
func resultType(t types.Type) types.Type {
	switch t := t.(type) {
	case types.Literal:
		return map[types.Literal]types.Type{
			types.SignedLit: types.I64, types.UnsignedLit: types.U64, types.FloatLit: types.F64,
			types.BoolLit: types.Bool, types.StringLit: types.String,
		}[t]
	case types.Array:
		return types.Array{Elem: resultType(t.Elem)}
	case types.Option:
		return types.Option{Elem: resultType(t.Elem)}
	case types.Stream:
		return types.Array{Elem: resultType(t.Elem)}
	}
	return t
}
