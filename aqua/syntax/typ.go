package syntax

// typ = arrow | parenType | basic
func (p *parser) typ() (Type, bool) {
	if !p.enter() {
		return nil, false
	}
	defer p.leave()
	start := p.pos
	if a, ok := p.arrow(); ok {
		return a, true
	}
	p.pos = start
	if p.peek() == '(' {
		return p.parenType()
	}
	return p.basic()
}

// parenType = "(" typ ")"
func (p *parser) parenType() (Type, bool) {
	p.pos++
	p.loose()
	t, ok := p.typ()
	if !ok {
		return nil, false
	}
	p.loose()
	return t, p.expect(")")
}

// arrow = [abilities] [basic {"," basic}] "->" results
//
// Its arguments have no names.
func (p *parser) arrow() (*ArrowType, bool) {
	start := p.pos
	a := &ArrowType{}
	var ok bool
	if a.Abilities, ok = p.abilities(); !ok {
		return nil, false
	}
	for p.peek() != '-' {
		t, ok := p.basic()
		if !ok || !p.node() {
			return nil, false
		}
		a.Args = append(a.Args, Param{Type: t})
		p.blanks()
		if !p.accept(",") {
			break
		}
		p.blanks()
	}
	if !p.expect("->") {
		return nil, false
	}
	a.Results, ok = p.results()
	a.Span = p.span(start)
	return a, ok
}

// results = "()" | typ {"," typ}
func (p *parser) results() (list []Type, ok bool) {
	p.blanks()
	if p.accept("()") {
		return nil, true
	}
	for {
		t, ok := p.typ()
		if !ok || !p.node() {
			return nil, false
		}
		list = append(list, t)
		// "f: u8 -> bool, n: u8": after the comma the next parameter may follow.
		start := p.pos
		if !p.accept(",") {
			return list, true
		}
		p.blanks()
		if at := p.pos; !p.startsType() {
			p.pos = start
			return list, true
		} else {
			p.pos = at
		}
	}
}

// startsType reports whether a type can begin here. Lower-case names are types only if they are
// scalars.
func (p *parser) startsType() bool {
	start := p.pos
	defer func() { p.pos = start }()
	if !isLower(p.peek()) {
		return p.peek() != ')' && !p.atEnd()
	}
	n, _ := p.name()
	return isScalar[n.Text]
}

// abilities = "{" path {"," path} "}"
//
// It returns true without a bracket.
func (p *parser) abilities() (list []Path, ok bool) {
	if !p.accept("{") {
		return nil, true
	}
	for {
		p.loose()
		path, ok := p.path()
		if !ok {
			return nil, false
		}
		list = append(list, path)
		p.loose()
		if p.accept("}") {
			p.blanks()
			return list, true
		}
		if !p.expect(",") {
			return nil, false
		}
	}
}

var isScalar = map[string]bool{
	"u8": true, "u16": true, "u32": true, "u64": true,
	"i8": true, "i16": true, "i32": true, "i64": true,
	"f32": true, "f64": true, "bool": true, "string": true,
}

// basic = "⊤" | "⊥" | ("[]" | "?" | "*") basic | scalar | path
//
//	scalar = integer | "f32" | "f64" | "bool" | "string"
//	integer = "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64"
func (p *parser) basic() (Type, bool) {
	if !p.enter() {
		return nil, false
	}
	defer p.leave()
	start := p.pos
	switch {
	case p.accept("⊤"):
		return &TopType{p.span(start)}, true
	case p.accept("⊥"):
		return &BottomType{p.span(start)}, true
	case p.accept("[]"):
		return p.collectionType(start, Array)
	case p.accept("?"):
		return p.collectionType(start, Option)
	case p.accept("*"):
		return p.collectionType(start, Stream)
	case isUpper(p.peek()):
		path, ok := p.path()
		return &NamedType{path}, ok
	}
	if p.peek() == '%' {
		return nil, p.want("a type (stream maps, %T, are not in this version of the language)")
	}
	n, ok := p.word("a type", isLower)
	if !ok {
		return nil, false
	}
	if !isScalar[n.Text] {
		p.pos = start
		return nil, p.want("a type")
	}
	return &NamedType{Path{[]Name{n}, n.Span}}, true
}

func (p *parser) collectionType(start int, kind CollectionKind) (Type, bool) {
	elem, ok := p.basic()
	return &CollectionType{p.span(start), kind, elem}, ok
}

// path = class {"." class}
func (p *parser) path() (Path, bool) {
	start := p.pos
	n, ok := p.class()
	if !ok {
		return Path{}, false
	}
	path := Path{Parts: []Name{n}}
	for p.peek() == '.' && p.pos+1 < len(p.text) && isUpper(p.text[p.pos+1]) {
		p.pos++
		n, _ := p.class()
		path.Parts = append(path.Parts, n)
	}
	path.Span = p.span(start)
	return path, true
}

// signature = [abilities] "(" [param {"," param}] ")" ["->" results]
//
// Its arguments have names.
func (p *parser) signature() (*ArrowType, bool) {
	start := p.pos
	a := &ArrowType{}
	var ok bool
	if a.Abilities, ok = p.abilities(); !ok || !p.expect("(") {
		return nil, false
	}
	p.loose()
	for !p.accept(")") {
		if len(a.Args) > 0 {
			if !p.expect(",") {
				return nil, p.want("')'")
			}
			p.loose()
		}
		arg, ok := p.param()
		if !ok {
			return nil, false
		}
		a.Args = append(a.Args, arg)
		p.loose()
	}
	at := p.pos
	p.blanks()
	if !p.accept("->") {
		p.pos = at
		a.Span = p.span(start)
		return a, true
	}
	a.Results, ok = p.results()
	a.Span = p.span(start)
	return a, ok
}

// param = name ":" typ
func (p *parser) param() (Param, bool) {
	n, ok := p.name()
	if !ok {
		return Param{}, false
	}
	p.blanks()
	if !p.expect(":") {
		return Param{}, false
	}
	p.loose()
	t, ok := p.typ()
	return Param{n, t}, ok
}
