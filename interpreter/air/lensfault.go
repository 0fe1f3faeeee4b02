package air

import (
	"fmt"
	"strconv"
	"strings"
)

// lensFault says what is wrong with a text that is no lens. It shows, as AquaVM does, the
// state of a parser generated from the grammar.
func lensFault(text string) string {
	switch {
	case !strings.HasPrefix(text, pathLens):
		return unexpectedSymbol(0, len(text))
	case text == pathLens:
		return "provided lambda expression doesn't contain any accessor"
	}
	p := lensParser{text: text, end: len(pathLens), state: lensStart}
	for p.next(); p.label == "" && p.tok != lensEnd && len(p.errs) < maxLensErrors; {
		p.step()
	}
	if p.label == "" && p.tok == lensEnd && !p.state.has(lensEnd) {
		p.recover()
	}
	if p.label == "" && len(p.errs) > 0 {
		p.label = "[" + strings.Join(p.errs, ", ") + "]"
	}
	return p.label
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
	lensNames = [...]string{`"\"!\""`, `"\".\""`, `"\"[\""`, `"\"]\""`, `"number_accessor"`,
		`"string_accessor"`}
	lensShown = [...]string{"FlatteningSign", "ValuePathSelector", "OpenSquareBracket",
		"CloseSquareBracket", "NumberAccessor(%s)", "StringAccessor(%q)"}
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
		p.index()
		p.state = lensClosing
	case lensName:
		if p.state == lensField {
			p.state = lensAccessed
		} else {
			p.state = lensClosing
		}
	}
	p.next()
}

// index checks the size of an index.
func (p *lensParser) index() {
	if _, err := strconv.ParseUint(p.text[p.start:p.end], 10, 32); err != nil {
		p.label = fmt.Sprintf("User { error: ParseIntError(%d, %d, ParseIntError { kind: PosOverflow }) }", p.start, p.end)
	}
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
	p.errs = append(p.errs, fmt.Sprintf("ErrorRecovery { error: %s, dropped_tokens: [%s] }", what,
		strings.Join(dropped, ", ")))
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
