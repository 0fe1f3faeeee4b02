package syntax

import (
	"strings"
	"unicode/utf8"

	"github.com/aquanode/aquanode/aqua/diag"
)

// scanner walks over the text of a program. Aqua has no reserved words and its
// blanks carry meaning in places ("S (x)" is not "S(x)"), so there is no
// separate token stream: the parser asks the scanner for what may stand next,
// and may go back by setting pos.
type scanner struct {
	src  *diag.Source
	text string
	pos  int

	// The farthest place where something was expected and not found. A line is
	// tried as several kinds of statements; the attempt that got farthest tells
	// best what is wrong.
	farthest int
	expected []string
	opened   int // the bracket whose end was expected there, -1 if none was
}

func (s *scanner) rest() string { return s.text[s.pos:] }

func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) atEnd() bool { return s.pos >= len(s.text) }

// want notes that what was expected here, and is false, to end an attempt.
func (s *scanner) want(what string) bool {
	if s.pos > s.farthest || s.expected == nil {
		s.farthest, s.expected, s.opened = s.pos, nil, -1
	}
	if s.pos == s.farthest {
		s.expected = append(s.expected, what)
	}
	return false
}

// forget starts a new line: earlier expectations no longer matter.
func (s *scanner) forget() { s.farthest, s.expected, s.opened = s.pos, nil, -1 }

// wantClosing notes that a closing bracket was expected, of the one that was opened at a place.
func (s *scanner) wantClosing(closing string, opened int) bool {
	s.want("'" + closing + "'")
	if s.pos == s.farthest {
		s.opened = opened
	}
	return false
}

// accept steps over a fixed text.
func (s *scanner) accept(text string) bool {
	if strings.HasPrefix(s.rest(), text) {
		s.pos += len(text)
		return true
	}
	return false
}

// expect is accept that notes the expectation.
func (s *scanner) expect(text string) bool {
	return s.accept(text) || s.want("'"+text+"'")
}

// keyword steps over a word that does not go on as a name.
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

// blanks skips spaces and tabs and tells whether there were any.
func (s *scanner) blanks() bool {
	start := s.pos
	for s.pos < len(s.text) && (s.text[s.pos] == ' ' || s.text[s.pos] == '\t') {
		s.pos++
	}
	return s.pos > start
}

// leading is the run of blanks at pos, which it steps over.
func (s *scanner) leading() string {
	start := s.pos
	s.blanks()
	return s.text[start:s.pos]
}

// lineEnd steps over \n, \r\n or \n\r.
func (s *scanner) lineEnd() bool {
	return s.accept("\r\n") || s.accept("\n\r") || s.accept("\n")
}

// comment steps over "--" and what follows it on the line.
func (s *scanner) comment() bool {
	if !s.accept("--") {
		return false
	}
	for s.pos < len(s.text) && s.text[s.pos] != '\n' && s.text[s.pos] != '\r' {
		s.pos++
	}
	return true
}

// endOfLine steps over blanks, a comment and the line end (or the end of the text).
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

// emptyLines skips lines that hold only blanks and comments and stops at the
// start of a line with something on it. It tells how many it skipped.
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

// loose skips blanks, comments and line ends, as is allowed inside brackets.
func (s *scanner) loose() {
	for {
		s.blanks()
		s.comment()
		if !s.lineEnd() {
			return
		}
	}
}

// name scans an identifier that starts with a lower-case letter.
func (s *scanner) name() (Name, bool) { return s.word("a name", isLower) }

// class scans an identifier that starts with an upper-case letter.
func (s *scanner) class() (Name, bool) { return s.word("a capitalised name", isUpper) }

// variable scans an identifier of either case.
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

// digits steps over decimal digits.
func (s *scanner) digits() bool {
	start := s.pos
	for isDigit(s.peek()) {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) span(start int) diag.Span { return diag.Span{Start: start, End: s.pos} }

// found describes what stands at an offset, for messages.
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

// foundSpan covers what found describes.
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
