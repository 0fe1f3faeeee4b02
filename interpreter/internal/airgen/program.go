package airgen

import (
	"fmt"
	"math/rand/v2"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

// shape is what a generated program may expect of a value: it decides which lenses and
// instructions make sense. Programs guess wrong now and then, on purpose.
type shape uint8

const (
	anything shape = iota
	number
	text
	peerID
	texts   // array of text
	peerIDs // array of peer ids
	object  // see services.go
	objects // array of object
	failure // error object
	shapes
)

// functions are the services' functions, one for each shape of result.
var functions = [shapes]string{"anything", "number", "text", "peer", "texts", "peers", "object",
	"objects", "failure"}

// variable is a variable that a program has set, and what is probably in it: for streams,
// maps and canons, in each element.
type variable struct {
	air.Var
	shape    shape
	iterator bool
}

// generator builds a tree from top to bottom in the order of the text, so that what is
// in scope is what was made before.
type generator struct {
	*rand.Rand
	peers []simulate.Peer
	vars  []variable // in scope
	gone  []variable // out of scope: their use waits or fails
	count int        // for fresh names
}

// Peers are the first n test peers. The first one makes the particle.
func Peers(n int) []simulate.Peer {
	names := []string{"alice", "bob", "carol", "dave"}
	peers := make([]simulate.Peer, n)
	for k := range peers {
		peers[k] = simulate.NewPeer(names[k], nil)
	}
	return peers
}

// Generate makes a program for some peers. It is not certain that Parse accepts it.
func Generate(rng *rand.Rand, peers []simulate.Peer) air.Instr {
	g := &generator{Rand: rng, peers: peers}
	root := g.block(4 + g.IntN(28))
	if g.percent(30) {
		root = &air.Xor{Left: root, Right: g.report()}
	}
	return root
}

func (g *generator) percent(p int) bool { return g.IntN(100) < p }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// choose returns the index of one of the weights.
func (g *generator) choose(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := g.IntN(sum)
	for k, w := range weights {
		if n -= w; n < 0 {
			return k
		}
	}
	return 0
}

func (g *generator) fresh(kind air.VarKind, s shape) variable {
	g.count++
	sign := [...]string{air.Scalar: "", air.Stream: "$", air.StreamMap: "%", air.CanonStream: "#",
		air.CanonMap: "#%"}[kind]
	name := [...]string{air.Scalar: "v", air.Stream: "st", air.StreamMap: "mp",
		air.CanonStream: "cs", air.CanonMap: "cm"}[kind]
	return variable{Var: air.Var{Name: fmt.Sprintf("%s%s%d", sign, name, g.count), Kind: kind},
		shape: s}
}

// set brings a variable into scope.
func (g *generator) set(v variable) air.Var {
	g.vars = append(g.vars, v)
	return v.Var
}

// iterator brings the iterator of a fold into scope.
func (g *generator) iterator(s shape) air.Var {
	v := g.fresh(air.Scalar, s)
	v.iterator = true
	return g.set(v)
}

// local runs make and takes what it brought into scope out again.
func (g *generator) local(make func() air.Instr) air.Instr {
	mark := len(g.vars)
	i := make()
	g.gone = append(g.gone, g.vars[mark:]...)
	g.vars = g.vars[:mark:mark]
	return i
}

// find returns a variable in scope of one of the kinds, the later the likelier.
func (g *generator) find(s shape, kinds ...air.VarKind) (variable, bool) {
	from := g.vars
	if len(g.gone) > 0 && g.percent(3) {
		from = g.gone
	}
	var found []variable
	for _, v := range from {
		for _, k := range kinds {
			if v.Kind == k && (s == anything || v.shape == s) {
				found = append(found, v)
			}
		}
	}
	if len(found) == 0 {
		return variable{}, false
	}
	return found[max(g.IntN(len(found)), g.IntN(len(found)))], true
}

// block makes about size instructions.
func (g *generator) block(size int) air.Instr {
	if size <= 1 {
		return g.leaf()
	}
	switch g.choose(40, 22, 8, 8, 8, 5, 5, 4, 4, 4, 3) {
	case 0:
		left := g.block(size / 2)
		return &air.Seq{Left: left, Right: g.block(size - size/2)}
	case 1:
		left := g.block(size / 2)
		return &air.Par{Left: left, Right: g.block(size - size/2)}
	case 2:
		left := g.block(size * 2 / 3)
		return &air.Xor{Left: left, Right: g.handler(size / 3)}
	case 3:
		return g.fold(size)
	case 4:
		return g.foldStream(size)
	case 5:
		return g.match(size)
	case 6:
		return g.scoped(size)
	case 7:
		return g.collect(size)
	case 8:
		return g.fanOut(size)
	case 9:
		return g.mapped(size)
	default:
		return g.join(size)
	}
}

func (g *generator) leaf() air.Instr {
	switch g.choose(55, 14, 8, 7, 3, 1, 3) {
	case 0:
		return g.call()
	case 1:
		return g.ap()
	case 2:
		return g.canon()
	case 3:
		return g.apMap()
	case 4:
		return &air.Null{}
	case 5:
		return &air.Never{}
	default:
		return g.fail()
	}
}

// call asks some peer for a value of some shape.
func (g *generator) call() air.Instr {
	s := shape(g.IntN(int(shapes)))
	c := &air.Call{Peer: g.peer(), Service: literal("srv"), Function: literal(functions[s])}
	switch g.choose(86, 7, 2, 5) {
	case 1:
		c.Function = literal("error")
	case 2:
		c.Function = literal("broken")
	case 3:
		c.Function = g.name()
	}
	for range g.IntN(4) {
		c.Args = append(c.Args, g.argument())
	}
	switch g.choose(60, 25, 15) {
	case 0:
		out := g.output(s)
		c.Out = &out
	case 1:
		out := g.stream(s)
		c.Out = &out
	}
	return c
}

// output is a scalar to be set: a fresh one, but for a few that are there already.
func (g *generator) output(s shape) air.Var {
	if g.percent(2) {
		if v, ok := g.find(anything, air.Scalar); ok && !v.iterator {
			return v.Var
		}
	}
	return g.set(g.fresh(air.Scalar, s))
}

// stream is a stream for values of a shape, one that is there or a new one.
func (g *generator) stream(s shape) air.Var {
	if v, ok := g.find(s, air.Stream); ok && g.percent(75) {
		return v.Var
	}
	if v, ok := g.find(anything, air.Stream); ok && g.percent(15) {
		return v.Var
	}
	return g.set(g.fresh(air.Stream, s))
}

func (g *generator) ap() air.Instr {
	s := shape(g.IntN(int(shapes)))
	v := g.apArgument(s)
	if g.percent(55) {
		return &air.Ap{Arg: v, Out: g.stream(s)}
	}
	if c, ok := g.find(anything, air.CanonStream); ok && g.percent(20) {
		v, s = named(c), arrayOf(c.shape)
	}
	return &air.Ap{Arg: v, Out: g.output(s)}
}

func arrayOf(s shape) shape {
	switch s {
	case text:
		return texts
	case peerID:
		return peerIDs
	case object:
		return objects
	}
	return anything
}

func elementOf(s shape) shape {
	switch s {
	case texts:
		return text
	case peerIDs:
		return peerID
	case objects:
		return object
	}
	return anything
}

func (g *generator) apMap() air.Instr {
	s := shape(g.IntN(int(shapes)))
	i := &air.ApMap{Key: g.key(), Arg: g.apArgument(s)}
	if v, ok := g.find(anything, air.StreamMap); ok && g.percent(80) {
		i.Map = v.Var
	} else {
		i.Map = g.set(g.fresh(air.StreamMap, s))
	}
	return i
}

// key is one of few, so that keys meet.
func (g *generator) key() air.Value {
	switch g.choose(50, 20, 30) {
	case 0:
		return literal(pick(g, "a", "b", "key"))
	case 1:
		return air.Value{Kind: air.Int, Int: int64(g.IntN(3))}
	default:
		return g.valueOf(pick(g, text, number, anything), func(v *air.Value) bool {
			return v.Kind == air.Int || isName(v) && v.Var.Kind != air.CanonMap
		})
	}
}

// canon freezes a stream or a map.
func (g *generator) canon() air.Instr {
	v, ok := g.find(anything, air.Stream, air.StreamMap)
	if !ok || g.percent(3) {
		v = g.fresh(pick(g, air.Stream, air.StreamMap), anything) // nothing was ever added to it
	}
	c := &air.Canon{Peer: g.peer(), From: v.Var}
	switch {
	case v.Kind == air.Stream:
		c.Out = g.set(g.fresh(air.CanonStream, v.shape))
	case g.percent(70):
		c.Out = g.set(g.fresh(air.CanonMap, v.shape))
	default:
		c.Out = g.set(g.fresh(air.Scalar, anything))
	}
	return c
}

func (g *generator) fail() air.Instr {
	switch g.choose(40, 30, 10, 10, 10) {
	case 0:
		return &air.Fail{Literal: true, Code: int64(1 + g.IntN(1000)),
			Message: pick(g, "failed", "", "no luck")}
	case 1:
		if v, ok := g.find(failure, air.Scalar); ok {
			return &air.Fail{Of: named(v)}
		}
	case 2:
		if v, ok := g.find(anything, air.CanonStream); ok {
			return &air.Fail{Of: lensed(v, at(g.IntN(2)))}
		}
	case 3:
		return &air.Fail{Of: air.Value{Kind: air.LastError}}
	}
	return &air.Fail{Of: air.Value{Kind: air.Error}}
}

// handler is the right branch of a xor.
func (g *generator) handler(size int) air.Instr {
	switch g.choose(40, 20, 15, 15, 10) {
	case 0:
		return g.report()
	case 1:
		return &air.Seq{Left: g.report(), Right: g.block(size)}
	case 2:
		return &air.Fail{Of: air.Value{Kind: pick(g, air.Error, air.LastError)}}
	case 3:
		return &air.Null{}
	default:
		return g.block(size)
	}
}

// report tells a peer what the errors are.
func (g *generator) report() air.Instr {
	c := &air.Call{Peer: g.peer(), Service: literal("srv"), Function: literal("report")}
	c.Args = []air.Value{g.errorValue(), g.errorValue()}
	return c
}

func (g *generator) errorValue() air.Value {
	v := air.Value{Kind: pick(g, air.Error, air.LastError)}
	if g.percent(40) {
		v.Lens = path(field(pick(g, "error_code", "message", "instruction", "peer_id")))
	}
	return v
}

func (g *generator) match(size int) air.Instr {
	s := pick(g, anything, number, text, peerID)
	left, right := g.value(s), g.value(s)
	if g.percent(50) {
		right = left
	}
	if g.percent(60) {
		return &air.Match{Left: left, Right: right, Body: g.block(size - 1)}
	}
	return &air.Mismatch{Left: left, Right: right, Body: g.block(size - 1)}
}

// scoped renews a variable.
func (g *generator) scoped(size int) air.Instr {
	v := g.fresh(pick(g, air.Scalar, air.Stream, air.Stream, air.StreamMap, air.CanonStream,
		air.CanonMap), shape(g.IntN(int(shapes))))
	if old, ok := g.find(anything, air.Stream, air.StreamMap, air.CanonStream); ok &&
		g.percent(40) {
		v = old
	}
	return g.local(func() air.Instr {
		g.set(v)
		return &air.New{Var: v.Var, Body: g.block(size - 1)}
	})
}
