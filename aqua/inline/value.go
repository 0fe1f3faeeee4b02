package inline

import (
	"fmt"
	"math"
	"sort"
	"strconv"

	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/topology"
	"github.com/aquanode/aquanode/aqua/types"
)

// value inlines an expression: what it is and the steps that compute it. With
// flat set, fields are copied out of their values, because the place where the
// value goes takes no lens, or because it must keep its value when named.
func (in *inliner) value(v ir.Value, e *env, flat bool) (binding, code) {
	in.step()
	switch v := v.(type) {
	case *ir.Lit:
		return binding{Operand: topology.Lit(v.Text)}, nil
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

// data is a value with a stream frozen.
func (in *inliner) data(v ir.Value, e *env, flat bool) (topology.Operand, code) {
	b, c := in.value(v, e, flat)
	o, freeze := in.frozen(b.Operand)
	return o, append(c, freeze...)
}

// frozen is an operand that is no stream: a stream is canonicalised here and
// now, a part of one too.
func (in *inliner) frozen(o topology.Operand) (topology.Operand, code) {
	if o.Sort != topology.Stream {
		return o, nil
	}
	canon := topology.Operand{Sort: topology.Canonical, Name: in.fresh(o.Name + "_canon")}
	from := topology.Operand{Sort: topology.Stream, Name: o.Name}
	c := code{topology.NewNode(&topology.Canon{From: from, Out: canon})}
	canon.Lens = o.Lens
	return canon, c
}

// variable: a stream that has an array's type here was returned as one.
func (in *inliner) variable(v *ir.Var, e *env) (binding, code) {
	b, ok := e.find(v.Name)
	if !ok { // the relay and the error
		return binding{Operand: topology.Var(v.Name)}, nil
	}
	if b.Sort == topology.Stream && !types.IsStream(v.T) {
		o, c := in.frozen(b.Operand)
		return binding{Operand: o}, c
	}
	return b, nil
}

// copied is the value in a variable of its own.
func (in *inliner) copied(o topology.Operand) (topology.Operand, code) {
	out := topology.Var(in.fresh(flatName(o)))
	return out, code{topology.NewNode(&topology.Ap{Arg: o, Out: out})}
}

// flatName: the error has no name of its own that a variable could have.
func flatName(o topology.Operand) string {
	if o.Name == ":error:" {
		return "-error-_flat"
	}
	return o.Name + "_flat"
}

// named is a value that can take a lens: a literal is put into a variable.
func (in *inliner) named(o topology.Operand) (topology.Operand, code) {
	if o.Sort != topology.Literal {
		return o, nil
	}
	ap, props := topology.Var(in.fresh("literal_ap")), topology.Var(in.fresh("literal_props"))
	return props, code{
		topology.NewNode(&topology.Ap{Arg: o, Out: ap}),
		topology.NewNode(&topology.Ap{Arg: ap, Out: props}),
	}
}

// chain is fields and indexes of a value: root computes the value, indexes the
// places of elements, each by itself, and flat the copies of fields.
type chain struct {
	binding
	root    code
	late    bool // the value is computed after the places
	indexes []code
	flat    code
}

// code is the steps of a chain. Places of elements do not depend on each other.
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
		step, steps := in.accessor(v.I, e)
		c.Operand = c.With(step)
		c.indexes = append(c.indexes, steps)
		return c
	}
	b, steps := in.value(v, e, flat)
	return &chain{binding: b, root: steps, late: isLate(v)}
}

// isLate: results of services and abilities, and changed copies, are computed
// after the index of the element that is wanted.
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

// open makes the value of a chain one that takes a lens.
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
	c.Operand = c.With(topology.Step{Field: name})
	if flat {
		o, steps := in.copied(c.Operand)
		c.Operand, c.flat = o, append(c.flat, steps...)
	}
}

// waits tells whether an index waits for an element of a stream, which is so
// when the stream has a name.
func (in *inliner) waits(v *ir.Index, e *env) (topology.Operand, bool) {
	x, ok := v.X.(*ir.Var)
	if !ok || !types.IsStream(x.T) {
		return topology.Operand{}, false
	}
	b, _ := e.find(x.Name)
	return b.Operand, b.Sort == topology.Stream
}

// accessor makes an index a step of a lens. A lens takes numbers and names only.
func (in *inliner) accessor(i ir.Value, e *env) (topology.Step, code) {
	b, c := in.value(i, e, true)
	o := b.Operand
	if o.Sort == topology.Literal {
		if n, ok := integer(o.Name); !ok || n < 0 || n > math.MaxUint32 {
			panic(failure("an index is " + o.Name + ", but elements are counted from 0 to 4294967295"))
		}
		return topology.Step{Index: o.Name}, c
	}
	if len(o.Lens) > 0 || o.Length {
		var fc code
		o, fc = in.copied(o)
		c = append(c, fc...)
	}
	return topology.Step{Var: o.Name}, c
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
func (in *inliner) gate(stream topology.Operand, i ir.Value, e *env) (binding, code) {
	count, c := in.value(simplify(&ir.Binary{Op: "+", L: i, R: number(1), T: i.Type()}), e, true)
	name := stream.Name
	test := topology.Operand{Sort: topology.Stream, Name: in.fresh(name + "_test")}
	item := in.fresh(name + "_fold_var")
	iter := topology.Operand{Sort: topology.Canonical, Name: in.fresh(name + "_iter_canon")}
	result := topology.Operand{Sort: topology.Canonical, Name: in.fresh(name + "_result_canon")}
	gate := topology.Var(in.fresh(name + "_gate"))
	length := iter
	length.Length = true
	wait := topology.NewNode(&topology.Fold{In: stream, Item: item, Never: true}, seq(
		topology.NewNode(&topology.Ap{Arg: topology.Var(item), Out: test}),
		topology.NewNode(&topology.Canon{From: test, Out: iter}),
		xor(topology.NewNode(&topology.Match{L: length, R: count.Operand}, null()),
			topology.NewNode(&topology.Next{Item: item}))))
	c = append(c, topology.NewNode(&topology.New{Var: test}, seq(wait,
		topology.NewNode(&topology.Canon{From: test, Out: result}),
		topology.NewNode(&topology.Ap{Arg: result, Out: gate}))))
	if count.Sort == topology.Literal {
		n, ok := integer(count.Name)
		if !ok || n < 1 || n > math.MaxUint32 {
			panic(failure("an index is " + strconv.FormatInt(n-1, 10) + ", but elements are counted from 0 to 4294967294"))
		}
		return binding{Operand: gate.With(topology.Step{Index: strconv.FormatInt(n-1, 10)})}, c
	}
	idx := topology.Var(in.fresh(name + "_idx"))
	c = append(c, call("math", "sub", &idx, count.Operand, topology.Lit("1")))
	return binding{Operand: gate.With(topology.Step{Var: idx.Name})}, c
}

// length copies what is measured: ".length" is a lens of its own.
func (in *inliner) length(v *ir.Length, e *env) (binding, code) {
	b, c := in.value(v.X, e, true)
	o, nc := in.named(b.Operand)
	c = append(c, nc...)
	if len(o.Lens) > 0 {
		var fc code
		o, fc = in.copied(o)
		c = append(c, fc...)
	}
	whole := topology.Var(in.fresh(o.Name + "_to_functor"))
	if o.Sort == topology.Stream {
		whole.Sort = topology.Canonical
		c = append(c, topology.NewNode(&topology.Canon{From: o, Out: whole}))
	} else {
		c = append(c, topology.NewNode(&topology.Ap{Arg: o, Out: whole}))
	}
	out := topology.Var(in.fresh(o.Name + "_length"))
	whole.Length = true
	return binding{Operand: out}, append(c, topology.NewNode(&topology.Ap{Arg: whole, Out: out}))
}

// canon freezes a stream that is returned.
func (in *inliner) canon(v *ir.Canon, e *env) (binding, code) {
	b, c := in.value(v.X, e, true)
	if b.Sort != topology.Stream {
		return b, c
	}
	canon := topology.Operand{Sort: topology.Canonical, Name: in.fresh(fmt.Sprintf("-%s-fix-%d", v.Name, v.N))}
	flat := topology.Var(in.fresh(fmt.Sprintf("-%s-flat-%d", v.Name, v.N)))
	return binding{Operand: flat}, append(c,
		topology.NewNode(&topology.Canon{From: b.Operand, Out: canon}),
		topology.NewNode(&topology.Ap{Arg: canon, Out: flat}))
}

// collection collects items in a stream.
func (in *inliner) collection(v *ir.Collection, e *env) (binding, code) {
	switch v.T.(type) {
	case types.Stream:
		return in.streamOf(v, e)
	case types.Option:
		return in.optionOf(v, e)
	}
	stream := topology.Operand{Sort: topology.Stream, Name: in.fresh("array-inline")}
	var c code
	for _, item := range v.Items {
		b, ic := in.value(item, e, false)
		c = append(append(c, ic...), in.append(b.Operand, stream)...)
	}
	return in.collected(stream, c)
}

// collected freezes the stream that a collection was put into.
func (in *inliner) collected(stream topology.Operand, c code) (binding, code) {
	canon := topology.Operand{Sort: topology.Canonical, Name: in.fresh(stream.Name)}
	c = append(c, topology.NewNode(&topology.Canon{From: stream, Out: canon}))
	return binding{Operand: canon}, code{topology.NewNode(&topology.New{Var: stream}, seq(c...))}
}

// optionOf takes the first item that can be evaluated.
func (in *inliner) optionOf(v *ir.Collection, e *env) (binding, code) {
	stream := topology.Operand{Sort: topology.Stream, Name: in.fresh("option-inline")}
	var choice *topology.Node
	for _, item := range v.Items {
		b, c := in.value(item, e, false)
		n := append(c, in.append(b.Operand, stream)...).node()
		if choice != nil {
			n = xor(choice, n)
		}
		choice = n
	}
	return in.collected(stream, code{xor(choice, null())})
}

// streamOf fills a stream of the current block.
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

// make builds an object in a map, or an ability of its parts.
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
		if !types.IsStream(f.Value.Type()) || b.Sort != topology.Stream {
			values = append(values, namedBinding{f.Name, b})
			continue
		}
		o, fc := in.frozen(b.Operand)
		freeze = append(freeze, fc...)
		values = append(values, namedBinding{f.Name, binding{Operand: o}})
	}
	return values, append(parallel(parts), freeze...)
}

// object puts pairs into a map and makes it a value.
func (in *inliner) object(stem string, values []namedBinding) (topology.Operand, code) {
	out := topology.Var(in.fresh(stem))
	m := topology.Operand{Sort: topology.Map, Name: in.fresh(out.Name + "_map")}
	var c code
	for _, f := range values {
		c = append(c, topology.NewNode(&topology.ApMap{Key: f.name, Arg: f.Operand, Map: m}))
	}
	c = append(c, topology.NewNode(&topology.Canon{From: m, Out: out}))
	return out, code{topology.NewNode(&topology.New{Var: m}, seq(c...))}
}

// copy makes an object of the fields that are kept, then those that are new.
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
			all = append(all, namedBinding{f.Name, binding{Operand: base.With(topology.Step{Field: f.Name})}})
		}
	}
	o, oc := in.object(v.T.Name+"_obj_copy", append(all, values...))
	return binding{Operand: o}, append(append(c, fc...), oc...)
}
