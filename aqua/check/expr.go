package check

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/syntax"
	"github.com/aquanode/aquanode/aqua/types"
)

// accepts checks that a value fits a type, and reports if it does not.
func (f *fileChecker) accepts(want types.Type, v ir.Value, span diag.Span) bool {
	if f.fit(want, v.Type()) {
		return true
	}
	f.mismatch(want, v.Type(), span)
	return false
}

// fit is types.Accepts. It caches the result for large types, whose values may stand in every line.
func (f *fileChecker) fit(want, got types.Type) bool {
	pair := [2]types.Type{want, got}
	for range 2 { // a type, or a collection of it
		if e, ok := types.Elem(pair[0]); ok {
			if g, ok := types.Elem(pair[1]); ok {
				pair = [2]types.Type{e, g}
			}
		}
	}
	a, ok := pair[0].(*types.Struct)
	b, ok2 := pair[1].(*types.Struct)
	if !ok || !ok2 || a == b || len(a.Fields)+len(b.Fields) < 8 {
		return types.Accepts(want, got)
	}
	if f.fitting == nil {
		f.fitting = map[[2]types.Type]bool{}
	}
	pair = [2]types.Type{want, got}
	fits, known := f.fitting[pair]
	if !known {
		fits = types.Accepts(want, got)
		f.fitting[pair] = fits
	}
	return fits
}

func (f *fileChecker) mismatch(want, got types.Type, span diag.Span) {
	if message := structMismatch(want, got); message != "" {
		f.err(span, message)
		return
	}
	message := fmt.Sprintf("Types mismatch.\nexpected:   %s\ngiven:      %s", want, got)
	switch {
	case isOption(want) && types.Accepts(want, types.Option{Elem: got}):
		message += "\nnote: Try converting value to optional"
	case isOption(got) && types.Accepts(types.Option{Elem: want}, got):
		message += "\nnote: You're providing an optional value where normal value is expected." +
			"\nYou can extract value with `!`, but be aware it may trigger join behaviour."
	}
	f.err(span, message)
}

// structMismatch describes a wrong number of fields; it returns "" if the number is right.
func structMismatch(want, got types.Type) string {
	w, ok := want.(*types.Struct)
	g, ok2 := got.(*types.Struct)
	if !ok || !ok2 {
		return ""
	}
	if len(g.Fields) < len(w.Fields) {
		return fmt.Sprintf("Wrong value type, expected: %s, given: %s", want, got)
	}
	for _, field := range w.Fields {
		if _, has := g.Field(field.Name); !has {
			return fmt.Sprintf("Number of fields doesn't match, expected: %s, given: %s", want, got)
		}
	}
	return ""
}

func isOption(t types.Type) bool {
	_, ok := t.(types.Option)
	return ok
}

// expr checks an expression. It returns false if it reported an error.
func (f *fileChecker) expr(x syntax.Expr) (ir.Value, bool) {
	switch x := x.(type) {
	case *syntax.Literal:
		return literal(x), f.fits(x)
	case *syntax.Ident:
		return f.name(x.Name)
	case *syntax.Select:
		return f.selection(x)
	case *syntax.Index:
		return f.index(x)
	case *syntax.Apply:
		return f.apply(x)
	case *syntax.Make:
		return f.make(x)
	case *syntax.Copy:
		return f.copy(x)
	case *syntax.Collection:
		return f.collection(x)
	case *syntax.Binary:
		return f.binary(x)
	case *syntax.Not:
		return f.not(x)
	}
	panic(fmt.Sprintf("check: unknown expression %T", x))
}

// fits checks that AIR has a literal for a number: signed integers of 64 bits, and floats of at
// most 11 characters.
func (f *fileChecker) fits(x *syntax.Literal) bool {
	const maxFloat = 11
	switch x.Kind {
	case syntax.Unsigned, syntax.Signed:
		if _, err := strconv.ParseInt(x.Text, 10, 64); err != nil {
			f.report(diag.Error, x.Span, "Integer literal "+cutText(x.Text)+
				" is not between -9223372036854775808 and 9223372036854775807",
				"pass larger values as arguments")
			return false
		}
	case syntax.Float:
		if len(x.Text) > maxFloat {
			f.report(diag.Error, x.Span, "Float literal "+cutText(x.Text)+" is too long",
				"a literal has at most 11 characters; pass longer values as arguments")
			return false
		}
	}
	return true
}

// cutText bounds the text of a literal in a message.
func cutText(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

func literal(x *syntax.Literal) *ir.Lit {
	t := map[syntax.LiteralKind]types.Type{
		syntax.Bool: types.BoolLit, syntax.Unsigned: types.UnsignedLit, syntax.Signed: types.SignedLit,
		syntax.Float: types.FloatLit, syntax.String: types.StringLit, syntax.InitPeer: types.String,
	}[x.Kind]
	return &ir.Lit{Text: x.Text, T: t, Span: x.Span}
}

// name resolves a name.
func (f *fileChecker) name(n syntax.Name) (ir.Value, bool) {
	if v, ok := f.lookup(n.Text); ok {
		return v, true
	}
	if _, isService := f.m.known.services[n.Text]; isService {
		f.noServiceID(n.Span, n.Text)
		return nil, false
	}
	f.missing(n)
	return nil, false
}

// peersHint lists the peers that a script may use without defining them, if a peer is expected.
func (f *fileChecker) peersHint() string {
	if !f.inPlace || !f.m.headless || len(f.cfg.Peers) == 0 {
		return ""
	}
	return "the peers of this network are " + listed(keys(f.cfg.Peers))
}

// selection is x.name without a call: a member of a module, a function of a
// service as a value, a field, or a length.
func (f *fileChecker) selection(x *syntax.Select) (ir.Value, bool) {
	if p, ok := syntax.PathOf(x); ok {
		if n, last, ok := f.m.known.lookup(p); ok {
			return f.moduleMember(n, last, p)
		}
		if v, ok := f.serviceFn(p); ok {
			return v, true
		}
	}
	base, ok := f.expr(x.X)
	if !ok {
		return nil, false
	}
	return f.property(base, x.Name)
}

// moduleMember returns a member of a used module as a value.
func (f *fileChecker) moduleMember(n *names, name string, p syntax.Path) (ir.Value, bool) {
	if v, ok := n.consts[name]; ok {
		return v, true
	}
	if fn, ok := n.funcs[name]; ok {
		return &ir.FuncRef{Func: fn}, true
	}
	span := p.Parts[len(p.Parts)-1].Span
	if s, ok := n.services[name]; ok {
		if id, ok := f.idOf(p.String(), s); ok {
			return &ir.ServiceRef{ID: id, T: s.typ}, true
		}
		f.noServiceID(span, p.String())
		return nil, false
	}
	module := strings.TrimSuffix(p.String(), "."+name)
	d := diag.New(diag.Error, f.src, span, "Module '"+module+"' has no '"+name+"'")
	d.Hint = "it has " + listed(keys(n.funcs))
	if len(n.funcs) == 0 {
		d.Hint = "add it to the declares line of the module"
	}
	f.add(d)
	return nil, false
}

// property returns a field or the length of a value.
func (f *fileChecker) property(base ir.Value, n syntax.Name) (ir.Value, bool) {
	t := base.Type()
	switch s := t.(type) {
	case *types.Struct:
		if ft, ok := s.Field(n.Text); ok {
			return &ir.Field{X: base, Name: n.Text, T: ft}, true
		}
		f.err(n.Span, fmt.Sprintf("Field `%s` not found in type `%s`, available: %s",
			n.Text, s.Name, quoted(s)))
		return nil, false
	case types.Dynamic:
		if n.Text != "length" {
			return &ir.Field{X: base, Name: n.Text, T: t}, true
		}
	}
	if _, ok := types.Elem(t); ok && n.Text == "length" {
		return &ir.Length{X: base}, true
	}
	f.err(n.Span, fmt.Sprintf("Property `%s` not found in type `%s`", n.Text, t))
	return nil, false
}

func quoted(s *types.Struct) string {
	var list []string
	for _, field := range s.Fields[:min(len(s.Fields), maxListed+1)] {
		list = append(list, "`"+field.Name+"`")
	}
	return listed(list)
}

// index is x[i], x! and x!2.
func (f *fileChecker) index(x *syntax.Index) (ir.Value, bool) {
	if n, ok := x.X.(*syntax.Ident); ok && f.fn.isUnused(n.Name.Text) {
		f.waitsForever(x, n.Name.Text)
	}
	base, ok := f.expr(x.X)
	if !ok {
		return nil, false
	}
	i, ok := f.expr(x.I)
	if !ok {
		return nil, false
	}
	t := base.Type()
	elem, isCollection := types.Elem(t)
	switch {
	case !f.integer(i, x.I.At()):
		return nil, false
	case isOption(t) && !x.Bang:
		f.err(x.I.At(), "Options might have only one element, use ! to get it")
		return nil, false
	case !isCollection:
		f.err(x.I.At(), fmt.Sprintf("Non collection type `%s` does not support indexing", t))
		return nil, false
	}
	return &ir.Index{X: base, I: i, T: elem}, true
}

// waitsForever warns about an element of a stream to which nothing was written. A write further
// down comes too late: a peer runs the script from left to right, and a read does not see what is
// written to its right, not even in another branch of a par.
func (f *fileChecker) waitsForever(x *syntax.Index, stream string) {
	f.report(diag.Warning, x.At(),
		"Nothing is written to stream '"+stream+"' before this read, which waits forever",
		"move the write above the read, and start it with co to continue without waiting for it")
}

// integer checks that a value is accepted by some integer type.
func (f *fileChecker) integer(v ir.Value, span diag.Span) bool {
	return f.oneOf(v, span, integers, "u32, i32, i16, i64, i8, u16, u8, u64")
}

var (
	integers  = []types.Type{types.I64, types.U64}
	unsigneds = []types.Type{types.U64}
	floats    = []types.Type{types.F64}
)

// oneOf checks that one of the types accepts a value. list has all types for the message, want the
// greatest of them.
func (f *fileChecker) oneOf(v ir.Value, span diag.Span, want []types.Type, list string) bool {
	for _, t := range want {
		if types.Accepts(t, v.Type()) {
			return true
		}
	}
	hint := ""
	if t := v.Type(); t == types.StringLit || t == types.String {
		hint = "join strings with a service: " +
			`declare service Op("op"): concat_strings(a: string, b: string) -> string`
	}
	f.report(diag.Error, span, fmt.Sprintf(
		"Types mismatch.\nexpected one of:   %s\ngiven:             %s", list, v.Type()), hint)
	return false
}

// collection is [a, b], ?[a] or *[a].
func (f *fileChecker) collection(x *syntax.Collection) (ir.Value, bool) {
	c := &ir.Collection{}
	var elem types.Type
	ok := true
	for _, item := range x.Items {
		v, fine := f.expr(item)
		if !fine {
			ok = false
			continue
		}
		t := asArray(v.Type())
		if !types.IsData(t) {
			f.err(item.At(), fmt.Sprintf(
				"Value of type '%s' could not be put into a collection", v.Type()))
			ok = false
			continue
		}
		if elem == nil {
			elem = t
		} else {
			elem = types.Intersection(elem, t)
		}
		c.Items = append(c.Items, v)
	}
	switch elem.(type) {
	case nil:
		elem = types.Bottom{}
	case types.Bottom:
		elem = types.Top{}
	}
	c.T = collectionOf(x.Kind, elem)
	if x.Kind == syntax.Stream {
		c.Name = fmt.Sprintf("stream-anon-%d", f.next("stream-anon"))
		f.note(c.Name)
	} else if len(c.Items) == 0 && ok {
		return &ir.Lit{Text: "[]", T: c.T}, true
	}
	return c, ok
}

func (f *fileChecker) note(name string) {
	if f.fn != nil {
		f.fn.note(name)
	}
}

// make is a constructor of a data type or an ability.
func (f *fileChecker) make(x *syntax.Make) (ir.Value, bool) {
	n, last, ok := f.m.known.lookup(x.Type)
	var t types.Type
	if ok {
		t = n.types[last]
	}
	s, isStruct := t.(*types.Struct)
	switch {
	case t == nil:
		f.err(x.Type.Span, "Type "+x.Type.String()+" is not defined")
		return nil, false
	case !isStruct || s.Kind == types.Service:
		f.err(x.Type.Span, "Type must be an ability or a data")
		return nil, false
	}
	fields, ok := f.fields(x.Fields)
	if !ok {
		return nil, false
	}
	return f.construct(x, s, fields)
}

// fields checks the named arguments of a constructor or a copy.
func (f *fileChecker) fields(args []syntax.NamedArg) (list []ir.Named, ok bool) {
	ok = true
	count := map[string]int{}
	for _, a := range args {
		count[a.Name.Text]++
	}
	for _, a := range args {
		if count[a.Name.Text] > 1 {
			f.err(a.Name.Span, "Duplicate argument `"+a.Name.Text+"`")
			ok = false
			continue
		}
		v, fine := f.expr(a.Value)
		ok = ok && fine
		list = append(list, ir.Named{Name: a.Name.Text, Value: v})
	}
	return list, ok
}

func (f *fileChecker) construct(
	x *syntax.Make, s *types.Struct, fields []ir.Named,
) (ir.Value, bool) {
	given := map[string]ir.Value{}
	spans := map[string]diag.Span{}
	for i, field := range fields {
		given[field.Name], spans[field.Name] = field.Value, x.Fields[i].Value.At()
	}
	ok := true
	var missing []string
	for _, field := range s.Fields {
		v, has := given[field.Name]
		if !has {
			missing = append(missing, field.Name)
			f.err(x.Type.Span, fmt.Sprintf("Missing argument '%s' of type '%s'",
				field.Name, field.Type))
			ok = false
		} else {
			ok = f.accepts(field.Type, v, spans[field.Name]) && ok
		}
	}
	f.unexpected(x.Fields, s, missing)
	return &ir.Make{Fields: fields, T: s}, ok
}

// unexpected warns about fields that a type does not have.
func (f *fileChecker) unexpected(args []syntax.NamedArg, s *types.Struct, missing []string) {
	if len(missing) > maxListed {
		missing = missing[:maxListed]
	}
	for _, a := range args {
		if _, ok := s.Field(a.Name.Text); ok {
			continue
		}
		message := "Unexpected argument '" + a.Name.Text + "'"
		if len(missing) > 0 {
			message += ", did you mean '" + strings.Join(missing, "', '") + "'?"
		}
		f.report(diag.Warning, a.Name.Span, message, "")
	}
}

// copy is x.copy(field = value). An ability may have a member called copy.
func (f *fileChecker) copy(x *syntax.Copy) (ir.Value, bool) {
	base, ok := f.expr(x.X)
	if !ok {
		return nil, false
	}
	s, isStruct := base.Type().(*types.Struct)
	if isStruct && s.Kind != types.Data {
		if _, has := s.Field("copy"); has {
			return f.callMember(base, s, x.Name, positional(x))
		}
	}
	if !isStruct || s.Kind != types.Data {
		f.err(x.Name.Span, fmt.Sprintf("Non data type `%s` does not support `.copy`", base.Type()))
		return nil, false
	}
	fields, ok := f.fields(x.Fields)
	if !ok {
		return nil, false
	}
	for i, field := range fields {
		t, has := s.Field(field.Name)
		if !has {
			f.err(x.Fields[i].Name.Span, fmt.Sprintf("No field with name '%s' in `%s`", field.Name, s))
			ok = false
		} else if !f.accepts(t, field.Value, x.Fields[i].Value.At()) {
			ok = false
		}
	}
	return &ir.Copy{X: base, Fields: fields, T: s}, ok
}

// positional returns x.copy(a, b) as a call of a member.
func positional(x *syntax.Copy) *syntax.Apply {
	a := &syntax.Apply{Span: x.Span}
	for _, field := range x.Fields {
		a.Args = append(a.Args, field.Value)
	}
	return a
}

func (f *fileChecker) not(x *syntax.Not) (ir.Value, bool) {
	v, ok := f.expr(x.X)
	if !ok || !f.accepts(types.Bool, v, x.X.At()) {
		return nil, false
	}
	return &ir.Not{X: v}, true
}

// binary checks the operands of an operator; both are checked before giving up.
func (f *fileChecker) binary(x *syntax.Binary) (ir.Value, bool) {
	l, lok := f.expr(x.L)
	r, rok := f.expr(x.R)
	if !lok || !rok {
		return nil, false
	}
	out := &ir.Binary{Op: x.Op, L: l, R: r, T: types.Bool}
	ok := true
	switch x.Op {
	case "&&", "||":
		lok, rok = f.accepts(types.Bool, l, x.L.At()), f.accepts(types.Bool, r, x.R.At())
		ok = lok && rok
	case "==", "!=":
		if !comparable(l.Type(), r.Type()) {
			f.err(x.OpSpan, fmt.Sprintf("Cannot compare '%s' with '%s''", l.Type(), r.Type()))
			ok = false
		}
	case "<", "<=", ">", ">=":
		lok, rok = f.integer(l, x.L.At()), f.integer(r, x.R.At())
		ok = lok && rok
	default:
		return f.arithmetic(x, out)
	}
	return out, ok
}

// comparable reports whether == and != take two types.
func comparable(a, b types.Type) bool {
	if types.IsDynamic(a) || types.IsDynamic(b) {
		return true
	}
	if isNumber(a) && isNumber(b) {
		return true
	}
	ea, aok := types.Elem(a)
	eb, bok := types.Elem(b)
	if aok && bok {
		return comparable(ea, eb)
	}
	for _, t := range []types.Type{a, b} {
		if types.IsArrow(t) || types.IsAbility(t) {
			return false
		}
	}
	if la, ok := a.(types.Literal); ok {
		if lb, ok := b.(types.Literal); ok {
			return types.Compare(la, lb) != types.None
		}
	}
	_, top := types.Union(a, b).(types.Top)
	return !top
}

// isNumber reports whether a type is a number or a signed literal.
func isNumber(t types.Type) bool {
	if s, ok := t.(types.Scalar); ok {
		return s < types.Bool
	}
	return t == types.SignedLit
}

// arithmetic checks + - * / % **. A product with a float operand is rounded down to i64.
func (f *fileChecker) arithmetic(x *syntax.Binary, out *ir.Binary) (ir.Value, bool) {
	l, r := out.L.Type(), out.R.Type()
	var lok, rok bool
	switch {
	case x.Op == "*" && (types.Accepts(l, types.FloatLit) || types.Accepts(r, types.FloatLit)) &&
		!(types.IsDynamic(l) && types.IsDynamic(r)):
		lok = f.oneOf(out.L, x.L.At(), floats, "f32, f64")
		rok = f.oneOf(out.R, x.R.At(), floats, "f32, f64")
		out.Op, out.T = "fmul", types.I64
		return out, lok && rok
	case x.Op == "**":
		lok = f.integer(out.L, x.L.At())
		rok = f.oneOf(out.R, x.R.At(), unsigneds, "u8, u16, u32, u64")
	default:
		lok, rok = f.integer(out.L, x.L.At()), f.integer(out.R, x.R.At())
	}
	switch t := types.Union(l, r).(type) {
	case types.Scalar, types.Literal:
		out.T = t
	case types.Dynamic:
		out.T = t
	default:
		out.T = types.I64
		f.report(diag.Warning, x.OpSpan, fmt.Sprintf(
			"Result type of (%s Math(%s) %s) is unknown, using i64 instead", l, mathNames[x.Op], r), "")
	}
	return out, lok && rok
}

var mathNames = map[string]string{
	"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "%": "Rem", "**": "Pow",
}
