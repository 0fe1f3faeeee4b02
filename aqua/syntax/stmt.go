package syntax

import (
	"strings"

	"github.com/aquanode/aquanode/aqua/diag"
)

// maxBlocks bounds the nesting of blocks.
const maxBlocks = 400

// sameBlanks is the hint for a line with other leading blanks than those of its block.
const sameBlanks = "all lines of a block begin with the same blanks"

// block = INDENT line {INDENT line} DEDENT
//
// outer is the leading blanks of the line that opens the block. Return lines are allowed in the
// bodies of functions only.
func (p *parser) block(outer string, function bool) []Stmt {
	p.blocks++
	defer func() { p.blocks-- }()
	if p.blocks > maxBlocks {
		p.fail(p.span(p.pos), "Blocks are nested too deeply", "")
		p.recover(p.pos, outer)
		return nil
	}
	var list []Stmt
	indent, first := "", true
	for !p.stopped() {
		before := p.pos
		p.emptyLines()
		start := p.pos
		lead := p.leading()
		if p.atEnd() || len(lead) <= len(outer) && strings.HasPrefix(outer, lead) {
			p.pos = before // the empty lines do not belong to the block
			return list
		}
		if !strings.HasPrefix(lead, outer) {
			p.fail(p.span(start), "Unexpected indentation",
				"indent with the same blanks as the line that opens the block")
			p.recover(start, outer)
			continue
		}
		if first {
			indent, first = lead, false
		}
		if lead != indent {
			p.fail(p.span(start), "Inconsistent indentation in the block", p.mixed(lead, indent))
			if len(lead) < len(indent) {
				lead = indent
			}
			p.recover(start, lead)
			continue
		}
		stmts := p.line(lead, function)
		if stmts == nil {
			p.recover(start, lead)
		}
		list = append(list, stmts...)
	}
	return list
}

// line = statements END [block]
//
// A statement that ends with ":" has a block.
func (p *parser) line(lead string, function bool) []Stmt {
	p.forget()
	p.nodes = 0
	start := p.pos
	stmts, ok := p.statements()
	if !ok {
		p.failExpected()
		return nil
	}
	last := stmts[len(stmts)-1]
	if _, isReturn := last.(*Return); isReturn && !function {
		p.fail(last.At(),
			"Return expression must be on the top indentation level and at the end of function body",
			"give the value a name in the block and return it at the end of the function")
		return nil
	}
	if b := body(last); b != nil {
		_, closure := last.(*Closure)
		errors := len(p.diags)
		*b = p.block(lead, closure)
		if len(*b) == 0 && len(p.diags) == errors {
			p.fail(diag.Span{Start: start, End: last.At().End}, "Block expression has no body",
				"indent the lines that belong to it")
		}
	}
	return stmts
}

// mixed returns the hint for a line with other leading blanks than those of its block.
func (p *parser) mixed(lead, indent string) string {
	if strings.Contains(lead, "\t") != strings.Contains(indent, "\t") {
		return "tabs and spaces are different blanks: use one of them"
	}
	return sameBlanks
}

// statements = statement | inlinePar
//
// The second form is for scripts.
func (p *parser) statements() ([]Stmt, bool) {
	s, ok := p.statement()
	if ok {
		return []Stmt{s}, true
	}
	if !p.script {
		return nil, false
	}
	return p.inlinePar()
}

// inlinePar = callStmt "par" callStmt {"par" callStmt}
func (p *parser) inlinePar() (list []Stmt, ok bool) {
	start := p.pos
	for {
		at := p.pos
		s, ok := p.callStmt()
		if !ok {
			p.pos = start
			return nil, false
		}
		if len(list) > 0 {
			s = &Par{Span: p.span(at), Stmt: s}
		}
		list = append(list, s)
		at = p.pos
		if p.blanks(); !p.keyword("par") || !p.blanks() {
			p.pos = at
			return list, len(list) > 1 && p.endOfLine()
		}
	}
}

// statement = returnStmt | keywordForm | setService | push | declare | closure | assign | callStmt
//
// The order decides between the forms: "if = 1" is an assignment, and "on (x)" may be a call of a
// function named on.
func (p *parser) statement() (Stmt, bool) {
	c := p.peek()
	switch {
	case strings.HasPrefix(p.rest(), "<-"):
		return p.attempt(p.returnStmt)
	case isUpper(c):
		return p.attempt(p.setService, p.assign, p.callStmt)
	case isLower(c):
		return p.attempt(p.keywordForm, p.push, p.declare, p.closure, p.assign, p.callStmt)
	}
	return p.attempt(p.callStmt)
}

// attempt parses the first form that reaches the end of the line.
func (p *parser) attempt(forms ...func() (Stmt, bool)) (Stmt, bool) {
	start := p.pos
	for _, form := range forms {
		if s, ok := form(); ok && p.endOfLine() {
			return s, true
		}
		p.pos = start
	}
	return nil, false
}

// keywordForm = bareBlock | blockForm | joinStmt | ("par" | "co") branch
//
//	blockForm = forStmt | onStmt | ifStmt | catchStmt | parSeqStmt
func (p *parser) keywordForm() (Stmt, bool) {
	start := p.pos
	word, _ := p.name()
	switch word.Text {
	case "else", "otherwise", "try":
		return p.bareBlock(word)
	case "for", "on", "if", "catch", "parseq", "par", "co", "join":
		if !p.blanks() {
			return nil, false
		}
	}
	switch word.Text {
	case "for":
		return p.forStmt(start)
	case "on":
		return p.onStmt(start)
	case "if":
		return p.ifStmt(start)
	case "catch":
		return p.catchStmt(start)
	case "parseq":
		return p.parSeqStmt(start)
	case "par":
		s, ok := p.branch()
		return &Par{p.span(start), s}, ok
	case "co":
		s, ok := p.branch()
		return &Co{p.span(start), s}, ok
	case "join":
		return p.joinStmt(start)
	}
	return nil, false
}

// bareBlock = ("else" | "otherwise" | "try") ":"
func (p *parser) bareBlock(word Name) (Stmt, bool) {
	if !p.colon() {
		return nil, false
	}
	switch word.Text {
	case "else":
		return &Else{Span: word.Span}, true
	case "otherwise":
		return &Otherwise{Span: word.Span}, true
	}
	return &Try{Span: word.Span}, true
}

// colon skips ":" with blanks around it.
func (p *parser) colon() bool {
	p.blanks()
	if !p.expect(":") {
		return false
	}
	p.blanks()
	return true
}

// branch = onStmt | forStmt | joinStmt | callStmt
func (p *parser) branch() (Stmt, bool) {
	start := p.pos
	forms := []func() (Stmt, bool){p.branchKeyword, p.callStmt}
	for _, form := range forms {
		if s, ok := form(); ok && p.lineEnds() {
			return s, true
		}
		p.pos = start
	}
	return nil, false
}

func (p *parser) branchKeyword() (Stmt, bool) {
	word, _ := p.name()
	switch word.Text {
	case "on", "for", "join":
		p.pos = word.Span.Start
		return p.keywordForm()
	}
	return nil, false
}

// lineEnds is endOfLine that does not move.
func (p *parser) lineEnds() bool {
	start := p.pos
	ok := p.endOfLine()
	p.pos = start
	return ok
}

// returnStmt = "<-" values
func (p *parser) returnStmt() (Stmt, bool) {
	start := p.pos
	p.pos += 2
	p.blanks()
	values, ok := p.values()
	return &Return{p.span(start), values}, ok
}

// values = expr {"," expr}
func (p *parser) values() (list []Expr, ok bool) {
	for {
		x, ok := p.expr()
		if !ok || !p.node() {
			return nil, false
		}
		list = append(list, x)
		start := p.pos
		if p.blanks(); !p.accept(",") {
			p.pos = start
			return list, true
		}
		p.blanks()
	}
}

// setService = path expr
func (p *parser) setService() (Stmt, bool) {
	start := p.pos
	path, ok := p.path()
	if !ok || !p.blanks() {
		return nil, false
	}
	if strings.IndexByte("=<", p.peek()) >= 0 {
		return nil, false
	}
	id, ok := p.expr()
	return &SetService{p.span(start), path, id}, ok
}

// push = name "<<-" expr
func (p *parser) push() (Stmt, bool) {
	start := p.pos
	n, _ := p.name()
	if p.blanks(); !p.accept("<<-") {
		return nil, false
	}
	p.blanks()
	x, ok := p.expr()
	return &Push{p.span(start), n, x}, ok
}

// declare = name ":" typ
func (p *parser) declare() (Stmt, bool) {
	start := p.pos
	n, _ := p.name()
	if p.blanks(); !p.accept(":") {
		return nil, false
	}
	p.blanks()
	t, ok := p.typ()
	return &Declare{p.span(start), n, t}, ok
}

// closure = name "=" ["func"] signature ":"
func (p *parser) closure() (Stmt, bool) {
	start := p.pos
	n, _ := p.name()
	if !p.blanks() || !p.accept("=") {
		return nil, false
	}
	p.blanks()
	detached := p.keyword("func")
	p.blanks()
	if p.peek() != '(' && p.peek() != '{' {
		return nil, false
	}
	a, ok := p.signature()
	return &Closure{Span: p.span(start), Name: n, Detached: detached, Arrow: a}, ok && p.colon()
}

// assign = variable "=" expr
func (p *parser) assign() (Stmt, bool) {
	start := p.pos
	n, ok := p.variable()
	if !ok {
		return nil, false
	}
	if p.blanks(); !p.accept("=") || p.peek() == '=' {
		return nil, false
	}
	p.blanks()
	x, ok := p.expr()
	if c, isCollection := x.(*Collection); ok && isCollection && len(c.Items) == 0 {
		p.pos = c.Span.Start
		return nil, p.want(
			"a value with elements (an empty collection cannot get a name; write it in place)")
	}
	return &Assign{p.span(start), n, x}, ok
}

// callStmt = [targets] expr
func (p *parser) callStmt() (Stmt, bool) {
	start := p.pos
	targets, ok := p.targets()
	if !ok {
		p.pos = start
	}
	x, ok := p.expr()
	return &Call{p.span(start), targets, x}, ok
}

// targets = variable {"," variable} "<-"
func (p *parser) targets() (list []Name, ok bool) {
	for {
		n, ok := p.variable()
		if !ok {
			return nil, false
		}
		list = append(list, n)
		p.blanks()
		if p.accept("<-") {
			p.blanks()
			return list, true
		}
		if !p.accept(",") {
			return nil, false
		}
		p.blanks()
	}
}

// forStmt = "for" itemOf ["par" | "try" | "rec"] ":"
func (p *parser) forStmt(start int) (Stmt, bool) {
	item, in, ok := p.itemOf()
	if !ok {
		return nil, false
	}
	s := &For{Item: item, In: in}
	at := p.pos
	if p.blanks() {
		switch {
		case p.keyword("par"):
			s.Mode = ForPar
		case p.keyword("try"):
			s.Mode = ForTry
		case p.keyword("rec"):
			s.Mode = ForRec
		default:
			p.want("'par', 'try', 'rec'")
			p.pos = at
		}
	}
	s.Span = p.span(start)
	return s, p.colon()
}

// itemOf = name "<-" expr
func (p *parser) itemOf() (Name, Expr, bool) {
	item, ok := p.name()
	if !ok {
		return Name{}, nil, false
	}
	if p.blanks(); !p.expect("<-") {
		return Name{}, nil, false
	}
	p.blanks()
	in, ok := p.expr()
	return item, in, ok
}

// onStmt = "on" place ":"
func (p *parser) onStmt(start int) (Stmt, bool) {
	peer, via, ok := p.place()
	return &On{Span: p.span(start), Peer: peer, Via: via}, ok && p.colon()
}

// place = expr {"via" expr}
func (p *parser) place() (peer Expr, via []Expr, ok bool) {
	if peer, ok = p.expr(); !ok {
		return nil, nil, false
	}
	for {
		at := p.pos
		if !p.blanks() || !p.keyword("via") {
			if p.pos > at {
				p.want("'via'")
			}
			p.pos = at
			return peer, via, true
		}
		if !p.blanks() {
			return nil, nil, p.want("a value")
		}
		x, ok := p.expr()
		if !ok {
			return nil, nil, false
		}
		via = append(via, x)
	}
}

// ifStmt = "if" expr ":"
func (p *parser) ifStmt(start int) (Stmt, bool) {
	cond, ok := p.expr()
	return &If{Span: p.span(start), Cond: cond}, ok && p.colon()
}

// catchStmt = "catch" name ":"
func (p *parser) catchStmt(start int) (Stmt, bool) {
	n, ok := p.name()
	return &Catch{Span: p.span(start), Name: n}, ok && p.colon()
}

// parSeqStmt = "parseq" itemOf "on" place ":"
func (p *parser) parSeqStmt(start int) (Stmt, bool) {
	item, in, ok := p.itemOf()
	if !ok {
		return nil, false
	}
	if p.blanks(); !p.keyword("on") || !p.blanks() {
		return nil, p.want("'on'")
	}
	peer, via, ok := p.place()
	return &ParSeq{Span: p.span(start), Item: item, In: in, Peer: peer, Via: via}, ok && p.colon()
}

// joinStmt = "join" postfix {"," postfix}
func (p *parser) joinStmt(start int) (Stmt, bool) {
	s := &Join{}
	for {
		x, ok := p.postfix()
		if !ok || !p.node() {
			return nil, false
		}
		s.Values = append(s.Values, x)
		at := p.pos
		if p.blanks(); !p.accept(",") {
			p.pos = at
			s.Span = p.span(start)
			return s, true
		}
		p.loose()
	}
}
