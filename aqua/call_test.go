package aqua

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const callable = `aqua Callable

export greet, sum, opt, data, lists, back as call

data D:
  a: u8

func greet(name: string, n: u8) -> string:
  <- name

func sum(xs: []i32) -> i32:
  <- xs[0]

func opt(x: ?string) -> ?string:
  <- x

func data(d: D, top: ⊤) -> D:
  <- d

func lists(xs: [][]string, o: ?[]string) -> u8:
  <- 1

func back(f: string -> u8, x: f32) -> u8:
  y <- f("x")
  <- y
`

func TestCall(t *testing.T) {
	data := map[string]json.RawMessage{"who": json.RawMessage(`"ann"`), "d": json.RawMessage(`{"a": 1}`), "bad": json.RawMessage(`{`),
		"none": json.RawMessage(`null`), "no": json.RawMessage(`"no"`), "d2": json.RawMessage(`{}`), "d3": json.RawMessage(`{"a":1,"b":2}`), "d4": json.RawMessage(`{"a":"x"}`)}
	for _, c := range []struct{ call, want string }{
		{`greet("bob", 42)`, `greet name="bob" n=42`},
		{` greet ( who , 1 ) `, `greet name="ann" n=1`},
		{`sum([1, -2])`, `sum xs=[1,-2]`},
		{`sum([])`, `sum xs=[]`},
		{`opt(?["a", "b"])`, `opt x=["a"]`},
		{`opt(["a"])`, `opt x=["a"]`},
		{`data(d, true)`, `data d={"a":1} top=true`},
		{`call(1.5)`, `call x=1.5`},
		{`call(2)`, `call x=2`},
		{`greet("a\b", 1)`, `greet name="a\\b" n=1`},

		{`nope()`, "There is no function 'nope' or it is not exported. Check the spelling."},
		{`greet`, "Missing braces '()' after the function call"},
		{`greet("bob")`, "Number of arguments for the function is incorrect. Expected: 2. Actual: 1"},
		{`greet(1, 2)`, "Type of the field 'name' is incorrect. Expected: 'string' Actual: 'unsigned literal'"},
		{`greet("a", -1)`, "Type of the field 'n' is incorrect. Expected: 'u8' Actual: 'signed literal'"},
		{`sum(["a"])`, "Type of the field 'xs' is incorrect. Expected: '[]i32' Actual: '[]string literal'"},
		{`sum([1, "a"])`, "If the argument is an array, then it must contain elements of the same type."},
		{`sum([[1]])`, "Type of the field 'xs' is incorrect. Expected: '[]i32' Actual: '[][]unsigned literal'"},
		{`sum([who])`, "Array elements can only be numbers, strings, booleans, nil and arrays of these."},
		{`opt(nil)`, `opt x=[]`},
		{`opt("a")`, `opt x=["a"]`},
		{`opt(none)`, `opt x=[]`},
		{`opt(who)`, `opt x=["ann"]`},
		{`lists([["a"], []], nil)`, `lists xs=[["a"],[]] o=[]`},
		{`lists([], ?[["a"]])`, `lists xs=[] o=[["a"]]`},
		{`lists([], ["a"])`, `lists xs=[] o=[["a"]]`},
		{`greet("\"q\" \\", 1)`, `greet name="\"q\" \\" n=1`},
		{`call(f, 1.5)`, `call x=1.5`},
		{`call(1, 1.5)`, "Argument 'f' is a function, which the caller serves"},
		{`greet("a", 256)`, "Argument 'n': the value of type u8 is 256, but u8 goes from 0 to 255"},
		{`greet(who, no)`, "Argument 'n': the value of type u8 must be u8, not the string \"no\""},
		{`data(d2, 1)`, "Argument 'd': the value of type D lacks the field 'a' of type u8"},
		{`data(d3, 1)`, "Argument 'd': the value of type D has no field 'b'; it has a"},
		{`data(d4, 1)`, "Argument 'd': 'a' must be u8, not the string \"x\""},
		{`sum(sum([1]))`, "Function calls as arguments are not supported."},
		{`sum(1 + 2)`, "Unsupported argument."},
		{`greet(%init_peer_id%, 1)`, "Unsupported argument."},
		{`greet(nobody, 1)`, "Argument 'nobody' has no value"},
		{`data(bad, 1)`, "The value of 'bad' is not JSON"},
		{`D.greet(1)`, "Only functions of the file can be called"},
		{`greet(`, "Expected a value, found the end of the text"},
		{`greet("a", 1) x`, "Expected the end of the text, found 'x'"},
	} {
		got := called(c.call, data)
		if got != c.want {
			t.Errorf("%s gives\n%s\nwant\n%s", c.call, got, c.want)
		}
	}
}

// called returns the function and the arguments of a call, or its errors.
func called(call string, data map[string]json.RawMessage) string {
	r, err := Compile(Source{"call.aqua", callable}, Options{Call: call, Data: data})
	if err != nil {
		return Diagnostics(err)[0].Message[0]
	}
	var b strings.Builder
	b.WriteString(r.Call.Function.Name)
	for _, a := range r.Call.Args {
		fmt.Fprintf(&b, " %s=%s", a.Name, a.JSON)
	}
	return b.String()
}

// A call in a file whose entry is a script.
func TestCallMissingBraces(t *testing.T) {
	_, err := Compile(Source{"call.aqua", callable}, Options{Call: "greet"})
	want := "call:1:1: error: Missing braces '()' after the function call\n  1 | greet\n    | ^^^^^\n  hint: write a call, as in greet(\"bob\")"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
