package air

import (
	"fmt"
	"strconv"
	"strings"
)

// parseLens reads the text of a lens, from its dot on:
//
//	lens     = ".length" | ".$" accessor { accessor }
//	accessor = [ "." ] "[" ( index | name ) "]" [ "!" ] | "." name [ "!" ]
//
// "!" has no effect. A refused text gives a label; its wording follows AquaVM
// where that is one of its short forms.
func parseLens(text string) (Lens, string) {
	if text == ".length" {
		return Lens{Length: true}, ""
	}
	if !strings.HasPrefix(text, ".$") {
		return Lens{}, unexpectedSymbol(0, len(text))
	}
	if text == ".$" {
		return Lens{}, "provided lambda expression doesn't contain any accessor"
	}
	p := lensParser{text: text, pos: len(".$")}
	lens := Lens{Path: make([]Accessor, 0, p.count())}
	for p.pos < len(text) && p.label == "" {
		lens.Path = append(lens.Path, p.accessor())
	}
	return lens, p.label
}

func unexpectedSymbol(start, end int) string {
	return fmt.Sprintf("User { error: UnexpectedSymbol(%d, %d) }", start, end)
}

type lensParser struct {
	text  string
	pos   int
	label string // why the text is refused
}

// count bounds the number of accessors from above: each has a dot or a bracket of its own.
func (p *lensParser) count() int {
	n := 0
	for i := p.pos; i < len(p.text); i++ {
		if c := p.text[i]; c == '[' || c == '.' && i+1 < len(p.text) && p.text[i+1] != '[' {
			n++
		}
	}
	return n
}

func (p *lensParser) accessor() Accessor {
	dot := p.take('.')
	var a Accessor
	switch {
	case p.take('['):
		a = p.bracket()
		if p.label == "" && !p.take(']') {
			p.refuse(`"]"`)
		}
	case dot:
		a = Accessor{Kind: ByField, Name: p.name()}
		if a.Name == "" {
			p.refuse(`"[" or a field name`)
		}
	default:
		p.refuse(`"." or "["`)
	}
	p.take('!')
	return a
}

// bracket reads what stands between "[" and "]".
func (p *lensParser) bracket() Accessor {
	start := p.pos
	for p.pos < len(p.text) && class[p.text[p.pos]]&inNumber != 0 {
		p.pos++
	}
	if start < p.pos {
		n, err := strconv.ParseUint(p.text[start:p.pos], 10, 32)
		if err != nil {
			p.label = fmt.Sprintf("User { error: ParseIntError(%d, %d, ParseIntError { kind: PosOverflow }) }", start, p.pos)
		}
		return Accessor{Kind: ByIndex, Index: uint32(n)}
	}
	a := Accessor{Kind: ByScalar, Name: p.name()}
	if a.Name == "" {
		p.refuse("an index or a variable name")
	}
	return a
}

// name reads a field or variable name: it may not begin with a digit.
func (p *lensParser) name() string {
	start := p.pos
	if start < len(p.text) && class[p.text[start]]&inNumber != 0 {
		return ""
	}
	for p.pos < len(p.text) && class[p.text[p.pos]]&inName != 0 {
		p.pos++
	}
	return p.text[start:p.pos]
}

func (p *lensParser) take(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// refuse sets the label for the character at the current position. AquaVM shows the
// state of its parser where a known character stands in a wrong place; we say it in words.
func (p *lensParser) refuse(expected string) {
	switch {
	case p.label != "":
	case p.pos == len(p.text):
		p.label = "the lens ends where " + expected + " is expected"
	case class[p.text[p.pos]]&inName == 0 && !strings.ContainsRune(".[]!", rune(p.text[p.pos])):
		p.label = unexpectedSymbol(p.pos, p.pos+1)
	default:
		p.label = fmt.Sprintf("%q stands in the lens where %s is expected", p.text[p.pos:p.pos+1], expected)
	}
}

// String is the canonical text of a lens, as it goes into tetraplets and messages:
// ".length" or ".$.a.[0].[i]"; "" for the zero Lens.
func (l Lens) String() string { return string(l.append(nil)) }

func (l Lens) append(buf []byte) []byte {
	if l.Length {
		return append(buf, ".length"...)
	}
	for k, a := range l.Path {
		if k == 0 {
			buf = append(buf, ".$"...)
		}
		buf = append(buf, '.')
		buf = a.append(buf)
	}
	return buf
}

// String is the canonical text of an accessor: "name", "[7]" or "[i]".
func (a Accessor) String() string { return string(a.append(nil)) }

func (a Accessor) append(buf []byte) []byte {
	switch a.Kind {
	case ByIndex:
		buf = append(buf, '[')
		buf = strconv.AppendUint(buf, uint64(a.Index), 10)
		return append(buf, ']')
	case ByScalar:
		buf = append(buf, '[')
		buf = append(buf, a.Name...)
		return append(buf, ']')
	}
	return append(buf, a.Name...)
}
