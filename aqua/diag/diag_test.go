package diag

import (
	"strings"
	"testing"
)

func TestPosition(t *testing.T) {
	src := NewSource("a.aqua", "ab\n⊤c\r\n\nlast")
	for _, c := range []struct{ offset, line, column int }{
		{0, 1, 1}, {2, 1, 3}, {3, 2, 1}, {6, 2, 2}, {9, 3, 1}, {10, 4, 1}, {14, 4, 5}, {99, 4, 5}, {-1, 1, 1},
	} {
		if line, column := src.Position(c.offset); line != c.line || column != c.column {
			t.Errorf("offset %d is at %d:%d, want %d:%d", c.offset, line, column, c.line, c.column)
		}
	}
	for n, want := range map[int]string{0: "", 1: "ab", 2: "⊤c", 3: "", 4: "last", 5: ""} {
		if got := src.Line(n); got != want {
			t.Errorf("line %d is %q, want %q", n, got, want)
		}
	}
}

func TestString(t *testing.T) {
	src := NewSource("a.aqua", "func f():\n\tx = ⊤ + yy\nz")
	for _, c := range []struct {
		d    Diagnostic
		want string
	}{
		{New(Error, src, Span{21, 23}, "wrong"), "a.aqua:2:10: error: wrong\n  2 | \tx = ⊤ + yy\n    | \t        ^^"},
		{New(Syntax, src, Span{21, 99}, "two\nlines"), "a.aqua:2:10: syntax error: two\n  lines\n  2 | \tx = ⊤ + yy\n    | \t        ^^"},
		{New(Warning, src, Span{0, 0}, "empty"), "a.aqua:1:1: warning: empty\n  1 | func f():\n    | ^"},
		{Diagnostic{Kind: Other, Message: []string{"no place"}, Hint: "do this"}, "error: no place\n  hint: do this"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

// Carets stand under their span also after wide characters, in long lines and in notes.
func TestExcerpts(t *testing.T) {
	wide := NewSource("w.aqua", "  Job.log(\"日本⊤e\u0301\", yy)")
	at := strings.Index(wide.Text, "yy")
	long := NewSource("l.aqua", strings.Repeat("a", 500)+" yy "+strings.Repeat("b", 500))
	for _, c := range []struct{ got, want string }{
		{New(Error, wide, Span{at, at + 2}, "m").String(),
			"w.aqua:1:20: error: m\n  1 |   Job.log(\"日本⊤e\u0301\", yy)\n    | " + strings.Repeat(" ", 20) + "^^"},
		{New(Error, wide, Span{11, 17}, "m").String(),
			"w.aqua:1:12: error: m\n  1 |   Job.log(\"日本⊤e\u0301\", yy)\n    |            ^^^^"},
		{New(Error, long, Span{501, 503}, "m").String(),
			"l.aqua:1:502: error: m\n  1 | ..." + strings.Repeat("a", 119) + " yy " + strings.Repeat("b", 117) + "...\n    | " + strings.Repeat(" ", 123) + "^^"},
		{Diagnostic{Kind: Error, Source: wide, Span: Span{2, 5}, Message: []string{"m"}, Hint: "h",
			Notes: []Note{{Place{long, Span{0, 1}}, "there"}}}.String(),
			"w.aqua:1:3: error: m\n  1 |   Job.log(\"日本⊤e\u0301\", yy)\n    |   ^^^\nl.aqua:1:1: note: there\n  1 | " + strings.Repeat("a", 120) + "...\n    | ^\n  hint: h"},
	} {
		if c.got != c.want {
			t.Errorf("got\n%s\nwant\n%s", c.got, c.want)
		}
	}
}

func TestList(t *testing.T) {
	l := List{New(Warning, nil, Span{}, "w"), New(Error, nil, Span{}, "e"), New(Header, nil, Span{}, "h")}
	if len(l.Errors()) != 2 || len(l.Warnings()) != 1 {
		t.Errorf("%d errors, %d warnings", len(l.Errors()), len(l.Warnings()))
	}
	if got, want := l.Error(), "warning: w\nerror: e\nheader error: h"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
