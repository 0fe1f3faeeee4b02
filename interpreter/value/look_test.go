package value_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aquanode/aquanode/interpreter/value"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestZeroIsNull(t *testing.T) {
	var v value.Value
	if v.Text() != "null" || v.Kind() != value.KindNull || v != value.Null || !value.Equal(v, parse(t, "null")) {
		t.Errorf("the zero value is %s, %v", v, v.Kind())
	}
}

func TestKinds(t *testing.T) {
	for text, want := range map[string]value.Kind{
		"null": value.KindNull, "true": value.KindBool, "false": value.KindBool, "7": value.KindInt, "-7": value.KindInt,
		"7.0": value.KindFloat, "1e30": value.KindFloat, `"1.5"`: value.KindString, "[1.5]": value.KindArray, `{"e":1}`: value.KindObject,
	} {
		if got := parse(t, text).Kind(); got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
	if got := value.Raw("{").Kind(); got != value.KindInvalid {
		t.Errorf("{ is %v", got)
	}
}

func TestMakers(t *testing.T) {
	for want, v := range map[string]value.Value{
		`"a\"b\\\u0001é"`:        value.String("a\"b\\\x01é"),
		`"\ufffd"`:               value.String("\xff"), // replaced below
		"-5":                     value.Int(-5),
		"18446744073709551615":   value.Uint(math.MaxUint64),
		"2.0":                    value.Float(2),
		"null":                   value.Float(math.Inf(1)),
		"true":                   value.Bool(true),
		"[]":                     value.Array(nil),
		`[1,"x",null]`:           value.Array([]value.Value{value.Int(1), value.String("x"), {}}),
		"{}":                     value.Object(nil),
		`{"a":3,"b":{"c":[]}}`:   value.Object([]value.Field{{"b", value.Object([]value.Field{{"c", value.EmptyArray}})}, {"a", value.Int(1)}, {"a", value.Int(3)}}),
		`{"\"":1,"#":2,"é":"é"}`: value.Object([]value.Field{{"é", value.String("é")}, {"#", value.Int(2)}, {`"`, value.Int(1)}}),
	} {
		want = strings.ReplaceAll(want, `\ufffd`, "\uFFFD")
		if v.Text() != want || v.IsRaw() {
			t.Errorf("%s, want %s", v, want)
		}
		if again, err := value.Parse(v.Text()); err != nil || again != v {
			t.Errorf("%s is not canonical", v)
		}
	}
}

func TestEqual(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"1", "1", true}, {"1", "1.0", false}, {"1.0", "10e-1", true}, {"0.0", "-0.0", true}, {"0", "-0.0", false},
		{"[-0.0,1]", "[0.0,1]", true}, {"-0.01", "0.01", false}, {"[-0.0]", "[0]", false}, {`"-0.0"`, `"0.0"`, false},
		{`{"a":-0.0,"b":"x-0.0"}`, `{"b":"x-0.0","a":0.0}`, true}, {`{"a":1}`, `{"b":1}`, false}, {"[1]", "[1,2]", false},
		{`"a"`, `"\u0061"`, true}, {`{"a":1,"b":2}`, ` {"b":2, "a":1}`, true}, {"null", "false", false}, {"[]", "{}", false},
	} {
		a, b := parse(t, test.a), parse(t, test.b)
		for _, pair := range [][2]value.Value{{a, b}, {b, a}, {value.Raw(test.a), b}, {a, value.Raw(test.b)}} {
			if got := value.Equal(pair[0], pair[1]); got != test.want {
				t.Errorf("%s = %s: %v, want %v", test.a, test.b, got, test.want)
			}
		}
	}
	if value.Equal(value.Raw("x"), value.Raw("x")) {
		t.Error("what is not JSON equals something")
	}
}

const nested = `{"":0,"\"quoted\"":{"x":[]},"a":[1,[2,{"b":"]}\\\""}],"last"],"z":null}`

func TestLooks(t *testing.T) {
	v := parse(t, nested)
	for _, test := range []struct {
		name string
		got  func() (value.Value, bool)
		want string
	}{
		{"field", func() (value.Value, bool) { return v.Field("a") }, `[1,[2,{"b":"]}\\\""}],"last"]`},
		{"empty name", func() (value.Value, bool) { return v.Field("") }, "0"},
		{"name with quotes", func() (value.Value, bool) { return v.Field(`"quoted"`) }, `{"x":[]}`},
		{"last field", func() (value.Value, bool) { return v.Field("z") }, "null"},
		{"inside", func() (value.Value, bool) { a, _ := v.Field("a"); return a.Index(2) }, `"last"`},
		{"deeper", func() (value.Value, bool) { a, _ := v.Field("a"); b, _ := a.Index(1); return b.Index(1) }, `{"b":"]}\\\""}`},
		{"missing field", func() (value.Value, bool) { return v.Field("x") }, ""},
		{"field of array", func() (value.Value, bool) { a, _ := v.Field("a"); return a.Field("b") }, ""},
		{"index of object", func() (value.Value, bool) { return v.Index(0) }, ""},
		{"beyond", func() (value.Value, bool) { a, _ := v.Field("a"); return a.Index(3) }, ""},
		{"negative", func() (value.Value, bool) { a, _ := v.Field("a"); return a.Index(-1) }, ""},
		{"in nothing", func() (value.Value, bool) { return value.EmptyArray.Index(0) }, ""},
		{"of what is not JSON", func() (value.Value, bool) { return value.Raw("[1").Index(0) }, ""},
	} {
		got, ok := test.got()
		if ok != (test.want != "") || ok && got.Text() != test.want {
			t.Errorf("%s: %s, %v, want %s", test.name, got, ok, test.want)
		}
	}
}

// TestRawIsReadWhenLooked: raw text need not be canonical for looks.
func TestRawIsReadWhenLooked(t *testing.T) {
	v := value.Raw(` { "b" : [ 1 , 2 ] , "a" : 1.50 } `)
	if b, ok := v.Field("b"); !ok || b.Text() != "[1,2]" {
		t.Errorf("%s, %v", b, ok)
	}
	if c, err := v.Canonical(); err != nil || c.Text() != `{"a":1.5,"b":[1,2]}` || v.Text()[0] != ' ' {
		t.Errorf("%s, %v", c, err)
	}
	if raw := value.Array([]value.Value{v, value.Null}); !raw.IsRaw() {
		t.Error("an array with raw text in it is not raw")
	}
}

func TestScalars(t *testing.T) {
	if n, ok := parse(t, "-7").AsInt64(); n != -7 || !ok {
		t.Error(n, ok)
	}
	if _, ok := parse(t, "-7").AsUint64(); ok {
		t.Error("-7 is unsigned")
	}
	if _, ok := parse(t, "18446744073709551615").AsInt64(); ok {
		t.Error("2^64-1 is signed")
	}
	if _, ok := parse(t, "7.0").AsInt64(); ok {
		t.Error("7.0 is an integer")
	}
	if f, ok := parse(t, "7").AsFloat(); f != 7 || !ok {
		t.Error(f, ok)
	}
	if b, ok := parse(t, "true").AsBool(); !b || !ok {
		t.Error(b, ok)
	}
	if _, ok := parse(t, `"true"`).AsBool(); ok {
		t.Error("a string is a boolean")
	}
	if s, ok := parse(t, `"\u0000a\"\\\n"`).AsString(); s != "\x00a\"\\\n" || !ok {
		t.Errorf("%q", s)
	}
	if _, ok := parse(t, "1").AsString(); ok {
		t.Error("1 is a string")
	}
}

func TestParseKeepsCanonicalText(t *testing.T) {
	if allocs := testing.AllocsPerRun(100, func() { parse(t, nested) }); allocs > 2 { // the keys with escapes
		t.Errorf("%v allocations", allocs)
	}
	if allocs := testing.AllocsPerRun(100, func() { parse(t, megabytes["records"]) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestGo(t *testing.T) {
	got, err := parse(t, `[null,true,-1,18446744073709551615,1.0,"s",[],{"k":{}}]`).Go()
	if err != nil {
		t.Fatal(err)
	}
	want := []any{nil, true, int64(-1), uint64(math.MaxUint64), 1.0, "s", []any{}, map[string]any{"k": map[string]any{}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := value.Raw("{").Go(); err == nil {
		t.Error("{ is a Go value")
	}
}

func TestFromGo(t *testing.T) {
	type pair struct {
		B int               `json:"b"`
		A string            `json:"a,omitempty"`
		T []value.Tetraplet `json:"t"`
	}
	for _, test := range []struct {
		in   any
		want string
	}{
		{1, "1"}, {1.0, "1.0"}, {float32(0.5), "0.5"}, {uint8(3), "3"}, {int16(-3), "-3"}, {[]string{"<&>"}, `["<&>"]`},
		{map[string]any{"b": 1, "a": nil}, `{"a":null,"b":1}`}, {json.RawMessage(` [1 ]`), "[1]"}, {value.Raw(" 1"), "1"},
		{pair{B: 1, T: []value.Tetraplet{{PeerPK: "p"}}}, `{"b":1,"t":[{"function_name":"","lens":"","peer_pk":"p","service_id":""}]}`},
	} {
		if got, err := value.FromGo(test.in); err != nil || got.Text() != test.want {
			t.Errorf("%v: %s, %v, want %s", test.in, got, err, test.want)
		}
	}
	for _, bad := range []any{math.NaN(), []any{math.Inf(1)}, map[string]any{"x": make(chan int)}, value.Raw("[")} {
		if got, err := value.FromGo(bad); err == nil {
			t.Errorf("%v is %s", bad, got)
		}
	}
}

func TestMarshal(t *testing.T) {
	var x struct{ V value.Value }
	if err := json.Unmarshal([]byte(`{"V": {"b":1, "a":[1.0]}}`), &x); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(x)
	if want := `{"V":{"a":[1.0],"b":1}}`; err != nil || string(b) != want {
		t.Errorf("%s, %v, want %s", b, err, want)
	}
}

func TestMsgpackSizes(t *testing.T) {
	for _, test := range []struct {
		v    value.Value
		want string // the beginning
	}{
		{value.Int(127), "\x7f"}, {value.Int(128), "\xcc\x80"}, {value.Int(256), "\xcd\x01\x00"}, {value.Int(1 << 16), "\xce\x00\x01\x00\x00"},
		{value.Int(1 << 32), "\xcf\x00\x00\x00\x01\x00\x00\x00\x00"}, {value.Int(-32), "\xe0"}, {value.Int(-33), "\xd0\xdf"},
		{value.Int(-129), "\xd1\xff\x7f"}, {value.Int(-1 << 15), "\xd1\x80\x00"}, {value.Int(-1<<15 - 1), "\xd2\xff\xff\x7f\xff"},
		{value.Int(math.MinInt64), "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"}, {value.Float(1), "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"},
		{value.String(strings.Repeat("x", 31)), "\xbfxxx"}, {value.String(strings.Repeat("x", 32)), "\xd9\x20xxx"},
		{value.String(strings.Repeat("x", 256)), "\xda\x01\x00xxx"}, {value.String(strings.Repeat("x", 1<<16)), "\xdb\x00\x01\x00\x00xxx"},
		{value.String("\n"), "\xa1\n"}, {value.Null, "\xc0"}, {value.Raw("?"), "\xc0"},
		{numbers(15), "\x9f\x00\x01"}, {numbers(16), "\xdc\x00\x10\x00\x01"}, {numbers(1 << 16), "\xdd\x00\x01\x00\x00\x00\x01"},
		{parse(t, `{"a":[1],"b":{}}`), "\x82\xa1a\x91\x01\xa1b\x80"},
	} {
		if got := value.AppendMsgpack(nil, test.v); !strings.HasPrefix(string(got), test.want) {
			t.Errorf("%.40s: %x, want %x", test.v, got[:min(len(got), 12)], test.want)
		}
	}
	got := value.AppendMsgpack([]byte("before"), numbers(20))
	if want := "before\xdc\x00\x14\x00\x01\x02"; !strings.HasPrefix(string(got), want) || len(got) != len("before")+3+20 {
		t.Errorf("%x", got)
	}
}

// numbers is the array of the first n numbers.
func numbers(n int) value.Value {
	elements := make([]value.Value, n)
	for i := range elements {
		elements[i] = value.Int(int64(i))
	}
	return value.Array(elements)
}

// TestDeepValues: values put together by scripts may nest deeper than text that is read.
func TestDeepValues(t *testing.T) {
	v := value.Int(1)
	for range 5000 {
		v = value.Array([]value.Value{v})
	}
	if e, ok := v.Index(0); !ok || len(e.Text()) != len(v.Text())-2 {
		t.Error("no element")
	}
	if got := value.AppendMsgpack(nil, v); len(got) != 5001 {
		t.Errorf("%d bytes", len(got))
	}
	if _, err := value.Parse(v.Text()); err == nil || !strings.HasPrefix(err.Error(), "recursion limit exceeded") {
		t.Errorf("%v", err)
	}
}
