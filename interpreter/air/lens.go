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
// "!" has no effect. The accessors are appended to path, which is empty. A refused text gives a label, which shows, as AquaVM's does, the
// state of the parser.
func parseLens(text string, path []Accessor) (Lens, string) {
	switch {
	case text == ".length":
		return Lens{Length: true}, ""
	case !strings.HasPrefix(text, ".$"):
		return Lens{}, unexpectedSymbol(0, len(text))
	case text == ".$":
		return Lens{}, "provided lambda expression doesn't contain any accessor"
	}
	p := lensParser{text: text, end: len(".$"), state: lensStart, path: path}
	for p.next(); p.label == "" && p.tok != lensEnd && len(p.errs) < maxLensErrors; {
		p.step()
	}
	if p.label == "" && p.tok == lensEnd && !p.state.has(lensEnd) {
		p.recover()
	}
	switch {
	case p.label != "":
		return Lens{}, p.label
	case len(p.errs) > 0:
		return Lens{}, "[" + strings.Join(p.errs, ", ") + "]"
	}
	return Lens{Path: p.path}, ""
}

// maxLensErrors is how many refused tokens are shown.
const maxLensErrors = 10

func unexpectedSymbol(start, end int) string {
	return fmt.Sprintf("User { error: UnexpectedSymbol(%d, %d) }", start, end)
}

// lensToken is a token of a lens; the order is that of AquaVM's lists.
type lensToken uint8

const (
	lensFlatten lensToken = iota // !
	lensDot                      // .
	lensOpen                     // [
	lensClose                    // ]
	lensNumber
	lensName
	lensEnd
)

// lensNames are the tokens in lists of what is expected, lensShown as tokens found.
var (
	lensNames = [...]string{`"\"!\""`, `"\".\""`, `"\"[\""`, `"\"]\""`, `"number_accessor"`, `"string_accessor"`}
	lensShown = [...]string{"FlatteningSign", "ValuePathSelector", "OpenSquareBracket", "CloseSquareBracket", "NumberAccessor(%s)", "StringAccessor(%q)"}
)

// lensState is the set of tokens that may follow.
type lensState uint8

func lensSet(tokens ...lensToken) lensState {
	var s lensState
	for _, t := range tokens {
		s |= 1 << t
	}
	return s
}

func (s lensState) has(t lensToken) bool { return s>>t&1 != 0 }

func (s lensState) String() string {
	var names []string
	for t, name := range lensNames {
		if s.has(lensToken(t)) {
			names = append(names, name)
		}
	}
	return "[" + strings.Join(names, ", ") + "]"
}

var (
	lensStart    = lensSet(lensDot, lensOpen)
	lensField    = lensSet(lensOpen, lensName)
	lensIndex    = lensSet(lensNumber, lensName)
	lensClosing  = lensSet(lensClose)
	lensAccessed = lensSet(lensFlatten, lensDot, lensOpen, lensEnd)
	lensFlat     = lensSet(lensDot, lensOpen, lensEnd)
)

type lensParser struct {
	text       string
	start, end int // of the current token
	tok        lensToken
	state      lensState
	path       []Accessor
	errs       []string // refused tokens
	label      string   // a word that is no token ends everything
}

// next reads a token.
func (p *lensParser) next() {
	p.start = p.end
	if p.start == len(p.text) {
		p.tok = lensEnd
		return
	}
	c := p.text[p.start]
	if k := strings.IndexByte("!.[]", c); k >= 0 {
		p.tok = lensToken(k)
		p.end++
		return
	}
	p.tok = lensName
	kind := uint8(inName)
	if class[c]&inNumber != 0 {
		p.tok, kind = lensNumber, inNumber
	}
	for p.end < len(p.text) && class[p.text[p.end]]&kind != 0 {
		p.end++
	}
	if p.end == p.start {
		p.label = unexpectedSymbol(p.start, p.start+1)
	}
}

// step takes the current token.
func (p *lensParser) step() {
	if !p.state.has(p.tok) {
		p.recover()
		return
	}
	word := p.text[p.start:p.end]
	switch p.tok {
	case lensFlatten:
		p.state = lensFlat
	case lensDot:
		p.state = lensField
	case lensOpen:
		p.state = lensIndex
	case lensClose:
		p.state = lensAccessed
	case lensNumber:
		p.index(word)
		p.state = lensClosing
	case lensName:
		if p.state == lensField {
			p.path = append(p.path, Accessor{Kind: ByField, Name: word})
			p.state = lensAccessed
		} else {
			p.path = append(p.path, Accessor{Kind: ByScalar, Name: word})
			p.state = lensClosing
		}
	}
	p.next()
}

func (p *lensParser) index(word string) {
	n, err := strconv.ParseUint(word, 10, 32)
	if err != nil {
		p.label = fmt.Sprintf("User { error: ParseIntError(%d, %d, ParseIntError { kind: PosOverflow }) }", p.start, p.end)
	}
	p.path = append(p.path, Accessor{Kind: ByIndex, Index: uint32(n)})
}

// recover notes a refused token and drops tokens up to the beginning of an accessor.
func (p *lensParser) recover() {
	what := fmt.Sprintf("UnrecognizedToken { token: %s, expected: %s }", p.shown(), p.state)
	if p.tok == lensEnd {
		what = fmt.Sprintf("UnrecognizedEof { location: %d, expected: %s }", p.end, p.state)
	}
	var dropped []string
	for p.state = lensFlat; !p.state.has(p.tok); p.next() {
		dropped = append(dropped, p.shown())
		if p.label != "" {
			return
		}
	}
	p.errs = append(p.errs, fmt.Sprintf("ErrorRecovery { error: %s, dropped_tokens: [%s] }", what, strings.Join(dropped, ", ")))
}

// shown is the current token as a debug dump shows it.
func (p *lensParser) shown() string {
	if p.tok == lensEnd {
		return ""
	}
	name := lensShown[p.tok]
	word := p.text[p.start:p.end]
	switch p.tok {
	case lensNumber:
		name = fmt.Sprintf(name, strings.TrimLeft(word[:len(word)-1], "0")+word[len(word)-1:])
	case lensName:
		name = fmt.Sprintf(name, word)
	}
	return fmt.Sprintf("(%d, %s, %d)", p.start, name, p.end)
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
