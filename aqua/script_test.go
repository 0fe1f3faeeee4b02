package aqua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scriptOptions are those of a script over peers named peer1 to peer3.
func scriptOptions() Options {
	return Options{
		Script: true,
		Peers:  map[string]string{"peer1": "peer-1", "peer2": "peer-2", "peer3": "peer-3"},
		Services: []ServiceInfo{
			{"foo", []string{"foo", "both"}}, {"bar", []string{"bar", "both"}}, {"baz", []string{"baz"}},
		},
	}
}

// The scripts of the examples compile to the output of the published compiler for the same lines
// in a function with declared services, in testdata/scripts.
func TestExamples(t *testing.T) {
	for _, name := range []string{"parallel", "sequential", "join", "race"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "examples", "parallel", name+".aqua"))
			if err != nil {
				t.Fatal(err)
			}
			compareScript(t, string(text), name)
		})
	}
}

// The same with other ways to write them.
func TestScriptForms(t *testing.T) {
	for _, c := range []struct{ name, script, golden string }{
		{"par on lines of their own", "foo()\npar bar()\n", "parallel"},
		{"no line end", "foo() par bar()", "parallel"},
		{"explicit return", "x <- foo()\npar y <- bar()\n<- x, y\n", "parallel"},
		{"last call named", "on peer1:\n  x <- foo()\non peer2:\n  y <- bar()\nz <- baz(x, y)\n", "sequential"},
		{"service named", "on peer1:\n  x <- foo.foo()\non peer2:\n  y <- bar.bar()\nbaz.baz(x, y)\n", "sequential"},
		{"on a third peer", "on peer1:\n\tx <- foo()\npar on peer2:\n\ty <- bar()\non peer3:\n\tbaz(x, y)\n", "third"},
		{"with a header", "aqua Demo\n\non peer1:\n  x <- foo()\npar on peer2:\n  y <- bar()\nbaz(x, y)\n", "join"},
		{"declared services", "service Foo(\"foo\"):\n  foo() -> string\n\non peer1:\n  x <- Foo.foo()\npar on peer2:\n  y <- bar()\nbaz(x, y)\n", "join"},
		{"through a function", "func twice(a: string, b: string) -> string:\n  r <- baz(a, b)\n  <- r\n\non peer1:\n  x <- foo()\npar on peer2:\n  y <- bar()\ntwice(x, y)\n", "join"},
	} {
		t.Run(c.name, func(t *testing.T) { compareScript(t, c.script, c.golden) })
	}
}

func compareScript(t *testing.T, script, golden string) {
	t.Helper()
	r, err := Compile(Source{"script.aqua", script}, scriptOptions())
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "scripts", golden+".air"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Main == nil {
		t.Fatal("there is no main")
	}
	if d := cmp.Diff(string(want), r.Main.AIR); d != "" {
		t.Errorf("AIR differs (-want +got):\n%s", d)
	}
}

// What a script returns.
func TestScriptResult(t *testing.T) {
	for script, want := range map[string]string{
		"foo()":                            "ret",
		"x = 5":                            "5",
		"x <- foo()":                       "ret",
		"<- 1, 2":                          "1 2",
		"foo()\n<- 7":                      "7",
		"on peer1:\n  foo()":               "ret",
		"on peer1:\n  x = 3":               "3",
		"foo() par bar() par foo()":        "ret ret-0 ret-1",
		"co foo()":                         "",
		"s: *string\ns <- foo()":           "-s-flat-0",
		"x <- foo()\njoin x":               "ret",
		"if true:\n  foo()":                "",
		"for x <- foo():\n  bar()":         "",
		"x <- foo()\n<- x.name, x[0]":      "ret_flat ret.$.[0]",
		"x <- foo()\n<- x + 1, x.a.b":      "add ret_flat_flat",
		"f = (x: u8) -> u8:\n  <- x\nf(3)": "3",
	} {
		opts := scriptOptions()
		opts.EmptyResponse = true
		r, err := Compile(Source{"script.aqua", script}, opts)
		if err != nil {
			t.Errorf("%q: %v", script, err)
			continue
		}
		_, rest, _ := strings.Cut(r.Main.AIR, `("callbackSrv" "response") [`)
		got, _, _ := strings.Cut(rest, "])")
		if got != want {
			t.Errorf("%q returns [%s], want [%s]", script, got, want)
		}
	}
}

// A file with a header is not a script: it has statements in functions only, and an export line. It
// may use peers and known services all the same.
func TestScriptWithHeader(t *testing.T) {
	text := "aqua M\n\nexport f\n\nfunc f() -> string:\n  on peer1:\n    x <- foo()\n  <- x\n\nfunc hidden():\n  bar()\n"
	r, err := Compile(Source{"m.aqua", text}, scriptOptions())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Functions) != 1 || r.Functions[0].Name != "f" || r.Main != nil {
		t.Errorf("functions %v, main %v", r.Functions, r.Main)
	}
	if _, err := Compile(Source{"m.aqua", text}, Options{}); err == nil {
		t.Error("undeclared names were accepted although no script was expected")
	}
	r, err = Compile(Source{"m.aqua", strings.SplitN(text, "export f\n\n", 2)[1]}, scriptOptions())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Functions) != 2 {
		t.Errorf("without a header, %d functions are exported, want both", len(r.Functions))
	}
}
