// Package diag holds what the Aqua compiler has to say about a program.
//
// Every stage reports problems as data: a [Diagnostic] names the file, the
// span of text it is about, the message and, where one is known, a hint that
// tells how to mend it. [Diagnostic.String] is the only place that turns them
// into text, so the command line, the tests and editors share one rendering:
//
//	examples/join.aqua:7:6: error: Name 'x' isn't found in scope
//	  7 |   baz(x, y)
//	    |       ^
//	  hint: did you mean 'xs'?
package diag

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Kind sorts diagnostics by the stage they come from; the names are those
// users of Aqua know.
type Kind string

// The kinds of diagnostics. Warnings do not stop a compilation.
const (
	Syntax  Kind = "Syntax error"
	Header  Kind = "Header error"
	Error   Kind = "Error"
	Imports Kind = "Cannot resolve imports"
	Other   Kind = "Other"
	Warning Kind = "Warning"
)

// Span is a half-open range of byte offsets in a source text.
type Span struct{ Start, End int }

// To is the span from the start of s to the end of t.
func (s Span) To(t Span) Span { return Span{s.Start, t.End} }

// Source is one text under compilation.
type Source struct {
	Name  string // file name as shown to the user
	Text  string
	lines []int // offsets of the line starts, made on first use
	chars []int // characters before every charStep-th byte
}

// charStep is the distance of the places whose characters are counted once: a line may be as long as
// the text, and have an error in each word.
const charStep = 512

// NewSource names a text.
func NewSource(name, text string) *Source { return &Source{Name: name, Text: text} }

// Position is the line and the column of an offset, both counted from 1, the
// column in characters.
func (s *Source) Position(offset int) (line, column int) {
	s.index()
	offset = min(max(offset, 0), len(s.Text))
	line = sort.Search(len(s.lines), func(i int) bool { return s.lines[i] > offset })
	return line, s.charsBefore(offset) - s.charsBefore(s.lines[line-1]) + 1
}

// charsBefore counts the characters before an offset.
func (s *Source) charsBefore(offset int) int {
	i := offset / charStep
	return s.chars[i] + countChars(s.Text[i*charStep:offset])
}

// countChars counts the first bytes of characters.
func countChars(text string) (n int) {
	for i := range len(text) {
		if utf8.RuneStart(text[i]) {
			n++
		}
	}
	return n
}

// Line is the text of a line, counted from 1, without its line end.
func (s *Source) Line(n int) string {
	s.index()
	if n < 1 || n > len(s.lines) {
		return ""
	}
	end := len(s.Text)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	return strings.TrimRight(s.Text[s.lines[n-1]:end], "\r")
}

func (s *Source) index() {
	if s.lines != nil {
		return
	}
	s.lines = append(s.lines, 0)
	chars := 0
	for i := 0; i < len(s.Text); i++ {
		if i%charStep == 0 {
			s.chars = append(s.chars, chars)
		}
		if s.Text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
		if utf8.RuneStart(s.Text[i]) {
			chars++
		}
	}
	if len(s.Text)%charStep == 0 {
		s.chars = append(s.chars, chars)
	}
}

// Place is a part of a text.
type Place struct {
	Source *Source
	Span   Span
}

// Diagnostic is one thing to tell the user.
type Diagnostic struct {
	Kind    Kind
	Source  *Source // nil when the problem has no place in a text
	Span    Span
	Message []string // lines; never empty
	Hint    string   // how to mend it, may be empty
	Notes   []Note   // other places that belong to it
	Missing string   // the name that is not defined, if that is the problem
}

// Note says something about another place than the one a diagnostic is about.
type Note struct {
	Place
	Message string
}

// New makes a diagnostic; the message may have several lines.
func New(kind Kind, src *Source, span Span, message string) Diagnostic {
	return Diagnostic{Kind: kind, Source: src, Span: span, Message: strings.Split(message, "\n")}
}

// Position is the line and column where the diagnostic points, or zeros.
func (d Diagnostic) Position() (line, column int) {
	if d.Source == nil {
		return 0, 0
	}
	return d.Source.Position(d.Span.Start)
}

// String renders the diagnostic with its source line and a caret under the
// text it is about, then the notes. The result has no line end after its last line.
func (d Diagnostic) String() string {
	var b strings.Builder
	label := strings.ToLower(string(d.Kind))
	if d.Kind == Other {
		label = "error"
	}
	message := strings.Join(d.Message, "\n  ")
	if d.Source == nil {
		fmt.Fprintf(&b, "%s: %s", label, message)
	} else {
		Place{d.Source, d.Span}.render(&b, label, message)
	}
	for _, n := range d.Notes {
		b.WriteByte('\n')
		n.render(&b, "note", n.Message)
	}
	if d.Hint != "" {
		fmt.Fprintf(&b, "\n  hint: %s", d.Hint)
	}
	return b.String()
}

func (p Place) render(b *strings.Builder, label, message string) {
	line, column := p.Source.Position(p.Span.Start)
	fmt.Fprintf(b, "%s:%d:%d: %s: %s\n", p.Source.Name, line, column, label, message)
	text, mark := p.excerpt(line)
	number := fmt.Sprint(line)
	fmt.Fprintf(b, "  %s | %s\n  %s | %s", number, text, strings.Repeat(" ", len(number)), mark)
}

// How many bytes of a line are shown before and after the beginning of a span.
const (
	shownBefore = 120
	shownAfter  = 120
)

const cut = "..."

// excerpt is the source line, or what of it is around the span, and the marks below it. Tabs
// stay tabs in the marks and wide characters count twice, so that the caret stands below its text.
func (p Place) excerpt(line int) (text, mark string) {
	text = p.Source.Line(line)
	start := min(max(p.Span.Start-p.Source.lines[line-1], 0), len(text))
	end := min(max(p.Span.End-p.Source.lines[line-1], start), len(text))
	var lead string
	if start > shownBefore {
		from := start - shownBefore
		for !utf8.RuneStart(text[from]) {
			from++
		}
		text, start, end, lead = text[from:], start-from, end-from, cut
	}
	if to := start + shownAfter; to < len(text) {
		for !utf8.RuneStart(text[to]) {
			to--
		}
		end = min(end, to)
		text = text[:to] + cut
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", len(lead)))
	for _, r := range text[:start] {
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteString(strings.Repeat(" ", cells(r)))
		}
	}
	marks := 0
	for _, r := range text[start:end] {
		marks += cells(r)
	}
	b.WriteString(strings.Repeat("^", max(marks, 1)))
	return lead + text, b.String()
}

// cells is how many columns of a terminal a character takes.
func cells(r rune) int {
	switch {
	case r < 0x300: // most of them
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// List is the diagnostics of a compilation, errors and warnings, in the order found.
type List []Diagnostic

// Errors are the diagnostics that stop a compilation.
func (l List) Errors() List { return l.filter(func(k Kind) bool { return k != Warning }) }

// Warnings are the diagnostics that do not.
func (l List) Warnings() List { return l.filter(func(k Kind) bool { return k == Warning }) }

func (l List) filter(keep func(Kind) bool) List {
	var out List
	for _, d := range l {
		if keep(d.Kind) {
			out = append(out, d)
		}
	}
	return out
}

// Error renders the list, so that it can travel as an error.
func (l List) Error() string {
	parts := make([]string, len(l))
	for i, d := range l {
		parts[i] = d.String()
	}
	return strings.Join(parts, "\n")
}
