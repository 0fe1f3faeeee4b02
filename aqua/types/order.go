package types

import "slices"

// Order is the outcome of a comparison.
type Order uint8

// The outcomes. None means that neither type accepts the other.
const (
	None Order = iota
	Less
	Equal
	Greater
)

// Accepts reports whether a place of type a takes a value of type b.
func Accepts(a, b Type) bool {
	o := Compare(a, b)
	return o == Equal || o == Greater
}

// atMost[s] lists the scalars strictly above s.
var above = [...][]Scalar{
	U8:   {U16, U32, U64, I16, I32, I64, F32, F64},
	U16:  {U32, U64, I32, I64, F32, F64},
	U32:  {U64, I64, F64},
	U64:  {},
	I8:   {I16, I32, I64, F32, F64},
	I16:  {I32, I64, F32, F64},
	I32:  {I64, F64},
	I64:  {},
	F32:  {F64},
	F64:  {},
	Bool: {}, String: {},
}

func scalarAtMost(a, b Scalar) bool {
	if a == b {
		return true
	}
	for _, s := range above[a] {
		if s == b {
			return true
		}
	}
	return false
}

// Compare compares two types. The bound on the size of declared types keeps it short.
func Compare(a, b Type) Order {
	switch {
	case isDynamic(a) || isDynamic(b):
		return Equal
	case a == b:
		return Equal
	case isTop(a) || isBottom(b):
		return Greater
	case isTop(b) || isBottom(a):
		return Less
	}
	switch x := a.(type) {
	case Scalar:
		return compareScalar(x, b)
	case Literal:
		return compareLiteral(x, b)
	case Array, Option, Stream:
		return compareCollection(a, b)
	case *Struct:
		if y, ok := b.(*Struct); ok && (x.Kind == Data) == (y.Kind == Data) {
			return compareStruct(x, y)
		}
	case *Arrow:
		if y, ok := b.(*Arrow); ok {
			return compareArrow(x, y)
		}
	}
	return None
}

func isDynamic(t Type) bool { _, ok := t.(Dynamic); return ok }
func isTop(t Type) bool     { _, ok := t.(Top); return ok }
func isBottom(t Type) bool  { _, ok := t.(Bottom); return ok }

// IsDynamic reports whether values of the type are unknown.
func IsDynamic(t Type) bool { return isDynamic(t) }

func flip(o Order) Order {
	switch o {
	case Less:
		return Greater
	case Greater:
		return Less
	}
	return o
}

func compareScalar(a Scalar, b Type) Order {
	switch b := b.(type) {
	case Scalar:
		switch {
		case scalarAtMost(b, a):
			return Greater
		case scalarAtMost(a, b):
			return Less
		}
	case Literal:
		for _, s := range literalScalars[b] {
			if len(literalScalars[b]) == 1 && s == a {
				return Equal
			}
			if scalarAtMost(s, a) {
				return Greater
			}
		}
	}
	return None
}

func compareLiteral(a Literal, b Type) Order {
	switch b := b.(type) {
	case Scalar:
		return flip(compareScalar(b, a))
	case Literal:
		// The larger set is the smaller type: it fits in more places.
		switch {
		case subset(literalScalars[a], literalScalars[b]):
			return Greater
		case subset(literalScalars[b], literalScalars[a]):
			return Less
		}
	}
	return None
}

func subset(a, b []Scalar) bool {
	for _, s := range a {
		found := false
		for _, t := range b {
			found = found || s == t
		}
		if !found {
			return false
		}
	}
	return true
}

// compareCollection compares collections: arrays and options take any, streams take streams only.
// [a] may stand for an option, so arrays and options of equal elements accept each other.
func compareCollection(a, b Type) Order {
	ea, _ := Elem(a)
	eb, ok := Elem(b)
	if !ok {
		return None
	}
	o := Compare(ea, eb)
	sa, sb := IsStream(a), IsStream(b)
	switch {
	case o == None:
		return None
	case sa == sb && sameKind(a, b):
		return o
	case sa: // a stream takes streams only
		if o == Equal || o == Less {
			return Less
		}
		return None
	case o == Equal || o == Greater:
		return Greater
	case sb:
		return None
	}
	return Less
}

func sameKind(a, b Type) bool {
	switch a.(type) {
	case Array:
		_, ok := b.(Array)
		return ok
	case Option:
		_, ok := b.(Option)
		return ok
	}
	return IsStream(b)
}

// compareStruct compares structures: more fields make a smaller type.
func compareStruct(a, b *Struct) Order {
	missing, extra := 0, 0
	o := Equal
	for _, f := range a.Fields {
		t, ok := b.Field(f.Name)
		if !ok {
			extra++
			continue
		}
		o = meet(o, Compare(f.Type, t))
	}
	for _, f := range b.Fields {
		if _, ok := a.Field(f.Name); !ok {
			missing++
		}
	}
	if extra > 0 {
		o = meet(o, Less)
	}
	if missing > 0 {
		o = meet(o, Greater)
	}
	return o
}

// meet combines the orders of two parts.
func meet(a, b Order) Order {
	switch {
	case a == Equal:
		return b
	case b == Equal || a == b:
		return a
	}
	return None
}

// compareArrow is contravariant in arguments and covariant in results.
func compareArrow(a, b *Arrow) Order {
	args := func(list []Field) []Type {
		out := make([]Type, len(list))
		for i, f := range list {
			out[i] = f.Type
		}
		return out
	}
	return meet(flip(compareProduct(args(a.Args), args(b.Args))), compareProduct(a.Results, b.Results))
}

// compareProduct compares pairs of elements; a longer product is smaller.
func compareProduct(a, b []Type) Order {
	o := Equal
	for i := range min(len(a), len(b)) {
		o = meet(o, Compare(a[i], b[i]))
	}
	if len(a) > len(b) {
		o = meet(o, Less)
	}
	if len(a) < len(b) {
		o = meet(o, Greater)
	}
	return o
}

// Union returns the least type that accepts both, ⊤ if there is no other.
func Union(a, b Type) Type {
	switch Compare(a, b) {
	case Equal, Greater:
		if isDynamic(b) {
			return b
		}
		return a
	case Less:
		return b
	}
	return combine(a, b, Union, unionScalars, Top{})
}

// Intersection returns the greatest type that both accept, ⊥ if there is no other.
func Intersection(a, b Type) Type {
	switch Compare(a, b) {
	case Equal, Less:
		if isDynamic(b) {
			return b
		}
		return a
	case Greater:
		return b
	}
	return combine(a, b, Intersection, intersectScalars, Bottom{})
}

// combine is Union or Intersection of incomparable types.
func combine(a, b Type, elem func(a, b Type) Type, scalars func(a, b Type) Type, none Type) Type {
	union := isTop(none)
	switch x := a.(type) {
	case Scalar, Literal:
		return scalars(a, b)
	case Array, Option, Stream:
		ea, _ := Elem(a)
		eb, ok := Elem(b)
		if !ok {
			return none
		}
		return combineCollections(a, b, elem(ea, eb), union, none)
	case *Struct:
		y, ok := b.(*Struct)
		if !ok || x.Kind != Data || y.Kind != Data {
			return none
		}
		return combineStructs(x, y, elem, union)
	}
	return none
}

func combineCollections(a, b, elem Type, union bool, none Type) Type {
	_, aOption := a.(Option)
	_, bOption := b.(Option)
	switch {
	case IsStream(a) && IsStream(b):
		return Stream{elem}
	case IsStream(a) || IsStream(b):
		return none
	case aOption && bOption:
		return Option{elem}
	case (aOption || bOption) && !union:
		return Option{elem}
	}
	return Array{elem}
}

func combineStructs(a, b *Struct, elem func(a, b Type) Type, union bool) Type {
	var fields []Field
	for _, f := range a.Fields {
		if t, ok := b.Field(f.Name); ok {
			fields = append(fields, Field{f.Name, elem(f.Type, t)})
		} else if union {
			fields = append(fields, f)
		}
	}
	for _, f := range b.Fields {
		if _, ok := a.Field(f.Name); !ok && union {
			fields = append(fields, f)
		}
	}
	return NewStruct(Data, a.Name, fields)
}

func signed(s Scalar) bool { return s >= I8 && s <= I64 }
func float(s Scalar) bool  { return s == F32 || s == F64 }

// preference is the order in which the published compiler tries scalars. It decides between
// candidates that do not compare.
var preference = [...]Scalar{U32, I32, I16, I64, I8, U16, U8, U64, F32, F64, Bool, String}

// candidates returns the scalars that fit two types: floats only if an operand is a float, signed
// ones only if an operand is signed.
func candidates(a, b Type, fits func(s Scalar) bool) (list []Scalar) {
	has := func(f func(Scalar) bool) bool {
		for _, t := range []Type{a, b} {
			if s, ok := t.(Scalar); ok && f(s) {
				return true
			}
		}
		return false
	}
	anyFloat, anySigned := has(float), has(signed)
	for _, s := range preference {
		if fits(s) && (anyFloat || !float(s)) && (anySigned || !signed(s)) {
			list = append(list, s)
		}
	}
	return list
}

func intersectScalars(a, b Type) Type {
	list := candidates(a, b, func(s Scalar) bool { return Accepts(a, s) && Accepts(b, s) })
	return extreme(list, scalarAtMost, Bottom{})
}

func unionScalars(a, b Type) Type {
	list := candidates(a, b, func(s Scalar) bool { return Accepts(s, a) && Accepts(s, b) })
	return extreme(list, func(s, t Scalar) bool { return scalarAtMost(t, s) }, Top{})
}

// extreme returns the first scalar that is not below another of the list.
func extreme(list []Scalar, less func(a, b Scalar) bool, none Type) Type {
	for _, s := range list {
		if !slices.ContainsFunc(list, func(t Scalar) bool { return t != s && less(s, t) }) {
			return s
		}
	}
	return none
}
