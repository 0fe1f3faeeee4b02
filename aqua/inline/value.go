package inline

import (
	"fmt"
	"math"
	"sort"
	"strconv"

	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/step"
	"github.com/aquanode/aquanode/aqua/types"
)

// value inlines an expression: its operand and the steps that compute it. With flat
// set, fields are copied out of their values: the operand goes where no lens is
// allowed, or gets a name of its own.
func (in *inliner) value(v ir.Value, e *env, flat bool) (binding, code) {
	in.step()
	switch v := v.(type) {
	case *ir.Lit:
		return binding{Operand: step.Lit(v.Text)}, nil
	case *ir.Var:
		return in.variable(v, e)
	case *ir.Field, *ir.Index:
		c := in.chain(v, e, flat)
		return c.binding, c.code()
	case *ir.Length:
		return in.length(v, e)
	case *ir.Copy:
		return in.copy(v, e)
	case *ir.Collection:
		return in.collection(v, e)
	case *ir.Make:
		return in.make(v, e)
	case *ir.Binary:
		return in.binary(simplify(v), e, flat)
	case *ir.Not:
		return in.not(v, e)
	case *ir.Call:
		var first binding
		c := in.callValue(v, e, func(results []binding) code {
			if len(results) > 0 {
				first = results[0]
			}
			return nil
		})
		return first, c
	case *ir.Canon:
		return in.canon(v, e)
	case *ir.FuncRef, *ir.ServiceFn, *ir.ServiceRef:
		return in.arrowOf(v, e)
	}
	panic(fmt.Sprintf("inline: unknown value %T", v))
}

// data is value, with a stream frozen.
func (in *inliner) data(v ir.Value, e *env, flat bool) (step.Operand, code) {
	b, c := in.value(v, e, flat)
	o, freeze := in.frozen(b.Operand)
	return o, append(c, freeze...)
}

// frozen canonicalizes a stream, or the stream that o is a part of. Other operands
// stay as they are.
func (in *inliner) frozen(o step.Operand) (step.Operand, code) {
	if !o.IsStream() {
		return o, nil
	}
	canon := step.CanonVar(in.fresh(o.Name + "_canon"))
	from := step.StreamVar(o.Name)
	c := code{step.Canon(from, canon)}
	canon.Lens = o.Lens
	return canon, c
}

// variable freezes a stream with the type of an array: a function returned it as one.
func (in *inliner) variable(v *ir.Var, e *env) (binding, code) {
	b, ok := e.find(v.Name)
	if !ok { // the relay or the error
		return binding{Operand: step.Var(v.Name)}, nil
	}
	if b.IsStream() && !types.IsStream(v.T) {
		o, c := in.frozen(b.Operand)
		return binding{Operand: o}, c
	}
	return b, nil
}

// copied copies an operand to a variable of its own.
func (in *inliner) copied(o step.Operand) (step.Operand, code) {
	out := step.Var(in.fresh(flatName(o)))
	return out, code{step.Ap(o, out)}
}

// flatName replaces the name of the error, which a variable cannot have.
func flatName(o step.Operand) string {
	if o.Name == step.ErrorName {
		return "-error-_flat"
	}
	return o.Name + "_flat"
}

// named puts a literal into a variable, since a literal takes no lens.
func (in *inliner) named(o step.Operand) (step.Operand, code) {
	if !o.IsLiteral() {
		return o, nil
	}
	ap, props := step.Var(in.fresh("literal_ap")), step.Var(in.fresh("literal_props"))
	return props, code{
		step.Ap(o, ap),
		step.Ap(ap, props),
	}
}

// chain is a value with fields and indexes: root computes the value, each of indexes
// the index of an element, and flat copies fields.
type chain struct {
	binding
	root    code
	late    bool // the value is computed after the indexes
	indexes []code
	flat    code
}

// code returns the steps of a chain. Indexes do not depend on each other.
func (c *chain) code() code {
	if c.late {
		return append(append(parallel(c.indexes), c.root...), c.flat...)
	}
	return append(append(c.root, parallel(c.indexes)...), c.flat...)
}

func (in *inliner) chain(v ir.Value, e *env, flat bool) *chain {
	in.step()
	switch v := v.(type) {
	case *ir.Field:
		c := in.chain(v.X, e, flat)
		in.field(c, v.Name, flat)
		return c
	case *ir.Index:
		if b, ok := in.waits(v, e); ok {
			gate, steps := in.gate(b, v.I, e)
			return &chain{binding: gate, root: steps}
		}
		c := in.chain(v.X, e, flat)
		in.open(c)
		a, steps := in.accessor(v.I, e)
		c.Operand = c.With(a)
		c.indexes = append(c.indexes, steps)
		return c
	}
	b, steps := in.value(v, e, flat)
	return &chain{binding: b, root: steps, late: isLate(v)}
}

// isLate reports whether v is computed after the index of its element: results of
// services and abilities, and changed copies.
func isLate(v ir.Value) bool {
	switch v := v.(type) {
	case *ir.Copy:
		return true
	case *ir.Call:
		switch v.Fn.(type) {
		case *ir.ServiceFn, *ir.Field:
			return true
		}
	}
	return false
}

// open makes the value of a chain take a lens.
func (in *inliner) open(c *chain) {
	o, freeze := in.frozen(c.Operand)
	o, name := in.named(o)
	c.Operand, c.root = o, append(append(c.root, freeze...), name...)
}

func (in *inliner) field(c *chain, name string, flat bool) {
	if c.ability != nil {
		c.binding = c.ability[name]
		if c.arrow == nil && c.ability == nil {
			o, steps := in.named(c.Operand)
			c.Operand, c.root = o, append(c.root, steps...)
		}
		return
	}
	in.open(c)
	c.Operand = c.WithField(name)
	if flat {
		o, steps := in.copied(c.Operand)
		c.Operand, c.flat = o, append(c.flat, steps...)
	}
}

// waits reports whether an index waits for an element of a stream: it does if the
// stream has a name.
func (in *inliner) waits(v *ir.Index, e *env) (step.Operand, bool) {
	x, ok := v.X.(*ir.Var)
	if !ok || !types.IsStream(x.T) {
		return step.Operand{}, false
	}
	b, _ := e.find(x.Name)
	return b.Operand, b.IsStream()
}

// accessor turns an index into an accessor, which takes numbers and names only.
func (in *inliner) accessor(i ir.Value, e *env) (step.Accessor, code) {
	b, c := in.value(i, e, true)
	o := b.Operand
	if o.IsLiteral() {
		if n, ok := integer(o.Name); !ok || n < 0 || n > math.MaxUint32 {
			panic(failure("index " + o.Name + " is not between 0 and 4294967295"))
		}
		return step.Accessor{Index: o.Name}, c
	}
	if len(o.Lens) > 0 || o.Length {
		var fc code
		o, fc = in.copied(o)
		c = append(c, fc...)
	}
	return step.Accessor{Var: o.Name}, c
}

// gate waits for element i of a stream:
//
//	(new $s_test
//	 (seq
//	  (fold $s s_fold_var
//	   (seq (ap s_fold_var $s_test) (canon PEER $s_test #s_iter_canon)
//	    (xor (match #s_iter_canon.length i+1 (null)) (next s_fold_var)))
//	   (never))
//	  (canon PEER $s_test #s_result_canon)
//	  (ap #s_result_canon s_gate)))
func (in *inliner) gate(stream step.Operand, i ir.Value, e *env) (binding, code) {
	count, c := in.value(simplify(&ir.Binary{Op: "+", L: i, R: number(1), T: i.Type()}), e, true)
	name := stream.Name
	test := step.StreamVar(in.fresh(name + "_test"))
	item := in.fresh(name + "_fold_var")
	iter := step.CanonVar(in.fresh(name + "_iter_canon"))
	result := step.CanonVar(in.fresh(name + "_result_canon"))
	gate := step.Var(in.fresh(name + "_gate"))
	wait := step.Wait(stream, item, step.Seq(
		step.Ap(step.Var(item), test),
		step.Canon(test, iter),
		step.Xor(step.Match(iter.WithLength(), count.Operand, step.Null()),
			step.Next(item))))
	c = append(c, step.New(test, step.Seq(wait,
		step.Canon(test, result),
		step.Ap(result, gate))))
	if count.IsLiteral() {
		n, ok := integer(count.Name)
		if !ok || n < 1 || n > math.MaxUint32 {
			panic(failure(fmt.Sprintf("index %d is not between 0 and 4294967294", n-1)))
		}
		return binding{Operand: gate.With(step.Accessor{Index: strconv.FormatInt(n-1, 10)})}, c
	}
	idx := step.Var(in.fresh(name + "_idx"))
	c = append(c, call("math", "sub", &idx, count.Operand, step.Lit("1")))
	return binding{Operand: gate.With(step.Accessor{Var: idx.Name})}, c
}

// length copies the whole value first: nothing may stand before ".length" in a lens.
func (in *inliner) length(v *ir.Length, e *env) (binding, code) {
	b, c := in.value(v.X, e, true)
	o, nc := in.named(b.Operand)
	c = append(c, nc...)
	if len(o.Lens) > 0 {
		var fc code
		o, fc = in.copied(o)
		c = append(c, fc...)
	}
	whole := step.Var(in.fresh(o.Name + "_to_functor"))
	if o.IsStream() {
		whole.Sort = step.Canonical
		c = append(c, step.Canon(o, whole))
	} else {
		c = append(c, step.Ap(o, whole))
	}
	out := step.Var(in.fresh(o.Name + "_length"))
	return binding{Operand: out}, append(c, step.Ap(whole.WithLength(), out))
}

// canon freezes a stream that is returned.
func (in *inliner) canon(v *ir.Canon, e *env) (binding, code) {
	b, c := in.value(v.X, e, true)
	if !b.IsStream() {
		return b, c
	}
	canon := step.CanonVar(in.fresh(fmt.Sprintf("-%s-fix-%d", v.Name, v.N)))
	flat := step.Var(in.fresh(fmt.Sprintf("-%s-flat-%d", v.Name, v.N)))
	return binding{Operand: flat}, append(c,
		step.Canon(b.Operand, canon),
		step.Ap(canon, flat))
}

// collection appends items to a stream.
func (in *inliner) collection(v *ir.Collection, e *env) (binding, code) {
	switch v.T.(type) {
	case types.Stream:
		return in.streamOf(v, e)
	case types.Option:
		return in.optionOf(v, e)
	}
	stream := step.StreamVar(in.fresh("array-inline"))
	var c code
	for _, item := range v.Items {
		b, ic := in.value(item, e, false)
		c = append(append(c, ic...), in.append(b.Operand, stream)...)
	}
	return in.collected(stream, c)
}

// collected freezes the stream of a collection.
func (in *inliner) collected(stream step.Operand, c code) (binding, code) {
	canon := step.CanonVar(in.fresh(stream.Name))
	c = append(c, step.Canon(stream, canon))
	return binding{Operand: canon}, code{step.New(stream, step.Seq(c...))}
}

// optionOf takes the first item that can be evaluated.
func (in *inliner) optionOf(v *ir.Collection, e *env) (binding, code) {
	stream := step.StreamVar(in.fresh("option-inline"))
	var choice *step.Node
	for _, item := range v.Items {
		b, c := in.value(item, e, false)
		n := append(c, in.append(b.Operand, stream)...).node()
		if choice != nil {
			n = step.Xor(choice, n)
		}
		choice = n
	}
	return in.collected(stream, code{step.Xor(choice, step.Null())})
}

// streamOf appends the items to a stream of the current block.
func (in *inliner) streamOf(v *ir.Collection, e *env) (binding, code) {
	stream := in.stream(e.name(v.Name))
	var parts []code
	var pushes code
	for _, item := range v.Items {
		b, c := in.value(item, e, false)
		parts = append(parts, c)
		pushes = append(pushes, in.append(b.Operand, stream)...)
	}
	return binding{Operand: stream}, append(parallel(parts), pushes...)
}

// make builds an object in a map, or an ability of its fields.
func (in *inliner) make(v *ir.Make, e *env) (binding, code) {
	values, c := in.fields(v.Fields, e)
	if v.T.Kind != types.Data {
		b := binding{ability: map[string]binding{}}
		for _, f := range values {
			b.ability[f.name] = f.binding
		}
		return b, c
	}
	o, oc := in.object(v.T.Name+"_obj", values)
	return binding{Operand: o}, append(c, oc...)
}

type namedBinding struct {
	name string
	binding
}

// fields evaluates the fields of a constructor, in the order of their names.
func (in *inliner) fields(list []ir.Named, e *env) ([]namedBinding, code) {
	list = append([]ir.Named(nil), list...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	var parts []code
	var values []namedBinding
	var freeze code
	for _, f := range list {
		b, c := in.value(f.Value, e, false)
		parts = append(parts, c)
		if !types.IsStream(f.Value.Type()) || !b.IsStream() {
			values = append(values, namedBinding{f.Name, b})
			continue
		}
		o, fc := in.frozen(b.Operand)
		freeze = append(freeze, fc...)
		values = append(values, namedBinding{f.Name, binding{Operand: o}})
	}
	return values, append(parallel(parts), freeze...)
}

// object inserts fields into a map and canonicalizes it to a scalar.
func (in *inliner) object(stem string, values []namedBinding) (step.Operand, code) {
	out := step.Var(in.fresh(stem))
	m := step.MapVar(in.fresh(out.Name + "_map"))
	var c code
	for _, f := range values {
		c = append(c, step.ApMap(f.name, f.Operand, m))
	}
	c = append(c, step.Canon(m, out))
	return out, code{step.New(m, step.Seq(c...))}
}

// copy builds an object of the unchanged fields, then the new ones.
func (in *inliner) copy(v *ir.Copy, e *env) (binding, code) {
	b, c := in.value(v.X, e, true)
	base, nc := in.named(b.Operand)
	c = append(c, nc...)
	values, fc := in.fields(v.Fields, e)
	replaced := map[string]bool{}
	for _, f := range values {
		replaced[f.name] = true
	}
	var all []namedBinding
	for _, f := range v.T.Fields {
		if !replaced[f.Name] {
			field := binding{Operand: base.WithField(f.Name)}
			all = append(all, namedBinding{f.Name, field})
		}
	}
	o, oc := in.object(v.T.Name+"_obj_copy", append(all, values...))
	return binding{Operand: o}, append(append(c, fc...), oc...)
}
