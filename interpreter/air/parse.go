package air

import (
	"fmt"
	"slices"
	"sync"
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
	p := parsers.Get().(*parser)
	defer parsers.Put(p)
	p.reset(src)
	p.next()
	p.script()
	script, errs := p.result()
	p.reset("")
	if len(errs) > 0 {
		return nil, newError(src, errs)
	}
	return script, nil
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
	return newError(string(legible), []Diagnostic{{Span: span(first, first+1),
		Label: "the script is not valid UTF-8"}})
}

// parser checks the grammar of a script and finds its instructions. It keeps the
// unfinished ones on a stack of its own and not on the goroutine's: nesting costs no
// recursion, and an error can be recovered from by going back to any of them, which is
// what AquaVM does.
type parser struct {
	scanner
	checker
	open     []frame // unfinished instructions, the script itself first
	nodes    []node
	mentions []int32 // of variables, in the order of the text: the numbers of their names
	operands int
	errs     []Diagnostic
	expected kindSet // in the last syntax error
}

// parsers keeps the memory of parsers for the next script.
var parsers = sync.Pool{New: func() any { return new(parser) }}

// reset prepares for a script. New memory is made as large as dense scripts need it.
func (p *parser) reset(src string) {
	p.scanner = scanner{src: src}
	p.checker.reset(len(src))
	p.open = p.open[:0]
	p.nodes = slices.Grow(p.nodes[:0], len(src)/20)
	p.mentions = slices.Grow(p.mentions[:0], len(src)/30)
	p.operands = 0
	p.errs = nil
}

// result is the script, or what is wrong with it.
func (p *parser) result() (*Script, []Diagnostic) {
	if p.tok.kind == tokBad {
		return nil, []Diagnostic{p.bad} // AquaVM forgets everything else when it meets a bad word
	}
	if errs := slices.Concat(p.errs, p.finish()); len(errs) > 0 {
		return nil, errs
	}
	return &Script{
		Source: p.src, Names: p.list(), Operands: p.operands,
		nodes: slices.Clone(p.nodes), mentions: slices.Clone(p.mentions),
	}, nil
}

// node is an instruction of a script. A tree of them is a list in the order of the text: branches
// follow what holds them.
type node struct {
	Span
	next     int32 // the first instruction behind it and its branches
	mentions int32 // its first mention of a variable, in the list of all
	kind     kind  // its keyword
}

// frame is an instruction whose branches are being read.
type frame struct {
	node   int32 // where it is in the list of all; none for the script itself
	uses   int32 // its mentions before this one are uses: of variables that have to be defined
	name   int32 // the variable that it defines, or the iterator of a next, or none
	got    uint8 // branches read
	need   uint8 // branches it must have
	most   uint8 // branches it may have
	stream bool  // a fold over a stream or a stream map
	zero   bool  // a fail with code 0
}

const none = -1

// expected is what may follow once got branches are read.
func (f *frame) expected(got uint8) kindSet {
	var s kindSet
	if got < f.most {
		s |= set(tokOpen)
	}
	if got >= f.need && f.node != none {
		s |= set(tokClose)
	}
	return s
}

// script = instr
func (p *parser) script() {
	p.open = append(p.open, frame{node: none, need: 1, most: 1})
	for {
		top := &p.open[len(p.open)-1]
		switch {
		case p.tok.kind == tokOpen && top.got < top.most:
			if !p.instr() && !p.resume() {
				return
			}
		case p.tok.kind == tokClose && top.got >= top.need && top.node != none:
			p.close(top)
		case p.tok.kind == tokEOF && top.got == 1 && top.node == none:
			return
		default:
			p.unexpected(top.expected(top.got))
			if !p.resume() {
				return
			}
		}
	}
}

// close ends the innermost open instruction.
func (p *parser) close(f *frame) {
	n := &p.nodes[f.node]
	n.End = p.tok.End
	n.next = int32(len(p.nodes))
	p.add(n, f, p.mentions[n.mentions:f.uses])
	p.open = p.open[:len(p.open)-1]
	p.open[len(p.open)-1].got++
	p.next()
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
			p.open[at.frame].got = at.branch + 1
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
		for b := int(min(f.got+1, f.most)) - 1; b >= 0; b-- {
			if f.expected(uint8(b) + 1).has(k) {
				return place{i, uint8(b)}
			}
		}
	}
	return place{frame: -1}
}

// The sets of what the grammar (docs/spec/air.ebnf) allows in each place: names for str, and
//
//	peer = str | "%init_peer_id%"
//	str = STRING | SCALAR [lens] | CANON lens | CANONMAP lens
//	arg = peer | INT | FLOAT | "true" | "false" | "[" "]" | "%timestamp%" | "%ttl%" | error [lens] | CANON
//	value = arg | CANONMAP
//	key = STRING | INT | SCALAR [lens] | CANON lens
//	iterable = "[" "]" | SCALAR [lens] | CANON | CANONMAP [lens] | STREAM | MAP
//	failure = SCALAR [lens] | CANON lens | INT STRING | error
//	error = "%last_error%" | ":error:"
//	output = SCALAR | STREAM
//	variable = SCALAR | STREAM | MAP | CANON | CANONMAP
var (
	instructions = set(tokAp, tokCall, tokCanon, tokFail, tokFold, tokMatch, tokMismatch, tokNever,
		tokNew, tokNext, tokNull, tokPar, tokSeq, tokXor)
	names  = set(tokCanonMapLens, tokCanonStreamLens, tokString, tokScalar, tokScalarLens)
	peers  = names | set(tokInitPeerID)
	apArgs = peers | set(tokOpenSquare, tokBoolean, tokCanonStream, tokError, tokErrorLens,
		tokFloat, tokInt, tokLastError, tokLastErrorLens, tokTTL, tokTimestamp)
	values    = apArgs | set(tokCanonMap)
	keys      = set(tokCanonStreamLens, tokInt, tokString, tokScalar, tokScalarLens)
	iterables = set(tokOpenSquare, tokCanonStream, tokCanonMap, tokCanonMapLens, tokScalar,
		tokScalarLens, tokStream, tokStreamMap)
	failures = set(tokCanonStreamLens, tokError, tokInt, tokLastError, tokScalar, tokScalarLens)
	outputs  = set(tokScalar, tokStream)
	lensed   = set(tokCanonMapLens, tokCanonStreamLens, tokErrorLens, tokLastErrorLens,
		tokScalarLens)
	variables = set(tokCanonStream, tokCanonMap, tokScalar, tokStream, tokStreamMap)
)

// branching tells how many branches the instructions have.
var branching = [...]struct{ need, most uint8 }{
	tokSeq: {2, 2}, tokPar: {2, 2}, tokXor: {2, 2},
	tokMatch: {1, 1}, tokMismatch: {1, 1}, tokNew: {1, 1}, tokFold: {1, 2},
	tokBad: {},
}

// instr reads an instruction up to its branches and opens it. The current token is its "(".
//
//	instr = call | canon | ap | seq | par | xor | match | mismatch | fold | next | new | fail | never | null
func (p *parser) instr() bool {
	start := p.tok.Start
	p.next()
	kind := p.tok.kind
	if !instructions.has(kind) {
		return p.unexpected(instructions)
	}
	shape := branching[kind]
	if shape.most > 0 && len(p.open) > MaxDepth {
		return p.tooDeep(start)
	}
	mentions := int32(len(p.mentions))
	p.open = append(p.open, frame{})
	// filled in place: copying what was just written field by field stalls
	f := &p.open[len(p.open)-1]
	f.node, f.uses, f.name = int32(len(p.nodes)), mentions, none
	f.need, f.most = shape.need, shape.most
	p.nodes = append(p.nodes, node{Span: Span{Start: start}, mentions: mentions, kind: kind})
	p.next()
	if !p.head(kind, f) {
		p.open = p.open[:len(p.open)-1]
		return false
	}
	return true
}

// head reads the operands of an instruction. Branches and the closing bracket follow.
//
//	seq = "(" "seq" instr instr ")"
//	par = "(" "par" instr instr ")"
//	xor = "(" "xor" instr instr ")"
//	match = "(" "match" value value instr ")"
//	mismatch = "(" "mismatch" value value instr ")"
//	fold = "(" "fold" iterable SCALAR instr [instr] ")"
//	next = "(" "next" SCALAR ")"
//	new = "(" "new" variable instr ")"
//	never = "(" "never" ")"
//	null = "(" "null" ")"
func (p *parser) head(kind kind, f *frame) bool {
	switch kind {
	case tokCall:
		return p.call(f)
	case tokAp:
		return p.ap(f)
	case tokCanon:
		return p.canon(f)
	case tokFail:
		return p.failInstr(f)
	case tokNext:
		return p.variable(f, set(tokScalar))
	case tokMatch, tokMismatch:
		return p.pair(values) && p.used(f)
	case tokFold:
		f.stream = p.tok.kind == tokStream || p.tok.kind == tokStreamMap
		return p.operand(iterables) && p.used(f) && p.variable(f, set(tokScalar))
	case tokNew:
		return p.variable(f, variables)
	}
	return true // the others have none
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

// expect reads a token of kind k.
func (p *parser) expect(k kind) bool {
	if p.tok.kind != k {
		return p.unexpected(set(k))
	}
	p.next()
	return true
}

// call = "(" "call" peer "(" str str ")" "[" {value} "]" [output] ")"
func (p *parser) call(f *frame) bool {
	return p.operand(peers) &&
		p.expect(tokOpen) && p.pair(names) && p.expect(tokClose) &&
		p.expect(tokOpenSquare) && p.arguments() && p.used(f) && p.output(f)
}

func (p *parser) arguments() bool {
	for p.tok.kind != tokCloseSquare {
		if !p.operand(values | set(tokCloseSquare)) {
			return false
		}
	}
	p.next()
	return true
}

func (p *parser) output(f *frame) bool {
	if p.tok.kind == tokClose {
		return true
	}
	if !outputs.has(p.tok.kind) {
		return p.unexpected(outputs | set(tokClose))
	}
	return p.variable(f, outputs)
}

// ap = "(" "ap" (arg output | "(" key arg ")" MAP) ")"
func (p *parser) ap(f *frame) bool {
	if p.tok.kind == tokOpen {
		p.next()
		return p.operand(keys) && p.used(f) && p.operand(apArgs) && p.expect(tokClose) &&
			p.variable(f, set(tokStreamMap))
	}
	return p.operand(apArgs|set(tokOpen)) && p.used(f) && p.variable(f, outputs)
}

// canon = "(" "canon" peer (STREAM CANON | MAP (CANONMAP | SCALAR)) ")"
func (p *parser) canon(f *frame) bool {
	if !p.operand(peers) {
		return false
	}
	to := set(tokCanonStream)
	if p.tok.kind == tokStreamMap {
		to = set(tokCanonMap, tokScalar)
	}
	return p.operand(set(tokStream, tokStreamMap)) && p.variable(f, to)
}

// fail = "(" "fail" failure ")"
func (p *parser) failInstr(f *frame) bool {
	literal := p.tok.kind == tokInt
	f.zero = literal && p.tok.integer == 0
	return p.operand(failures) && (!literal || p.operand(set(tokString)))
}

// used says that the mentions so far are uses.
func (p *parser) used(f *frame) bool {
	f.uses = int32(len(p.mentions))
	return true
}

// variable reads the variable without lens that an instruction defines or goes on with.
func (p *parser) variable(f *frame, allowed kindSet) bool {
	if !p.operand(allowed) {
		return false
	}
	f.name = p.mentions[len(p.mentions)-1]
	return true
}

// operand reads a value, or another thing of one token.
func (p *parser) operand(allowed kindSet) bool {
	t := &p.tok
	kind := t.kind
	if !allowed.has(kind) {
		return p.unexpected(allowed)
	}
	switch {
	case variables.has(kind):
		p.mention(p.src[t.Start:t.End])
	case lensed.has(kind):
		p.lens(t)
	}
	p.operands++
	p.next()
	return kind != tokOpenSquare || p.expect(tokCloseSquare)
}

// pair reads two values.
func (p *parser) pair(allowed kindSet) bool {
	if !p.operand(allowed) {
		return false
	}
	return p.operand(allowed)
}

// lens notes the variable with a lens that is the current token, and the scalars in the lens.
func (p *parser) lens(t *token) {
	if t.kind != tokErrorLens && t.kind != tokLastErrorLens {
		p.mention(p.src[t.Start:t.nameEnd])
	}
	lens := p.src[t.nameEnd:t.End]
	for at := len(pathLens); at < len(lens) && lens != lengthLens; {
		var a Accessor
		p.operands++
		if a, at = accessor(lens, at); a.Kind == ByScalar {
			p.mention(a.Name)
		}
	}
}

func (p *parser) mention(name string) {
	p.mentions = append(p.mentions, p.id(name))
}
