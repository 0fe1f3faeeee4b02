package syntax

import (
	"strings"

	"github.com/aquanode/aquanode/aqua/diag"
)

// Bounds against hostile texts, which could exhaust the stack. Real programs are far below.
const (
	maxDepth = 200   // nesting of brackets and types
	maxChain = 1000  // properties of one value
	maxNodes = 20000 // operators, properties and items of one line
)

// Levels of binary operators, the weakest first. In a level, longer signs stand before their
// prefixes.
var levels = []struct {
	ops   []string
	assoc byte // 'l'eft, 'r'ight or 'n'one
}{
	{[]string{"||"}, 'l'},
	{[]string{"&&"}, 'l'},
	{[]string{"==", "!="}, 'l'},
	{[]string{"<=", ">=", "<", ">"}, 'n'},
	{[]string{"+", "-"}, 'l'},
	{[]string{"*", "/", "%"}, 'l'},
	{[]string{"**"}, 'r'},
}

// expr = binary
func (p *parser) expr() (Expr, bool) {
	if !p.enter() {
		return nil, false
	}
	defer p.leave()
	return p.binary(0)
}

// enter and leave count the nesting of expressions and types.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > maxDepth {
		p.depth--
		return p.want("less deeply nested brackets")
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// node counts a part of the current line.
func (p *parser) node() bool {
	p.nodes++
	return p.nodes <= maxNodes || p.want("a shorter line")
}

// binary = unary {operator unary}
//
// A level binds its operands weaker than the levels above it.
func (p *parser) binary(level int) (Expr, bool) {
	if level == len(levels) {
		return p.unary()
	}
	left, ok := p.binary(level + 1)
	if !ok {
		return nil, false
	}
	for {
		op, span, ok := p.operator(levels[level].ops)
		if !ok {
			return left, true
		}
		next := level + 1
		if levels[level].assoc == 'r' {
			next = level
		}
		if !p.node() || !p.enter() {
			return nil, false
		}
		right, ok := p.binary(next)
		p.leave()
		if !ok {
			return nil, false
		}
		left = &Binary{Span: left.At().To(right.At()), Op: op, OpSpan: span, L: left, R: right}
		if levels[level].assoc != 'l' {
			return left, true
		}
	}
}

// operator = "||" | "&&" | equality | "+" | "-" | "*" | "/" | "%" | "**"
//
//	equality = "==" | "!=" | "<=" | ">=" | "<" | ">"
//
// It skips one of ops and the blanks around it.
func (p *parser) operator(ops []string) (string, diag.Span, bool) {
	start := p.pos
	p.gap()
	at := p.pos
	for _, op := range ops {
		rest := p.rest()
		if !strings.HasPrefix(rest, op) {
			continue
		}
		after := rest[len(op):]
		if op == "*" && strings.HasPrefix(after, "*") || op == "-" && strings.HasPrefix(after, "-") ||
			op == "<" && strings.HasPrefix(after, "<") || op == "<" && strings.HasPrefix(after, "- ") {
			continue
		}
		p.pos += len(op)
		span := p.span(at)
		p.gap()
		return op, span, true
	}
	p.pos = start
	return "", diag.Span{}, false
}

// gap skips blanks; inside the brackets of calls and collections, line ends too.
func (p *parser) gap() {
	if p.inBrackets > 0 {
		p.loose()
	} else {
		p.blanks()
	}
}

// unary = {"!"} postfix
func (p *parser) unary() (Expr, bool) {
	if p.peek() != '!' {
		return p.postfix()
	}
	start := p.pos
	p.pos++
	p.blanks()
	if !p.node() || !p.enter() {
		return nil, false
	}
	defer p.leave()
	x, ok := p.unary()
	if !ok {
		return nil, false
	}
	return &Not{Span: p.span(start), X: x}, true
}

// postfix = atom {property | bang | index}
func (p *parser) postfix() (Expr, bool) {
	x, ok := p.atom()
	for n := 0; ok; n++ {
		if n == maxChain {
			return nil, p.want("a shorter line")
		}
		start := p.pos
		switch {
		case p.peek() == '.':
			x, ok = p.property(x)
		case p.peek() == '!' && !strings.HasPrefix(p.rest(), "!="):
			x, ok = p.bang(x)
		default:
			p.blanks()
			if p.peek() != '[' {
				p.pos = start
				return x, true
			}
			x, ok = p.index(x)
		}
		ok = ok && p.node()
	}
	return nil, false
}

// property = "." variable (namedArgs | call)
//
// namedArgs are those of copy, and of a type in a module.
func (p *parser) property(x Expr) (Expr, bool) {
	p.pos++
	n, ok := p.variable()
	if !ok {
		return nil, false
	}
	if n.Text == "copy" && p.opensCall() {
		fields, ok := p.namedArgs()
		return &Copy{Span: x.At().To(p.span(p.pos)), X: x, Name: n, Fields: fields}, ok
	}
	sel := &Select{Span: x.At().To(n.Span), X: x, Name: n}
	if isUpper(n.Text[0]) && p.opensCall() {
		if path, ok := asPath(sel); ok {
			return p.make(path)
		}
	}
	return p.call(sel)
}

// bang = "!" [digits]
func (p *parser) bang(x Expr) (Expr, bool) {
	start := p.pos
	p.pos++
	lit := &Literal{Span: p.span(start), Kind: Unsigned, Text: "0"}
	if at := p.pos; p.digits() {
		lit = &Literal{Span: p.span(at), Kind: Unsigned, Text: p.text[at:p.pos]}
	}
	return &Index{Span: x.At().To(p.span(start)), X: x, I: lit, Bang: true}, true
}

// index = "[" expr "]"
func (p *parser) index(x Expr) (Expr, bool) {
	opened := p.pos
	p.pos++
	p.inBrackets++
	defer func() { p.inBrackets-- }()
	p.loose()
	i, ok := p.expr()
	if !ok {
		return nil, false
	}
	p.loose()
	if !p.accept("]") {
		return nil, p.wantClosing("]", opened)
	}
	return &Index{Span: x.At().To(p.span(p.pos)), X: x, I: i}, true
}

// atom = literal | "true" | "false" | collection | parens | make | variable call
func (p *parser) atom() (Expr, bool) {
	c := p.peek()
	switch {
	case c == '[' || (c == '?' || c == '*') && strings.HasPrefix(p.rest()[1:], "["):
		return p.collection()
	case c == '(':
		return p.parens()
	case isDigit(c) || c == '-' || c == '"' || c == '%':
		return p.literal()
	}
	start := p.pos
	n, ok := p.word("a value", func(c byte) bool { return isLower(c) || isUpper(c) })
	if !ok {
		return nil, false
	}
	if n.Text == "true" || n.Text == "false" {
		return &Literal{Span: n.Span, Kind: Bool, Text: n.Text}, true
	}
	if isUpper(n.Text[0]) && p.opensCall() {
		return p.make(Path{Parts: []Name{n}, Span: p.span(start)})
	}
	return p.call(&Ident{Name: n})
}

// parens = "(" expr ")"
func (p *parser) parens() (Expr, bool) {
	opened := p.pos
	p.pos++
	p.gap()
	x, ok := p.expr()
	if !ok {
		return nil, false
	}
	p.gap()
	return x, p.accept(")") || p.wantClosing(")", opened)
}

// literal = "%init_peer_id%" | STRING | ["-"] digits ["." digits]
func (p *parser) literal() (Expr, bool) {
	start := p.pos
	switch p.peek() {
	case '%':
		if !p.accept("%init_peer_id%") {
			return nil, p.want("a value")
		}
		return p.lit(start, InitPeer)
	case '"':
		end := p.stringEnd(p.text[p.pos+1:])
		if end < 0 {
			return nil, p.want("a string with a closing quote")
		}
		p.pos += end + 2
		return p.lit(start, String)
	}
	kind := Unsigned
	if p.accept("-") {
		kind = Signed
	}
	first := p.peek()
	at := p.pos
	if !p.digits() {
		p.pos = start
		return nil, p.want("a value")
	}
	if first == '0' && p.pos > at+1 {
		p.pos = at
		return nil, p.want("a number without leading zeros")
	}
	if p.peek() == '.' && p.pos+1 < len(p.text) && isDigit(p.text[p.pos+1]) {
		p.pos++
		p.digits()
		kind = Float
	}
	return p.lit(start, kind)
}

// stringEnd returns the offset of the quote that ends a string, or -1.
func (p *parser) stringEnd(text string) int {
	if !p.escapes {
		return strings.IndexByte(text, '"')
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

func (p *parser) lit(start int, kind LiteralKind) (Expr, bool) {
	return &Literal{Span: p.span(start), Kind: kind, Text: p.text[start:p.pos]}, true
}

// collection = ["?" | "*"] "[" exprs "]"
func (p *parser) collection() (Expr, bool) {
	start := p.pos
	c := &Collection{Kind: CollectionKind(p.peek())}
	if c.Kind != Array {
		p.pos++
	}
	p.pos++
	items, ok := p.exprs("]")
	c.Items, c.Span = items, p.span(start)
	return c, ok
}

// exprs = [expr {"," expr}]
//
// It parses up to and with the closing bracket.
func (p *parser) exprs(closing string) (list []Expr, ok bool) {
	opened := p.pos - 1
	p.inBrackets++
	defer func() { p.inBrackets-- }()
	p.loose()
	if p.accept(closing) {
		return nil, true
	}
	for {
		x, ok := p.expr()
		if !ok || !p.node() {
			return nil, false
		}
		list = append(list, x)
		p.loose()
		if p.accept(closing) {
			return list, true
		}
		if !p.accept(",") {
			p.want("','")
			return nil, p.wantClosing(closing, opened)
		}
		p.loose()
	}
}

// opensCall reports whether an opening parenthesis follows, maybe after blanks.
func (p *parser) opensCall() bool {
	start := p.pos
	p.blanks()
	open := p.peek() == '('
	p.pos = start
	return open
}

// call = [["{" exprs "}"] "(" exprs ")"]
//
// Without brackets it returns fn.
func (p *parser) call(fn Expr) (Expr, bool) {
	start := p.pos
	p.blanks()
	var abilities []Expr
	if p.accept("{") {
		list, ok := p.exprs("}")
		if !ok {
			return nil, false
		}
		abilities = list
		p.blanks()
		if p.peek() != '(' {
			return nil, p.want("'('")
		}
	}
	if !p.accept("(") {
		p.pos = start
		return fn, true
	}
	args, ok := p.exprs(")")
	if !ok {
		return nil, false
	}
	return &Apply{Span: fn.At().To(p.span(p.pos)), Fn: fn, Abilities: abilities, Args: args}, true
}

// make = path namedArgs
func (p *parser) make(path Path) (Expr, bool) {
	fields, ok := p.namedArgs()
	return &Make{Span: path.Span.To(p.span(p.pos)), Type: path, Fields: fields}, ok
}

// namedArgs = "(" namedArg {"," namedArg} ")"
func (p *parser) namedArgs() (list []NamedArg, ok bool) {
	p.blanks()
	opened := p.pos
	if !p.expect("(") {
		return nil, false
	}
	p.inBrackets++
	defer func() { p.inBrackets-- }()
	for {
		p.loose()
		arg, ok := p.namedArg()
		if !ok {
			return nil, false
		}
		list = append(list, arg)
		p.loose()
		if p.accept(")") {
			return list, true
		}
		if !p.accept(",") {
			p.want("','")
			return nil, p.wantClosing(")", opened)
		}
	}
}

// namedArg = variable ["=" expr]
func (p *parser) namedArg() (NamedArg, bool) {
	n, ok := p.variable()
	if !ok {
		return NamedArg{}, false
	}
	start := p.pos
	p.loose()
	if !p.accept("=") {
		p.pos = start
		return NamedArg{n, &Ident{n}}, true
	}
	p.loose()
	x, ok := p.expr()
	return NamedArg{n, x}, ok && p.node()
}

// asPath returns a chain of names as a dotted path, if all of its parts are capitalised.
func asPath(x Expr) (Path, bool) {
	switch x := x.(type) {
	case *Ident:
		return Path{[]Name{x.Name}, x.Name.Span}, isUpper(x.Name.Text[0])
	case *Select:
		base, ok := asPath(x.X)
		if !ok {
			return Path{}, false
		}
		return Path{append(base.Parts, x.Name), x.Span}, isUpper(x.Name.Text[0])
	}
	return Path{}, false
}

// PathOf returns an expression as a dotted path, if all of its parts but the last are capitalised.
func PathOf(x Expr) (Path, bool) {
	switch x := x.(type) {
	case *Ident:
		return Path{[]Name{x.Name}, x.Name.Span}, true
	case *Select:
		base, ok := asPath(x.X)
		if !ok {
			return Path{}, false
		}
		return Path{append(base.Parts, x.Name), x.Span}, true
	}
	return Path{}, false
}
