package services

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aquanode/aquanode/interpreter/value"
)

type point struct {
	X int    `json:"x"`
	Y uint8  `json:"y"`
	S string `json:"s,omitempty"`
}

// purse is an account with a limit.
type purse struct{ left int64 }

func (p *purse) Grow(n int64) error {
	if n > p.left {
		return errors.New("the purse is empty")
	}
	p.left -= n
	return nil
}

func values(t *testing.T, texts ...string) (all []value.Value) {
	t.Helper()
	for _, text := range texts {
		v, err := value.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// Functions get Go values and give them.
func TestFunc(t *testing.T) {
	for name, c := range map[string]struct {
		f    Handler
		args []string
		want string
	}{
		"context and error": {Func(func(_ context.Context, s string) (point, error) { return point{X: len(s)}, nil }), []string{`"abc"`}, `{"x":3,"y":0}`},
		"nothing":           {Func(func() {}), nil, `""`},
		"only an error":     {Func(func(n int) error { return nil }), []string{"1"}, `""`},
		"call":              {Func(func(c *Call, n int8) string { return c.InitPeerID }), []string{"1"}, `"init"`},
		"all":               {Func(func(_ context.Context, c *Call, p *point, m map[string][]int) (any, error) { return []any{p, m}, nil }), []string{`{"x":1}`, `{"a":[1]}`}, `[{"x":1,"y":0},{"a":[1]}]`},
		"null":              {Func(func(p *point) bool { return p == nil }), []string{"null"}, "true"},
		"value":             {Func(func(v value.Value) value.Value { return v }), []string{`{"b":1,"a":2.50}`}, `{"a":2.5,"b":1}`},
		"any":               {Func(func(v any) any { return v }), []string{`[1,"x"]`}, `[1,"x"]`},
		"variadic":          {Func(func(sep string, words ...string) string { return strings.Join(words, sep) }), []string{`"-"`, `"a"`, `"b"`}, `"a-b"`},
		"variadic, none":    {Func(func(sep string, words ...string) int { return len(words) }), []string{`"-"`}, "0"},
		"nil list":          {Func(func() []string { return nil }), nil, "[]"},
		"large integer":     {Func(func(n uint64) uint64 { return n }), []string{"18446744073709551615"}, "18446744073709551615"},
		"float":             {Func(func(n float64) float64 { return n }), []string{"1"}, "1.0"},
		"html":              {Func(func() point { return point{S: "<&>"} }), nil, `{"s":"<&>","x":0,"y":0}`},
	} {
		r := newRegistry(Config{})
		register(t, r, "s", Funcs{"f": c.f})
		call := callTo("host", "s", "f")
		call.Args = values(t, c.args...)
		if got := r.Invoke(t.Context(), call); got != (Result{Result: c.want}) {
			t.Errorf("%s: want %s, got %+v", name, c.want, got)
		}
	}
}

// Errors name the function, the argument and the type.
func TestFuncErrors(t *testing.T) {
	greet := Func(func(_ context.Context, name string, p point) (string, error) {
		if name == "" {
			return "", &Error{RetCode: 7, Message: "no name"}
		}
		panic("of " + name)
	}, "name")
	long := `"` + strings.Repeat("x", 100_000) + `"`
	for _, c := range []struct {
		function string
		args     []string
		want     string
	}{
		{"greet", nil, "function 'greet' takes 2 arguments, not 0"},
		{"greet", []string{`""`, `{}`, `1`}, "function 'greet' takes 2 arguments, not 3"},
		{"greet", []string{"1", "{}"}, "argument 'name' of function 'greet': a number is not a Go string"},
		{"greet", []string{`""`, `{"y":256}`}, "argument 2 of function 'greet': field 'y': the number 256 is not a Go uint8"},
		{"greet", []string{`""`, long}, "argument 2 of function 'greet': a string is not a Go services.point"},
		{"greet", []string{`""`, `{"x":1}`}, "no name"},
		{"greet", []string{`"bob"`, `{}`}, "of bob"},
		{"sum", nil, "function 'sum' takes at least 1 argument, not 0"},
		{"nan", nil, "result of function 'nan'"},
		{"grete", nil, "Service 's' has no function 'grete', it has: greet, nan, sum"},
	} {
		r := newRegistry(Config{})
		register(t, r, "s", Funcs{
			"greet": greet,
			"sum":   Func(func(first int, more ...int) int { return first }),
			"nan":   Func(func() float64 { return math.NaN() }),
		})
		call := callTo("host", "s", c.function)
		call.Args = values(t, c.args...)
		got := r.Invoke(t.Context(), call)
		if got.RetCode == 0 || !strings.Contains(got.Result, c.want) || len(got.Result) > 1000 {
			t.Errorf("%s %v: want %q, got %d, %s", c.function, c.args, c.want, got.RetCode, got.Result)
		}
		if c.want == "no name" && got.RetCode != 7 {
			t.Errorf("want the code of the error, got %d", got.RetCode)
		}
	}
}

// Functions that no call could be passed to, or whose result could not be returned, are refused when
// they are registered.
func TestFuncShapes(t *testing.T) {
	type tree struct {
		Children []*tree
		Name     string
		hidden   chan int
		Skipped  func() `json:"-"`
	}
	for want, h := range map[string]Handler{
		"not a function":                 Func("greet"),
		"is not a function":              Func(nil),
		"the function is nil":            Func((func())(nil)),
		"argument 1 of func(chan int)":   Func(func(chan int) {}),
		"carry a complex128":             Func(func([]map[string]complex128) {}),
		"field F: JSON cannot carry":     Func(func(struct{ F func() }) {}),
		"no keys of type services.point": Func(func(map[point]int) {}),
		"the interface error":            Func(func(error) {}),
		"argument 'x' of":                Func(func(int, error) {}, "n", "x"),
		"names for 2":                    Func(func(int) {}, "n", "x"),
		"return a struct":                Func(func() (int, int) { return 0, 0 }),
		"more than a result":             Func(func() (int, int, error) { return 0, 0, nil }),
		"result of func() chan int":      Func(func() chan int { return nil }),
	} {
		r := newRegistry(Config{})
		err := r.Register("s", Funcs{"f": h, "good": Func(func(*tree) {})})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `function "f"`) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
		if _, ok := r.Lookup("host", "s"); ok {
			t.Errorf("%s: it is registered", want)
		}
	}
	r := newRegistry(Config{})
	for want, h := range map[string]Handler{
		"services.Funcs{": Func(func() {}), "no functions": Funcs{}, `"f" is nil`: Funcs{"f": nil},
	} {
		if err := r.Register("s", h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if err := r.Register("s", Funcs{"good": Func(func(*tree) {})}); err != nil {
		t.Error(err)
	}
	_ = tree{}.hidden
}

// Decoding asks for its memory before: a text of 2 bytes for each element makes 800 here.
func TestFuncMemory(t *testing.T) {
	type large struct{ A [50]uint64 }
	called := 0
	r := newRegistry(Config{})
	register(t, r, "s", Funcs{
		"list": Func(func([]large) { called++ }), "map": Func(func(map[string]any) { called++ }), "flat": Func(func(string) { called++ }),
	})
	for _, c := range []struct {
		function, arg string
		least         int64
	}{
		{"list", "[" + strings.Repeat("{},", 1000) + "{}]", 1000 * 400},
		{"map", `{"a":[` + strings.Repeat("0,", 1000) + "0]}", 1000 * 16},
		{"flat", `"` + strings.Repeat("a", 1000) + `"`, 1000},
	} {
		call := callTo("host", "s", c.function)
		call.Args = values(t, c.arg)
		enough := &purse{1 << 30}
		call.Memory = enough
		before := called
		if got := r.Invoke(t.Context(), call); got.RetCode != 0 || called != before+1 {
			t.Errorf("%s: %+v", c.function, got)
		}
		if taken := 1<<30 - enough.left; taken < c.least {
			t.Errorf("%s: want at least %d bytes asked for, got %d", c.function, c.least, taken)
		}
		call.Memory = &purse{c.least - 1}
		if got := r.Invoke(t.Context(), call); !strings.Contains(got.Result, "purse is empty") || called != before+1 {
			t.Errorf("%s: want an error before the call, got %+v", c.function, got)
		}
	}
}

func TestFuncSignatures(t *testing.T) {
	f := Funcs{
		"raw": say(""),
		"b":   Func(func(context.Context, []int32, *Call, []byte) (point, error) { return point{}, nil }),
		"a":   Func(func(string, uint, float32, bool, ...any) []uint16 { return nil }, "name", "n"),
	}
	if err := newRegistry(Config{}).Register("s", f); err == nil {
		t.Error("want an error for a *Call behind an argument")
	}
	f["b"] = Func(func(context.Context, *Call, []int32, []byte) (point, error) { return point{}, nil })
	want := []Signature{
		{"a", []Parameter{{"name", "string"}, {"n", "u64"}, {"arg3", "f32"}, {"arg4", "bool"}, {"arg5", "any"}}, []string{"[]u16"}},
		{"b", []Parameter{{"arg1", "[]s32"}, {"arg2", "any"}}, []string{"any"}},
	}
	if diff := cmp.Diff(want, f.Signatures()); diff != "" {
		t.Errorf("signatures (-want +got):\n%s", diff)
	}
}

func TestRegisterAfterClose(t *testing.T) {
	r := newRegistry(Config{})
	r.Close()
	if err := r.Register("s", say("")); !errors.Is(err, ErrClosed) {
		t.Errorf("want ErrClosed, got %v", err)
	}
}

// A service is in the scope of the host unless it is put elsewhere.
func TestDefaultScope(t *testing.T) {
	r := newRegistry(Config{})
	register(t, r, "here", say("x"))
	register(t, r, "everywhere", say("x"), In(Everywhere))
	for _, c := range []struct {
		scope, service string
		want           bool
	}{{"host", "here", true}, {"worker", "here", false}, {"host", "everywhere", true}, {"worker", "everywhere", true}} {
		if got := r.Invoke(t.Context(), callTo(c.scope, c.service, "f")).RetCode == 0; got != c.want {
			t.Errorf("%s in %s: want %v", c.service, c.scope, c.want)
		}
	}
	if info, _ := r.Lookup("host", "here"); info.Kind != Service || info.Scope != "host" {
		t.Errorf("got %+v", info)
	}
	if info, _ := r.Lookup(Everywhere, "everywhere"); info.Kind != Builtin {
		t.Errorf("got %+v", info)
	}
}
