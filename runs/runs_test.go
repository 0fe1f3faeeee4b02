package runs

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/value"
)

// A source is compiled once, names services of the peer, and its result has the types of Go.
func TestCompile(t *testing.T) {
	known := map[string][]string{"greeter": {"greet"}}
	for name, c := range map[string]struct {
		script Script
		want   string // in the AIR
		err    string
	}{
		"statements":   {Script{Aqua: `greet("bob")`}, `("greeter" "greet") ["bob"]`, ""},
		"named peer":   {Script{Aqua: "on p:\n  greet(\"bob\")\n", Peers: map[string]string{"p": "12D3KooW"}}, `call "12D3KooW"`, ""},
		"call":         {Script{Aqua: "func f(n: u32) -> u32:\n  <- n\n", Call: "f(n)", Data: map[string]any{"n": 7}}, "response", ""},
		"wrong type":   {Script{Aqua: "func f(n: u32) -> u32:\n  <- n\n", Call: "f(n)", Data: map[string]any{"n": -1}}, "", "n: u32"},
		"which one":    {Script{Aqua: "func f() -> u32:\n  <- 1\nfunc g() -> u32:\n  <- 1\n"}, "", ErrNoCall.Error()},
		"nothing":      {Script{Aqua: "const A = 1\n"}, "", ErrNothing.Error()},
		"AIR":          {Script{AIR: "(null)"}, "(null)", ""},
		"wrong source": {Script{Aqua: "nosuch()"}, "", "nosuch"},
	} {
		s, err := c.script.Compile(known)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: want an error with %q, got %v", name, c.err, err)
		case c.err == "" && (err != nil || !strings.Contains(s.AIR, c.want)):
			t.Errorf("%s: want AIR with %q, got %v, %s", name, c.want, err, s.AIR)
		}
	}
}

// Options are null or their value outside of a script.
func TestConversions(t *testing.T) {
	s, err := Script{Aqua: "func f(cb: ?u32 -> ?u32) -> ?u32:\n  r <- cb(nil)\n  <- r\n"}.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []value.Value
	s.Callbacks = map[string]Callback{"cb": func(_ context.Context, args []value.Value) (value.Value, error) {
		got = args
		return value.Int(3), nil
	}}
	v, ok, err := s.CallBack(t.Context(), "cb", []value.Value{value.Array(nil)})
	if err != nil || !ok || v.Text() != "[3]" || len(got) != 1 || got[0].Text() != "null" {
		t.Errorf("want null in and [3] out, got %v, %s, %v", got, v, err)
	}
	for in, want := range map[string]string{"[]": "null", "[3]": "3"} {
		arg, _ := value.Parse(in)
		if r := s.Result("p", []value.Value{arg}); r.JSON().Text() != want {
			t.Errorf("%s: want %s, got %s", in, want, r.JSON())
		}
	}
	s.Callbacks["cb"] = func(context.Context, []value.Value) (value.Value, error) { return value.String("x"), nil }
	if _, _, err := s.CallBack(t.Context(), "cb", nil); err == nil || !strings.Contains(err.Error(), "result of cb") {
		t.Errorf("want an error about the result, got %v", err)
	}
	if _, ok, _ := s.CallBack(t.Context(), "other", nil); ok {
		t.Error("there is no such callback")
	}
}

func TestDecode(t *testing.T) {
	v, err := value.Parse(`{"text":"hi","n":300}`)
	if err != nil {
		t.Fatal(err)
	}
	r := &Result{Values: []value.Value{v, value.Int(2)}}
	var good struct {
		Text string `json:"text"`
		N    int    `json:"n"`
	}
	var n int
	if err := r.Decode(&good, &n); err != nil || good.Text != "hi" || good.N != 300 || n != 2 {
		t.Errorf("got %+v, %d, %v", good, n, err)
	}
	var small struct {
		N uint8 `json:"n"`
	}
	var text string
	for want, to := range map[string][]any{
		"returned 2 values, not 1":                              {&good},
		"result 1: field 'n': the number 300 is not a Go uint8": {&small, &n},
		"result 2: a number is not a Go string":                 {&good, &text},
	} {
		if err := r.Decode(to...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	var p *int
	if err := (&Result{Values: []value.Value{{}}}).Decode(&p); err != nil || p != nil {
		t.Errorf("want null as nil, got %v, %v", p, err)
	}
	if err := r.Decode(good, n); err == nil || errors.Is(err, nil) {
		t.Error("want an error for what is not a pointer")
	}
}
