package air

import "slices"

// Script is a parsed and checked script. Its instructions are numbered from 0, which is the
// whole script, in the order of the text. It holds where they stand and reads one from the
// source when it is asked for: a peer executes a small part of most scripts. A Script
// does not change and may have many users at a time.
type Script struct {
	Source string
	Names  []string // of the variables, by Var.ID
	// Operands is the number of values, variables and steps of lenses in all instructions.
	Operands int

	nodes    []node
	mentions []int32 // IDs of the variables in the order of the text
}

// Len is the number of instructions.
func (s *Script) Len() int { return len(s.nodes) }

// IsSeq reports whether instruction k is a seq.
func (s *Script) IsSeq(k int) bool { return s.nodes[k].kind == tokSeq }

// IsNext reports whether instruction k is a next.
func (s *Script) IsNext(k int) bool { return s.nodes[k].kind == tokNext }

// Branches are the numbers of the instructions directly inside instruction k, 0 where there is
// none: the left and the right branch, or the body and the last instruction of a fold.
func (s *Script) Branches(k int) (left, right int) {
	left = k + 1
	behind := int(s.nodes[k].next)
	if left == behind {
		return 0, 0
	}
	if right = int(s.nodes[left].next); right == behind {
		return left, 0
	}
	return left, right
}

// Tree is the whole script as a tree.
func (s *Script) Tree() Instr { return s.tree(0) }

func (s *Script) tree(k int) Instr {
	var left, right Instr
	l, r := s.Branches(k)
	if l != 0 {
		left = s.tree(l)
	}
	if r != 0 {
		right = s.tree(r)
	}
	i := s.Instr(k)
	switch i := i.(type) {
	case *Seq:
		i.Left, i.Right = left, right
	case *Par:
		i.Left, i.Right = left, right
	case *Xor:
		i.Left, i.Right = left, right
	case *Match:
		i.Body = left
	case *Mismatch:
		i.Body = left
	case *New:
		i.Body = left
	case *Fold:
		i.Body, i.Last = left, right
	}
	return i
}

// Instr reads instruction k. Its branches are left out.
func (s *Script) Instr(k int) Instr {
	n := &s.nodes[k]
	switch at := n.Span; n.kind { // those without operands
	case tokNull:
		return &Null{at}
	case tokNever:
		return &Never{at}
	case tokSeq:
		return &Seq{Span: at}
	case tokPar:
		return &Par{Span: at}
	case tokXor:
		return &Xor{Span: at}
	}
	r := reader{names: s.Names, mentions: s.mentions[n.mentions:]}
	r.src, r.tok.End = s.Source, n.Start
	r.skip(2) // the "(" and the keyword
	r.next()
	return r.instr(n)
}

// reader reads the operands of an instruction that Parse has found good.
type reader struct {
	scanner
	names    []string
	mentions []int32 // still to come
}

// skip passes tokens that carry nothing.
func (r *reader) skip(tokens int) {
	for range tokens {
		r.next()
	}
}

func (r *reader) instr(n *node) Instr {
	switch at := n.Span; n.kind {
	case tokMatch:
		return &Match{Span: at, Left: r.value(), Right: r.value()}
	case tokMismatch:
		return &Mismatch{Span: at, Left: r.value(), Right: r.value()}
	case tokFold:
		return &Fold{Span: at, Iterable: r.value(), Iterator: r.variable()}
	case tokNew:
		return &New{Span: at, Var: r.variable()}
	case tokNext:
		return &Next{Span: at, Iterator: r.variable()}
	case tokCanon:
		return &Canon{Span: at, Peer: r.value(), From: r.variable(), Out: r.variable()}
	case tokAp:
		return r.ap(at)
	case tokFail:
		return r.fail(at)
	default:
		return r.call(at)
	}
}

func (r *reader) call(at Span) Instr {
	made := &struct { // in one piece
		Call
		out Var
	}{Call: Call{Span: at, Peer: r.value()}}
	i := &made.Call
	r.skip(1) // "("
	i.Service, i.Function = r.value(), r.value()
	r.skip(2) // ")" "["
	var few [6]Value
	args := few[:0]
	for r.tok.kind != tokCloseSquare {
		args = append(args, r.value())
	}
	if r.skip(1); r.tok.kind != tokClose {
		made.out = r.variable()
		i.Out = &made.out
	}
	if len(args) > 0 {
		i.Args = slices.Clone(args)
	}
	return i
}

func (r *reader) ap(at Span) Instr {
	if r.tok.kind != tokOpen {
		return &Ap{Span: at, Arg: r.value(), Out: r.variable()}
	}
	r.skip(1) // "("
	i := &ApMap{Span: at, Key: r.value(), Arg: r.value()}
	r.skip(1) // ")"
	i.Map = r.variable()
	return i
}

func (r *reader) fail(at Span) Instr {
	of := r.value()
	if of.Kind == Int {
		return &Fail{Span: at, Literal: true, Code: of.Int, Message: r.value().Text}
	}
	return &Fail{Span: at, Of: of}
}

// variable reads a variable without lens.
func (r *reader) variable() Var {
	v := r.mention()
	r.next()
	return v
}

// mention is the variable of the current token.
func (r *reader) mention() Var {
	id := r.id()
	return Var{Name: r.names[id], Kind: varKinds[r.tok.kind], Pos: r.tok.Start, ID: id}
}

// id is that of the next variable or of the next scalar in a lens.
func (r *reader) id() int32 {
	id := r.mentions[0]
	r.mentions = r.mentions[1:]
	return id
}

// value reads a value, or the stream or the stream map of a fold.
func (r *reader) value() Value {
	t := &r.tok
	var v Value
	switch t.kind {
	case tokString:
		v.Kind, v.Text = String, r.src[t.Start+1:t.End-1]
	case tokInt:
		v.Kind, v.Int = Int, t.integer
	case tokFloat:
		v.Kind, v.Float = Float, t.float
	case tokBoolean:
		v.Kind, v.Bool = Bool, r.src[t.Start] == 't'
	case tokInitPeerID:
		v.Kind = InitPeerID
	case tokTimestamp:
		v.Kind = Timestamp
	case tokTTL:
		v.Kind = TTL
	case tokLastError:
		v.Kind = LastError
	case tokLastErrorLens:
		v.Kind, v.Lens = LastError, r.lens()
	case tokError:
		v.Kind = Error
	case tokErrorLens:
		v.Kind, v.Lens = Error, r.lens()
	case tokScalarLens, tokCanonStreamLens, tokCanonMapLens:
		v.Kind, v.Var, v.Lens = Variable, r.mention(), r.lens()
	case tokOpenSquare:
		v.Kind = EmptyArray
		r.skip(1) // "]" is next
	default:
		v.Kind, v.Var = Variable, r.mention()
	}
	r.next()
	return v
}

// lens is that of the current token, with the IDs of its scalars.
func (r *reader) lens() Lens {
	l := readLens(r.src[r.tok.nameEnd:r.tok.End])
	for k := range l.Path {
		if l.Path[k].Kind == ByScalar {
			l.Path[k].ID = r.id()
		}
	}
	return l
}

var varKinds = [...]VarKind{
	tokScalar: Scalar, tokScalarLens: Scalar, tokStream: Stream, tokStreamMap: StreamMap,
	tokCanonStream: CanonStream, tokCanonStreamLens: CanonStream, tokCanonMap: CanonMap, tokCanonMapLens: CanonMap,
}
