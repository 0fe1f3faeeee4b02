package syntax

import (
	"strings"
	"unicode/utf8"

	"github.com/aquanode/aquanode/aqua/diag"
)

// scanner reads the text of a program. Aqua has no reserved words, and its blanks have a
// meaning in places ("S (x)" is not "S(x)"). So there is no stream of tokens: the parser
// asks the scanner for one of the texts that may follow, and sets pos to go back.
type scanner struct {
	src  *diag.Source
	text string
	pos  int

	// The farthest place where something was expected and not found. A line is tried as
	// several kinds of statements; the attempt that got farthest has the best message.
	farthest int
	expected []string
	opened   int // the bracket whose end was expected there, or -1
}

func (s *scanner) rest() string { return s.text[s.pos:] }

func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) atEnd() bool { return s.pos >= len(s.text) }

// want records that what was expected here. It returns false, to end an attempt.
func (s *scanner) want(what string) bool {
	if s.pos > s.farthest || s.expected == nil {
		s.farthest, s.expected, s.opened = s.pos, nil, -1
	}
	if s.pos == s.farthest {
		s.expected = append(s.expected, what)
	}
	return false
}

// forget starts a new line, for which earlier expectations do not matter.
func (s *scanner) forget() { s.farthest, s.expected, s.opened = s.pos, nil, -1 }

// wantClosing records that the end of the bracket at opened was expected.
func (s *scanner) wantClosing(closing string, opened int) bool {
	s.want("'" + closing + "'")
	if s.pos == s.farthest {
		s.opened = opened
	}
	return false
}

// accept skips a fixed text.
func (s *scanner) accept(text string) bool {
	if strings.HasPrefix(s.rest(), text) {
		s.pos += len(text)
		return true
	}
	return false
}

// expect is accept that records the expectation.
func (s *scanner) expect(text string) bool {
	return s.accept(text) || s.want("'"+text+"'")
}

// keyword skips a word, unless it is the beginning of a longer name.
func (s *scanner) keyword(word string) bool {
	if !strings.HasPrefix(s.rest(), word) {
		return false
	}
	if end := s.pos + len(word); end < len(s.text) && isNameByte(s.text[end]) {
		return false
	}
	s.pos += len(word)
	return true
}

// blanks skips spaces and tabs and reports whether there were any.
func (s *scanner) blanks() bool {
	start := s.pos
	for s.pos < len(s.text) && (s.text[s.pos] == ' ' || s.text[s.pos] == '\t') {
		s.pos++
	}
	return s.pos > start
}

// leading skips the blanks at pos and returns them.
func (s *scanner) leading() string {
	start := s.pos
	s.blanks()
	return s.text[start:s.pos]
}

// lineEnd skips \n, \r\n or \n\r.
func (s *scanner) lineEnd() bool {
	return s.accept("\r\n") || s.accept("\n\r") || s.accept("\n")
}

// comment skips "--" and the rest of the line.
func (s *scanner) comment() bool {
	if !s.accept("--") {
		return false
	}
	for s.pos < len(s.text) && s.text[s.pos] != '\n' && s.text[s.pos] != '\r' {
		s.pos++
	}
	return true
}

// endOfLine skips blanks, a comment and the line end (or the end of the text).
func (s *scanner) endOfLine() bool {
	start := s.pos
	s.blanks()
	s.comment()
	if s.lineEnd() || s.atEnd() {
		return true
	}
	s.want("the end of the line")
	s.pos = start
	return false
}

// emptyLines skips lines with blanks and comments only, up to the start of the next
// line, and returns their number.
func (s *scanner) emptyLines() (n int) {
	for !s.atEnd() {
		start := s.pos
		s.blanks()
		s.comment()
		if !s.lineEnd() {
			if s.atEnd() {
				return n
			}
			s.pos = start
			return n
		}
		n++
	}
	return n
}

// loose skips blanks, comments and line ends, which all separate inside brackets.
func (s *scanner) loose() {
	for {
		s.blanks()
		s.comment()
		if !s.lineEnd() {
			return
		}
	}
}

// name = LOWER {LOWER | UPPER | DIGIT | "_"}
func (s *scanner) name() (Name, bool) { return s.word("a name", isLower) }

// class = UPPER {LOWER | UPPER | DIGIT | "_"}
func (s *scanner) class() (Name, bool) { return s.word("a capitalised name", isUpper) }

// variable = name | class
func (s *scanner) variable() (Name, bool) {
	return s.word("a name", func(c byte) bool { return isLower(c) || isUpper(c) })
}

func (s *scanner) word(what string, first func(byte) bool) (Name, bool) {
	if !first(s.peek()) {
		return Name{}, s.want(what)
	}
	start := s.pos
	for s.pos < len(s.text) && isNameByte(s.text[s.pos]) {
		s.pos++
	}
	return Name{s.text[start:s.pos], diag.Span{Start: start, End: s.pos}}, true
}

// digits = DIGIT {DIGIT}
func (s *scanner) digits() bool {
	start := s.pos
	for isDigit(s.peek()) {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) span(start int) diag.Span { return diag.Span{Start: start, End: s.pos} }

// found describes the text at an offset, for messages.
func (s *scanner) found(at int) string {
	rest := s.text[min(at, len(s.text)):]
	switch {
	case rest == "":
		return "the end of the text"
	case rest[0] == '\n' || rest[0] == '\r':
		return "the end of the line"
	}
	n := 0
	for n < len(rest) && isNameByte(rest[n]) {
		n++
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(rest)
	}
	return "'" + strings.ToValidUTF8(rest[:n], "\uFFFD") + "'"
}

// foundSpan is the span of the text that found describes.
func (s *scanner) foundSpan(at int) diag.Span {
	n := at
	for n < len(s.text) && isNameByte(s.text[n]) {
		n++
	}
	if n == at && n < len(s.text) && s.text[n] != '\n' && s.text[n] != '\r' {
		_, w := utf8.DecodeRuneInString(s.text[n:])
		n += w
	}
	return diag.Span{Start: at, End: n}
}

func isLower(c byte) bool    { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool    { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool    { return '0' <= c && c <= '9' }
func isNameByte(c byte) bool { return isLower(c) || isUpper(c) || isDigit(c) || c == '_' }
