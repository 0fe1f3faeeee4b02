package air

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Diagnostic is one thing that is wrong with a script.
type Diagnostic struct {
	Span    Span
	Label   string // in AquaVM's words
	Message string // in ours
	Hint    string // how to mend it, if there is something to say

	syntax bool // the grammar was violated
}

// ParseError is the refusal of a script. Error gives the text that AquaVM gives to a
// host, Human one for the author of the script.
type ParseError struct {
	Source      string
	Diagnostics []Diagnostic // in the order of the text
}

func newError(src string, ds []Diagnostic) *ParseError {
	for k := range ds {
		if ds[k].Message == "" {
			ds[k].Message = ds[k].Label
		}
	}
	slices.SortStableFunc(ds, func(a, b Diagnostic) int { return int(a.Span.Start) - int(b.Span.Start) })
	return &ParseError{Source: src, Diagnostics: ds}
}

// Error is the text of AquaVM, except that it stops after a good number of errors.
func (e *ParseError) Error() string {
	return "air can't be parsed:\n" + drawing(e.Source, e.Diagnostics)
}

// Human shows the errors with their lines, places and hints, up to the first syntax
// error: what AquaVM finds behind one is mostly about its own recovery. name is the
// file's name or what else the reader calls the script.
func (e *ParseError) Human(name string) string {
	ds := e.Diagnostics
	if k := slices.IndexFunc(ds, func(d Diagnostic) bool { return d.syntax }); k >= 0 {
		ds = ds[:k+1]
	}
	var b strings.Builder
	shown := ds[:affordable(e.Source, ds)]
	for k, d := range shown {
		if k > 0 {
			b.WriteByte('\n')
		}
		d.human(&b, name, e.Source)
	}
	if more := len(ds) - len(shown); more > 0 {
		fmt.Fprintf(&b, "\n%d more errors are not shown\n", more)
	}
	return b.String()
}

// human writes
//
//	script.air:3:2: variable 'x' wasn't defined
//	3 |  (call "p" ("s" "f") [x])
//	  |  ^^^^^^^^^^^^^^^^^^^^^^^^
//	  = hint: give it a value before, with a call, an ap or a fold
func (d *Diagnostic) human(b *strings.Builder, name, src string) {
	line, column := position(src, d.Span.Start)
	start, text := lineAt(src, d.Span.Start)
	from := min(int(d.Span.Start)-start, len(text))
	to := min(max(int(d.Span.End)-start, from), len(text))
	before, marked, after := window(text[:from], text[from:to], text[to:])
	indent := width(before, 0)
	number := fmt.Sprint(line)
	margin := strings.Repeat(" ", len(number))
	fmt.Fprintf(b, "%s:%d:%d: %s\n%s | %s\n%s | %s%s\n", name, line, column, d.Message, number,
		expandTabs(before+marked+after),
		margin, strings.Repeat(" ", indent), strings.Repeat("^", max(width(marked, indent), 1)))
	if d.Hint != "" {
		fmt.Fprintf(b, "%s = hint: %s\n", margin, d.Hint)
	}
}

// window cuts a long line to what fits a terminal around what is marked.
func window(before, marked, after string) (b, m, a string) {
	const side, middle = 40, 80
	if len(before) > side {
		before = "…" + trimStart(before, len(before)-side)
	}
	if len(marked) > middle {
		return before, clip(marked, middle), ""
	}
	return before, marked, clip(after, side)
}

// trimStart drops n bytes, or a few more to begin with a whole character.
func trimStart(s string, n int) string {
	for !utf8.RuneStart(s[n]) {
		n++
	}
	return s[n:]
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

// syntaxError says that a token is none of those expected.
func syntaxError(src string, t *token, expected kindSet) Diagnostic {
	found := "the end of the script"
	if t.kind != tokEOF {
		found = clip(src[t.Start:t.End], 40)
	}
	phrase, ok := phrases[expected]
	if !ok {
		phrase = expected.String()
	}
	return Diagnostic{
		Span:    t.Span,
		Label:   "expected " + expected.String(),
		Message: fmt.Sprintf("expected %s, found %s", phrase, found),
		Hint:    syntaxHint(src, t.kind, expected),
		syntax:  true,
	}
}

// clip shortens a text to some number of bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// phrases say in words what the places of the grammar expect.
var phrases = map[kindSet]string{
	0:                            "nothing more: a script is one instruction",
	set(tokOpen):                 "an instruction",
	set(tokClose):                `")"`,
	set(tokOpen, tokClose):       `")" or the last instruction of the fold`,
	set(tokScalar):               "the name of an iterator",
	set(tokString):               "the error message, a string",
	set(tokCanonStream):          "a canon stream, like #name",
	set(tokCanonMap, tokScalar):  "a canon map, like #%name, or a scalar",
	set(tokStream, tokStreamMap): "a stream or a stream map, like $name or %name",
	set(tokStreamMap):            "a stream map, like %name",
	instructions:                 "the name of an instruction",
	names:                        "a string, or a variable that holds one",
	peers:                        "a peer id: a string, a variable or %init_peer_id%",
	values:                       "a value",
	values | set(tokCloseSquare): `a value or "]"`,
	apArgs:                       "a value",
	apArgs | set(tokOpen):        "a value, or (key value)",
	keys:                         "a key: a string, an integer or a variable",
	iterables:                    "something to walk over: a variable or []",
	failures:                     "an error: a code and a message, a variable, %last_error% or :error:",
	outputs:                      "a scalar or a stream",
	outputs | set(tokClose):      `a scalar or a stream for the result, or ")"`,
	variables:                    "a variable",
}

// syntaxHint knows the usual mistakes.
func syntaxHint(src string, found kind, expected kindSet) string {
	value := expected.has(tokScalarLens) // a place for values of some kind
	switch {
	case value && (found == tokStream || found == tokTagged):
		return "a stream has no value: freeze it with (canon peer $stream #canon) and use #canon"
	case value && found == tokStreamMap:
		return "a stream map has no value: freeze it with (canon peer %map #%canon) and use #%canon"
	case value && found == tokCanonStream && expected.has(tokCanonStreamLens):
		return "take one element of the canon stream with a lens, like #canon.$.[0]"
	case value && found == tokCanonMap && expected.has(tokCanonMapLens):
		return "take one entry of the canon map with a lens, like #%canon.$.key"
	case expected == instructions && found == tokClose:
		return "an instruction that does nothing is written (null)"
	case expected == set(tokClose) && found == tokOpen:
		return "seq, par and xor take two instructions each: nest them for more"
	case found == tokEOF && strings.Contains(src, "("):
		return `some "(" is not closed`
	case expected.has(tokScalar) && instructions.has(found):
		return "the names of instructions cannot be names of variables"
	}
	return ""
}
