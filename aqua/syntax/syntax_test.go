package syntax

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/aqua/diag"
)

// show writes an expression with all its brackets.
func show(x Expr) string {
	list := func(xs []Expr) string {
		parts := make([]string, len(xs))
		for i, x := range xs {
			parts[i] = show(x)
		}
		return strings.Join(parts, ", ")
	}
	named := func(fields []NamedArg) string {
		parts := make([]string, len(fields))
		for i, f := range fields {
			parts[i] = f.Name.Text + "=" + show(f.Value)
		}
		return strings.Join(parts, ", ")
	}
	switch x := x.(type) {
	case *Literal:
		return x.Text
	case *Ident:
		return x.Name.Text
	case *Select:
		return show(x.X) + "." + x.Name.Text
	case *Index:
		return fmt.Sprintf("%s[%s]", show(x.X), show(x.I))
	case *Apply:
		if len(x.Abilities) > 0 {
			return fmt.Sprintf("%s{%s}(%s)", show(x.Fn), list(x.Abilities), list(x.Args))
		}
		return fmt.Sprintf("%s(%s)", show(x.Fn), list(x.Args))
	case *Make:
		return fmt.Sprintf("new %s(%s)", x.Type, named(x.Fields))
	case *Copy:
		return fmt.Sprintf("%s.copy(%s)", show(x.X), named(x.Fields))
	case *Collection:
		return strings.TrimPrefix(string(x.Kind), "[") + "[" + list(x.Items) + "]"
	case *Binary:
		return fmt.Sprintf("(%s %s %s)", show(x.L), x.Op, show(x.R))
	case *Not:
		return "!" + show(x.X)
	}
	return fmt.Sprintf("%T", x)
}

func TestExpressions(t *testing.T) {
	for text, want := range map[string]string{
		"1 + 2 * 3":                 "(1 + (2 * 3))",
		"1 - 2 - 3":                 "((1 - 2) - 3)",
		"2 ** 3 ** 4":               "(2 ** (3 ** 4))",
		"a || b && c == d":          "(a || (b && (c == d)))",
		"a < b && !c || d":          "(((a < b) && !c) || d)",
		"!x == y":                   "(!x == y)",
		"!!x":                       "!!x",
		"a -1":                      "(a - 1)",
		"a<-1":                      "(a < -1)",
		"-1 - -2":                   "(-1 - -2)",
		"(a + b) * c":               "((a + b) * c)",
		"(a).b":                     "a.b",
		"x.y.z[0]!2.w":              "x.y.z[0][2].w",
		"s! == 1":                   "(s[0] == 1)",
		`s!="x"`:                    `(s != "x")`,
		"a [0]":                     "a[0]",
		"f (1, g(2))":               "f(1, g(2))",
		"S.f{A, B}(x)":              "S.f{A, B}(x)",
		"M.T(a = 1, b)":             "new M.T(a=1, b=b)",
		"M.f(a)":                    "M.f(a)",
		"T(\n  a\n  =\n 1 -- c\n)":  "new T(a=1)",
		"d.copy(a = 1, b).c":        "d.copy(a=1, b=b).c",
		"[1, [2], ?[3], *[]]":       "[1, [2], ?[3], *[]]",
		"f(\n  a,\n\n  b -- c\n)":   "f(a, b)",
		"f(a +\n b)":                "f((a + b))",
		"a * *[1]":                  "(a * *[1])",
		"a % %init_peer_id%":        "(a % %init_peer_id%)",
		"trueish && true && falsey": "((trueish && true) && falsey)",
		"1.50":                      "1.50",
		"1.f":                       "1.f",
		`"a -- b\"`:                 `"a -- b\"`,
		"\"two\nlines\"":            "\"two\nlines\"",
		"parse(if)":                 "parse(if)",
	} {
		x, diags := ParseExpr(diag.NewSource("x", text))
		if len(diags) > 0 {
			t.Errorf("%q: %v", text, diags)
		} else if got := show(x); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestExpressionErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a < b < c": "Expected the end of the text, found '<'",
		"01":        "Expected a number without leading zeros, found '01'",
		"-01.5":     "Expected a number without leading zeros, found '01'",
		"1 +":       "Expected a value, found the end of the text",
		"a +\nb":    "Expected a value, found the end of the line",
		"f(a,)":     "Expected a value, found ')'",
		"[a b]":     "Expected ',' or ']', found 'b'",
		"T(1)":      "Expected a name, found '1'",
		"T()":       "Expected a name, found ')'",
		"f{a}":      "Expected '(', found the end of the text",
		"%ttl%":     "Expected a value, found '%'",
		`"abc`:      `Expected a string with a closing quote, found '"'`,
		"-x":        "Expected a value, found '-'",
		"x.":        "Expected a name, found the end of the text",
		"⊤":         "Expected a value, found '⊤'",
		"\xff":      "The text is not UTF-8",
	} {
		_, diags := ParseExpr(diag.NewSource("x", text))
		if len(diags) == 0 {
			t.Errorf("%q is accepted, want %q", text, want)
		} else if got := diags[0].Message[0]; got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// kinds names the statements of a function body, blocks in brackets.
func kinds(stmts []Stmt) string {
	var parts []string
	for _, s := range stmts {
		name := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", s), "*syntax."))
		switch s := s.(type) {
		case *Par:
			name += " " + kinds([]Stmt{s.Stmt})
		case *Co:
			name += " " + kinds([]Stmt{s.Stmt})
		default:
			if b := body(s); b != nil {
				name += "(" + kinds(*b) + ")"
			}
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, " ")
}

func TestStatements(t *testing.T) {
	for text, want := range map[string]string{
		"if = 1":                               "assign",
		"on (x)":                               "call",
		"on (x):\n y()":                        "on(call)",
		"for <- f()":                           "call",
		"par <- f()":                           "call",
		"parx(1)":                              "call",
		"a, B <- f()":                          "call",
		"S \"x\"":                              "setservice",
		"S (x)":                                "setservice",
		"S.f(x)":                               "call",
		"S = 1":                                "assign",
		"s <<- 1":                              "push",
		"s: *[]u8":                             "declare",
		"c = (x: u8) -> u8:\n <- x":            "closure(return)",
		"c = func ():\n x()":                   "closure(call)",
		"c = (x)":                              "assign",
		"c = (x) + 1":                          "assign",
		"try:\n a()\ncatch e:\n b()":           "try(call) catch(call)",
		"a()\nelse:\n b()":                     "call else(call)",
		"otherwise:\n b()":                     "otherwise(call)",
		"a()\npar on b via c via d:\n e()":     "call par on(call)",
		"co for x <- xs par:\n a()":            "co for(call)",
		"par join a, b[1]":                     "par join",
		"parseq p <- ps on p via r:\n a()":     "parseq(call)",
		"join a!, b.c, d[e + 1]":               "join",
		"if a:\n  on b:\n      c()\n  d()":     "if(on(call) call)",
		"on a:\n  b()\n\n  -- c\n\n  d()\ne()": "on(call call) call",
	} {
		var b strings.Builder
		for _, line := range strings.Split(text, "\n") {
			b.WriteString("  " + line + "\n")
		}
		file, diags := Parse(diag.NewSource("x", "aqua X\n\nfunc f():\n"+b.String()), false)
		if len(diags) > 0 {
			t.Errorf("%q: %v", text, diags)
			continue
		}
		if got := kinds(file.Defs[0].(*Func).Body); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestHeader(t *testing.T) {
	file, diags := Parse(diag.NewSource("x", `
-- first
aqua A.B declares f, G
import "a.aqua"
import f as g, T as U from "b"
use "c" as C
use x from "d" as D -- last
export f, G as H
`), false)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	var parts []string
	for _, h := range file.Header {
		switch h := h.(type) {
		case *Module:
			parts = append(parts, fmt.Sprintf("aqua %s %d", h.Name, len(h.Declares)))
		case *Import:
			parts = append(parts, fmt.Sprintf("import %s %s", h.Path, renamed(h.Names)))
		case *Use:
			parts = append(parts, fmt.Sprintf("use %s as %s %s", h.Path, h.As.Text, renamed(h.Names)))
		case *Export:
			parts = append(parts, "export "+renamed(h.Names))
		}
	}
	want := "aqua A.B 2; import a.aqua ; import b f:g T:U; use c as C ; use d as D x:x; export f:f G:H"
	if got := strings.Join(parts, "; "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func renamed(list []Rename) string {
	var parts []string
	for _, r := range list {
		parts = append(parts, r.Name.Text+":"+r.As.Text)
	}
	return strings.Join(parts, " ")
}

// Every span lies in the text and begins with its node.
func TestSpans(t *testing.T) {
	text := "aqua X\n\nfunc f(a: u8):\n  x = g(a + 1)[2].b\n"
	file, _ := Parse(diag.NewSource("x", text), false)
	at := func(s diag.Span) string { return text[s.Start:s.End] }
	x := file.Defs[0].(*Func).Body[0].(*Assign)
	sel := x.Value.(*Select)
	index := sel.X.(*Index)
	call := index.X.(*Apply)
	for got, want := range map[string]string{
		at(x.Span): "x = g(a + 1)[2].b", at(sel.Span): "g(a + 1)[2].b", at(sel.Name.Span): "b", at(index.Span): "g(a + 1)[2]",
		at(call.Span): "g(a + 1)", at(call.Args[0].At()): "a + 1", at(call.Args[0].(*Binary).OpSpan): "+",
	} {
		if got != want {
			t.Errorf("span %q, want %q", got, want)
		}
	}
}
