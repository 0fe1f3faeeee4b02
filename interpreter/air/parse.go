package air

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// MaxDepth is the deepest nesting of instructions that Parse accepts. Compiled scripts
// nest a level or two per statement; the bound keeps the recursion of everything that
// walks a tree far from the limits of a stack.
const MaxDepth = 100_000

// maxSyntaxErrors is how many syntax errors are looked for before giving up on a text.
const maxSyntaxErrors = 100

// Parse reads and checks a script. The error, if any, is an *ParseError with everything
// that was found wrong.
func Parse(src string) (*Script, error) {
	if e := unreadable(src); e != nil {
		return nil, e
	}
	p := parser{scanner: scanner{src: src}}
	p.next()
	root := p.script()
	errs := slices.Concat(p.errs, p.check.finish())
	if p.tok.kind == tokBad {
		errs = []Diagnostic{p.bad} // AquaVM forgets everything else when it meets a bad word
	}
	if len(errs) > 0 {
		return nil, newError(src, errs)
	}
	return &Script{Source: src, Root: root, Names: p.check.list()}, nil
}

// unreadable refuses texts that cannot be scanned at all.
func unreadable(src string) error {
	if len(src) > maxSource {
		return newError("", []Diagnostic{{Label: "the script is longer than 2 GB"}})
	}
	if utf8.ValidString(src) {
		return nil
	}
	legible := []byte(src) // with "?" for what is no character, so that offsets stay
	first := len(src)
	for at := 0; at < len(src); {
		r, n := utf8.DecodeRuneInString(src[at:])
		if r == utf8.RuneError && n == 1 {
			legible[at] = '?'
			first = min(first, at)
		}
		at += n
	}
	return newError(string(legible), []Diagnostic{{Span: span(first, first+1), Label: "the script is not valid UTF-8"}})
}

// parser builds the tree. It keeps the unfinished instructions on a stack of its own
// and not on the goroutine's: nesting costs no recursion, and an error can be recovered
// from by going back to any of them, which is what AquaVM does.
type parser struct {
	scanner
	open     []frame // unfinished instructions, the script itself first
	errs     []Diagnostic
	expected kindSet // in the last syntax error
	check    checker
	nodes
}

// frame is an instruction whose branches are being read.
type frame struct {
	node     Instr
	at       *Span
	branches [2]*Instr // where they go
	got      uint8     // branches read
	need     uint8     // branches it must have
	most     uint8     // branches it may have
}

// expected is what may follow once got branches are read.
func (f *frame) expected(got uint8) kindSet {
	var s kindSet
	if got < f.most {
		s |= set(tokOpen)
	}
	if got >= f.need && f.node != nil {
		s |= set(tokClose)
	}
	return s
}

// script = instr
func (p *parser) script() Instr {
	var root Instr
	p.open = append(p.open, frame{branches: [2]*Instr{&root}, need: 1, most: 1})
	for {
		top := &p.open[len(p.open)-1]
		switch {
		case p.tok.kind == tokOpen && top.got < top.most:
			if !p.instr() && !p.resume() {
				return nil
			}
		case p.tok.kind == tokClose && top.got >= top.need && top.node != nil:
			top.at.End = p.tok.End
			p.next()
			p.done(top.node)
		case p.tok.kind == tokEOF && top.got == 1 && top.node == nil:
			return root
		default:
			p.unexpected(top.expected(top.got))
			if !p.resume() {
				return nil
			}
		}
	}
}

// done takes the innermost open instruction off the stack and gives it to its parent.
func (p *parser) done(i Instr) {
	p.open = p.open[:len(p.open)-1]
	p.leaf(i)
}

// leaf gives a complete instruction to the innermost open one.
func (p *parser) leaf(i Instr) {
	p.check.add(i)
	top := &p.open[len(p.open)-1]
	*top.branches[top.got] = i
	top.got++
}

// unexpected records that the current token is none of those expected. A bad word, or
// one that no rule takes anywhere, ends everything.
func (p *parser) unexpected(expected kindSet) bool {
	p.expected = expected
	switch p.tok.kind {
	case tokTagged:
		p.bad = syntaxError(p.src, &p.tok, expected)
		p.tok.kind = tokBad
	case tokBad:
	default:
		p.errs = append(p.errs, syntaxError(p.src, &p.tok, expected))
	}
	return false
}

// resume skips to a place from which reading can go on after a syntax error, as AquaVM
// does: one of the places where an instruction was expected, the innermost one such that
// an unknown instruction there may be followed by the current token; if there is none, the
// token is dropped. It reports false when reading has to end.
func (p *parser) resume() bool {
	if p.tok.kind == tokBad || len(p.errs) >= maxSyntaxErrors {
		return false
	}
	open, closing := p.place(tokOpen), p.place(tokClose)
	for {
		at := place{frame: -1}
		switch p.tok.kind {
		case tokOpen:
			at = open
		case tokClose:
			at = closing
		case tokEOF:
			at = place{0, 0}
		case tokTagged:
			return p.unexpected(p.expected)
		case tokBad:
			return false
		}
		if at.frame >= 0 {
			p.open = p.open[:at.frame+1]
			top := &p.open[at.frame]
			*top.branches[at.branch] = &Null{}
			top.got = at.branch + 1
			return true
		}
		p.next()
	}
}

// place is a branch of an open instruction.
type place struct {
	frame  int
	branch uint8
}

// place finds the innermost branch that was begun and may be followed by k.
func (p *parser) place(k kind) place {
	for i := len(p.open) - 1; i >= 0; i-- {
		f := &p.open[i]
		for b := int(min(f.got, f.most-1)); b >= 0; b-- {
			if f.expected(uint8(b) + 1).has(k) {
				return place{i, uint8(b)}
			}
		}
	}
	return place{frame: -1}
}

// The sets of what the grammar allows in each place.
var (
	instructions = set(tokAp, tokCall, tokCanon, tokFail, tokFold, tokMatch, tokMismatch, tokNever,
		tokNew, tokNext, tokNull, tokPar, tokSeq, tokXor)
	names     = set(tokCanonMapLens, tokCanonStreamLens, tokString, tokScalar, tokScalarLens)
	peers     = names | set(tokInitPeerID)
	apArgs    = peers | set(tokOpenSquare, tokBoolean, tokCanonStream, tokError, tokErrorLens, tokFloat, tokInt, tokLastError, tokLastErrorLens, tokTTL, tokTimestamp)
	values    = apArgs | set(tokCanonMap)
	keys      = set(tokCanonStreamLens, tokInt, tokString, tokScalar, tokScalarLens)
	iterables = set(tokOpenSquare, tokCanonStream, tokCanonMap, tokCanonMapLens, tokScalar, tokScalarLens, tokStream, tokStreamMap)
	failures  = set(tokCanonStreamLens, tokError, tokInt, tokLastError, tokScalar, tokScalarLens)
	outputs   = set(tokScalar, tokStream)
	variables = set(tokCanonStream, tokCanonMap, tokScalar, tokStream, tokStreamMap)
)

// instr reads an instruction without branches, or the head of one with branches, which
// stays open. The current token is its "(".
func (p *parser) instr() bool {
	start := p.tok.Start
	p.next()
	at := Span{Start: start}
	k := p.tok.kind
	if !instructions.has(k) {
		return p.unexpected(instructions)
	}
	p.next()
	switch k {
	case tokCall:
		return p.call(at)
	case tokAp:
		return p.ap(at)
	case tokCanon:
		return p.canon(at)
	case tokFail:
		return p.failInstr(at)
	case tokNext:
		return p.nextInstr(at)
	case tokNull:
		n := p.nulls.one()
		n.Span = at
		return p.end(&n.Span, n)
	case tokNever:
		n := &Never{at}
		return p.end(&n.Span, n)
	}
	if len(p.open) > MaxDepth {
		return p.tooDeep(start)
	}
	switch k {
	case tokSeq:
		n := p.seqs.one()
		n.Span = at
		return p.begin(frame{node: n, at: &n.Span, branches: [2]*Instr{&n.Left, &n.Right}, need: 2, most: 2})
	case tokPar:
		n := p.pars.one()
		n.Span = at
		return p.begin(frame{node: n, at: &n.Span, branches: [2]*Instr{&n.Left, &n.Right}, need: 2, most: 2})
	case tokXor:
		n := p.xors.one()
		n.Span = at
		return p.begin(frame{node: n, at: &n.Span, branches: [2]*Instr{&n.Left, &n.Right}, need: 2, most: 2})
	case tokMatch:
		n := p.matches.one()
		n.Span = at
		return p.operand(&n.Left, values) && p.operand(&n.Right, values) &&
			p.begin(frame{node: n, at: &n.Span, branches: [2]*Instr{&n.Body}, need: 1, most: 1})
	case tokMismatch:
		n := &Mismatch{Span: at}
		return p.operand(&n.Left, values) && p.operand(&n.Right, values) &&
			p.begin(frame{node: n, at: &n.Span, branches: [2]*Instr{&n.Body}, need: 1, most: 1})
	case tokFold:
		n := p.folds.one()
		n.Span = at
		return p.operand(&n.Iterable, iterables) && p.variable(&n.Iterator, set(tokScalar)) &&
			p.begin(frame{node: n, at: &n.Span, branches: [2]*Instr{&n.Body, &n.Last}, need: 1, most: 2})
	default: // tokNew
		n := p.news.one()
		n.Span = at
		return p.variable(&n.Var, variables) &&
			p.begin(frame{node: n, at: &n.Span, branches: [2]*Instr{&n.Body}, need: 1, most: 1})
	}
}

func (p *parser) begin(f frame) bool {
	p.open = append(p.open, f)
	return true
}

// tooDeep ends reading: what follows cannot be put anywhere.
func (p *parser) tooDeep(start int32) bool {
	p.tok.kind = tokBad
	p.bad = Diagnostic{
		Span:  Span{start, start + 1},
		Label: fmt.Sprintf("instructions are nested more than %d levels deep", MaxDepth),
	}
	return false
}

// end reads the ")" of an instruction without branches.
func (p *parser) end(at *Span, i Instr) bool {
	at.End = p.tok.End
	if !p.expect(tokClose) {
		return false
	}
	p.leaf(i)
	return true
}

// expect reads a token of kind k.
func (p *parser) expect(k kind) bool {
	if p.tok.kind != k {
		return p.unexpected(set(k))
	}
	p.next()
	return true
}

// call = "(" "call" peer "(" name name ")" "[" { value } "]" [ scalar | stream ] ")"
func (p *parser) call(at Span) bool {
	n := p.calls.one()
	n.Span = at
	return p.operand(&n.Peer, peers) &&
		p.expect(tokOpen) && p.operand(&n.Service, names) && p.operand(&n.Function, names) && p.expect(tokClose) &&
		p.expect(tokOpenSquare) && p.arguments(n) && p.output(n) &&
		p.end(&n.Span, n)
}

func (p *parser) arguments(n *Call) bool {
	args := p.args.begin()
	for p.tok.kind != tokCloseSquare {
		args = append(args, Value{})
		if !p.operand(&args[len(args)-1], values|set(tokCloseSquare)) {
			return false
		}
	}
	n.Args = p.args.end(args)
	p.next()
	return true
}

func (p *parser) output(n *Call) bool {
	if p.tok.kind == tokClose {
		return true
	}
	if !outputs.has(p.tok.kind) {
		return p.unexpected(outputs | set(tokClose))
	}
	n.Out = p.outs.one()
	return p.variable(n.Out, outputs)
}

// ap = "(" "ap" aparg ( scalar | stream ) ")" | "(" "ap" "(" key aparg ")" map ")"
func (p *parser) ap(at Span) bool {
	if p.tok.kind == tokOpen {
		p.next()
		n := &ApMap{Span: at}
		return p.operand(&n.Key, keys) && p.operand(&n.Arg, apArgs) && p.expect(tokClose) &&
			p.variable(&n.Map, set(tokStreamMap)) && p.end(&n.Span, n)
	}
	n := p.aps.one()
	n.Span = at
	return p.operand(&n.Arg, apArgs|set(tokOpen)) && p.variable(&n.Out, outputs) && p.end(&n.Span, n)
}

// canon = "(" "canon" peer ( stream canonstream | map ( canonmap | scalar ) ) ")"
func (p *parser) canon(at Span) bool {
	n := p.canons.one()
	n.Span = at
	if !p.operand(&n.Peer, peers) || !p.variable(&n.From, set(tokStream, tokStreamMap)) {
		return false
	}
	to := set(tokCanonStream)
	if n.From.Kind == StreamMap {
		to = set(tokCanonMap, tokScalar)
	}
	return p.variable(&n.Out, to) && p.end(&n.Span, n)
}

// fail = "(" "fail" ( scalar [ lens ] | canon lens | int string | last_error | error ) ")"
func (p *parser) failInstr(at Span) bool {
	n := &Fail{Span: at}
	if !p.operand(&n.Of, failures) {
		return false
	}
	if n.Of.Kind == Int {
		n.Literal, n.Code = true, n.Of.Int
		n.Of = Value{}
		var message Value
		if !p.operand(&message, set(tokString)) {
			return false
		}
		n.Message = message.Text
	}
	return p.end(&n.Span, n)
}

// next = "(" "next" scalar ")"
func (p *parser) nextInstr(at Span) bool {
	n := p.nexts.one()
	n.Span = at
	return p.variable(&n.Iterator, set(tokScalar)) && p.end(&n.Span, n)
}

// variable reads a variable without lens.
func (p *parser) variable(v *Var, allowed kindSet) bool {
	if !allowed.has(p.tok.kind) {
		return p.unexpected(allowed)
	}
	*v = p.mention()
	p.next()
	return true
}

// mention is the variable of the current token.
func (p *parser) mention() Var {
	t := &p.tok
	name := p.src[t.Start:t.nameEnd]
	return Var{Name: name, Kind: varKinds[t.kind], Pos: t.Start, ID: p.check.id(name)}
}

var varKinds = [...]VarKind{
	tokScalar: Scalar, tokScalarLens: Scalar, tokStream: Stream, tokStreamMap: StreamMap,
	tokCanonStream: CanonStream, tokCanonStreamLens: CanonStream, tokCanonMap: CanonMap, tokCanonMapLens: CanonMap,
}

// operand reads a value, or a stream or a stream map where one is allowed.
func (p *parser) operand(v *Value, allowed kindSet) bool {
	t := &p.tok
	if !allowed.has(t.kind) {
		return p.unexpected(allowed)
	}
	switch t.kind {
	case tokString:
		v.Kind, v.Text = String, p.src[t.Start+1:t.End-1]
	case tokInt:
		v.Kind, v.Int = Int, t.integer
	case tokFloat:
		v.Kind, v.Float = Float, t.float
	case tokBoolean:
		v.Kind, v.Bool = Bool, p.src[t.Start] == 't'
	case tokInitPeerID:
		v.Kind = InitPeerID
	case tokTimestamp:
		v.Kind = Timestamp
	case tokTTL:
		v.Kind = TTL
	case tokLastError:
		v.Kind = LastError
	case tokLastErrorLens:
		v.Kind, v.Lens = LastError, t.lens
	case tokError:
		v.Kind = Error
	case tokErrorLens:
		v.Kind, v.Lens = Error, t.lens
	case tokScalarLens, tokCanonStreamLens, tokCanonMapLens:
		v.Kind, v.Var, v.Lens = Variable, p.mention(), t.lens
	case tokOpenSquare:
		v.Kind = EmptyArray
		p.next()
		return p.expect(tokCloseSquare)
	default:
		v.Kind, v.Var = Variable, p.mention()
	}
	p.next()
	return true
}

// nodes holds the trees' most frequent parts, allocated many at a time: one script's
// tree lives and dies as a whole.
type nodes struct {
	seqs    slab[Seq]
	pars    slab[Par]
	xors    slab[Xor]
	calls   slab[Call]
	aps     slab[Ap]
	canons  slab[Canon]
	matches slab[Match]
	folds   slab[Fold]
	nexts   slab[Next]
	nulls   slab[Null]
	news    slab[New]
	outs    slab[Var]
	args    runs[Value]
}

// slab gives out zeroed values from ever larger blocks.
type slab[T any] struct {
	free []T
	size int
}

func (s *slab[T]) one() *T {
	if len(s.free) == 0 {
		s.size = min(max(2*s.size, 2), 64)
		s.free = make([]T, s.size)
	}
	v := &s.free[0]
	s.free = s.free[1:]
	return v
}

// runs gives out short slices cut from ever larger blocks: begin gives an empty slice
// at the free end of a block, end takes it back with what was appended to it. A slice
// that outgrew its block has moved, and the block waits for the next one.
type runs[T any] struct {
	free []T // empty, with the free end of a block as its capacity
	size int
}

func (r *runs[T]) begin() []T {
	if cap(r.free) == 0 {
		r.size = min(max(2*r.size, 4), 128)
		r.free = make([]T, 0, r.size)
	}
	return r.free
}

func (r *runs[T]) end(s []T) []T {
	n := len(s)
	if n == 0 {
		return nil
	}
	if n <= cap(r.free) {
		r.free = r.free[n:n:cap(r.free)]
	}
	return s[:n:n]
}
