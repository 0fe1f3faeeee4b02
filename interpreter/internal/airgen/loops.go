package airgen

import (
	"slices"

	"github.com/aquanode/aquanode/interpreter/air"
)

// fold walks over something that does not change.
func (g *generator) fold(size int) air.Instr {
	iterable, element := g.iterable()
	return g.local(func() air.Instr {
		f := &air.Fold{Iterable: iterable, Iterator: g.iterator(element)}
		f.Body = g.loop(size-1, f.Iterator, true)
		f.Last = g.last()
		return f
	})
}

func (g *generator) iterable() (air.Value, shape) {
	switch g.choose(45, 20, 15, 10, 10) {
	case 0:
		if v, ok := g.find(pick(g, texts, peerIDs, objects), air.Scalar); ok {
			return named(v), elementOf(v.shape)
		}
	case 1:
		if c, ok := g.find(anything, air.CanonStream); ok {
			return named(c), c.shape
		}
	case 2:
		if m, ok := g.find(anything, air.CanonMap); ok && g.percent(50) {
			return named(m), anything
		} else if ok {
			return lensed(m, field(pick(g, "a", "b", "key"))), m.shape
		}
	case 3:
		if v, ok := g.find(anything, air.Scalar); ok {
			return named(v), anything
		}
	}
	if v, ok := g.find(object, air.Scalar); ok {
		return lensed(v, field("texts")), text
	}
	return air.Value{Kind: air.EmptyArray}, anything
}

// loop is the body of a fold. Only folds over what does not change may have instructions
// after next.
func (g *generator) loop(size int, iterator air.Var, after bool) air.Instr {
	next := &air.Next{Iterator: iterator}
	if !after {
		switch g.choose(35, 35, 5, 10, 5, 5, 5) {
		case 0:
			return &air.Seq{Left: g.block(size), Right: next}
		case 1:
			return &air.Par{Left: g.block(size), Right: next}
		case 2:
			return next
		case 3:
			return &air.Xor{Left: g.block(size), Right: next}
		case 4:
			return &air.Xor{Left: next, Right: g.handler(size)}
		case 5:
			return g.block(size)
		default:
			return &air.Seq{Left: g.block(size),
				Right: &air.Match{Left: g.value(text), Right: g.value(text), Body: next}}
		}
	}
	switch g.choose(25, 25, 12, 12, 8, 8, 10) {
	case 0:
		return &air.Seq{Left: g.block(size), Right: next}
	case 1:
		return &air.Par{Left: g.block(size), Right: next}
	case 2:
		return &air.Seq{Left: next, Right: g.block(size)}
	case 3:
		return &air.Par{Left: next, Right: g.block(size)}
	case 4:
		return g.block(size)
	case 5:
		return &air.Xor{Left: g.block(size), Right: next}
	default:
		before := g.block(size / 2)
		return &air.Seq{Left: before, Right: &air.Seq{Left: next, Right: g.block(size - size/2)}}
	}
}

// last is a last instruction or nil.
func (g *generator) last() air.Instr {
	switch g.choose(50, 25, 10, 15) {
	case 1:
		return &air.Null{}
	case 2:
		return &air.Never{}
	case 3:
		return g.leaf()
	}
	return nil
}

// foldStream walks over a stream or a map that may still grow, even by the walk itself.
func (g *generator) foldStream(size int) air.Instr {
	v, ok := g.find(anything, air.Stream, air.StreamMap)
	if !ok {
		return g.collect(size)
	}
	f := g.foldOver(size-1, v)
	if v.Kind == air.Stream && g.percent(25) {
		f.Body = &air.Seq{Left: g.grow(v, f.Iterator), Right: f.Body}
	}
	return f
}

// elementShape is the shape of what a fold sees: a map's elements are pairs.
func elementShape(v variable) shape {
	if v.Kind == air.StreamMap {
		return anything
	}
	return v.shape
}

// grow adds to the stream that is walked over, but only for some elements: what is added
// is none of those.
func (g *generator) grow(v variable, iterator air.Var) air.Instr {
	added := literal(pick(g, "grown", "more"))
	it := air.Value{Kind: air.Variable, Var: iterator}
	push := &air.Ap{Arg: added, Out: v.Var}
	if g.percent(50) {
		return &air.Xor{Left: &air.Match{Left: it, Right: literal(pick(g, "one", "two", "a")),
			Body: push}, Right: &air.Null{}}
	}
	return &air.Xor{
		Left: &air.Mismatch{Left: it, Right: literal("grown"),
			Body: &air.Mismatch{Left: it, Right: literal("more"), Body: push}},
		Right: &air.Null{},
	}
}

// collect lets several peers add to a stream and uses it.
func (g *generator) collect(size int) air.Instr {
	s := pick(g, text, text, peerID, object, number)
	stream := g.set(g.fresh(air.Stream, s))
	var fill air.Instr = g.adding(stream, s)
	for range 1 + g.IntN(3) {
		if g.percent(60) {
			fill = &air.Par{Left: fill, Right: g.adding(stream, s)}
		} else {
			fill = &air.Seq{Left: fill, Right: g.adding(stream, s)}
		}
	}
	var use air.Instr
	if g.percent(50) {
		use = g.foldOver(size/2, variable{Var: stream, shape: s})
	} else {
		c := &air.Canon{Peer: g.peer(), From: stream}
		c.Out = g.set(g.fresh(air.CanonStream, s))
		use = &air.Seq{Left: c, Right: g.block(size / 2)}
	}
	if g.percent(30) {
		return &air.Par{Left: fill, Right: use}
	}
	return &air.Seq{Left: fill, Right: use}
}

// foldOver walks over a stream or a map. The body mostly leaves it alone: a walk that adds
// for every element it sees ends only at the limit of streams.
func (g *generator) foldOver(size int, v variable) *air.Fold {
	scope := g.vars
	if g.percent(95) {
		g.vars = slices.DeleteFunc(slices.Clone(g.vars),
			func(w variable) bool { return w.Name == v.Name })
	}
	f := &air.Fold{Iterable: named(v), Iterator: g.iterator(elementShape(v))}
	f.Body = g.loop(size, f.Iterator, false)
	f.Last = g.last()
	g.gone = append(g.gone, g.vars[min(len(scope), len(g.vars)):]...)
	g.vars = scope
	return f
}

func (g *generator) adding(stream air.Var, s shape) air.Instr {
	if g.percent(30) {
		return &air.Ap{Arg: g.value(s), Out: stream}
	}
	return &air.Call{Peer: g.peer(), Service: literal("srv"), Function: literal(functions[s]),
		Args: []air.Value{g.value(anything)}, Out: &stream}
}

// fanOut calls every peer of a list and gathers the answers.
func (g *generator) fanOut(size int) air.Instr {
	list := g.fresh(air.Scalar, peerIDs)
	get := &air.Call{Peer: g.peer(), Service: literal("srv"), Function: literal("peers"),
		Out: &list.Var}
	g.set(list)
	stream := g.set(g.fresh(air.Stream, text))
	walk := g.local(func() air.Instr {
		p := variable{Var: g.iterator(peerID), shape: peerID}
		ask := &air.Call{Peer: named(p), Service: literal("srv"), Function: literal("text"),
			Args: []air.Value{named(p)}, Out: &stream}
		var body air.Instr = ask
		if g.percent(40) {
			body = &air.Seq{Left: ask, Right: g.block(size / 3)}
		}
		return &air.Fold{Iterable: named(list), Iterator: p.Var,
			Body: &air.Par{Left: body, Right: &air.Next{Iterator: p.Var}}, Last: g.last()}
	})
	rest := g.block(size / 2)
	if g.percent(50) {
		rest = &air.Par{Left: walk, Right: rest}
	} else {
		rest = &air.Seq{Left: walk, Right: rest}
	}
	return &air.Seq{Left: get, Right: rest}
}

// join waits until a stream has some number of elements, as compiled programs do.
func (g *generator) join(size int) air.Instr {
	v, ok := g.find(anything, air.Stream)
	if !ok {
		return g.collect(size)
	}
	peer := g.peer()
	test := g.fresh(air.Stream, v.shape)
	frozen, result := g.fresh(air.CanonStream, v.shape), g.fresh(air.CanonStream, v.shape)
	walk := g.local(func() air.Instr {
		i := g.iterator(v.shape)
		length := named(frozen)
		length.Lens.Length = true
		take := &air.Seq{
			Left:  &air.Ap{Arg: air.Value{Kind: air.Variable, Var: i}, Out: test.Var},
			Right: &air.Canon{Peer: peer, From: test.Var, Out: frozen.Var},
		}
		enough := &air.Match{Left: length, Right: air.Value{Kind: air.Int,
			Int: int64(1 + g.IntN(3))}, Body: &air.Null{}}
		body := &air.Seq{Left: take, Right: &air.Xor{Left: enough, Right: &air.Next{Iterator: i}}}
		return &air.Fold{Iterable: named(v), Iterator: i, Body: body, Last: &air.Never{}}
	})
	gather := &air.New{Var: test.Var, Body: &air.Seq{Left: walk,
		Right: &air.Canon{Peer: peer, From: test.Var, Out: result.Var}}}
	g.set(result)
	return &air.Seq{Left: gather, Right: g.block(size / 2)}
}

// mapped fills a map from several peers and uses it.
func (g *generator) mapped(size int) air.Instr {
	s := pick(g, text, number, peerID)
	m := g.fresh(air.StreamMap, s)
	g.set(m)
	var fill air.Instr = &air.ApMap{Key: g.key(), Arg: g.value(s), Map: m.Var}
	for range 1 + g.IntN(3) {
		out := g.fresh(air.Scalar, s)
		get := &air.Call{Peer: g.peer(), Service: literal("srv"), Function: literal(functions[s]),
			Out: &out.Var}
		g.set(out)
		put := &air.Seq{Left: get, Right: &air.ApMap{Key: g.key(), Arg: named(out), Map: m.Var}}
		if g.percent(60) {
			fill = &air.Par{Left: fill, Right: put}
		} else {
			fill = &air.Seq{Left: fill, Right: put}
		}
	}
	if g.percent(40) {
		return &air.Seq{Left: fill, Right: g.foldOver(size/2, m)}
	}
	c := &air.Canon{Peer: g.peer(), From: m.Var}
	if g.percent(70) {
		c.Out = g.set(g.fresh(air.CanonMap, s))
	} else {
		c.Out = g.set(g.fresh(air.Scalar, anything))
	}
	return &air.Seq{Left: fill, Right: &air.Seq{Left: c, Right: g.block(size / 2)}}
}
