// Package syntax parses Aqua programs to trees with spans. The grammar is
// docs/spec/aqua.ebnf; its productions stand above the functions that parse them.
//
// [Parse] accepts the whole language as published (aqua-api 0.14.6): headers, constants,
// aliases, data, abilities, services and functions. In script mode, which the caller
// chooses, it also accepts a file without a header, statements outside of functions, and
// calls joined by "par" on one line. The other programs mean the same in both modes.
//
// After an error the parser continues with the next line that is not deeper, to report all
// errors of a text at once. The tree is valid only if there is none.
//
// The parser is a recursive descent over characters. Aqua has no reserved words, and its
// blanks have a meaning, so a line is tried as one kind of statement after the other. If
// none fits, the message comes from the attempt that got farthest.
package syntax

import (
	"strings"
	"unicode/utf8"

	"github.com/aquanode/aquanode/aqua/diag"
)

// parser parses one file.
type parser struct {
	scanner
	script     bool
	escapes    bool // strings have escapes
	inBrackets int  // > 0: line ends count as blanks
	depth      int  // nesting of expressions and types
	nodes      int  // parts of the current line
	blocks     int  // nesting of blocks
	diags      diag.List
}

// file = header definitions
//
// Parse parses a source text. With script set, it accepts the script forms too.
func Parse(src *diag.Source, script bool) (*File, diag.List) {
	p := &parser{scanner: scanner{src: src, text: src.Text}, script: script}
	file := &File{Source: src}
	if !p.readable() {
		return file, p.diags
	}
	p.header(file)
	p.definitions(file)
	return file, p.diags
}

// readable checks that the text is UTF-8 and skips a byte order mark.
func (p *parser) readable() bool {
	p.accept("\uFEFF")
	if utf8.ValidString(p.text) {
		return true
	}
	at := 0
	for {
		r, n := utf8.DecodeRuneInString(p.text[at:])
		if r == utf8.RuneError && n <= 1 {
			break
		}
		at += n
	}
	p.fail(diag.Span{Start: at, End: at + 1}, "The text is not UTF-8",
		"save the file in UTF-8 encoding")
	return false
}

// maxErrors bounds the syntax errors of one text.
const maxErrors = 1000

// stopped reports whether there are too many errors to continue.
func (p *parser) stopped() bool { return len(p.diags) >= maxErrors }

// recover continues after an error in the line at start, with blanks lead: it skips to the next
// line that is not deeper.
func (p *parser) recover(start int, lead string) {
	p.pos, p.inBrackets, p.depth = start, 0, 0
	p.nextLine()
	for !p.atEnd() {
		p.emptyLines()
		at := p.pos
		if blanks := p.leading(); p.atEnd() || len(blanks) <= len(lead) {
			p.pos = at
			return
		}
		p.nextLine()
	}
}

// nextLine skips to the beginning of the next line.
func (p *parser) nextLine() {
	if i := strings.IndexByte(p.rest(), '\n'); i >= 0 {
		p.pos += i + 1
	} else {
		p.pos = len(p.text)
	}
}

func (p *parser) fail(span diag.Span, message, hint string) {
	d := diag.New(diag.Syntax, p.src, span, message)
	d.Hint = hint
	p.diags = append(p.diags, d)
}

// failExpected reports what the farthest attempt expected.
func (p *parser) failExpected() {
	var list []string
	seen := map[string]bool{}
	for _, e := range p.expected {
		if !seen[e] {
			seen[e] = true
			list = append(list, e)
		}
	}
	what := strings.Join(list, " or ")
	if n := len(list); n > 2 {
		what = strings.Join(list[:n-1], ", ") + " or " + list[n-1]
	}
	d := diag.New(diag.Syntax, p.src, p.foundSpan(p.farthest),
		"Expected "+what+", found "+p.found(p.farthest))
	if p.opened >= 0 && p.opened < p.farthest {
		bracket := diag.Place{Source: p.src, Span: diag.Span{Start: p.opened, End: p.opened + 1}}
		d.Notes = []diag.Note{{Place: bracket, Message: "the bracket is opened here"}}
	}
	d.Hint = p.advice(p.farthest)
	p.diags = append(p.diags, d)
}

// header = {headerLine}
func (p *parser) header(file *File) {
	for first := true; !p.stopped(); first = false {
		p.emptyLines()
		start := p.pos
		if first {
			p.blanks() // before the first line they are allowed
		}
		h, ok := p.headerLine()
		if !ok {
			p.pos = start
			return
		}
		if h != nil {
			file.Header = append(file.Header, h)
		} else {
			p.recover(start, "")
		}
	}
}

// headerLine = (module | importLine | use | export) END
//
// It returns false for another line.
func (p *parser) headerLine() (Header, bool) {
	start := p.pos
	word, ok := p.headerKeyword()
	if !ok {
		p.pos = start
		return nil, false
	}
	p.forget()
	p.nodes = 0
	var h Header
	switch word.Text {
	case "aqua", "module":
		h, ok = p.module(word)
	case "import":
		h, ok = p.importLine(start)
	case "use":
		h, ok = p.use(start)
	default:
		h, ok = p.export(start)
	}
	if !ok || !p.endOfLine() {
		p.failExpected()
		return nil, true
	}
	return h, true
}

// headerKeyword skips the first word of a header line and the blanks after it.
func (p *parser) headerKeyword() (Name, bool) {
	if !isLower(p.peek()) {
		return Name{}, false
	}
	word, _ := p.name()
	switch word.Text {
	case "aqua", "module", "import", "use", "export":
		if !p.blanks() {
			return word, false
		}
		return word, strings.IndexByte("=<:(.", p.peek()) < 0
	}
	return word, false
}

// module = ("aqua" | "module") path ["declares" ("*" | variable {"," variable})]
func (p *parser) module(word Name) (Header, bool) {
	m := &Module{Keyword: word}
	var ok bool
	if m.Name, ok = p.path(); !ok {
		return nil, false
	}
	m.Span = word.Span.To(m.Name.Span)
	at := p.pos
	p.blanks()
	if !p.keyword("declares") || !p.blanks() {
		p.pos = at
		return m, true
	}
	if p.accept("*") {
		m.All = true
		return m, true
	}
	for {
		n, ok := p.variable()
		if !ok || !p.node() {
			return nil, false
		}
		m.Declares = append(m.Declares, n)
		if !p.accept(",") {
			return m, true
		}
		p.loose()
	}
}

// importLine = "import" [from] filePath
func (p *parser) importLine(start int) (Header, bool) {
	h := &Import{}
	ok := true
	if h.Names, ok = p.from(); !ok {
		return nil, false
	}
	h.Path, h.PathSpan, ok = p.filePath()
	h.Span = p.span(start)
	return h, ok
}

// from = renames "from"
//
// It returns nil if the path follows.
func (p *parser) from() ([]Rename, bool) {
	if p.peek() == '"' {
		return nil, true
	}
	names, ok := p.renames()
	if !ok {
		return nil, false
	}
	if p.blanks(); !p.keyword("from") {
		return nil, p.want("'from'")
	}
	p.blanks()
	return names, true
}

// use = "use" [from] filePath ["as" class]
//
// The last part is required after renames.
func (p *parser) use(start int) (Header, bool) {
	h := &Use{}
	ok := true
	if h.Names, ok = p.from(); !ok {
		return nil, false
	}
	if h.Path, h.PathSpan, ok = p.filePath(); !ok {
		return nil, false
	}
	at := p.pos
	if p.blanks(); p.keyword("as") && p.blanks() {
		n, ok := p.class()
		if !ok {
			return nil, false
		}
		h.As = &n
	} else {
		p.pos = at
		if h.Names != nil {
			return nil, p.want("'as' and a module name")
		}
	}
	h.Span = p.span(start)
	return h, true
}

// filePath = STRING
func (p *parser) filePath() (string, diag.Span, bool) {
	if p.peek() != '"' {
		return "", diag.Span{}, p.want("a path in double quotes")
	}
	x, ok := p.literal()
	if !ok {
		return "", diag.Span{}, false
	}
	lit := x.(*Literal)
	return lit.Text[1 : len(lit.Text)-1], lit.Span, true
}

// export = "export" renames
func (p *parser) export(start int) (Header, bool) {
	names, ok := p.renames()
	return &Export{p.span(start), names}, ok
}

// renames = rename {"," rename}
func (p *parser) renames() (list []Rename, ok bool) {
	for {
		r, ok := p.rename()
		if !ok {
			return nil, false
		}
		list = append(list, r)
		if !p.accept(",") {
			return list, true
		}
		p.blanks()
	}
}

// rename = name ["as" name] | class ["as" class]
func (p *parser) rename() (r Rename, ok bool) {
	n, ok := p.variable()
	if !ok || !p.node() {
		return Rename{}, false
	}
	at := p.pos
	if !p.blanks() || !p.keyword("as") || !p.blanks() {
		p.pos = at
		return Rename{n, n}, true
	}
	as, ok := Name{}, false
	if isUpper(n.Text[0]) {
		as, ok = p.class()
	} else {
		as, ok = p.name()
	}
	return Rename{n, as}, ok
}

// definitions = {definition | topLevel}
//
// Definitions need no empty line between them: each begins at the first column.
func (p *parser) definitions(file *File) {
	for !p.stopped() {
		p.emptyLines()
		if p.atEnd() {
			return
		}
		start, errors := p.pos, len(p.diags)
		if lead := p.leading(); lead != "" {
			p.fail(p.span(start), "Unexpected indentation", "definitions start at the first column")
			p.recover(start, "")
			continue
		}
		def, ok := p.definition()
		if !ok {
			p.topLevel(file)
		} else if def != nil {
			file.Defs = append(file.Defs, def)
		}
		// A body skips its own errors.
		if len(p.diags) > errors && p.pos == start {
			p.recover(start, "")
		}
	}
}

// topLevel = line
//
// Outside of scripts, it is an error.
func (p *parser) topLevel(file *File) {
	start := p.pos
	if word, ok := p.headerKeyword(); ok {
		p.fail(word.Span, "Header lines come before the first definition",
			"move this line to the top of the file")
		p.pos = start
		return
	}
	p.pos = start
	if !p.script {
		hint := p.advice(start)
		if hint == "" {
			hint = "a line at the first column begins with service, data, ability, alias, const or func; " +
				"statements belong into a function"
		}
		p.fail(p.foundSpan(start), "Expected a definition, found "+p.found(start), hint)
		return
	}
	file.Script = append(file.Script, p.line("", true)...)
}

// definition = constant | alias | data | ability | service | function
//
// It returns false for another line. After an error def is nil, and the position is the beginning
// of the definition or behind the error.
func (p *parser) definition() (def Def, ok bool) {
	start, errors := p.pos, len(p.diags)
	word, ok := p.definitionKeyword()
	if !ok {
		p.pos = start
		return nil, false
	}
	p.forget()
	p.nodes = 0
	switch word.Text {
	case "const":
		def, ok = p.constant()
	case "alias":
		def, ok = p.alias()
	case "data":
		def, ok = p.data()
	case "ability":
		def, ok = p.ability()
	case "service":
		def, ok = p.service()
	default:
		def, ok = p.function()
	}
	if ok {
		return def, true
	}
	if len(p.diags) == errors {
		p.failExpected()
		p.pos = start
	} else if word.Text != "func" {
		p.pos = start
	}
	return nil, true
}

// definitionKeyword skips the first word of a definition. The text behind it decides whether it is
// one: in a script "data = 1" is an assignment.
func (p *parser) definitionKeyword() (Name, bool) {
	if !isLower(p.peek()) {
		return Name{}, false
	}
	word, _ := p.name()
	switch word.Text {
	case "const", "alias", "data", "ability", "service", "func":
		if !p.blanks() {
			return word, false
		}
		return word, isLower(p.peek()) || isUpper(p.peek())
	}
	return word, false
}

// constant = "const" variable ["?"] "=" expr END
func (p *parser) constant() (Def, bool) {
	n, ok := p.variable()
	if !ok {
		return nil, false
	}
	c := &Const{Name: n}
	p.blanks()
	c.Default = p.accept("?")
	if !p.expect("=") {
		return nil, false
	}
	p.blanks()
	if n.Text != strings.ToUpper(n.Text) {
		p.fail(n.Span, "Constant's names must be in UPPERCASE", "write "+strings.ToUpper(n.Text))
		return nil, false
	}
	if c.Value, ok = p.expr(); !ok || !p.endOfLine() {
		return nil, false
	}
	return c, p.constantValue(n.Text, c.Value)
}

func (p *parser) constantValue(name string, x Expr) bool {
	var what string
	switch x.(type) {
	case *Literal, *Ident:
		return true
	case *Collection:
		what = "a collection"
	case *Apply:
		what = "a function call"
	case *Make, *Copy:
		what = "an ability or data"
	case *Select, *Index:
		what = "a property"
	default:
		what = "an expression"
	}
	p.fail(x.At(), "'"+name+"' is "+what+", but only strings, numbers or booleans can be used", "")
	return false
}

// alias = "alias" class ":" typ END
func (p *parser) alias() (Def, bool) {
	n, ok := p.class()
	if !ok || !p.colon() {
		return nil, false
	}
	t, ok := p.typ()
	return &Alias{n, t}, ok && p.endOfLine()
}

// data = "data" class ":" END members
func (p *parser) data() (Def, bool) {
	n, ok := p.class()
	if !ok || !p.colon() || !p.endOfLine() {
		return nil, false
	}
	fields, ok := p.members(n, p.dataField)
	return &Data{n, fields}, ok
}

// ability = "ability" class ":" END members
func (p *parser) ability() (Def, bool) {
	n, ok := p.class()
	if !ok || !p.colon() || !p.endOfLine() {
		return nil, false
	}
	fields, ok := p.members(n, p.abilityField)
	return &Ability{n, fields}, ok
}

// service = "service" class ["(" expr ")"] ":" END members
func (p *parser) service() (Def, bool) {
	n, ok := p.class()
	if !ok {
		return nil, false
	}
	s := &Service{Name: n}
	if p.accept("(") {
		p.blanks()
		if s.ID, ok = p.expr(); !ok {
			return nil, false
		}
		p.blanks()
		if !p.expect(")") {
			return nil, false
		}
	}
	if !p.colon() || !p.endOfLine() {
		return nil, false
	}
	s.Fields, ok = p.members(n, p.serviceField)
	return s, ok
}

// members = INDENT member END {INDENT member END} DEDENT
//
// member parses those of one kind of definition:
//
//	member = dataField | abilityField | serviceField
func (p *parser) members(owner Name, member func() (Field, bool)) (list []Field, ok bool) {
	indent := ""
	for {
		before := p.pos
		p.emptyLines()
		start := p.pos
		lead := p.leading()
		if lead == "" || p.atEnd() {
			p.pos = before
			if list == nil {
				p.fail(owner.Span, "Block expression has no body", "indent the lines that belong to it")
			}
			return list, list != nil
		}
		if indent == "" {
			indent = lead
		}
		if lead != indent {
			p.fail(p.span(start), "Inconsistent indentation in the block", sameBlanks)
			return nil, false
		}
		p.forget()
		p.nodes = 0
		f, ok := member()
		if !ok || !p.endOfLine() {
			return nil, false
		}
		list = append(list, f)
	}
}

// dataField = name ":" basic
func (p *parser) dataField() (Field, bool) {
	n, ok := p.name()
	if !ok || !p.colon() {
		return Field{}, false
	}
	t, ok := p.basic()
	return Field{n, t}, ok
}

// abilityField = name (signature | ":" (arrow | basic))
//
// The arrow has no arguments.
func (p *parser) abilityField() (Field, bool) {
	n, ok := p.name()
	if !ok {
		return Field{}, false
	}
	if p.peek() == '(' || p.peek() == '{' {
		a, ok := p.signature()
		return Field{n, a}, ok
	}
	if !p.colon() {
		return Field{}, p.want("'('")
	}
	if p.peek() == '-' || p.peek() == '{' {
		a, ok := p.arrow()
		return Field{n, a}, ok
	}
	t, ok := p.basic()
	return Field{n, t}, ok
}

// serviceField = name (signature | ":" arrow)
func (p *parser) serviceField() (Field, bool) {
	n, ok := p.name()
	if !ok {
		return Field{}, false
	}
	if p.peek() == '(' {
		a, ok := p.signature()
		return Field{n, a}, ok
	}
	if !p.colon() {
		return Field{}, p.want("'('")
	}
	a, ok := p.arrow()
	return Field{n, a}, ok
}

// function = "func" name signature ":" END block
func (p *parser) function() (Def, bool) {
	n, ok := p.name()
	if !ok {
		return nil, false
	}
	p.blanks()
	a, ok := p.signature()
	if !ok || !p.colon() || !p.endOfLine() {
		return nil, false
	}
	f := &Func{Name: n, Arrow: a}
	errors := len(p.diags)
	f.Body = p.block("", true)
	if len(f.Body) == 0 && len(p.diags) == errors {
		p.fail(n.Span, "Block expression has no body", "indent the lines that belong to the function")
	}
	return f, len(p.diags) == errors
}

// ParseExpr parses a text that is one expression.
func ParseExpr(src *diag.Source) (Expr, diag.List) {
	return parseExpr(&parser{scanner: scanner{src: src, text: src.Text}})
}

// ParseCall parses a text that is one expression, a call. A backslash in its strings escapes a
// quote or a backslash.
func ParseCall(src *diag.Source) (Expr, diag.List) {
	return parseExpr(&parser{scanner: scanner{src: src, text: src.Text}, escapes: true})
}

func parseExpr(p *parser) (Expr, diag.List) {
	if !p.readable() {
		return nil, p.diags
	}
	p.loose()
	x, ok := p.expr()
	if ok {
		p.loose()
		if !p.atEnd() {
			ok = p.want("the end of the text")
		}
	}
	if !ok {
		p.failExpected()
		return nil, p.diags
	}
	return x, nil
}
