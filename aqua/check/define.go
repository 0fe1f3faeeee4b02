package check

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/syntax"
	"github.com/aquanode/aquanode/aqua/types"
)

// maxTypeSize bounds the parts of a type without sharing. Types share parts, so a short text can
// describe an enormous type; definitions in JSON share nothing.
const maxTypeSize = 10_000

// place records where a name of the file is defined.
func (f *fileChecker) place(n syntax.Name) {
	f.m.known.places[n.Text] = diag.Place{Source: f.src, Span: n.Span}
}

func (f *fileChecker) definition(def syntax.Def) {
	switch def := def.(type) {
	case *syntax.Const:
		f.constant(def)
	case *syntax.Alias:
		f.alias(def)
	case *syntax.Data:
		f.structure(types.Data, def.Name, def.Fields)
	case *syntax.Ability:
		f.structure(types.Ability, def.Name, def.Fields)
	case *syntax.Service:
		f.service(def)
	case *syntax.Func:
		f.function(def)
	}
}

// constant ignores a second definition of a name. A default must have the type of the first.
func (f *fileChecker) constant(def *syntax.Const) {
	v, ok := f.expr(def.Value)
	if !ok {
		return
	}
	old, exists := f.m.known.consts[def.Name.Text]
	if !exists {
		f.m.known.consts[def.Name.Text] = v
		f.place(def.Name)
	} else if def.Default {
		f.accepts(old.Type(), v, def.Value.At())
	}
}

func (f *fileChecker) alias(def *syntax.Alias) {
	t, ok := f.resolve(def.Type)
	if !ok {
		return
	}
	if _, exists := f.m.known.types[def.Name.Text]; exists {
		f.again(def.Name, "Type `"+def.Name.Text+"` was already defined")
		return
	}
	f.m.known.types[def.Name.Text] = t
	f.place(def.Name)
}

// structure defines a data type or an ability.
func (f *fileChecker) structure(
	kind types.Kind, name syntax.Name, members []syntax.Field,
) *types.Struct {
	fields, ok := f.members(kind, members)
	t := types.NewStruct(kind, name.Text, fields)
	if !ok {
		// Defined all the same: its uses are not errors.
		f.m.known.types[name.Text] = types.Dynamic{}
		return nil
	}
	if _, exists := f.m.known.types[name.Text]; exists {
		f.again(name, "Name `"+name.Text+"` was already defined here")
		return nil
	}
	if types.Size(t, maxTypeSize) > maxTypeSize {
		f.err(name.Span, fmt.Sprintf("Type `%s` is too large: it has more than %d parts",
			name.Text, maxTypeSize))
		f.m.known.types[name.Text] = types.Dynamic{}
		return nil
	}
	f.m.known.types[name.Text] = t
	f.place(name)
	return t
}

func (f *fileChecker) members(
	kind types.Kind, members []syntax.Field,
) (fields []types.Field, ok bool) {
	ok = true
	seen := map[string]diag.Span{}
	for _, m := range members {
		t, fine := f.member(kind, m)
		first, twice := seen[m.Name.Text]
		if fine && twice {
			what := "field"
			if types.IsArrow(t) {
				what = "arrow"
			}
			d := diag.New(diag.Error, f.src, m.Name.Span,
				"Cannot define "+what+" `"+m.Name.Text+"`, it was already defined above")
			d.Notes = []diag.Note{f.noteAt(first, "it was defined here first")}
			f.add(d)
			fine = false
		}
		if !twice {
			seen[m.Name.Text] = m.Name.Span
		}
		ok = ok && fine
		fields = append(fields, types.Field{Name: m.Name.Text, Type: t})
	}
	return fields, ok
}

func (f *fileChecker) member(kind types.Kind, m syntax.Field) (types.Type, bool) {
	t, ok := f.resolve(m.Type)
	if !ok {
		return nil, false
	}
	switch arrow, isArrow := t.(*types.Arrow); {
	case kind == types.Data && !types.IsData(t):
		f.err(m.Name.Span, fmt.Sprintf("Field '%s' has unacceptable for struct field type '%s'",
			m.Name.Text, t))
		return nil, false
	case kind == types.Service && !isArrow:
		f.err(m.Name.Span, fmt.Sprintf("Field '%s' has unacceptable for service field type '%s'",
			m.Name.Text, t))
		return nil, false
	case kind == types.Service && len(arrow.Results) > 1:
		f.err(m.Name.Span, "Service functions cannot have multiple results")
		return nil, false
	}
	return t, true
}

func (f *fileChecker) service(def *syntax.Service) {
	var id ir.Value
	if def.ID != nil {
		v, ok := f.expr(def.ID)
		if !ok || !f.accepts(types.String, v, def.ID.At()) {
			return
		}
		id = v
	}
	if t := f.structure(types.Service, def.Name, def.Fields); t != nil {
		f.m.known.services[def.Name.Text] = &service{t, id}
	}
}

func (f *fileChecker) function(def *syntax.Func) {
	name := def.Name.Text
	if f.taken(name) {
		f.again(def.Name, "This arrow was already defined in the scope")
		return
	}
	fn := f.body(name, def.Arrow, def.Body, nil)
	f.m.known.funcs[name] = fn
	f.place(def.Name)
}

// resolve turns a written type into a type.
func (f *fileChecker) resolve(t syntax.Type) (types.Type, bool) {
	switch t := t.(type) {
	case *syntax.TopType:
		return types.Top{}, true
	case *syntax.BottomType:
		return types.Bottom{}, true
	case *syntax.NamedType:
		return f.named(t.Name)
	case *syntax.CollectionType:
		return f.collectionType(t)
	case *syntax.ArrowType:
		return f.arrowType(t)
	}
	panic(fmt.Sprintf("check: unknown type %T", t))
}

func (f *fileChecker) named(p syntax.Path) (types.Type, bool) {
	if s, ok := types.ScalarNamed(p.Parts[0].Text); ok && len(p.Parts) == 1 {
		return s, true
	}
	if n, last, ok := f.m.known.lookup(p); ok {
		if t, ok := n.types[last]; ok {
			return t, true
		}
	}
	f.err(p.Span, "Type "+p.String()+" is not defined")
	return nil, false
}

// lookup returns the names of the module of a path, and its last part. Modules may have dotted
// names; the shortest that fits wins.
func (n *names) lookup(p syntax.Path) (*names, string, bool) {
	if len(p.Parts) == 1 {
		return n, p.Parts[0].Text, true
	}
	prefix := ""
	for i, part := range p.Parts[:len(p.Parts)-1] {
		if i > 0 {
			prefix += "."
		}
		prefix += part.Text
		if m, ok := n.modules[prefix]; ok {
			return m.lookup(syntax.Path{Parts: p.Parts[i+1:]})
		}
	}
	return nil, "", false
}

func (f *fileChecker) collectionType(t *syntax.CollectionType) (types.Type, bool) {
	elem, ok := f.resolve(t.Elem)
	if !ok {
		return nil, false
	}
	if !types.IsData(elem) {
		what := map[syntax.CollectionKind]string{
			syntax.Array: "Array", syntax.Option: "Option", syntax.Stream: "Stream",
		}[t.Kind]
		f.err(t.Elem.At(), fmt.Sprintf("%s could not contain values of type %s", what, elem))
		return nil, false
	}
	return collectionOf(t.Kind, elem), true
}

func collectionOf(kind syntax.CollectionKind, elem types.Type) types.Type {
	switch kind {
	case syntax.Array:
		return types.Array{Elem: elem}
	case syntax.Option:
		return types.Option{Elem: elem}
	}
	return types.Stream{Elem: elem}
}

func (f *fileChecker) arrowType(t *syntax.ArrowType) (types.Type, bool) {
	a := &types.Arrow{}
	ok := true
	for _, p := range t.Abilities {
		ab, fine := f.named(p)
		ok = ok && fine
		a.Args = append(a.Args, types.Field{Name: p.String(), Type: ab})
	}
	for _, arg := range t.Args {
		at, fine := f.resolve(arg.Type)
		ok = ok && fine
		a.Args = append(a.Args, types.Field{Name: arg.Name.Text, Type: at})
	}
	for _, r := range t.Results {
		rt, fine := f.resolve(r)
		ok = ok && fine
		a.Results = append(a.Results, rt)
	}
	if ok && types.Size(a, maxTypeSize) > maxTypeSize {
		f.err(t.Span, fmt.Sprintf("Type is too large: it has more than %d parts", maxTypeSize))
		return nil, false
	}
	return a, ok
}

// signature resolves the types of a function. A type that fails becomes dynamic, so that the body
// can be checked.
func (f *fileChecker) signature(t *syntax.ArrowType) *types.Arrow {
	a := &types.Arrow{}
	orDynamic := func(t types.Type, ok bool) types.Type {
		if !ok {
			return types.Dynamic{}
		}
		return t
	}
	for _, p := range t.Abilities {
		a.Args = append(a.Args, types.Field{Name: p.String(), Type: orDynamic(f.named(p))})
	}
	for _, arg := range t.Args {
		a.Args = append(a.Args, types.Field{Name: arg.Name.Text, Type: orDynamic(f.resolve(arg.Type))})
	}
	for _, r := range t.Results {
		a.Results = append(a.Results, orDynamic(f.resolve(r)))
	}
	return a
}

// body checks the body of a function or a closure.
func (f *fileChecker) body(
	name string, sig *syntax.ArrowType, stmts []syntax.Stmt, outer *funcScope,
) *ir.Func {
	fn := &ir.Func{Name: name, Type: f.signature(sig)}
	scope := newFuncScope(fn, outer)
	scope.body = stmts
	f.fn = scope
	defer func() { f.fn = outer }()
	spans := make([]diag.Span, 0, len(fn.Type.Args))
	for _, p := range sig.Abilities {
		spans = append(spans, p.Span)
	}
	for _, p := range sig.Args {
		spans = append(spans, p.Name.Span)
	}
	for i, arg := range fn.Type.Args {
		f.define(syntax.Name{Text: arg.Name, Span: spans[i]}, arg.Type)
	}
	fn.Body = f.block(stmts)
	f.returns(fn, sig, scope)
	fn.Names = append(scope.defined, scope.captured...)
	return fn
}

// returns compares the returned values with the declared types.
func (f *fileChecker) returns(fn *ir.Func, sig *syntax.ArrowType, scope *funcScope) {
	want := fn.Type.Results
	if scope.ret == nil {
		if len(want) > 0 {
			f.err(sig.Results[0].At(), "Return type is defined for the arrow, but nothing returned. "+
				"Use `<- value, ...` as the last expression inside function body.")
		}
		return
	}
	exprs := scope.ret.Values
	switch {
	case len(want) == 0:
		f.err(exprs[0].At(), "No return type declared for this arrow, please remove `<- ...` expression "+
			"or add `-> ...` return type(s) declaration to the arrow")
		return
	case len(exprs) < len(want):
		f.err(exprs[len(exprs)-1].At(), fmt.Sprintf(
			"Expected %d more values to be returned, see return type declaration", len(want)-len(exprs)))
		return
	case len(exprs) > len(want):
		f.err(exprs[len(want)].At(), "Too many values are returned from this arrow, this is unexpected. "+
			"Defined return type:  "+types.Product(want))
		return
	}
	for i, v := range scope.returned {
		if v == nil {
			continue
		}
		if !types.Accepts(want[i], v.Type()) {
			f.err(exprs[i].At(), fmt.Sprintf("Wrong value type, expected: %s, given: %s",
				want[i], given(v)))
			continue
		}
		fn.Returns = append(fn.Returns, f.frozen(v, want[i]))
	}
}

// given returns the type of a value for messages.
func given(v ir.Value) string {
	if c, ok := v.(*ir.Call); ok && len(c.T.Results) == 0 {
		return "∅"
	}
	return v.Type().String()
}

// frozen canonicalizes a stream that is returned as an array or an option.
func (f *fileChecker) frozen(v ir.Value, want types.Type) ir.Value {
	x, ok := v.(*ir.Var)
	if !ok || !types.IsStream(v.Type()) || types.IsStream(want) {
		return v
	}
	return &ir.Canon{X: v, Name: x.Name, N: f.next("fix-" + x.Name), T: want}
}

// next returns the next number for generated names.
func (f *fileChecker) next(what string) int {
	n := f.counters[what]
	f.counters[what]++
	return n
}
