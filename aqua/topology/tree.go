package topology

import "strings"

// Node is a step of a program in which everything is inlined. Op tells what it
// is and Kids are its parts: any number for *Seq, *Par, *Xor and *On, one for
// *Match, *Fold, *New and *At, none for the rest.
type Node struct {
	Op   Op
	Kids []*Node

	parent *Node
	index  int // among the parent's kids
	first  int // number of the node in preorder
	last   int // number of the last node below it
	empty  bool
	out    binding // what it writes
	reach  int     // see reaches
	memo   memo
	spot   spot // of the resolved tree
}

// Op is what a node does:
//
//	*Seq *Par *Xor *On *Match *Fold *New *At        with parts
//	*Call *Canon *Ap *ApMap *Fail *Next *Null *Mark  without
type Op interface{ op() }

type (
	// Seq runs its parts one after the other.
	Seq struct{}
	// Par runs its parts in parallel. With Detached set the program goes on at
	// once: there is one part, and nothing waits for it.
	Par struct{ Detached bool }
	// Xor runs each part only if the one before it failed.
	Xor struct{}
	// On runs its parts, in sequence, on Peer, reached by way of Via. With ToRelay
	// set it is left at its last relay, wherever the program goes on.
	On struct {
		Peer    Operand
		Via     []Operand
		ToRelay bool
	}
	// Match runs its part if both operands are equal, or if they differ.
	Match struct {
		L, R   Operand
		Differ bool
	}
	// Fold runs its part for the items of In; Never keeps it incomplete after the last.
	Fold struct {
		In    Operand
		Item  string
		Never bool
	}
	// New restricts a variable to its part.
	New struct{ Var Operand }
	// At runs its part at the place of Mark instead of the place where it stands.
	At struct{ Mark *Node }

	// Call is a service call on the current peer.
	Call struct {
		Service, Function Operand
		Args              []Operand
		Out               *Operand
	}
	// Canon freezes a stream or a map on the current peer.
	Canon struct{ From, Out Operand }
	// Ap copies a value to a variable, or appends it to a stream.
	Ap struct{ Arg, Out Operand }
	// ApMap adds a pair to a map.
	ApMap struct {
		Key      string
		Arg, Map Operand
	}
	// Fail raises the error in Of.
	Fail struct{ Of Operand }
	// Next goes on to the next item of a fold.
	Next struct{ Item string }
	// Null does nothing.
	Null struct{}
	// Mark remembers a place for At; it does nothing.
	Mark struct{}
)

func (*Seq) op()   {}
func (*Par) op()   {}
func (*Xor) op()   {}
func (*On) op()    {}
func (*Match) op() {}
func (*Fold) op()  {}
func (*New) op()   {}
func (*At) op()    {}
func (*Call) op()  {}
func (*Canon) op() {}
func (*Ap) op()    {}
func (*ApMap) op() {}
func (*Fail) op()  {}
func (*Next) op()  {}
func (*Null) op()  {}
func (*Mark) op()  {}

// Sort tells the sorts of operands apart.
type Sort uint8

// The sorts of operands.
const (
	Literal Sort = iota // Name is its text
	Scalar
	Stream
	Canonical // a frozen stream
	Map
)

// Operand is a literal or a variable with a lens.
type Operand struct {
	Sort   Sort
	Name   string
	Length bool   // the number of elements
	Lens   []Step // or a part of the value
	Many   bool   // as a relay: a collection of relays
}

// Step selects a part of a value: a field, a number or the value of a variable.
type Step struct {
	Field string
	Index string
	Var   string
}

// Lit is a literal operand.
func Lit(text string) Operand { return Operand{Name: text} }

// Var is a scalar variable.
func Var(name string) Operand { return Operand{Sort: Scalar, Name: name} }

// With adds a step to the lens.
func (o Operand) With(s Step) Operand {
	o.Lens = append(o.Lens[:len(o.Lens):len(o.Lens)], s)
	return o
}

// key identifies the expression: peers are the same iff their keys are.
func (o Operand) key() string {
	if len(o.Lens) == 0 && !o.Length {
		return string('0'+byte(o.Sort)) + o.Name
	}
	var b strings.Builder
	b.WriteString(string('0'+byte(o.Sort)) + o.Name)
	if o.Length {
		b.WriteString(".length")
	}
	for _, s := range o.Lens {
		b.WriteString("." + s.Field + "[" + s.Index + "|" + s.Var + "]")
	}
	return b.String()
}

// NewNode makes a node.
func NewNode(op Op, kids ...*Node) *Node { return &Node{Op: op, Kids: kids} }

// seqLike tells the nodes whose parts run one after the other.
func (n *Node) seqLike() bool {
	switch n.Op.(type) {
	case *Seq, *On, *Match, *Fold, *New, *At:
		return true
	}
	return false
}

func (n *Node) isPar() bool {
	_, ok := n.Op.(*Par)
	return ok
}

func (n *Node) isXor() bool {
	_, ok := n.Op.(*Xor)
	return ok
}

// executes tells the leaves that happen on a certain peer. The others happen
// wherever the particle is.
func (n *Node) executes() bool {
	switch n.Op.(type) {
	case *Call, *Canon:
		return true
	}
	return false
}
