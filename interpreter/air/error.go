package air

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Diagnostic is one thing that is wrong with a script.
type Diagnostic struct {
	Span  Span
	Label string // in AquaVM's words
	Hint  string // how to mend it, if there is something to say

	expected kindSet // of a syntax error
}

// ParseError is the refusal of a script. Error gives the text that AquaVM gives to a
// host, Human one for the author of the script.
type ParseError struct {
	Source      string
	Diagnostics []Diagnostic // in the order of the text
}

func newError(src string, ds []Diagnostic) *ParseError {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int { return int(a.Span.Start) - int(b.Span.Start) })
	return &ParseError{Source: src, Diagnostics: ds}
}

// Error is the text of AquaVM, except that it stops after a good number of errors.
func (e *ParseError) Error() string {
	return "air can't be parsed:\n" + drawing(e.Source, e.Diagnostics)
}

// Human shows every error with its line, its place and a hint. name is the file's name
// or what else the reader calls the script.
func (e *ParseError) Human(name string) string {
	var b strings.Builder
	shown := e.Diagnostics[:affordable(e.Source, e.Diagnostics)]
	for k, d := range shown {
		if k > 0 {
			b.WriteByte('\n')
		}
		d.human(&b, name, e.Source)
	}
	if more := len(e.Diagnostics) - len(shown); more > 0 {
		fmt.Fprintf(&b, "\n%d more errors are not shown\n", more)
	}
	return b.String()
}

// human writes
//
//	script.air:3:7: variable 'x' wasn't defined
//	3 |  (call "p" ("s" "f") [x])
//	  |  ^^^^^^^^^^^^^^^^^^^^^^^^
//	  = hint: give it a value before, with a call, an ap or a fold
func (d *Diagnostic) human(b *strings.Builder, name, src string) {
	line, column := position(src, d.Span.Start)
	start, text := lineAt(src, d.Span.Start)
	number := fmt.Sprint(line)
	margin := strings.Repeat(" ", len(number))
	before := text[:min(int(d.Span.Start)-start, len(text))]
	marked := text[len(before):min(max(int(d.Span.End)-start, len(before)), len(text))]
	fmt.Fprintf(b, "%s:%d:%d: %s\n%s | %s\n%s | %s%s\n", name, line, column, d.Label, number, expandTabs(text),
		margin, strings.Repeat(" ", width(before, 0)), strings.Repeat("^", max(width(marked, width(before, 0)), 1)))
	if d.Hint != "" {
		fmt.Fprintf(b, "%s = hint: %s\n", margin, d.Hint)
	}
}

// position gives the line and the column, in characters, both from 1.
func position(src string, at int32) (line, column int) {
	start, _ := lineAt(src, at)
	line = 1 + strings.Count(src[:start], "\n")
	return line, 1 + utf8.RuneCountInString(src[start:min(int(at), len(src))])
}

// lineAt gives the line around an offset, without its end, and where it starts.
func lineAt(src string, at int32) (start int, text string) {
	pos := min(int(at), len(src))
	start = strings.LastIndexByte(src[:pos], '\n') + 1
	return start, strings.TrimRight(src[start:lineEnd(src, pos)], "\r\n\x00")
}
