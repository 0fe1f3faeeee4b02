package step

import "slices"

// Sort is the sort of an operand.
type Sort uint8

// The sorts of operands.
const (
	Literal Sort = iota // Name is its text
	Scalar
	Stream
	Canonical // a canonicalized stream
	Map
)

// Operand is a literal or a variable with a lens.
type Operand struct {
	Sort   Sort
	Length bool       // the number of elements
	Many   bool       // in OnOp.Via: a collection of relays
	Name   string     // without the sigil of its sort
	Lens   []Accessor // a part of the value
}

// Accessor selects a part of a value: a field, an element, or the element whose
// index or field is the value of a variable. One of its fields is set.
type Accessor struct {
	Field string
	Index string
	Var   string
}

// ErrorName is the name of the variable with the last error.
const ErrorName = ":error:"

// Lit returns a literal with the text that AIR has for it.
func Lit(text string) Operand { return Operand{Name: text} }

// Text returns a string literal.
func Text(s string) Operand { return Lit(`"` + s + `"`) }

// Var returns a scalar.
func Var(name string) Operand { return Operand{Sort: Scalar, Name: name} }

// StreamVar returns a stream.
func StreamVar(name string) Operand { return Operand{Sort: Stream, Name: name} }

// CanonVar returns a canonicalized stream.
func CanonVar(name string) Operand { return Operand{Sort: Canonical, Name: name} }

// MapVar returns a map.
func MapVar(name string) Operand { return Operand{Sort: Map, Name: name} }

// IsLiteral reports whether o is a literal.
func (o Operand) IsLiteral() bool { return o.Sort == Literal }

// IsStream reports whether o is a stream or selects a part of one.
func (o Operand) IsStream() bool { return o.Sort == Stream }

// With returns o with a further accessor.
func (o Operand) With(a Accessor) Operand {
	o.Lens = append(o.Lens[:len(o.Lens):len(o.Lens)], a)
	return o
}

// WithField returns o with an accessor of a field.
func (o Operand) WithField(name string) Operand { return o.With(Accessor{Field: name}) }

// WithLength returns the number of elements of o.
func (o Operand) WithLength() Operand {
	o.Length = true
	return o
}

// Same reports whether o and p are written the same way: then they are the same
// peer where they stand for one.
func (o Operand) Same(p Operand) bool {
	return o.Sort == p.Sort && o.Name == p.Name && o.Length == p.Length && slices.Equal(o.Lens, p.Lens)
}
