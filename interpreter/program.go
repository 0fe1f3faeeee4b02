package interpreter

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/value"
)

// program is a script made ready to run: names are numbers, nested seqs are flat lists, literals are
// values. An instruction is resolved when a run first comes to it, since a particle that passes through executes a
// small part of its script. Runs share programs.
type program struct {
	source  string
	script  *air.Script
	root    *node
	scalars []string // names by slot, as the other three
	canons  []string
	maps    []string // canon maps
	streams []string // streams and stream maps
	slots   []int32  // by the id of a name
	size    int      // bytes held when everything is resolved, roughly

	mu       sync.Mutex // held while an instruction is resolved
	literals int32      // resolved so far
	resolver
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

// node is an instruction. Most of a script is never executed by a peer: it stays as small as this.
type node struct {
	at    int32 // in the script
	op    op
	ready atomic.Bool // what follows, and op, is filled in
	*resolved
}

// resolved is an instruction with its operands resolved.
type resolved struct {
	ins    air.Instr        // without branches
	plain  bool             // a call of which no argument is a variable: all have values
	fixed  *value.Tetraplet // of a plain call whose peer, service and function are no variables either, which is the same in all runs
	atInit bool             // and whose peer, left out there, is the init peer
	iter   int32            // scalar slot of the iterator of a fold or next
	kids   []*node          // seq: all of its parts; par, xor: two; others: the body
	last   *node            // of a fold

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
	lit  value.Value // of a literal
	slot int32       // of the variable, or of the literal
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

// resolver is the memory of nodes and operands. Its pieces grow with the part of the script that is
// resolved: pieces of 256 things took 75 kB for each script, however short.
type resolver struct {
	nodes    slab[node]
	bodies   slab[resolved]
	operands slab[operand]
	lists    slab[*node]
	triplets slab[value.Tetraplet]
}

func newProgram(s *air.Script) *program {
	p := &program{source: s.Source, script: s, slots: make([]int32, len(s.Names)), scalars: make([]string, 0, len(s.Names))}
	for id, name := range s.Names {
		names := p.names(name)
		p.slots[id] = int32(len(*names))
		*names = append(*names, name)
	}
	p.root = p.node(0)
	p.size = resolvedSize(s)
	return p
}

// resolvedSize is about how large a script is once all of it is resolved, rather more than less: a null
// takes 110 bytes, an operand 110 as a variable and 240 as a literal of a short script, whose pieces
// are half empty.
func resolvedSize(s *air.Script) int {
	return 1500 + 2*len(s.Source) + 64*len(s.Names) + 150*s.Len() + 240*s.Operands
}

// names is the list for a name, whose sign tells its kind.
func (p *program) names(name string) *[]string {
	switch {
	case len(name) > 1 && name[1] == '%': // #%m; an oddity: any first character will do
		return &p.maps
	case name[0] == '$', name[0] == '%':
		return &p.streams
	case name[0] == '#':
		return &p.canons
	}
	return &p.scalars
}

// resolve fills an instruction in. Only the first run that comes to it waits here.
func (p *program) resolve(n *node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !n.ready.Load() {
		p.fill(n)
		n.ready.Store(true)
	}
}

// node is instruction k, not resolved yet.
func (p *program) node(k int) *node {
	n := p.nodes.take()
	n.at = int32(k)
	if p.script.IsNext(k) { // a par looks whether its branches are
		n.op = opNext
	}
	return n
}

func (p *program) fill(n *node) {
	n.resolved = p.bodies.take()
	k := int(n.at)
	n.ins = p.script.Instr(k)
	left, right := p.script.Branches(k)
	switch i := n.ins.(type) {
	case *air.Null:
		n.op = opNull
	case *air.Never:
		n.op = opNever
	case *air.Seq:
		n.op, n.kids = opSeq, p.lists.some(p.countSeq(k))
		p.seq(k, n.kids)
	case *air.Par:
		n.op, n.kids = opPar, p.list(left, right)
	case *air.Xor:
		n.op, n.kids = opXor, p.list(left, right)
	case *air.Match:
		n.op, n.operands, n.kids = opMatch, p.values(&i.Left, &i.Right), p.list(left)
	case *air.Mismatch:
		n.op, n.operands, n.kids = opMismatch, p.values(&i.Left, &i.Right), p.list(left)
	case *air.New:
		n.op, n.out, n.kids = opNew, p.target(&i.Var), p.list(left)
	case *air.Fold:
		p.fold(n, i)
		n.kids = p.list(left)
		if right != 0 {
			n.last = p.node(right)
		}
	case *air.Next:
		n.op, n.iter = opNext, p.slot(&i.Iterator)
	case *air.Call:
		p.call(n, i)
	case *air.Canon:
		n.op, n.operands, n.from, n.out = opCanon, p.values(&i.Peer), p.target(&i.From), p.target(&i.Out)
	case *air.Ap:
		n.op, n.operands, n.out = opAp, p.values(&i.Arg), p.target(&i.Out)
	case *air.ApMap:
		n.op, n.operands, n.out = opApMap, p.values(&i.Key, &i.Arg), p.target(&i.Map)
	case *air.Fail:
		n.op = opFail
		if !i.Literal {
			n.operands = p.values(&i.Of)
		}
	}
}

func (p *program) list(ins ...int) []*node {
	list := p.lists.some(len(ins))
	for i, k := range ins {
		list[i] = p.node(k)
	}
	return list
}

// seq flattens nested seqs: (seq (seq a b) (seq c d)) runs like a list, since
// every part starts with a complete subgraph and an incomplete one stops all.
func (p *program) seq(k int, list []*node) []*node {
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

func (p *program) countSeq(k int) int {
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

func (p *program) fold(n *node, i *air.Fold) {
	n.op, n.iter = opFold, p.slot(&i.Iterator)
	if v := &i.Iterable; v.Kind == air.Variable && (v.Var.Kind == air.Stream || v.Var.Kind == air.StreamMap) {
		n.op, n.from = opFoldStream, p.target(&v.Var)
		return
	}
	n.operands = p.values(&i.Iterable)
}

func (p *program) call(n *node, i *air.Call) {
	n.op, n.plain = opCall, true
	fixed := true
	n.operands = p.operands.some(callArgs + len(i.Args))
	for k, v := range [callArgs]*air.Value{&i.Peer, &i.Service, &i.Function} {
		if n.operands[k].src = v; v.Kind != air.String { // those are taken as they stand
			p.operand(&n.operands[k], v)
			fixed = fixed && v.Kind == air.InitPeerID && k == callPeer
		}
	}
	for k := range i.Args {
		p.operand(&n.operands[callArgs+k], &i.Args[k])
		switch i.Args[k].Kind {
		case air.Variable, air.LastError, air.Error:
			n.plain = false
		}
	}
	if fixed && n.plain {
		n.fixed, n.atInit = p.triplets.take(), i.Peer.Kind == air.InitPeerID
		*n.fixed = value.Tetraplet{PeerPK: i.Peer.Text, ServiceID: i.Service.Text, FunctionName: i.Function.Text}
	}
	if i.Out != nil {
		n.out = p.target(i.Out)
	}
}

func (p *program) target(v *air.Var) target { return target{v, p.slot(v)} }

func (p *program) slot(v *air.Var) int32 { return p.slots[v.ID] }

func (p *program) values(list ...*air.Value) []operand {
	out := p.operands.some(len(list))
	for k, v := range list {
		p.operand(&out[k], v)
	}
	return out
}

func (p *program) operand(o *operand, v *air.Value) {
	o.src = v
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
		o.slot = p.slot(&v.Var)
	}
	o.lens = p.lens(&v.Lens)
}

func (p *program) literal(o *operand, v value.Value) {
	o.lit, o.slot = v, p.literals
	p.literals++
}

func (p *program) lens(l *air.Lens) *lens {
	if l.IsZero() {
		return nil
	}
	out := &lens{length: l.Length, text: l.String()}
	for k := range l.Path {
		a := accessor{Accessor: &l.Path[k]}
		if a.Kind == air.ByScalar {
			a.slot = p.slots[a.ID]
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
