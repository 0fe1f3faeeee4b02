// Package emit writes the results of a compilation: AIR trees, and the definitions of
// functions and services that clients interpret.
package emit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aquanode/aquanode/aqua/step"
	"github.com/aquanode/aquanode/interpreter/air"
)

// wideSeq is the number of steps above which a sequence becomes a balanced tree.
// Shorter ones are associated to the left, as by the published compiler. A thousand
// steps would then be a tree a thousand levels deep, and the length of its text would
// grow with the square of the number of steps.
const wideSeq = 256

// AIR turns a tree without on-nodes into instructions without spans.
func AIR(n *step.Node) air.Instr { return orNull(instr(n)) }

func orNull(i air.Instr) air.Instr {
	if i == nil {
		return &air.Null{}
	}
	return i
}

// instr returns nil for a step that does nothing and can be left out.
func instr(n *step.Node) air.Instr {
	switch op := n.Op.(type) {
	case *step.SeqOp:
		return joinSeq(steps(nil, n))
	case *step.ParOp:
		return par(n)
	case *step.XorOp:
		return xor(n)
	case *step.MatchOp:
		if op.Differ {
			return &air.Mismatch{Left: value(op.L), Right: value(op.R), Body: body(n)}
		}
		return &air.Match{Left: value(op.L), Right: value(op.R), Body: body(n)}
	case *step.FoldOp:
		f := &air.Fold{
			Iterable: value(op.In), Iterator: variable(step.Var(op.Item)),
			Body: body(n), Last: &air.Null{},
		}
		if op.Never {
			f.Last = &air.Never{}
		}
		return f
	case *step.NewOp:
		if i := instr(n.Kids[0]); i != nil {
			return &air.New{Var: variable(op.Var), Body: i}
		}
		return nil
	case *step.NullOp, *step.MarkOp:
		return nil
	}
	return leaf(n)
}

func body(n *step.Node) air.Instr { return orNull(instr(n.Kids[0])) }

func leaf(n *step.Node) air.Instr {
	switch op := n.Op.(type) {
	case *step.CallOp:
		return call(op)
	case *step.CanonOp:
		return &air.Canon{Peer: value(op.Peer), From: variable(op.From), Out: variable(op.Out)}
	case *step.ApOp:
		return &air.Ap{Arg: value(op.Arg), Out: variable(op.Out)}
	case *step.ApMapOp:
		key := air.Value{Kind: air.String, Text: op.Key}
		return &air.ApMap{Key: key, Arg: value(op.Arg), Map: variable(op.Map)}
	case *step.FailOp:
		return &air.Fail{Of: value(op.Of)}
	case *step.NextOp:
		return &air.Next{Iterator: variable(step.Var(op.Item))}
	}
	panic(fmt.Sprintf("emit: %T in a resolved tree", n.Op))
}

func call(op *step.CallOp) air.Instr {
	c := &air.Call{Peer: value(op.Peer), Service: value(op.Service), Function: value(op.Function)}
	for _, a := range op.Args {
		c.Args = append(c.Args, value(a))
	}
	if op.Out != nil {
		out := variable(*op.Out)
		c.Out = &out
	}
	return c
}

// steps appends the instructions of a sequence and of the sequences directly in it.
func steps(list []air.Instr, n *step.Node) []air.Instr {
	for _, k := range n.Kids {
		if _, ok := k.Op.(*step.SeqOp); ok {
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

func par(n *step.Node) air.Instr {
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

func xor(n *step.Node) air.Instr {
	i := orNull(instr(n.Kids[0]))
	for _, k := range n.Kids[1:] {
		i = &air.Xor{Left: i, Right: orNull(instr(k))}
	}
	return i
}

// clean makes a name valid in AIR: dots of module names become underscores.
func clean(name string) string { return strings.ReplaceAll(name, ".", "_") }

func variable(o step.Operand) air.Var {
	name := clean(o.Name)
	switch o.Sort {
	case step.Stream:
		return air.Var{Name: "$" + name, Kind: air.Stream}
	case step.Canonical:
		return air.Var{Name: "#" + name, Kind: air.CanonStream}
	case step.Map:
		return air.Var{Name: "%" + name, Kind: air.StreamMap}
	}
	return air.Var{Name: name, Kind: air.Scalar}
}

func value(o step.Operand) air.Value {
	if o.IsLiteral() {
		return literal(o.Name)
	}
	v := air.Value{Kind: air.Variable, Lens: lens(o)}
	if o.Name == step.ErrorName {
		v.Kind = air.Error
		return v
	}
	v.Var = variable(o)
	return v
}

func lens(o step.Operand) air.Lens {
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

// literal parses the text of a literal.
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
