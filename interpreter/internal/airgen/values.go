package airgen

import "github.com/aquanode/aquanode/interpreter/air"

func literal(s string) air.Value { return air.Value{Kind: air.String, Text: s} }

func named(v variable) air.Value { return air.Value{Kind: air.Variable, Var: v.Var} }

func lensed(v variable, steps ...air.Accessor) air.Value {
	return air.Value{Kind: air.Variable, Var: v.Var, Lens: path(steps...)}
}

func path(steps ...air.Accessor) air.Lens { return air.Lens{Path: steps} }

func at(n int) air.Accessor { return air.Accessor{Kind: air.ByIndex, Index: uint32(n)} }

func field(name string) air.Accessor { return air.Accessor{Kind: air.ByField, Name: name} }

func by(v variable) air.Accessor { return air.Accessor{Kind: air.ByScalar, Name: v.Name} }

// fields are the fields of an object that a service makes.
var fields = []struct {
	name  string
	shape shape
}{{"number", number}, {"text", text}, {"peer", peerID}, {"texts", texts}, {"peers", peerIDs},
	{"inner", object}}

// peer is a peer to work on.
func (g *generator) peer() air.Value {
	switch g.choose(70, 12, 18) {
	case 0:
		return literal(g.peers[g.IntN(len(g.peers))].ID)
	case 1:
		return air.Value{Kind: air.InitPeerID}
	default:
		return g.valueOf(peerID, isName)
	}
}

// name is a name of a service or a function.
func (g *generator) name() air.Value { return g.valueOf(text, isName) }

// argument is an argument of a call.
func (g *generator) argument() air.Value {
	if m, ok := g.find(anything, air.CanonMap); ok && g.percent(10) {
		return named(m)
	}
	return g.value(shape(g.IntN(int(shapes))))
}

// apArgument is an argument of an ap: no whole canon map.
func (g *generator) apArgument(s shape) air.Value {
	return g.valueOf(s, func(v *air.Value) bool {
		return v.Kind != air.Variable || v.Var.Kind != air.CanonMap || !v.Lens.IsZero()
	})
}

// isName tells values that may stand for peers, services and functions.
func isName(v *air.Value) bool {
	if v.Kind == air.Variable {
		return v.Var.Kind == air.Scalar || !v.Lens.IsZero()
	}
	return v.Kind == air.String
}

// valueOf is a value that the grammar allows in some place.
func (g *generator) valueOf(s shape, allowed func(*air.Value) bool) air.Value {
	for range 10 {
		if v := g.value(s); allowed(&v) {
			return v
		}
	}
	return literal(g.peers[g.IntN(len(g.peers))].ID)
}

// value is a value of a shape: a variable, a part of one, or a literal.
func (g *generator) value(s shape) air.Value {
	if g.percent(4) {
		s = anything
	}
	switch g.choose(40, 30, 10, 20) {
	case 0:
		if v, ok := g.find(s, air.Scalar); ok {
			return named(v)
		}
	case 1:
		if v, ok := g.part(s); ok {
			return v
		}
	case 2:
		if v, ok := g.whole(s); ok {
			return v
		}
	}
	return g.plain(s)
}

// part is a value with a lens.
func (g *generator) part(s shape) (air.Value, bool) {
	if c, ok := g.find(s, air.CanonStream); ok && g.percent(35) {
		return lensed(c, at(g.IntN(3))), true
	}
	if m, ok := g.find(s, air.CanonMap); ok && g.percent(35) {
		return lensed(m, field(pick(g, "a", "b", "key")), at(g.IntN(2))), true
	}
	if v, ok := g.find(arrayOf(s), air.Scalar); ok && arrayOf(s) != anything && g.percent(50) {
		return lensed(v, g.index()), true
	}
	v, ok := g.find(object, air.Scalar)
	if !ok {
		return air.Value{}, false
	}
	if g.percent(5) {
		return lensed(v, field("none")), true
	}
	var steps []air.Accessor
	for g.percent(20) {
		steps = append(steps, field("inner"))
	}
	f := fields[g.IntN(len(fields))]
	for tries := 0; s != anything && f.shape != s && tries < 20; tries++ {
		f = fields[g.IntN(len(fields))]
	}
	return lensed(v, append(steps, field(f.name))...), true
}

// index is an accessor for an array: a number, or a scalar that holds one.
func (g *generator) index() air.Accessor {
	if v, ok := g.find(number, air.Scalar); ok && g.percent(25) {
		return by(v)
	}
	return at(g.IntN(3))
}

// whole is a value made of many, where anything will do, or its length.
func (g *generator) whole(s shape) (air.Value, bool) {
	v, ok := g.find(anything, air.CanonStream, air.CanonMap)
	if !ok {
		return air.Value{}, false
	}
	value := named(v)
	switch {
	case s == number || s == anything && g.percent(40):
		value.Lens.Length = true
	case s != anything:
		return value, false
	case v.Kind == air.CanonMap:
		value.Lens = path(field(pick(g, "a", "b", "key")))
	}
	return value, true
}

// plain is a literal.
func (g *generator) plain(s shape) air.Value {
	switch s {
	case number:
		return air.Value{Kind: air.Int, Int: int64(g.IntN(4))}
	case text:
		return literal(pick(g, "one", "two", "three", "a", "b"))
	case peerID:
		return literal(g.peers[g.IntN(len(g.peers))].ID)
	case texts, peerIDs, objects:
		return air.Value{Kind: air.EmptyArray}
	}
	switch g.choose(20, 10, 15, 10, 10, 5, 5, 5, 20) {
	case 0:
		return literal(pick(g, "", "é \\ \n", "one", "12D3KooW"))
	case 1:
		return air.Value{Kind: air.Float, Float: pick(g, 1.5, -0.25, 2, 1234567890)}
	case 2:
		return air.Value{Kind: air.Int, Int: pick[int64](g, 0, -7, 1<<62, 42)}
	case 3:
		return air.Value{Kind: air.Bool, Bool: g.percent(50)}
	case 4:
		return air.Value{Kind: air.EmptyArray}
	case 5:
		return air.Value{Kind: air.InitPeerID}
	case 6:
		return air.Value{Kind: air.Timestamp}
	case 7:
		return air.Value{Kind: air.TTL}
	default:
		return g.errorValue()
	}
}
