package interpreter

import (
	"strconv"
	"unsafe"

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
	op    op
	plain bool  // a call of which no argument is a variable: all have values
	iter  int32 // scalar slot of the iterator of a fold or next
	ins   air.Instr
	kids  []*node // seq: all of its parts; par, xor: two; others: the body
	last  *node   // of a fold

	// call: peer, service, function, arguments; canon: peer; match: both sides; ap: the value; map ap: key and value;
	// fold over values, fail: one
	operands []operand
	out      target // call, ap, map ap, canon, new
	from     target // canon, fold over a stream
}

// args is the number of arguments of a call.
func (n *node) args() int { return len(n.operands) - callArgs }

// The operands of a call.
const (
	callPeer = iota
	callService
	callFunction
	callArgs
)

// target is a variable that is written, or a stream that is read.
type target struct {
	*air.Var // nil if there is none
	slot     int32
}

func (t *target) is(kind air.VarKind) bool { return t.Var != nil && t.Kind == kind }

// operand is a value to resolve.
type operand struct {
	src  *air.Value
	lens *lens
	slot int32 // of the variable, or of the literal
}

// lens is an air.Lens with its scalars resolved to slots.
type lens struct {
	length bool
	path   []accessor
	text   string // canonical
}

type accessor struct {
	*air.Accessor
	slot int32
}

// resolver turns a tree into a program. It takes nodes and operands from larger pieces of memory: a
// script of 200 kB has some 15,000 instructions.
type resolver struct {
	p        *program
	slots    []int32 // by the id of a name, plus one; the sign in names keeps the kinds apart
	literals map[string]int32
	texts    map[string]int32 // the same for strings, by their text without quotes
	nodes    []node
	operands []operand
	lists    []*node
}

func resolve(s *air.Script) *program {
	r := &resolver{p: &program{source: s.Source}, slots: make([]int32, len(s.Names)), literals: map[string]int32{}, texts: map[string]int32{}}
	r.p.root = r.node(s.Root)
	r.p.size += 2*len(s.Source) + 64*len(s.Names)
	return r.p
}

const piece = 256

func (r *resolver) newNode() *node {
	if len(r.nodes) == 0 {
		r.nodes = make([]node, piece)
		r.p.size += piece * int(unsafe.Sizeof(node{}))
	}
	n := &r.nodes[0]
	r.nodes = r.nodes[1:]
	return n
}

// take cuts a list of n zero values off a piece of memory.
func take[T any](from *[]T, n int) []T {
	if len(*from) < n {
		*from = make([]T, max(n, piece))
	}
	list := (*from)[:n:n]
	*from = (*from)[n:]
	return list
}

func (r *resolver) node(i air.Instr) *node {
	n := r.newNode()
	n.ins = i
	switch i := i.(type) {
	case *air.Null:
		n.op = opNull
	case *air.Never:
		n.op = opNever
	case *air.Seq:
		n.op, n.kids = opSeq, take(&r.lists, countSeq(i))
		r.seq(i, n.kids)
	case *air.Par:
		n.op, n.kids = opPar, r.list(i.Left, i.Right)
	case *air.Xor:
		n.op, n.kids = opXor, r.list(i.Left, i.Right)
	case *air.Match:
		n.op, n.operands, n.kids = opMatch, r.values(&i.Left, &i.Right), r.list(i.Body)
	case *air.Mismatch:
		n.op, n.operands, n.kids = opMismatch, r.values(&i.Left, &i.Right), r.list(i.Body)
	case *air.New:
		n.op, n.out, n.kids = opNew, r.target(&i.Var), r.list(i.Body)
	case *air.Fold:
		r.fold(n, i)
	case *air.Next:
		n.op, n.iter = opNext, r.slot(&i.Iterator)
	case *air.Call:
		r.call(n, i)
	case *air.Canon:
		n.op, n.operands, n.from, n.out = opCanon, r.values(&i.Peer), r.target(&i.From), r.target(&i.Out)
	case *air.Ap:
		n.op, n.operands, n.out = opAp, r.values(&i.Arg), r.target(&i.Out)
	case *air.ApMap:
		n.op, n.operands, n.out = opApMap, r.values(&i.Key, &i.Arg), r.target(&i.Map)
	case *air.Fail:
		n.op = opFail
		if !i.Literal {
			n.operands = r.values(&i.Of)
		}
	}
	return n
}

func (r *resolver) list(ins ...air.Instr) []*node {
	list := take(&r.lists, len(ins))
	for k, i := range ins {
		list[k] = r.node(i)
	}
	return list
}

// seq flattens nested seqs: (seq (seq a b) (seq c d)) runs like a list, since
// every part starts with a complete subgraph and an incomplete one stops all.
func (r *resolver) seq(s *air.Seq, list []*node) []*node {
	for _, i := range [2]air.Instr{s.Left, s.Right} {
		if inner, ok := i.(*air.Seq); ok {
			list = r.seq(inner, list)
		} else {
			list[0], list = r.node(i), list[1:]
		}
	}
	return list
}

func countSeq(i air.Instr) int {
	n := 0
	for {
		s, ok := i.(*air.Seq)
		if !ok {
			return n + 1
		}
		if _, nested := s.Left.(*air.Seq); nested {
			n += countSeq(s.Left)
		} else {
			n++
		}
		i = s.Right
	}
}

func (r *resolver) fold(n *node, i *air.Fold) {
	n.op, n.iter = opFold, r.slot(&i.Iterator)
	n.kids = r.list(i.Body)
	if i.Last != nil {
		n.last = r.node(i.Last)
	}
	if v := &i.Iterable; v.Kind == air.Variable && (v.Var.Kind == air.Stream || v.Var.Kind == air.StreamMap) {
		n.op, n.from = opFoldStream, r.target(&v.Var)
		return
	}
	n.operands = r.values(&i.Iterable)
}

func (r *resolver) call(n *node, i *air.Call) {
	n.op, n.plain = opCall, true
	n.operands = take(&r.operands, callArgs+len(i.Args))
	for k, v := range [callArgs]*air.Value{&i.Peer, &i.Service, &i.Function} {
		if n.operands[k].src = v; v.Kind != air.String { // those are taken as they stand
			r.operand(&n.operands[k], v)
		}
	}
	for k := range i.Args {
		r.operand(&n.operands[callArgs+k], &i.Args[k])
		switch i.Args[k].Kind {
		case air.Variable, air.LastError, air.Error:
			n.plain = false
		}
	}
	if i.Out != nil {
		n.out = r.target(i.Out)
	}
}

func (r *resolver) target(v *air.Var) target { return target{v, r.slot(v)} }

func (r *resolver) slot(v *air.Var) int32 { return r.slotOf(v.ID, v.Name, v.Kind) }

func (r *resolver) slotOf(id int32, name string, kind air.VarKind) int32 {
	if s := r.slots[id]; s > 0 {
		return s - 1
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
	*names = append(*names, name)
	r.slots[id] = int32(len(*names))
	return int32(len(*names)) - 1
}

func (r *resolver) values(list ...*air.Value) []operand {
	out := take(&r.operands, len(list))
	for k, v := range list {
		r.operand(&out[k], v)
	}
	return out
}

func (r *resolver) operand(o *operand, v *air.Value) {
	o.src = v
	switch v.Kind {
	case air.String:
		o.slot = r.text(v.Text)
	case air.Int:
		o.slot = r.literal(value.Int(v.Int))
	case air.Float:
		o.slot = r.literal(value.Float(v.Float))
	case air.Bool:
		o.slot = r.literal(value.Bool(v.Bool))
	case air.EmptyArray:
		o.slot = r.literal(value.EmptyArray)
	case air.Variable:
		o.slot = r.slot(&v.Var)
	}
	o.lens = r.lens(&v.Lens)
}

// text is the slot of a string literal.
func (r *resolver) text(s string) int32 {
	if slot, ok := r.texts[s]; ok {
		return slot
	}
	slot := r.literal(value.String(s))
	r.texts[s] = slot
	return slot
}

func (r *resolver) literal(v value.Value) int32 {
	if s, ok := r.literals[v.Text()]; ok {
		return s
	}
	s := int32(len(r.p.literals))
	r.p.literals = append(r.p.literals, v)
	r.literals[v.Text()] = s
	return s
}

func (r *resolver) lens(l *air.Lens) *lens {
	if l.IsZero() {
		return nil
	}
	out := &lens{length: l.Length, text: l.String()}
	for k := range l.Path {
		a := accessor{Accessor: &l.Path[k]}
		if a.Kind == air.ByScalar {
			a.slot = r.slotOf(a.ID, a.Name, air.Scalar)
		}
		out.path = append(out.path, a)
	}
	return out
}

func (a *accessor) String() string {
	switch a.Kind {
	case air.ByIndex:
		return "[" + strconv.FormatUint(uint64(a.Index), 10) + "]"
	case air.ByScalar:
		return "[" + a.Name + "]"
	}
	return a.Name
}
