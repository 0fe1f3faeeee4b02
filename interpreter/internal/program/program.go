// Package program makes scripts ready to run: names are numbers, nested seqs are flat lists,
// literals are values.
package program

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/internal/slab"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Program is a script made ready to run: names are numbers, nested seqs are flat lists, literals
// are values. An instruction is resolved when a run first comes to it, since a particle that passes
// through executes a small part of its script. Runs share programs.
type Program struct {
	Source  string
	script  *air.Script
	Root    *Node
	Scalars []string // names by slot, as the other three
	Canons  []string
	Maps    []string // canon maps
	Streams []string // streams and stream maps
	slots   []int32  // by the id of a name
	size    int      // bytes held when everything is resolved, roughly

	mu       sync.Mutex // held while an instruction is resolved
	literals int32      // resolved so far
	resolver
}

type Op uint8

const (
	OpNull Op = iota
	OpNever
	OpSeq
	OpPar
	OpXor
	OpMatch
	OpMismatch
	OpNew
	OpFold       // over a scalar, a canon or a canon map
	OpFoldStream // over a stream or a stream map
	OpNext
	OpCall
	OpCanon
	OpAp
	OpApMap
	OpFail
)

// Node is an instruction. Most of a script is never executed by a peer: it stays as small as this.
type Node struct {
	at    int32 // in the script
	Op    Op
	ready atomic.Bool // what follows, and op, is filled in
	*resolved
}

// resolved is an instruction with its operands resolved.
type resolved struct {
	Instr air.Instr // without branches
	Plain bool      // a call of which no argument is a variable: all have values
	// of a plain call whose peer, service and function are no variables either, which is the same
	// in all runs
	Fixed  *value.Tetraplet
	AtInit bool    // and whose peer, left out there, is the init peer
	Iter   int32   // scalar slot of the iterator of a fold or next
	Kids   []*Node // seq: all of its parts; par, xor: two; others: the body
	Last   *Node   // of a fold

	// call: peer, service, function, arguments; canon: peer; match: both sides; ap: the value; map
	// ap: key and value; fold over values, fail: one
	Operands []Operand
	Out      Target // call, ap, map ap, canon, new
	From     Target // canon, fold over a stream
}

// Args is the number of arguments of a call.
func (n *Node) Args() int { return len(n.Operands) - FirstArg }

// The operands of a call.
const (
	CallPeer = iota
	CallService
	CallFunction
	FirstArg
)

// Target is a variable that is written, or a stream that is read.
type Target struct {
	*air.Var // nil if there is none
	Slot     int32
}

func (t *Target) Is(kind air.VarKind) bool { return t.Var != nil && t.Kind == kind }

// Operand is a value to resolve.
type Operand struct {
	Source  *air.Value
	Lens    *Lens
	Literal value.Value // of a literal
	Slot    int32       // of the variable, or of the literal
}

// Lens is an air.Lens with its scalars resolved to slots.
type Lens struct {
	Length bool
	Path   []Accessor
	Text   string // canonical
}

type Accessor struct {
	*air.Accessor
	Slot int32
}

// resolver is the memory of nodes and operands. Its pieces grow with the part of the script that is
// resolved: pieces of 256 things took 75 kB for each script, however short.
type resolver struct {
	nodes    slab.Slab[Node]
	bodies   slab.Slab[resolved]
	operands slab.Slab[Operand]
	lists    slab.Slab[*Node]
	triplets slab.Slab[value.Tetraplet]
}

func New(s *air.Script) *Program {
	p := &Program{Source: s.Source, script: s, slots: make([]int32, len(s.Names)),
		Scalars: make([]string, 0, len(s.Names))}
	for id, name := range s.Names {
		names := p.names(name)
		p.slots[id] = int32(len(*names))
		*names = append(*names, name)
	}
	p.Root = p.node(0)
	p.size = resolvedSize(s)
	return p
}

// resolvedSize is about how large a script is once all of it is resolved, rather more than less: a
// null takes 110 bytes, an operand 110 as a variable and 240 as a literal of a short script, whose
// pieces are half empty.
func resolvedSize(s *air.Script) int {
	return 1500 + 2*len(s.Source) + 64*len(s.Names) + 150*s.Len() + 240*s.Operands
}

// names is the list for a name, whose sign tells its kind.
func (p *Program) names(name string) *[]string {
	switch {
	case len(name) > 1 && name[1] == '%': // #%m; an oddity: any first character will do
		return &p.Maps
	case name[0] == '$', name[0] == '%':
		return &p.Streams
	case name[0] == '#':
		return &p.Canons
	}
	return &p.Scalars
}

// IsReady reports whether the instruction is resolved.
func (n *Node) IsReady() bool { return n.ready.Load() }

// Resolve fills an instruction in. Only the first run that comes to it waits here.
func (p *Program) Resolve(n *Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !n.ready.Load() {
		p.fill(n)
		n.ready.Store(true)
	}
}

// node is instruction k, not resolved yet.
func (p *Program) node(k int) *Node {
	n := p.nodes.New()
	n.at = int32(k)
	if p.script.IsNext(k) { // a par looks whether its branches are
		n.Op = OpNext
	}
	return n
}

func (p *Program) fill(n *Node) {
	n.resolved = p.bodies.New()
	k := int(n.at)
	n.Instr = p.script.Instr(k)
	left, right := p.script.Branches(k)
	switch i := n.Instr.(type) {
	case *air.Null:
		n.Op = OpNull
	case *air.Never:
		n.Op = OpNever
	case *air.Seq:
		n.Op, n.Kids = OpSeq, p.lists.List(p.countSeq(k))
		p.seq(k, n.Kids)
	case *air.Par:
		n.Op, n.Kids = OpPar, p.list(left, right)
	case *air.Xor:
		n.Op, n.Kids = OpXor, p.list(left, right)
	case *air.Match:
		n.Op, n.Operands, n.Kids = OpMatch, p.values(&i.Left, &i.Right), p.list(left)
	case *air.Mismatch:
		n.Op, n.Operands, n.Kids = OpMismatch, p.values(&i.Left, &i.Right), p.list(left)
	case *air.New:
		n.Op, n.Out, n.Kids = OpNew, p.target(&i.Var), p.list(left)
	case *air.Fold:
		p.fold(n, i)
		n.Kids = p.list(left)
		if right != 0 {
			n.Last = p.node(right)
		}
	case *air.Next:
		n.Op, n.Iter = OpNext, p.slot(&i.Iterator)
	case *air.Call:
		p.call(n, i)
	case *air.Canon:
		n.Op, n.Operands, n.From, n.Out = OpCanon, p.values(&i.Peer), p.target(&i.From), p.target(&i.Out)
	case *air.Ap:
		n.Op, n.Operands, n.Out = OpAp, p.values(&i.Arg), p.target(&i.Out)
	case *air.ApMap:
		n.Op, n.Operands, n.Out = OpApMap, p.values(&i.Key, &i.Arg), p.target(&i.Map)
	case *air.Fail:
		n.Op = OpFail
		if !i.Literal {
			n.Operands = p.values(&i.Of)
		}
	}
}

func (p *Program) list(ins ...int) []*Node {
	list := p.lists.List(len(ins))
	for i, k := range ins {
		list[i] = p.node(k)
	}
	return list
}

// seq flattens nested seqs: (seq (seq a b) (seq c d)) runs like a list, since
// every part starts with a complete subgraph and an incomplete one stops all.
func (p *Program) seq(k int, list []*Node) []*Node {
	left, right := p.script.Branches(k)
	for _, k := range [2]int{left, right} {
		if p.script.IsSeq(k) {
			list = p.seq(k, list)
		} else {
			list[0], list = p.node(k), list[1:]
		}
	}
	return list
}

func (p *Program) countSeq(k int) int {
	n := 0
	for p.script.IsSeq(k) {
		left, right := p.script.Branches(k)
		if p.script.IsSeq(left) {
			n += p.countSeq(left)
		} else {
			n++
		}
		k = right
	}
	return n + 1
}

func (p *Program) fold(n *Node, i *air.Fold) {
	n.Op, n.Iter = OpFold, p.slot(&i.Iterator)
	if v := &i.Iterable; v.Kind == air.Variable &&
		(v.Var.Kind == air.Stream || v.Var.Kind == air.StreamMap) {
		n.Op, n.From = OpFoldStream, p.target(&v.Var)
		return
	}
	n.Operands = p.values(&i.Iterable)
}

func (p *Program) call(n *Node, i *air.Call) {
	n.Op, n.Plain = OpCall, true
	fixed := true
	n.Operands = p.operands.List(FirstArg + len(i.Args))
	for k, v := range [FirstArg]*air.Value{&i.Peer, &i.Service, &i.Function} {
		if n.Operands[k].Source = v; v.Kind != air.String { // those are taken as they stand
			p.operand(&n.Operands[k], v)
			fixed = fixed && v.Kind == air.InitPeerID && k == CallPeer
		}
	}
	for k := range i.Args {
		p.operand(&n.Operands[FirstArg+k], &i.Args[k])
		switch i.Args[k].Kind {
		case air.Variable, air.LastError, air.Error:
			n.Plain = false
		}
	}
	if fixed && n.Plain {
		n.Fixed, n.AtInit = p.triplets.New(), i.Peer.Kind == air.InitPeerID
		*n.Fixed = value.Tetraplet{PeerPK: i.Peer.Text, ServiceID: i.Service.Text,
			FunctionName: i.Function.Text}
	}
	if i.Out != nil {
		n.Out = p.target(i.Out)
	}
}

func (p *Program) target(v *air.Var) Target { return Target{v, p.slot(v)} }

func (p *Program) slot(v *air.Var) int32 { return p.slots[v.ID] }

func (p *Program) values(list ...*air.Value) []Operand {
	out := p.operands.List(len(list))
	for k, v := range list {
		p.operand(&out[k], v)
	}
	return out
}

func (p *Program) operand(o *Operand, v *air.Value) {
	o.Source = v
	switch v.Kind {
	case air.String:
		p.literal(o, value.String(v.Text))
	case air.Int:
		p.literal(o, value.Int(v.Int))
	case air.Float:
		p.literal(o, value.Float(v.Float))
	case air.Bool:
		p.literal(o, value.Bool(v.Bool))
	case air.EmptyArray:
		p.literal(o, value.EmptyArray)
	case air.Variable:
		o.Slot = p.slot(&v.Var)
	}
	o.Lens = p.Lens(&v.Lens)
}

func (p *Program) literal(o *Operand, v value.Value) {
	o.Literal, o.Slot = v, p.literals
	p.literals++
}

func (p *Program) Lens(l *air.Lens) *Lens {
	if l.IsZero() {
		return nil
	}
	out := &Lens{Length: l.Length, Text: l.String()}
	for k := range l.Path {
		a := Accessor{Accessor: &l.Path[k]}
		if a.Kind == air.ByScalar {
			a.Slot = p.slots[a.ID]
		}
		out.Path = append(out.Path, a)
	}
	return out
}

func (a *Accessor) String() string {
	switch a.Kind {
	case air.ByIndex:
		return "[" + strconv.FormatUint(uint64(a.Index), 10) + "]"
	case air.ByScalar:
		return "[" + a.Name + "]"
	}
	return a.Name
}
