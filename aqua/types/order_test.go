package types

import (
	"testing"

	"pgregory.net/rapid"
)

var (
	point   = NewStruct(Data, "Point", []Field{{"x", I64}, {"y", I64}})
	point3  = NewStruct(Data, "Point3", []Field{{"z", I64}, {"y", I64}, {"x", I32}})
	named   = NewStruct(Data, "Named", []Field{{"name", String}})
	runner  = NewStruct(Ability, "Runner", []Field{{"run", &Arrow{Results: []Type{String}}}})
	service = NewStruct(Service, "Srv", []Field{{"run", &Arrow{Results: []Type{String}}}, {"stop", &Arrow{}}})
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a, b Type
		want Order
	}{
		{U8, U8, Equal}, {U16, U8, Greater}, {I16, U8, Greater}, {I8, U8, None}, {U64, I64, None}, {F32, U16, Greater}, {F32, U32, None}, {F64, U32, Greater}, {String, Bool, None},
		{U8, UnsignedLit, Greater}, {I8, SignedLit, Greater}, {U8, SignedLit, None}, {F32, UnsignedLit, Greater}, {F32, SignedLit, Greater}, {F64, FloatLit, Greater}, {I64, FloatLit, None},
		{String, StringLit, Equal}, {Bool, BoolLit, Equal}, {SignedLit, UnsignedLit, Greater}, {FloatLit, UnsignedLit, None},
		{Top{}, U8, Greater}, {Top{}, Stream{U8}, Greater}, {Bottom{}, String, Less}, {Dynamic{}, U8, Equal}, {runner, Dynamic{}, Equal},
		{Array{U16}, Array{U8}, Greater}, {Array{U8}, Stream{U8}, Greater}, {Array{U8}, Option{U8}, Greater}, {Option{U8}, Array{U8}, Greater}, {Option{U8}, Stream{U8}, Greater},
		{Stream{U8}, Array{U8}, Less}, {Stream{U16}, Stream{U8}, Greater}, {Array{U8}, U8, None}, {Array{U8}, Array{Bottom{}}, Greater}, {Array{U8}, Array{String}, None},
		{point, point3, Greater}, {point3, point, Less}, {point, named, None}, {point, runner, None}, {runner, service, Greater},
		{&Arrow{Args: []Field{{"", U8}}, Results: []Type{U16}}, &Arrow{Args: []Field{{"x", U16}}, Results: []Type{U8}}, Greater},
		{&Arrow{Args: []Field{{"", U16}}}, &Arrow{Args: []Field{{"", U8}}}, Less},
		{&Arrow{}, &Arrow{Results: []Type{U8}}, Greater},
	} {
		if got := Compare(c.a, c.b); got != c.want {
			t.Errorf("Compare(%s, %s) is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestUnionAndIntersection(t *testing.T) {
	for _, c := range []struct {
		a, b                Type
		union, intersection Type
	}{
		{U8, U32, U32, U8}, {U8, I8, I16, Bottom{}}, {U32, I16, I64, U8}, {U64, I64, Top{}, U32}, {F32, U8, F32, U8}, {F32, I32, F64, I16}, {F64, I64, Top{}, U32},
		{String, Bool, Top{}, Bottom{}}, {U8, UnsignedLit, U8, UnsignedLit}, {SignedLit, UnsignedLit, SignedLit, UnsignedLit},
		{Array{U8}, Array{U16}, Array{U16}, Array{U8}}, {Option{U8}, Array{String}, Array{Top{}}, Option{Bottom{}}}, {Array{U8}, String, Top{}, Bottom{}},
	} {
		if got := Union(c.a, c.b); got != c.union {
			t.Errorf("Union(%s, %s) is %s, want %s", c.a, c.b, got, c.union)
		}
		if got := Intersection(c.a, c.b); got != c.intersection {
			t.Errorf("Intersection(%s, %s) is %s, want %s", c.a, c.b, got, c.intersection)
		}
	}
	if got := Union(point, named).String(); got != "data Point{name: string, x: i64, y: i64}" {
		t.Errorf("union of data types: %s", got)
	}
	if got := Intersection(point, NewStruct(Data, "P", []Field{{"y", I8}, {"q", Bool}})).String(); got != "data Point{y: i8}" {
		t.Errorf("intersection of data types: %s", got)
	}
}

// someType draws a type without structures: the "union" of data types has the
// fields of both, so it is a smaller type.
func someType(depth int) *rapid.Generator[Type] {
	return rapid.Custom(func(t *rapid.T) Type {
		kind := rapid.IntRange(0, 6).Draw(t, "kind")
		if depth == 0 {
			kind %= 4
		}
		elem := func() Type { return someType(depth-1).Draw(t, "elem") }
		switch kind {
		case 0, 1:
			return Scalar(rapid.IntRange(int(U8), int(String)).Draw(t, "scalar"))
		case 2:
			return Literal(rapid.IntRange(int(SignedLit), int(StringLit)).Draw(t, "literal"))
		case 3:
			return rapid.SampledFrom([]Type{Top{}, Bottom{}}).Draw(t, "bound")
		case 4:
			return Array{elem()}
		case 5:
			return Option{elem()}
		}
		return Stream{elem()}
	})
}

func TestOrderLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someType(3).Draw(t, "a"), someType(3).Draw(t, "b")
		if o := Compare(a, a); o != Equal {
			t.Fatalf("%s is not equal to itself: %d", a, o)
		}
		if !Accepts(Top{}, a) || !Accepts(a, Bottom{}) {
			t.Fatalf("%s is not between the bounds", a)
		}
		if Compare(a, b) == Less && !Accepts(b, a) {
			t.Fatalf("%s < %s, but the latter does not accept it", a, b)
		}
		if u := Union(a, b); !Accepts(u, a) || !Accepts(u, b) {
			t.Fatalf("the union of %s and %s, %s, does not accept both", a, b, u)
		}
		if u, v := Union(a, b), Union(b, a); !Accepts(u, v) || !Accepts(v, u) {
			t.Fatalf("unions of %s and %s differ: %s, %s", a, b, u, v)
		}
	})
}
