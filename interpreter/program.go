package interpreter

import (
	"strconv"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/value"
)

// program is a script made ready to run: names are numbers, nested seqs are
// flat lists, literals are values. It is never written to after resolve, so
// runs share it.
type program struct {
	source   string
	root     *node
	literals []value.Value
	scalars  []string // names by slot, as the other three
	canons   []string
	maps     []string // canon maps
	streams  []string // streams and stream maps
	size     int      // bytes held, roughly
}

type op uint8

const (
	opNull op = iota
	opNever
	opSeq
	opPar
	opXor
	opMatch
	opMismatch
	opNew
	opFold       // over a scalar, a canon or a canon map
	opFoldStream // over a stream or a stream map
	opNext
	opCall
	opCanon
	opAp
	opApMap
	opFail
)

// node is an instruction with its operands resolved.
type node struct {
	op   op
	ins  air.Instr
	kids []*node // seq: all of its parts; par, xor: two; others: the body
	last *node   // of a fold
	iter int32   // scalar slot of the iterator of a fold or next

	peer, service, function operand // call; canon: peer
	args                    []operand
	plain                   bool    // no argument is a variable: all have values
	a, b                    operand // match: both sides; ap: a; map ap: key a, value b; fold: a; fail: a
	out                     target  // call, ap, map ap, canon, new
	from                    target  // canon, fold over a stream
}

// target names a variable that is written, or a stream that is read.
type target struct {
	set  bool
	kind air.VarKind
	slot int32
	pos  int32 // of the mention in the text: chooses among streams of one name
	name string
}

// operand is a value to resolve.
type operand struct {
	kind    air.ValueKind
	varKind air.VarKind
	slot    int32  // of the variable, or of the literal
	text    string // of a string literal; name of a variable
	lens    *lens
	src     *air.Value
	missing *fault // what a variable without a value answers
}

// lens is an air.Lens with its scalars resolved to slots.
type lens struct {
	length bool
	path   []accessor
	text   string // canonical
}

type accessor struct {
	kind    air.AccessorKind
	index   uint32
	name    string
	slot    int32
	missing *fault
}

// resolver turns a tree into a program.
type resolver struct {
	p     *program
	slots map[string]int32 // by name with its sign, which keeps the kinds apart
	lits  map[string]int32
}

func resolve(s *air.Script) *program {
	r := &resolver{p: &program{source: s.Source}, slots: map[string]int32{}, lits: map[string]int32{}}
	r.p.root = r.node(s.Root)
	r.p.size = 2*len(s.Source) + 16*len(r.slots)
	return r.p
}

func (r *resolver) node(i air.Instr) *node {
	r.p.size += 512
	n := &node{ins: i}
	switch i := i.(type) {
	case *air.Null:
		n.op = opNull
	case *air.Never:
		n.op = opNever
	case *air.Seq:
		n.op, n.kids = opSeq, r.seq(i, nil)
	case *air.Par:
		n.op, n.kids = opPar, []*node{r.node(i.Left), r.node(i.Right)}
	case *air.Xor:
		n.op, n.kids = opXor, []*node{r.node(i.Left), r.node(i.Right)}
	case *air.Match:
		n.op, n.a, n.b, n.kids = opMatch, r.operand(&i.Left), r.operand(&i.Right), []*node{r.node(i.Body)}
	case *air.Mismatch:
		n.op, n.a, n.b, n.kids = opMismatch, r.operand(&i.Left), r.operand(&i.Right), []*node{r.node(i.Body)}
	case *air.New:
		n.op, n.out, n.kids = opNew, r.target(&i.Var), []*node{r.node(i.Body)}
	case *air.Fold:
		r.fold(n, i)
	case *air.Next:
		n.op, n.iter = opNext, r.slot(&i.Iterator)
	case *air.Call:
		r.call(n, i)
	case *air.Canon:
		n.op, n.peer, n.from, n.out = opCanon, r.operand(&i.Peer), r.target(&i.From), r.target(&i.Out)
	case *air.Ap:
		n.op, n.a, n.out = opAp, r.operand(&i.Arg), r.target(&i.Out)
	case *air.ApMap:
		n.op, n.a, n.b, n.out = opApMap, r.operand(&i.Key), r.operand(&i.Arg), r.target(&i.Map)
	case *air.Fail:
		n.op = opFail
		if !i.Literal {
			n.a = r.operand(&i.Of)
		}
	}
	return n
}

// seq flattens nested seqs: (seq (seq a b) (seq c d)) runs like a list, since
// every part starts with a complete subgraph and an incomplete one stops all.
func (r *resolver) seq(s *air.Seq, list []*node) []*node {
	for _, i := range []air.Instr{s.Left, s.Right} {
		if inner, ok := i.(*air.Seq); ok {
			list = r.seq(inner, list)
		} else {
			list = append(list, r.node(i))
		}
	}
	return list
}

func (r *resolver) fold(n *node, i *air.Fold) {
	n.op, n.iter = opFold, r.slot(&i.Iterator)
	n.kids = []*node{r.node(i.Body)}
	if i.Last != nil {
		n.last = r.node(i.Last)
	}
	if v := i.Iterable; v.Kind == air.Variable && (v.Var.Kind == air.Stream || v.Var.Kind == air.StreamMap) {
		n.op, n.from = opFoldStream, r.target(&i.Iterable.Var)
		return
	}
	n.a = r.operand(&i.Iterable)
}

func (r *resolver) call(n *node, i *air.Call) {
	n.op = opCall
	n.peer, n.service, n.function = r.operand(&i.Peer), r.operand(&i.Service), r.operand(&i.Function)
	n.args = make([]operand, len(i.Args))
	n.plain = true
	for k := range i.Args {
		n.args[k] = r.operand(&i.Args[k])
		switch i.Args[k].Kind {
		case air.Variable, air.LastError, air.Error:
			n.plain = false
		}
	}
	if i.Out != nil {
		n.out = r.target(i.Out)
	}
}

func (r *resolver) target(v *air.Var) target {
	return target{set: true, kind: v.Kind, slot: r.slot(v), pos: v.Pos, name: v.Name}
}

func (r *resolver) slot(v *air.Var) int32 { return r.slotOf(v.Name, v.Kind) }

func (r *resolver) slotOf(name string, kind air.VarKind) int32 {
	if s, ok := r.slots[name]; ok {
		return s
	}
	names := &r.p.scalars
	switch kind {
	case air.Stream, air.StreamMap:
		names = &r.p.streams
	case air.CanonStream:
		names = &r.p.canons
	case air.CanonMap:
		names = &r.p.maps
	}
	s := int32(len(*names))
	*names = append(*names, name)
	r.slots[name] = s
	return s
}

func (r *resolver) operand(v *air.Value) operand {
	o := operand{kind: v.Kind, src: v, text: v.Text}
	switch v.Kind {
	case air.String:
		o.slot = r.literal(value.String(v.Text))
	case air.Int:
		o.slot = r.literal(value.Int(v.Int))
	case air.Float:
		o.slot = r.literal(value.Float(v.Float))
	case air.Bool:
		o.slot = r.literal(value.Bool(v.Bool))
	case air.EmptyArray:
		o.slot = r.literal(value.EmptyArray)
	case air.Variable:
		o.varKind, o.slot, o.text = v.Var.Kind, r.slot(&v.Var), v.Var.Name
		o.missing = notFound(v.Var.Name)
	}
	o.lens = r.lens(v.Lens)
	return o
}

func (r *resolver) literal(v value.Value) int32 {
	if s, ok := r.lits[v.Text()]; ok {
		return s
	}
	s := int32(len(r.p.literals))
	r.p.literals = append(r.p.literals, v)
	r.lits[v.Text()] = s
	return s
}

func (r *resolver) lens(l air.Lens) *lens {
	if l.IsZero() {
		return nil
	}
	out := &lens{length: l.Length, text: l.String()}
	for _, a := range l.Path {
		acc := accessor{kind: a.Kind, index: a.Index, name: a.Name}
		if a.Kind == air.ByScalar {
			acc.slot, acc.missing = r.slotOf(a.Name, air.Scalar), notFound(a.Name)
		}
		out.path = append(out.path, acc)
	}
	return out
}

func (a *accessor) String() string {
	switch a.kind {
	case air.ByIndex:
		return "[" + strconv.FormatUint(uint64(a.index), 10) + "]"
	case air.ByScalar:
		return "[" + a.name + "]"
	}
	return a.name
}
