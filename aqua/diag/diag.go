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
	"unicode/utf8"
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
}

// NewSource names a text.
func NewSource(name, text string) *Source { return &Source{Name: name, Text: text} }

// Position is the line and the column of an offset, both counted from 1, the
// column in characters.
func (s *Source) Position(offset int) (line, column int) {
	s.index()
	offset = min(max(offset, 0), len(s.Text))
	line = sort.Search(len(s.lines), func(i int) bool { return s.lines[i] > offset })
	return line, utf8.RuneCountInString(s.Text[s.lines[line-1]:offset]) + 1
}

// Line is the text of a line, counted from 1, without its line end.
func (s *Source) Line(n int) string {
	s.index()
	if n < 1 || n > len(s.lines) {
		return ""
	}
	text := s.Text[s.lines[n-1]:]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return strings.TrimRight(text, "\r")
}

func (s *Source) index() {
	if s.lines != nil {
		return
	}
	s.lines = append(s.lines, 0)
	for i := 0; i < len(s.Text); i++ {
		if s.Text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
}

// Diagnostic is one thing to tell the user.
type Diagnostic struct {
	Kind    Kind
	Source  *Source // nil when the problem has no place in a text
	Span    Span
	Message []string // lines; never empty
	Hint    string   // how to mend it, may be empty
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
// text it is about. The result has no line end after its last line.
func (d Diagnostic) String() string {
	var b strings.Builder
	label := strings.ToLower(string(d.Kind))
	if d.Kind == Other {
		label = "error"
	}
	if d.Source == nil {
		fmt.Fprintf(&b, "%s: %s", label, strings.Join(d.Message, "\n  "))
	} else {
		line, column := d.Position()
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s\n", d.Source.Name, line, column, label, strings.Join(d.Message, "\n  "))
		b.WriteString(d.excerpt(line, column))
	}
	if d.Hint != "" {
		fmt.Fprintf(&b, "\n  hint: %s", d.Hint)
	}
	return b.String()
}

// excerpt shows the source line and marks the span below it. Tabs stay tabs in
// the marker line, so that the caret stands below its text in any terminal.
func (d Diagnostic) excerpt(line, column int) string {
	text := d.Source.Line(line)
	number := fmt.Sprint(line)
	var mark strings.Builder
	for i, r := range []rune(text) {
		if i == column-1 {
			break
		}
		if r == '\t' {
			mark.WriteByte('\t')
		} else {
			mark.WriteByte(' ')
		}
	}
	_, end := d.Source.Position(d.Span.End)
	if last, _ := d.Source.Position(d.Span.End); last != line {
		end = utf8.RuneCountInString(text) + 1
	}
	mark.WriteString(strings.Repeat("^", max(end-column, 1)))
	return fmt.Sprintf("  %s | %s\n  %s | %s", number, text, strings.Repeat(" ", len(number)), mark.String())
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
