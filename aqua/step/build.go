package step

func node(op Op, kids ...*Node) *Node { return &Node{Op: op, Kids: kids} }

// Seq runs kids one after the other. One kid is returned as it is.
func Seq(kids ...*Node) *Node {
	if len(kids) == 1 {
		return kids[0]
	}
	return node(&SeqOp{}, kids...)
}

// Par runs kids in parallel.
func Par(kids ...*Node) *Node { return node(&ParOp{}, kids...) }

// Detach starts kid; the program continues without waiting for it.
func Detach(kid *Node) *Node { return node(&ParOp{Detached: true}, kid) }

// Xor runs b if a fails.
func Xor(a, b *Node) *Node { return node(&XorOp{}, a, b) }

// On runs kids in sequence at a place.
func On(place *OnOp, kids ...*Node) *Node { return node(place, kids...) }

// Match runs body if l and r are equal.
func Match(l, r Operand, body *Node) *Node { return node(&MatchOp{L: l, R: r}, body) }

// Compare runs body if l and r differ, or if they are equal.
func Compare(l, r Operand, differ bool, body *Node) *Node {
	return node(&MatchOp{L: l, R: r, Differ: differ}, body)
}

// Fold runs body for each item of in and completes after the last.
func Fold(in Operand, item string, body *Node) *Node {
	return node(&FoldOp{In: in, Item: item}, body)
}

// Wait is a Fold that does not complete after the last item: of a stream, it waits
// for more.
func Wait(in Operand, item string, body *Node) *Node {
	return node(&FoldOp{In: in, Item: item, Never: true}, body)
}

// Next continues the fold over item.
func Next(item string) *Node { return node(&NextOp{Item: item}) }

// New restricts a variable to body.
func New(v Operand, body *Node) *Node { return node(&NewOp{Var: v}, body) }

// At runs kids in sequence at the place of a mark.
func At(mark *Node, kids ...*Node) *Node { return node(&AtOp{Mark: mark}, kids...) }

// Mark marks a place.
func Mark() *Node { return node(&MarkOp{}) }

// Call calls a function of a service. out is nil if it has no result.
func Call(service, function Operand, out *Operand, args ...Operand) *Node {
	return node(&CallOp{Service: service, Function: function, Out: out, Args: args})
}

// Canon canonicalizes a stream or a map.
func Canon(from, out Operand) *Node { return node(&CanonOp{From: from, Out: out}) }

// Ap copies arg to a variable, or appends it to a stream.
func Ap(arg, out Operand) *Node { return node(&ApOp{Arg: arg, Out: out}) }

// ApMap inserts a pair into a map.
func ApMap(key string, arg, m Operand) *Node { return node(&ApMapOp{Key: key, Arg: arg, Map: m}) }

// Fail raises the error in a variable.
func Fail(name string) *Node { return node(&FailOp{Of: Var(name)}) }

// Null does nothing.
func Null() *Node { return node(&NullOp{}) }

// Hop makes the particle visit a peer: it canonicalizes an empty stream there.
func Hop(peer Operand) *Node {
	stream, canon := StreamVar("-hop-"), CanonVar("-hopc-")
	return New(stream, New(canon, node(&CanonOp{Peer: peer, From: stream, Out: canon})))
}
