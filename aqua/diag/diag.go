// Package diag has the diagnostics of the Aqua compiler.
//
// A [Diagnostic] has the file, the span of text, the message and, if possible, a hint how to fix
// the program. [Diagnostic.String] is the only rendering, for the command line, tests and
// editors:
//
//	examples/join.aqua:7:7: error: Name 'x' is not defined
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

// Kind is the stage that a diagnostic comes from, under its name in the published compiler.
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

// To returns the span from the start of s to the end of t.
func (s Span) To(t Span) Span { return Span{s.Start, t.End} }

// Source is a text that is compiled.
type Source struct {
	Name  string // file name for messages
	Text  string
	lines []int // offsets of the line starts, made on first use
	chars []int // characters before every charStep-th byte
}

// charStep is the distance in bytes of the cached character counts: a line may be as long as the
// text, and have an error in each word.
const charStep = 512

// NewSource returns a text with a name.
func NewSource(name, text string) *Source { return &Source{Name: name, Text: text} }

// Position returns the line and the column of an offset, both from 1, the column in characters.
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

// countChars counts characters by their first bytes.
func countChars(text string) (n int) {
	for i := range len(text) {
		if utf8.RuneStart(text[i]) {
			n++
		}
	}
	return n
}

// Line returns the text of a line, from 1, without its line end.
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

// Diagnostic is an error or a warning.
type Diagnostic struct {
	Kind    Kind
	Source  *Source // nil if it has no place in a text
	Span    Span
	Message []string // lines; never empty
	Hint    string   // how to fix it, may be empty
	Notes   []Note   // other places that belong to it
	Missing string   // the name that is not defined, if that is the problem
}

// Note is a message about another place that belongs to a diagnostic.
type Note struct {
	Place
	Message string
}

// New returns a diagnostic. The message may have several lines.
func New(kind Kind, src *Source, span Span, message string) Diagnostic {
	return Diagnostic{Kind: kind, Source: src, Span: span, Message: strings.Split(message, "\n")}
}

// Position returns the line and column of the diagnostic, or zeros.
func (d Diagnostic) Position() (line, column int) {
	if d.Source == nil {
		return 0, 0
	}
	return d.Source.Position(d.Span.Start)
}

// String renders the diagnostic with its source line and carets under its span, then the notes. The
// result does not end with a newline.
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

// Bytes of a line that are shown before and after the beginning of a span.
const (
	shownBefore = 120
	shownAfter  = 120
)

const cut = "..."

// excerpt returns the source line, or its part around the span, and the marks below it. The marks
// keep tabs, and wide characters count twice, so that the carets stand below their text.
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

// cells returns the columns that a character takes on a terminal.
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

// List is the diagnostics of a compilation, in the order in which they were found.
type List []Diagnostic

// Errors returns the diagnostics that stop a compilation.
func (l List) Errors() List { return l.filter(func(k Kind) bool { return k != Warning }) }

// Warnings returns the other diagnostics.
func (l List) Warnings() List { return l.filter(func(k Kind) bool { return k == Warning }) }

func (l List) filter(match func(Kind) bool) List {
	var out List
	for _, d := range l {
		if match(d.Kind) {
			out = append(out, d)
		}
	}
	return out
}

// Error renders the list: it is an error too.
func (l List) Error() string {
	parts := make([]string, len(l))
	for i, d := range l {
		parts[i] = d.String()
	}
	return strings.Join(parts, "\n")
}
