package air

import "strings"

// Diagnostic is one thing that is wrong with a script.
type Diagnostic struct {
	Span  Span
	Label string // in AquaVM's words
	Hint  string // how to mend it, if we can tell

	expected kindSet // of a syntax error
	found    kind
}

// ParseError is the refusal of a script.
type ParseError struct {
	Source      string
	Diagnostics []Diagnostic // in the order of the text
}

func newError(src string, ds []Diagnostic) *ParseError {
	return &ParseError{Source: src, Diagnostics: ds}
}

func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString("air can't be parsed:\n")
	for _, d := range e.Diagnostics {
		b.WriteString("^ " + d.Label + "\n")
	}
	return b.String()
}
