package value

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// parseSlowly is Parse without the fast way.
func parseSlowly(text string) (string, error) {
	p := parser{src: text}
	err := p.document()
	return string(p.out), err
}

// FuzzParse holds the fast way and the slow way equal, and both against encoding/json.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,2.5,-3e10,null,true],"b":{"":"\u0000\n\"é🌍"}}`, ` { "z" : 1 , "a" : [ ] , "z" : 2 } `, `-0.0`, `"\ud83c\udf0d"`,
		`123456789012345678901234567890.5e-7`, `[[[[[[]]]]]]`, `"\/\b\f"`, `{"b":1,"a":2}`, `1e400`, `"\u001F"`, "[\n1,\r\t2]",
		`{"\"":1,"#":2}`, `{"a\\":{"a":"}]"}}`, `0.1`, `100.50`, `1e16`, `18446744073709551616`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		slow, err := parseSlowly(text)
		if fast := isCanonical(text); fast != (err == nil && slow == text) {
			t.Fatalf("%q: canonical at sight: %v; in full: %q, %v", text, fast, slow, err)
		}
		v, perr := Parse(text)
		if (perr == nil) != (err == nil) {
			t.Fatalf("%q: %v, %v", text, err, perr)
		}
		if err != nil {
			checkRefused(t, text, err)
			return
		}
		if !json.Valid([]byte(text)) || v.Text() != slow || !utf8.ValidString(slow) {
			t.Fatalf("%q: %s", text, v)
		}
		checkLooks(t, v)
	})
}

// checkRefused: what is refused is no JSON, or JSON that Go takes and the network does not.
func checkRefused(t *testing.T, text string, err error) {
	t.Helper()
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Column < 0 || syntax.Column > len(text) {
		t.Fatalf("%q: %v", text, err)
	}
	switch syntax.Reason {
	case errRange, errSurrogate, errHalfPair, errTooDeep, errUnicode:
	case errEscape: // \ud800 followed by a wrong escape
	default:
		if json.Valid([]byte(text)) {
			t.Fatalf("%q is JSON: %v", text, err)
		}
	}
}

// checkLooks takes a value apart and puts it together again.
func checkLooks(t *testing.T, v Value) {
	t.Helper()
	AppendMsgpack(nil, v)
	if !Equal(v, v) || !Equal(v, Raw(" "+v.Text())) && !containsFloat(v) {
		t.Fatalf("%s does not equal itself", v)
	}
	switch v.Kind() {
	case KindArray:
		elements := v.Elements()
		if n, ok := v.Len(); !ok || n != len(elements) || Array(elements) != v {
			t.Fatalf("%s has %d elements %v", v, n, elements)
		}
		if !slices.Equal(slices.Collect(v.All()), elements) {
			t.Fatalf("%s: all elements are %v", v, slices.Collect(v.All()))
		}
		for i, e := range elements {
			if at, ok := v.Index(i); !ok || at != e {
				t.Fatalf("%s: element %d is %s or %s", v, i, e, at)
			}
			checkLooks(t, e)
		}
	case KindObject:
		fields := v.Fields()
		if Object(fields) != v || Merge(v, v) != v || Merge(EmptyObject, v) != v || Merge(v, EmptyObject) != v {
			t.Fatalf("%s has %v", v, fields)
		}
		for _, f := range fields {
			if at, ok := v.Field(f.Key); !ok || at != f.Value {
				t.Fatalf("%s: field %q is %s or %s", v, f.Key, f.Value, at)
			}
			checkLooks(t, f.Value)
		}
	case KindString:
		if s, ok := v.AsString(); !ok || String(s) != v {
			t.Fatalf("%s says %q", v, s)
		}
	case KindInvalid:
		t.Fatalf("%q is invalid", v.Text())
	}
}

// containsFloat: floats are not always read back as they are written.
func containsFloat(v Value) bool { return strings.ContainsAny(v.Text(), ".e") }

// anyGo makes Go values of the kinds that JSON has.
func anyGo(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.String().AsAny(),
		rapid.Uint64Min(1 << 63).AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny(),
	}
	if depth > 0 {
		leaves = append(leaves, rapid.SliceOfN(anyGo(depth-1), 0, 4).AsAny(),
			rapid.MapOfN(rapid.String(), anyGo(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(leaves...)
}

// TestMerge: the members of both, of equal keys that of the second.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := rapid.MapOfN(rapid.StringOfN(rapid.RuneFrom([]rune("a\"\\\n#é")), 0, 3, -1), anyGo(1), 0, 6)
		a, err := FromGo(objects.Draw(t, "a"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := FromGo(objects.Draw(t, "b"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := Merge(a, b), Object(append(a.Fields(), b.Fields()...)); got != want {
			t.Fatalf("%s and %s: want %s, got %s", a, b, want, got)
		}
	})
	for _, v := range []Value{Null, EmptyArray, String("{}"), Raw("{"), Int(1)} {
		if got := Merge(v, EmptyObject); got != Null {
			t.Errorf("%s merges to %s", v, got)
		}
	}
	if got := Merge(Raw(` { "a" : 1 } `), Raw(`{}`)); got.Text() != `{"a":1}` {
		t.Errorf("raw objects merge to %s", got)
	}
}

// TestGoSurvives: what Go values become is canonical and becomes the same Go values.
func TestGoSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := anyGo(3).Draw(t, "x")
		v, err := FromGo(x)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Canonical(); err != nil || v.IsRaw() {
			t.Fatalf("%s is not canonical", v)
		}
		y, err := v.Go()
		if err != nil {
			t.Fatal(err)
		}
		again, err := FromGo(y)
		if err != nil || again != v {
			t.Fatalf("%s became %s (%v)", v, again, err)
		}
	})
}
