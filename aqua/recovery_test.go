package aqua

import (
	"fmt"
	"strings"
	"testing"
)

// All syntax errors of a text are reported once, at any depth.
func TestRecovery(t *testing.T) {
	const head = "aqua R declares *\n\nservice Op(\"op\"):\n  id(s: string) -> string\n\n"
	for _, c := range []struct {
		name, text string
		lines      []int
	}{
		{"three functions", "func a():\n  Op.id(\nfunc b():\n  x = = 1\nfunc c():\n  on :\n    Op.id(\"\")\n", []int{8, 9, 11}},
		{"lines of one body", "func a():\n  x = 1 +\n  Op.id(\"a\") y\n  Op.id(\"b\")\n  <- = 1\n", []int{7, 8, 10}},
		{"deep blocks", "func a():\n  on \"p\":\n    try:\n      x = = 1\n      Op.id(\"a\")\n    otherwise:\n      y = = 2\n  z = = 3\n", []int{9, 12, 13}},
		{"an opener with a block below", "func a():\n  if x = 1:\n    y = = 1\n  Op.id(\"\") z\n", []int{7, 9}},
		{"indentation", "func a():\n  Op.id(\"a\")\n     Op.id(\"b\")\n  x = = 1\n", []int{8, 9}},
		{"members", "data D:\n  a: int\n  b: u8\n\nability Ab:\n  c: %\n\nfunc a():\n  x = = 1\n", []int{7, 11, 14}},
		{"header", "func a():\n  x = = 1\nexport a\n\nfunc b():\n  y = = 1\n", []int{7, 8, 11}},
		{"statements outside", "Op.id(\"a\")\non \"p\":\n  Op.id(\"b\")\nfunc a():\n  x = = 1\n", []int{6, 7, 10}},
		{"constants", "const a = 1\nconst B = [1]\nconst C = 1\nfunc a():\n  x = = 1\n", []int{6, 7, 10}},
		{"nested return", "func a() -> u8:\n  on \"p\":\n    <- 1\n  x = = 1\n  <- 1\n", []int{8, 9}},
		{"an empty body", "func a():\nfunc b():\n  on \"p\":\n  x = = 1\n", []int{6, 8, 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(Source{"r.aqua", head + c.text}, Options{})
			var lines []int
			for _, d := range Diagnostics(err) {
				line, _ := d.Position()
				lines = append(lines, line)
			}
			if fmt.Sprint(lines) != fmt.Sprint(c.lines) {
				t.Errorf("errors in lines %v, want %v\n%v", lines, c.lines, err)
			}
		})
	}
}

// Our compiler takes all types that the published one takes: each kind in each place.
func TestTypesEverywhere(t *testing.T) {
	const head = "aqua T declares *\n\nexport zz\n\ndata D:\n  a: u8\n\nability Ab:\n  q: u8\n\nservice Sq(\"s\"):\n  q() -> u8\n\nfunc zz():\n  Sq.q()\n\n"
	data := []string{"u8", "[]u8", "?u8", "⊤", "⊥", "D", "[]D", "[][]u8"}
	arrows := []string{"-> u8", "-> ()", "->u8", "{Ab} -> u8", "{Ab}u8 -> u8", "-> u8, u8", "-> (u8), (u8)"}
	more := []string{"u8 -> u8", "u8 -> ()", "u8, u8 -> u8", "u8 -> u8, u8", "u8 -> (u8 -> u8)", "u8->u8", "u8,u8 -> u8", "u8 -> ( u8 )", "u8 -> u8 -> u8"}
	all := append(append(append([]string{"*u8", "Ab"}, data...), arrows...), more...)
	for _, c := range []struct {
		place string
		types []string
	}{
		{"data P:\n  x: T\n", data},
		{"ability P:\n  x: T\n", append(append([]string{"*u8", "Ab"}, data...), arrows...)},
		{"ability P:\n  x(y: T)\n", append([]string{"*u8", "Ab"}, data...)},
		{"ability P:\n  x() -> T\n", data},
		{"service P(\"p\"):\n  x: T\n", []string{"-> u8", "-> ()", "->u8", "u8 -> u8", "u8, u8 -> u8"}},
		{"service P(\"p\"):\n  x() -> T\n", data},
		{"alias P: T\n", all},
		{"func p(x: T):\n  Sq.q()\n", all},
		{"func p(x: T, y: u8):\n  Sq.q()\n", all},
		{"func p():\n  c = (x: T):\n    Sq.q()\n  Sq.q()\n", all},
		{"func p():\n  x: T\n  Sq.q()\n", []string{"*u8", "*D", "*[]u8", "*⊤"}},
	} {
		for _, typ := range c.types {
			text := head + strings.Replace(c.place, "T", typ, 1)
			if _, err := Compile(Source{"t.aqua", text}, Options{}); err != nil {
				t.Errorf("%s in %q: %v", typ, c.place, err)
			}
		}
	}
}

// Blanks may stand before the first line of a file.
func TestBlanksBeforeHeader(t *testing.T) {
	for _, text := range []string{" aqua R declares *\n\nfunc f():\n  x = 1\n", "\taqua R\n", "-- c\n\n   aqua R\n"} {
		if _, err := Compile(Source{"h.aqua", text}, Options{}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"aqua R\n export f\n", "aqua R\n\n const A = 1\n"} {
		if _, err := Compile(Source{"h.aqua", text}, Options{}); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// Errors of a whole program have a place too.
func TestPlaces(t *testing.T) {
	var b strings.Builder
	b.WriteString("aqua P\n\nexport f\n\nservice Op(\"op\"):\n  id(s: string) -> string\n\nfunc g0(s: string):\n  Op.id(s)\n\n")
	for i := 1; i < 40; i++ {
		b.WriteString(strings.NewReplacer("N", itoa(i), "M", itoa(i-1)).Replace("func gN(s: string):\n  gM(s)\n  gM(s)\n\n"))
	}
	b.WriteString("func f(s: string):\n  g39(s)\n")
	for _, c := range []struct {
		text, want string
	}{
		{b.String(), "p.aqua:167:6: error: function 'f': too large"},
		{"aqua P\n\nimport \"p.aqua\"\n", "p.aqua:3:8: error: Cycle loops detected in imports: p.aqua imports p.aqua"},
	} {
		self := func(_, path string) (Source, []string, bool) { return Source{path, c.text}, nil, true }
		_, err := Compile(Source{"p.aqua", c.text}, Options{Imports: self})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.300v, want %s", err, c.want)
		}
	}
}

// The compiler warns about a loop that tries items and ends silently.
func TestSilentLoop(t *testing.T) {
	const head = "aqua S\n\nexport f\n\nservice Op(\"op\"):\n  log(s: string)\n\nfunc f(xs: []string):\n  for x <- xs MODE:\n    if x == \"a\":\n      Op.log(x)\n"
	for _, c := range []struct {
		text     string
		warnings int
	}{
		{strings.Replace(head, "MODE", "try", 1), 1},
		{strings.Replace(head, "MODE", "par", 1), 0},
		{strings.Replace(head, "MODE", "try", 1) + "    else:\n      Op.log(x)\n", 0},
		{strings.Replace(head, "MODE", "try", 1) + "    Op.log(x)\n", 0},
	} {
		r, err := Compile(Source{"s.aqua", c.text}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Warnings) != c.warnings {
			t.Errorf("%d warnings, want %d:\n%s\n%v", len(r.Warnings), c.warnings, c.text, r.Warnings)
		}
	}
}
