package check

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/syntax"
	"github.com/aquanode/aquanode/aqua/types"
)

// apply checks a call of a name, or of a member of a module, a service or an ability.
func (f *fileChecker) apply(x *syntax.Apply) (ir.Value, bool) {
	switch fn := x.Fn.(type) {
	case *syntax.Ident:
		return f.callName(x, fn.Name)
	case *syntax.Select:
		return f.callSelected(x, fn)
	}
	panic(fmt.Sprintf("check: call of %T", x.Fn))
}

// callName is f(args).
func (f *fileChecker) callName(x *syntax.Apply, n syntax.Name) (ir.Value, bool) {
	v, ok := f.lookup(n.Text)
	if ok {
		if types.IsDynamic(v.Type()) {
			f.args(x)
			if !f.m.failed { // else its definition failed and was reported
				f.err(n.Span, "'"+n.Text+"' is not a function")
			}
			return nil, false
		}
		if t, isArrow := v.Type().(*types.Arrow); isArrow {
			return f.callArrow(x, n.Span, v, t)
		}
	}
	if f.m.script && !ok {
		return f.callUndeclared(x, n)
	}
	f.args(x)
	f.missing(n)
	return nil, false
}

// callUndeclared checks a call of a function that a script does not declare: it belongs to the one
// known service that has it.
func (f *fileChecker) callUndeclared(x *syntax.Apply, n syntax.Name) (ir.Value, bool) {
	args, ok := f.args(x)
	owners := f.owners(n.Text)
	switch {
	case len(owners) == 1:
		return f.dynamicCall(owners[0], n.Text, args), ok
	case len(owners) > 1:
		f.report(diag.Error, n.Span,
			"Several services have a function '"+n.Text+"': "+strings.Join(owners, ", "),
			"name the service, as in "+owners[0]+"."+n.Text+"()")
	case f.inside(n.Text) || f.definedLater(n):
		f.missing(n)
	case f.m.headless:
		d := diag.New(diag.Error, f.src, n.Span,
			"Function '"+n.Text+"' is not defined, and no service has it")
		d.Hint, d.Missing = f.offered(n.Text), n.Text
		f.add(d)
	default:
		f.missing(n)
	}
	return nil, false
}

// owners returns the known services that have a function.
func (f *fileChecker) owners(name string) (ids []string) {
	for _, s := range f.cfg.Services {
		if slices.Contains(s.Functions, name) {
			ids = append(ids, s.ID)
		}
	}
	sort.Strings(ids)
	return ids
}

// offered lists the functions of the known services, the closest name first.
func (f *fileChecker) offered(name string) string {
	var list []string
	for _, s := range f.cfg.Services {
		list = append(list, s.Functions...)
	}
	if len(list) == 0 {
		return "declare its service, or offer a service that has it"
	}
	if f.compared += len(list); f.compared <= maxCompared {
		far := make(map[string]int, len(list))
		for _, other := range list {
			far[other] = distance(other, name)
		}
		sort.SliceStable(list, func(i, j int) bool { return far[list[i]] < far[list[j]] })
	}
	return "the services have " + listed(list)
}

// dynamicCall returns a call of a function with unknown types.
func (f *fileChecker) dynamicCall(id, name string, args []ir.Value) *ir.Call {
	t := &types.Arrow{Results: []types.Type{types.Dynamic{}}}
	for range args {
		t.Args = append(t.Args, types.Field{Type: types.Dynamic{}})
	}
	lit := &ir.Lit{Text: `"` + id + `"`, T: types.String}
	return &ir.Call{Fn: &ir.ServiceFn{Service: id, ID: lit, Fn: name, T: t}, Args: args, T: t}
}

// callSelected is x.f(args).
func (f *fileChecker) callSelected(x *syntax.Apply, sel *syntax.Select) (ir.Value, bool) {
	if p, ok := syntax.PathOf(sel); ok {
		if n, last, ok := f.m.known.lookup(p); ok && len(p.Parts) > 1 {
			return f.callModule(x, n, last, p)
		}
		base := syntax.Path{Parts: p.Parts[:len(p.Parts)-1]}
		if n, last, ok := f.m.known.lookup(base); ok && len(base.Parts) > 0 {
			if s, isService := n.services[last]; isService && !f.shadowed(last, n) {
				return f.callService(x, s, base.String(), sel.Name)
			}
		}
	}
	if id, ok := sel.X.(*syntax.Ident); ok && f.m.script {
		if v, done := f.callServiceID(x, id.Name, sel.Name); done {
			return v, v != nil
		}
	}
	base, ok := f.expr(sel.X)
	if !ok {
		f.args(x)
		return nil, false
	}
	s, isStruct := base.Type().(*types.Struct)
	switch {
	case types.IsDynamic(base.Type()):
		f.args(x)
		f.err(sel.Name.Span, "Arrow `"+sel.Name.Text+"` not found: the type of this value is unknown")
		return nil, false
	case !isStruct:
		f.args(x)
		f.err(sel.Name.Span, fmt.Sprintf("Arrow `%s` not found in `%s`", sel.Name.Text, base.Type()))
		return nil, false
	}
	return f.callMember(base, s, sel.Name, x)
}

// shadowed reports whether a variable of this file hides a service of the same name.
func (f *fileChecker) shadowed(name string, n *names) bool {
	if n != f.m.known || f.fn == nil {
		return false
	}
	_, ok := f.fn.find(name)
	return ok
}

// callServiceID is demo.foo() in a script, where demo is only the id of a known service.
func (f *fileChecker) callServiceID(x *syntax.Apply, id, fn syntax.Name) (ir.Value, bool) {
	if _, ok := f.lookup(id.Text); ok {
		return nil, false
	}
	for _, s := range f.cfg.Services {
		if s.ID != id.Text {
			continue
		}
		args, ok := f.args(x)
		for _, name := range s.Functions {
			if name == fn.Text && ok {
				return f.dynamicCall(s.ID, fn.Text, args), true
			}
		}
		if ok {
			f.report(diag.Error, fn.Span, "Service '"+s.ID+"' has no function '"+fn.Text+"'",
				"it has "+listed(s.Functions))
		}
		return nil, true
	}
	return nil, false
}

// callModule is M.f(args) of a used module.
func (f *fileChecker) callModule(
	x *syntax.Apply, n *names, name string, p syntax.Path,
) (ir.Value, bool) {
	span := p.Parts[len(p.Parts)-1].Span
	fn, ok := n.funcs[name]
	if !ok {
		f.args(x)
		f.err(span, "Ability is found, but arrow '"+name+
			"' isn't found in scope. Did you mean any of this? '"+listedNames(n)+"'")
		return nil, false
	}
	return f.callArrow(x, span, &ir.FuncRef{Func: fn}, fn.Type)
}

// callService is S.f(args).
func (f *fileChecker) callService(
	x *syntax.Apply, s *service, name string, fn syntax.Name,
) (ir.Value, bool) {
	id, ok := f.idOf(name, s)
	if !ok {
		f.args(x)
		f.noServiceID(x.Span, name)
		return nil, false
	}
	t, ok := f.memberArrow(s.typ, fn)
	if !ok {
		f.args(x)
		return nil, false
	}
	return f.callWith(x, s.typ, fn, &ir.ServiceFn{Service: name, ID: id, Fn: fn.Text, T: t}, t)
}

func (f *fileChecker) noServiceID(span diag.Span, service string) {
	f.report(diag.Error, span, "Service ID is undefined",
		"set it before the call with a line like: "+service+` "service-id"`)
}

// callMember is a.f(args) of an ability.
func (f *fileChecker) callMember(
	base ir.Value, s *types.Struct, fn syntax.Name, x *syntax.Apply,
) (ir.Value, bool) {
	t, ok := f.memberArrow(s, fn)
	if !ok {
		f.args(x)
		return nil, false
	}
	var arrow ir.Value = &ir.Field{X: base, Name: fn.Text, T: t}
	if ref, ok := base.(*ir.ServiceRef); ok {
		arrow = &ir.ServiceFn{Service: ref.T.Name, ID: ref.ID, Fn: fn.Text, T: t}
	}
	return f.callWith(x, s, fn, arrow, t)
}

// memberArrow returns the type of a member that can be called.
func (f *fileChecker) memberArrow(s *types.Struct, fn syntax.Name) (*types.Arrow, bool) {
	t, ok := s.Field(fn.Text)
	if s.Kind == types.Data {
		f.err(fn.Span, fmt.Sprintf("Arrow `%s` not found in `%s`", fn.Text, s))
		return nil, false
	}
	if !ok {
		f.err(fn.Span, fmt.Sprintf("Arrow `%s` not found in `%s %s`, available: %s",
			fn.Text, s.Kind, s.Name, quoted(s)))
		return nil, false
	}
	arrow, ok := t.(*types.Arrow)
	if !ok {
		f.err(fn.Span, fmt.Sprintf("Field `%s` has non arrow type `%s` in `%s %s`",
			fn.Text, t, s.Kind, s.Name))
	}
	return arrow, ok
}

// callWith checks the number of arguments of a member, then the call.
func (f *fileChecker) callWith(
	x *syntax.Apply, s *types.Struct, fn syntax.Name, arrow ir.Value, t *types.Arrow,
) (ir.Value, bool) {
	given := append(append([]syntax.Expr{}, x.Abilities...), x.Args...)
	if len(given) == len(t.Args) {
		return f.callArrow(x, fn.Span, arrow, t)
	}
	f.args(x)
	problem, at := "Not enough", fn.Span
	if len(given) > len(t.Args) {
		problem, at = "Too many", given[len(t.Args)].At()
	}
	f.report(diag.Error, at, fmt.Sprintf(
		"%s arguments for arrow `%s` in `%s %s`, expected: %d, given: %d",
		problem, fn.Text, s.Kind, s.Name, len(t.Args), len(given)), takes(fn.Text, t))
	return nil, false
}

// takes is the hint for a call with a wrong number of arguments.
func takes(name string, t *types.Arrow) string {
	var args []string
	for _, a := range t.Args[:min(len(t.Args), maxListed+1)] {
		if a.Name != "" {
			args = append(args, a.Name+": "+a.Type.String())
		} else {
			args = append(args, a.Type.String())
		}
	}
	return "it is " + name + "(" + listed(args) + ")"
}

// callArrow checks the arguments of a call.
func (f *fileChecker) callArrow(
	x *syntax.Apply, at diag.Span, fn ir.Value, t *types.Arrow,
) (ir.Value, bool) {
	args, ok := f.args(x)
	exprs := append(append([]syntax.Expr{}, x.Abilities...), x.Args...)
	if len(exprs) != len(t.Args) {
		f.report(diag.Error, at, fmt.Sprintf(
			"Number of arguments doesn't match the function type, expected: %d, given: %d",
			len(t.Args), len(exprs)), takes(f.src.Text[at.Start:at.End], t))
		return nil, false
	}
	if !ok {
		return nil, false
	}
	for i, arg := range args {
		ok = f.accepts(t.Args[i].Type, arg, exprs[i].At()) && ok
	}
	return &ir.Call{Fn: fn, Args: args, T: t}, ok
}

// args checks the arguments alone, abilities first.
func (f *fileChecker) args(x *syntax.Apply) (list []ir.Value, ok bool) {
	ok = true
	for _, group := range [][]syntax.Expr{x.Abilities, x.Args} {
		for _, arg := range group {
			v, fine := f.expr(arg)
			ok = ok && fine
			list = append(list, v)
		}
	}
	return list, ok
}

// serviceFn is S.f as a value, where S is a service of this file or of a used module.
func (f *fileChecker) serviceFn(p syntax.Path) (ir.Value, bool) {
	last := len(p.Parts) - 1
	base := syntax.Path{Parts: p.Parts[:last]}
	n, name, ok := f.m.known.lookup(base)
	if !ok || f.shadowed(name, n) {
		return nil, false
	}
	s, ok := n.services[name]
	if !ok {
		return nil, false
	}
	id, ok := f.idOf(base.String(), s)
	if !ok {
		return nil, false
	}
	t, ok := s.typ.Field(p.Parts[last].Text)
	if !ok {
		return nil, false
	}
	fn := &ir.ServiceFn{
		Service: base.String(), ID: id, Fn: p.Parts[last].Text, T: t.(*types.Arrow),
	}
	return fn, true
}
