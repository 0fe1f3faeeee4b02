// Package emit writes what a compilation gives: AIR trees, and the definitions
// of functions and services that clients interpret.
package emit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aquanode/aquanode/aqua/topology"
	"github.com/aquanode/aquanode/interpreter/air"
)

// wideSeq is the number of steps above which a sequence is written as a balanced
// tree. Up to it the steps are associated to the left, as the published compiler
// does; a thousand steps that way would be a tree a thousand levels deep, and a
// text that grows with the square of its length.
const wideSeq = 256

// AIR turns a tree without on-nodes into instructions. Their spans are not set.
func AIR(n *topology.Node) air.Instr { return orNull(instr(n)) }

func orNull(i air.Instr) air.Instr {
	if i == nil {
		return &air.Null{}
	}
	return i
}

// instr is nil for what does nothing and can be left out.
func instr(n *topology.Node) air.Instr {
	switch op := n.Op.(type) {
	case *topology.Seq:
		return joinSeq(steps(nil, n))
	case *topology.Par:
		return par(n)
	case *topology.Xor:
		return xor(n)
	case *topology.Match:
		if op.Differ {
			return &air.Mismatch{Left: value(op.L), Right: value(op.R), Body: body(n)}
		}
		return &air.Match{Left: value(op.L), Right: value(op.R), Body: body(n)}
	case *topology.Fold:
		f := &air.Fold{Iterable: value(op.In), Iterator: variable(topology.Var(op.Item)), Body: body(n), Last: &air.Null{}}
		if op.Never {
			f.Last = &air.Never{}
		}
		return f
	case *topology.New:
		if i := instr(n.Kids[0]); i != nil {
			return &air.New{Var: variable(op.Var), Body: i}
		}
		return nil
	case *topology.Null, *topology.Mark:
		return nil
	}
	return leaf(n)
}

func body(n *topology.Node) air.Instr { return orNull(instr(n.Kids[0])) }

func leaf(n *topology.Node) air.Instr {
	switch op := n.Op.(type) {
	case *topology.Placed:
		return placed(op)
	case *topology.Ap:
		return &air.Ap{Arg: value(op.Arg), Out: variable(op.Out)}
	case *topology.ApMap:
		return &air.ApMap{Key: air.Value{Kind: air.String, Text: op.Key}, Arg: value(op.Arg), Map: variable(op.Map)}
	case *topology.Fail:
		return &air.Fail{Of: value(op.Of)}
	case *topology.Next:
		return &air.Next{Iterator: variable(topology.Var(op.Item))}
	}
	panic(fmt.Sprintf("emit: %T in a resolved tree", n.Op))
}

func placed(p *topology.Placed) air.Instr {
	switch op := p.Op.(type) {
	case *topology.Call:
		c := &air.Call{Peer: value(p.Peer), Service: value(op.Service), Function: value(op.Function)}
		for _, a := range op.Args {
			c.Args = append(c.Args, value(a))
		}
		if op.Out != nil {
			out := variable(*op.Out)
			c.Out = &out
		}
		return c
	case *topology.Canon:
		return &air.Canon{Peer: value(p.Peer), From: variable(op.From), Out: variable(op.Out)}
	}
	panic(fmt.Sprintf("emit: %T cannot be placed", p.Op))
}

// steps are the instructions of a sequence and of the sequences directly in it.
func steps(list []air.Instr, n *topology.Node) []air.Instr {
	for _, k := range n.Kids {
		if _, ok := k.Op.(*topology.Seq); ok {
			list = steps(list, k)
		} else if i := instr(k); i != nil {
			list = append(list, i)
		}
	}
	return list
}

func joinSeq(list []air.Instr) air.Instr {
	switch {
	case len(list) == 0:
		return nil
	case len(list) > wideSeq:
		return balanced(list)
	}
	i := list[0]
	for _, next := range list[1:] {
		i = &air.Seq{Left: i, Right: next}
	}
	return i
}

func balanced(list []air.Instr) air.Instr {
	if len(list) == 1 {
		return list[0]
	}
	half := len(list) / 2
	return &air.Seq{Left: balanced(list[:half]), Right: balanced(list[half:])}
}

func par(n *topology.Node) air.Instr {
	var i air.Instr
	for k, kid := range n.Kids {
		branch := orNull(instr(kid))
		if k == 0 {
			i = branch
		} else {
			i = &air.Par{Left: i, Right: branch}
		}
	}
	if len(n.Kids) == 1 {
		i = &air.Par{Left: i, Right: &air.Null{}}
	}
	return i
}

func xor(n *topology.Node) air.Instr {
	i := orNull(instr(n.Kids[0]))
	for _, k := range n.Kids[1:] {
		i = &air.Xor{Left: i, Right: orNull(instr(k))}
	}
	return i
}

// clean spells a name as AIR allows: dots of module names become underscores.
func clean(name string) string { return strings.ReplaceAll(name, ".", "_") }

func variable(o topology.Operand) air.Var {
	name := clean(o.Name)
	switch o.Sort {
	case topology.Stream:
		return air.Var{Name: "$" + name, Kind: air.Stream}
	case topology.Canonical:
		return air.Var{Name: "#" + name, Kind: air.CanonStream}
	case topology.Map:
		return air.Var{Name: "%" + name, Kind: air.StreamMap}
	}
	return air.Var{Name: name, Kind: air.Scalar}
}

func value(o topology.Operand) air.Value {
	if o.Sort == topology.Literal {
		return literal(o.Name)
	}
	v := air.Value{Kind: air.Variable, Lens: lens(o)}
	if o.Name == ":error:" {
		v.Kind = air.Error
		return v
	}
	v.Var = variable(o)
	return v
}

func lens(o topology.Operand) air.Lens {
	l := air.Lens{Length: o.Length}
	for _, s := range o.Lens {
		switch {
		case s.Field != "":
			l.Path = append(l.Path, air.Accessor{Kind: air.ByField, Name: s.Field})
		case s.Var != "":
			l.Path = append(l.Path, air.Accessor{Kind: air.ByScalar, Name: clean(s.Var)})
		default:
			n, _ := strconv.ParseUint(s.Index, 10, 32) // the checker has seen to the range
			l.Path = append(l.Path, air.Accessor{Kind: air.ByIndex, Index: uint32(n)})
		}
	}
	return l
}

// literal reads a literal as the program writes it.
func literal(text string) air.Value {
	switch text {
	case "true", "false":
		return air.Value{Kind: air.Bool, Bool: text == "true"}
	case "[]":
		return air.Value{Kind: air.EmptyArray}
	case "%init_peer_id%":
		return air.Value{Kind: air.InitPeerID}
	case "%timestamp%":
		return air.Value{Kind: air.Timestamp}
	case "%ttl%":
		return air.Value{Kind: air.TTL}
	}
	if strings.HasPrefix(text, `"`) {
		return air.Value{Kind: air.String, Text: text[1 : len(text)-1]}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return air.Value{Kind: air.Int, Int: n}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic("emit: literal " + text)
	}
	return air.Value{Kind: air.Float, Float: f}
}
