package aqua

import (
	"strings"
	"testing"

	"github.com/aquanode/aquanode/aqua/types"
)

func TestConversion(t *testing.T) {
	point := types.NewStruct(types.Data, "Point", []types.Field{
		{Name: "x", Type: types.I8}, {Name: "note", Type: types.Option{Elem: types.String}}, {Name: "list", Type: types.Array{Elem: types.U16}},
	})
	opt := func(t types.Type) types.Type { return types.Option{Elem: t} }
	arr := func(t types.Type) types.Type { return types.Array{Elem: t} }
	for _, c := range []struct {
		t        types.Type
		in, want string // want is an error if it is not JSON
		back     string // the result converted again, "" if it is in
	}{
		{types.String, `"a"`, `"a"`, ""},
		{types.String, `1`, "the value of type string must be string, not the number 1", ""},
		{types.String, `null`, "the value of type string must be string, not null", ""},
		{types.Bool, `true`, `true`, ""},
		{types.Bool, `"true"`, `the value of type bool must be bool, not the string "true"`, ""},
		{types.I64, `"no"`, `the value of type i64 must be i64, not the string "no"`, ""},
		{types.I64, `-9223372036854775808`, `-9223372036854775808`, ""},
		{types.I64, `9223372036854775808`, "the value of type i64 is 9223372036854775808, but i64 goes from -9223372036854775808 to 9223372036854775807", ""},
		{types.U64, `18446744073709551615`, `18446744073709551615`, ""},
		{types.U64, `-1`, "the value of type u64 is -1, but u64 goes from 0 to 18446744073709551615", ""},
		{types.U8, `1.5`, "the value of type u8 is 1.5, but u8 goes from 0 to 255", ""},
		{types.U8, `2.0`, `2`, "2"},
		{types.U16, `1e3`, `1000`, "1000"},
		{types.U64, `1e999999999`, "the value of type u64 is 1e999999999, but u64 goes from 0 to 18446744073709551615", ""},
		{types.F64, `1.5`, `1.5`, ""},
		{types.F32, `"1"`, `the value of type f32 must be f32, not the string "1"`, ""},
		{types.Top{}, `{"a":[1,null]}`, `{"a":[1,null]}`, ""},
		{types.Bottom{}, `1`, "the value of type ⊥ must be ⊥, not the number 1", ""},
		{opt(types.String), `null`, `[]`, ""},
		{opt(types.String), `"v"`, `["v"]`, ""},
		{opt(types.String), `["v"]`, `["v"]`, `"v"`},
		{opt(types.String), `[]`, `[]`, `null`},
		{opt(types.String), `["v","w"]`, "the value of type string must be string, not an array", ""},
		{opt(arr(types.String)), `["v"]`, `[["v"]]`, ""},
		{opt(arr(types.String)), `[["v"]]`, `[["v"]]`, `["v"]`},
		{opt(arr(types.String)), `[]`, `[[]]`, ""},
		{opt(types.Top{}), `[1]`, `[[1]]`, ""},
		{opt(opt(types.U8)), `1`, `[[1]]`, ""},
		{arr(opt(types.U8)), `[null,1,[2]]`, `[[],[1],[2]]`, `[null,1,2]`},
		{types.Stream{Elem: types.U8}, `[1]`, `[1]`, ""},
		{arr(types.U8), `{}`, "the value of type []u8 must be []u8, not an object", ""},
		{arr(types.U8), `[1,"x"]`, `'[1]' must be u8, not the string "x"`, ""},
		{point, `{"x":1,"list":[]}`, `{"list":[],"note":[],"x":1}`, `{"list":[],"note":null,"x":1}`},
		{point, `{"x":1,"list":[70000]}`, "'list[0]' is 70000, but u16 goes from 0 to 65535", ""},
		{point, `{"x":1}`, "the value of type Point lacks the field 'list' of type []u16", ""},
		{point, `{"x":1,"list":[],"y":2}`, "the value of type Point has no field 'y'; it has list, note, x", ""},
		{arr(point), `[{"x":1,"list":[]},{}]`, "'[1]' lacks the field 'list' of type []u16", ""},
		{point, `[]`, "an array", ""},
		{types.String, `{`, "not JSON", ""},
		{types.String, `"a" "b"`, "more than one JSON value", ""},
	} {
		out, err := ToAqua(c.t, []byte(c.in))
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s for %s: %v, want %s", c.in, c.t, err, c.want)
			}
			continue
		}
		if string(out) != c.want {
			t.Errorf("%s for %s is %s, want %s", c.in, c.t, out, c.want)
		}
		back, err := FromAqua(c.t, out)
		want := c.back
		if want == "" {
			want = c.in
		}
		if err != nil || string(back) != want {
			t.Errorf("%s for %s comes back as %s, %v, want %s", c.in, c.t, back, err, want)
		}
	}
}

// The work of a conversion grows with the value, also where options nest.
func TestConversionOfNested(t *testing.T) {
	var typ types.Type = types.String
	value := `"a"`
	for range 60 {
		typ = types.Option{Elem: types.Array{Elem: typ}}
		value = "[" + value + "]"
	}
	out, err := ToAqua(typ, []byte(value))
	if err != nil || strings.Count(string(out), "[") != 120 {
		t.Errorf("%s, %v", out, err)
	}
}
