package aqua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/internal/golden"
)

// Scripts with an error. The line of carets marks the span of the first diagnostic.
func TestScriptErrors(t *testing.T) {
	for _, c := range []struct{ script, message, hint string }{
		{"baz(x, 1)\n    ^", "Name 'x' is not defined", ""},
		{"on far:\n   ^^^\n  foo()", "Name 'far' is not defined", "the peers of this network are peer1, peer2, peer3"},
		{"on peer4:\n   ^^^^^\n  foo()", "Name 'peer4' is not defined", "did you mean 'peer1' or 'peer2' or 'peer3'?"},
		{"x <- fo()\n     ^^", "Function 'fo' is not defined, and no service has it", "the services have foo, both, bar, both, baz"},
		{"x <- both()\n     ^^^^", "Several services have a function 'both': bar, foo", "name the service, as in bar.both()"},
		{"x <- foo.bar()\n         ^^^", "Service 'foo' has no function 'bar'", "it has foo, both"},
		{"x <- foo(\n         ^", "Expected a value, found the end of the text", ""},
		{"foo() par\n      ^^^", "Expected the end of the line, found 'par'", ""},
		{"on peer1\n        ^\n  foo()", "Expected ':', found the end of the line", ""},
		{"on peer1:\n^^^^^^^^\nfoo()", "Block expression has no body", "indent the lines that belong to it"},
		{"  foo()\n^^", "Unexpected indentation", "definitions start at the first column"},
		{"on peer1:\n  foo()\n    bar()\n^^^^", "Inconsistent indentation in the block", "all lines of a block begin with the same blanks"},
		{"on peer1:\n\tfoo()\n  bar()\n^^", "Inconsistent indentation in the block", "tabs and spaces are different blanks: use one of them"},
		{"// a comment\n^", "Expected a name or a value, found '/'", "comments begin with --"},
		{"foo() // a comment\n       ^", "Expected a value, found '/'", "comments begin with --"},
		{"func f() -> string:\n  return \"a\"\n         ^", "Expected the end of the line, found '\"'", "write <- value as the last line of the function"},
		{"let x = \"a\"\n    ^", "Expected the end of the line, found 'x'", "write name = value"},
		{"func f(a: int):\n          ^^^\n  foo()", "Expected a type, found 'int'", "write i64"},
		{"if a = 1:\n     ^\n  foo()", "Expected ':', found '='", "compare with =="},
		{"x = \"a\" + \"b\"\n    ^^^", "Types mismatch.\nexpected one of:   u32, i32, i16, i64, i8, u16, u8, u64\ngiven:             string literal", "join strings with a service: declare service Op(\"op\"): concat_strings(a: string, b: string) -> string"},
		{"func f(x: string):\n  f(x)\n  ^\n\nfoo()", "Function 'f' calls itself, but Aqua has no recursion", "use a loop: for x <- list, or for x <- stream rec, which continues with the values that it pushes"},
		{"func f():\n  g()\n  ^\n\nfunc g():\n  foo()", "Name 'g' is used before its definition", "move the definition above this line"},
		{"baz(y, 1)\n    ^\ny = 1", "Name 'y' is used before its definition", "move the definition above this line"},
		{"if true:\n  y = 1\nbaz(y, 1)\n    ^", "Name 'y' is not defined here: the block that defines it has ended", "push the value to a stream that is declared before the block"},
		{"baz(null, 1)\n    ^^^^", "Name 'null' is not defined", "write nil"},
		{"on peer1:\n\ton peer2:\n  \tfoo()\n^^^", "Unexpected indentation", "indent with the same blanks as the line that opens the block"},
		{"par foo()\n^^^", "Unexpected `par` without previous instruction", "put it behind the statement that runs in parallel, or start this one with co"},
		{"else:\n^^^^\n  foo()", "Unexpected `else` without `if`", ""},
		{"x = []\n    ^", "Expected a value with elements (an empty collection cannot get a name; write it in place), found '['", ""},
		{"x = 99999999999999999999\n    ^^^^^^^^^^^^^^^^^^^^", "Integer literal 99999999999999999999 is not between -9223372036854775808 and 9223372036854775807", "pass larger values as arguments"},
		{"x = 1.2345678901\n    ^^^^^^^^^^^^", "Float literal 1.2345678901 is too long", "a literal has at most 11 characters; pass longer values as arguments"},
		{"x = \"abc\n    ^", "Expected a string with a closing quote, found '\"'", ""},
		{"x = 1\nx = 2\n^", "This name was already defined in the scope", ""},
		{"s: string\n   ^^^^^^", "Expected stream type, got string", ""},
		{"x = foo\n    ^^^", "Name 'foo' is not defined", ""},
		{"import \"x.aqua\"\n       ^^^^^^^^\nfoo()", "Import 'x.aqua' could not be resolved, tried: ", ""},
		{"x <- foo()\nx()\n^", "'x' is not a function", ""},
		{"foo()\nexport f\n^^^^^^", "Header lines come before the first definition", "move this line to the top of the file"},
		{"<- 1\n<- 2\n   ^", "Return expression was already used in scope; you can use only one Return in an arrow declaration, use conditional return pattern if you need to return based on condition", ""},
		{"on peer1:\n  <- 1\n  ^^^^", "Return expression must be on the top indentation level and at the end of function body", "give the value a name in the block and return it at the end of the function"},
		{"x <- foo()\ny <- x\n     ^", "Expected arrow call, got var{x: ⊤}", "use = to give a value a name"},
		{"on 5:\n   ^\n  foo()", "Types mismatch.\nexpected:   string\ngiven:      unsigned literal", ""},
		{"service S:\n  f()\n\nS.f()\n^^^^^", "Service ID is undefined", "set it before the call with a line like: S \"service-id\""},
		{"const x = 1\n      ^", "Constant's names must be in UPPERCASE", "write X"},
		{"func main():\n  foo()\n\nfoo()\n^^^^^", "The file has both top-level statements and a function 'main'", "rename the function: the statements are compiled as one with this name"},
	} {
		t.Run(strings.SplitN(c.script, "\n", 2)[0], func(t *testing.T) {
			script, line, column, length := marked(c.script)
			_, err := Compile(Source{"script.aqua", script}, scriptOptions())
			list := Diagnostics(err).Errors()
			if len(list) == 0 {
				t.Fatalf("no diagnostics, error %v", err)
			}
			d := list[0]
			gotLine, gotColumn := d.Position()
			if gotLine != line || gotColumn != column || d.Span.End-d.Span.Start != length && !(length == 1 && d.Span.End <= d.Span.Start) {
				t.Errorf("it points at line %d, column %d, %d bytes, want line %d, column %d, %d", gotLine, gotColumn, d.Span.End-d.Span.Start, line, column, length)
			}
			if got := strings.Join(d.Message, "\n"); got != c.message {
				t.Errorf("message %q, want %q", got, c.message)
			}
			if d.Hint != c.hint {
				t.Errorf("hint %q, want %q", d.Hint, c.hint)
			}
		})
	}
}

// marked removes the line of carets from a script and returns its place.
func marked(text string) (script string, line, column, length int) {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if trimmed := strings.TrimLeft(l, " \t"); trimmed != "" && strings.Trim(trimmed, "^") == "" {
			rest := append(append([]string{}, lines[:i]...), lines[i+1:]...)
			return strings.Join(rest, "\n"), i, len(l) - len(trimmed) + 1, len(trimmed)
		}
	}
	return text, 0, 0, 0
}

// The rendering of diagnostics, all in one golden file.
func TestRendering(t *testing.T) {
	v := loadVectors(t)
	var b strings.Builder
	for _, c := range v.Cases {
		r, err := Compile(Source{c.File, v.Files[c.File]}, c.options(v.Files))
		var list diag.List
		if err != nil {
			list = Diagnostics(err)
		} else {
			list = r.Warnings
		}
		if len(list) > 0 {
			b.WriteString(list.Error() + "\n\n")
		}
	}
	golden.File(t, "testdata/diagnostics.txt", b.String())
}

// The programs for which the published compiler generates wrong code; comments in them describe the
// right one.
func TestDeviations(t *testing.T) {
	files, err := filepath.Glob("testdata/deviations/*.aqua")
	if err != nil || len(files) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Compile(Source{file, string(text)}, Options{})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		name := strings.TrimSuffix(filepath.Base(file), ".aqua")
		golden.File(t, filepath.Join("testdata", "deviations", name+".air"), r.Functions[0].AIR)
	}
}
