// Package step is the tree that the back half of the compiler works on: a program
// in which every function is inlined, in the instructions of AIR. Places are still
// written as on-nodes; package topology replaces them by hops.
//
// Package inline builds the tree with the functions of build.go, package topology
// changes it, package emit writes it.
package step

// Node is a step with its parts: any number for *SeqOp, *ParOp, *XorOp, *OnOp and
// *AtOp, one for *MatchOp, *FoldOp and *NewOp, none for the rest. A node stands in
// the tree once.
type Node struct {
	Op   Op
	Kids []*Node
}

// Op is what a node does:
//
//	*SeqOp *ParOp *XorOp *OnOp *MatchOp *FoldOp *NewOp *AtOp               with parts
//	*CallOp *CanonOp *ApOp *ApMapOp *FailOp *NextOp *NullOp *MarkOp  without
type Op interface{ op() }

type (
	// SeqOp runs its parts one after the other.
	SeqOp struct{}
	// ParOp runs its parts in parallel. With Detached set there is one part, and
	// the program continues without waiting for it.
	ParOp struct{ Detached bool }
	// XorOp runs each part only if the one before it failed.
	XorOp struct{}
	// OnOp runs its parts, in sequence, on Peer, reached over the relays in Via.
	// With ToRelay set, the particle leaves to the last relay, wherever the program
	// continues.
	OnOp struct {
		Peer    Operand
		Via     []Operand
		ToRelay bool
	}
	// MatchOp runs its part if both operands are equal; with Differ set, if they differ.
	MatchOp struct {
		L, R   Operand
		Differ bool
	}
	// FoldOp runs its part for each item of In. With Never set it does not complete
	// after the last item.
	FoldOp struct {
		In    Operand
		Item  string
		Never bool
	}
	// NewOp restricts a variable to its part.
	NewOp struct{ Var Operand }
	// AtOp runs its parts, in sequence, at the place of Mark.
	AtOp struct{ Mark *Node }

	// CallOp calls a function of a service. Package topology sets Peer.
	CallOp struct {
		Peer              Operand
		Service, Function Operand
		Args              []Operand
		Out               *Operand
	}
	// CanonOp canonicalizes a stream or a map. Package topology sets Peer.
	CanonOp struct{ Peer, From, Out Operand }
	// ApOp copies a value to a variable, or appends it to a stream.
	ApOp struct{ Arg, Out Operand }
	// ApMapOp inserts a pair into a map.
	ApMapOp struct {
		Key      string
		Arg, Map Operand
	}
	// FailOp raises the error in Of.
	FailOp struct{ Of Operand }
	// NextOp continues a fold with its next item.
	NextOp struct{ Item string }
	// NullOp does nothing.
	NullOp struct{}
	// MarkOp does nothing. It marks a place for AtOp.
	MarkOp struct{}
)

func (*SeqOp) op()   {}
func (*ParOp) op()   {}
func (*XorOp) op()   {}
func (*OnOp) op()    {}
func (*MatchOp) op() {}
func (*FoldOp) op()  {}
func (*NewOp) op()   {}
func (*AtOp) op()    {}
func (*CallOp) op()  {}
func (*CanonOp) op() {}
func (*ApOp) op()    {}
func (*ApMapOp) op() {}
func (*FailOp) op()  {}
func (*NextOp) op()  {}
func (*NullOp) op()  {}
func (*MarkOp) op()  {}

// Idle reports whether n is nil or does nothing. Marks may be in it.
func (n *Node) Idle() bool {
	if n == nil {
		return true
	}
	switch n.Op.(type) {
	case *MarkOp, *NullOp:
		return true
	case *SeqOp, *NewOp, *AtOp:
		for _, k := range n.Kids {
			if !k.Idle() {
				return false
			}
		}
		return true
	}
	return false
}
