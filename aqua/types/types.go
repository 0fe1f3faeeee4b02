// Package types holds the types of Aqua and their order.
//
// Types are structural: data types, abilities and services are compared by their members, their
// names are for messages. A place of type A takes a value of type B iff A >= B ([Accepts]).
//
//	data types   scalars, literals, data, arrays, options, ⊤, ⊥
//	streams      *T, which accept streams only
//	arrows       functions; contravariant in arguments, covariant in results
//	abilities    named bundles of values and arrows, known at compile time
//	dynamic      in scripts, results of undeclared functions; fits everywhere
package types

import (
	"fmt"
	"sort"
	"strings"
)

// Type is the type of a value:
//
//	Scalar Literal Top Bottom Dynamic Array Option Stream *Struct *Arrow
type Type interface{ String() string }

// Scalar is a number, bool or string type.
type Scalar uint8

// The scalars.
const (
	U8 Scalar = iota
	U16
	U32
	U64
	I8
	I16
	I32
	I64
	F32
	F64
	Bool
	String
)

var scalarNames = [...]string{
	"u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "bool", "string",
}

func (s Scalar) String() string { return scalarNames[s] }

// ScalarNamed returns the scalar with a name.
func ScalarNamed(name string) (Scalar, bool) {
	for i, n := range scalarNames {
		if n == name {
			return Scalar(i), true
		}
	}
	return 0, false
}

// Literal is the type of a literal: a set of scalars.
type Literal uint8

// The literal types.
const (
	SignedLit Literal = iota
	UnsignedLit
	FloatLit
	BoolLit
	StringLit
)

func (l Literal) String() string {
	return [...]string{
		"signed literal", "unsigned literal", "float literal", "bool literal", "string literal",
	}[l]
}

var literalScalars = [...][]Scalar{
	SignedLit:   {I8, I16, I32, I64},
	UnsignedLit: {U8, U16, U32, U64, I8, I16, I32, I64},
	FloatLit:    {F32, F64},
	BoolLit:     {Bool},
	StringLit:   {String},
}

type (
	// Top is ⊤ and accepts every value.
	Top struct{}
	// Bottom is ⊥ and is accepted everywhere.
	Bottom struct{}
	// Dynamic is the type of unknown values in scripts.
	Dynamic struct{}
	// Array is []Elem.
	Array struct{ Elem Type }
	// Option is ?Elem.
	Option struct{ Elem Type }
	// Stream is *Elem.
	Stream struct{ Elem Type }
)

func (Top) String() string      { return "⊤" }
func (Bottom) String() string   { return "⊥" }
func (Dynamic) String() string  { return "⊤" }
func (t Array) String() string  { return text(t) }
func (t Option) String() string { return text(t) }
func (t Stream) String() string { return text(t) }

// maxText is about how many bytes of a type are printed. Types are printed in messages only, and
// there may be as many of them as lines.
const maxText = 600

func text(t Type) string {
	var b strings.Builder
	write(&b, t)
	return b.String()
}

// write prints a type, up to maxText.
func write(b *strings.Builder, t Type) {
	if b.Len() > maxText {
		if !strings.HasSuffix(b.String(), "...") {
			b.WriteString("...")
		}
		return
	}
	switch t := t.(type) {
	case Array:
		b.WriteString("[]")
		write(b, t.Elem)
	case Option:
		b.WriteString("?")
		write(b, t.Elem)
	case Stream:
		b.WriteString("*")
		write(b, t.Elem)
	case *Struct:
		fmt.Fprintf(b, "%s %s{", t.Kind, t.Name)
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			if b.Len() > maxText {
				b.WriteString("...")
				break
			}
			b.WriteString(f.Name + ": ")
			write(b, f.Type)
		}
		b.WriteByte('}')
	case *Arrow:
		writeDomain(b, t)
		b.WriteString(" -> ")
		writeProduct(b, t.Results)
	default:
		b.WriteString(t.String())
	}
}

func writeDomain(b *strings.Builder, a *Arrow) {
	for _, f := range a.Args {
		if b.Len() > maxText {
			b.WriteString("... ")
			break
		}
		if f.Name != "" {
			b.WriteString("(" + f.Name + ": ")
			write(b, f.Type)
			b.WriteString(") :: ")
		} else {
			write(b, f.Type)
			b.WriteString(" :: ")
		}
	}
	b.WriteString("∅")
}

func writeProduct(b *strings.Builder, list []Type) {
	for _, t := range list {
		if b.Len() > maxText {
			b.WriteString("... ")
			break
		}
		write(b, t)
		b.WriteString(" :: ")
	}
	b.WriteString("∅")
}

// Kind is the kind of a structure.
type Kind uint8

// The kinds of structures.
const (
	Data Kind = iota
	Ability
	Service
)

func (k Kind) String() string { return [...]string{"data", "ability", "service"}[k] }

// Struct is a data type, an ability or a service.
type Struct struct {
	Kind   Kind
	Name   string
	Fields []Field // sorted by name
}

// Field is a member of a structure, or an argument of an arrow.
type Field struct {
	Name string
	Type Type
}

// NewStruct returns a structure with sorted fields.
func NewStruct(kind Kind, name string, fields []Field) *Struct {
	sort.Slice(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
	return &Struct{kind, name, fields}
}

// Field looks a member up.
func (s *Struct) Field(name string) (Type, bool) {
	i := sort.Search(len(s.Fields), func(i int) bool { return s.Fields[i].Name >= name })
	if i < len(s.Fields) && s.Fields[i].Name == name {
		return s.Fields[i].Type, true
	}
	return nil, false
}

func (s *Struct) String() string { return text(s) }

// Arrow is the type of a function. The names of the arguments are empty in
// arrow types without labels.
type Arrow struct {
	Args    []Field
	Results []Type
}

// Labelled reports whether the arguments have names.
func (a *Arrow) Labelled() bool { return len(a.Args) > 0 && a.Args[0].Name != "" }

func (a *Arrow) String() string { return text(a) }

// Domain prints the arguments.
func (a *Arrow) Domain() string {
	var b strings.Builder
	writeDomain(&b, a)
	return b.String()
}

// Product prints a list of types.
func Product(list []Type) string {
	var b strings.Builder
	writeProduct(&b, list)
	return b.String()
}

// Elem returns the element type of a collection.
func Elem(t Type) (Type, bool) {
	switch t := t.(type) {
	case Array:
		return t.Elem, true
	case Option:
		return t.Elem, true
	case Stream:
		return t.Elem, true
	case Dynamic:
		return t, true
	}
	return nil, false
}

// IsData reports whether values of the type can be elements of collections and fields of data.
func IsData(t Type) bool {
	switch t := t.(type) {
	case Scalar, Literal, Top, Bottom, Dynamic, Array, Option:
		return true
	case *Struct:
		return t.Kind == Data
	}
	return false
}

// IsStream reports whether the type is a stream.
func IsStream(t Type) bool {
	_, ok := t.(Stream)
	return ok
}

// IsAbility reports whether the type is an ability or a service.
func IsAbility(t Type) bool {
	s, ok := t.(*Struct)
	return ok && s.Kind != Data
}

// IsArrow reports whether the type is an arrow.
func IsArrow(t Type) bool {
	_, ok := t.(*Arrow)
	return ok
}

// Size counts the nodes of a type without sharing, up to a limit: data types may refer to others
// several times, so it can grow exponentially.
func Size(t Type, limit int) int {
	n := 1
	add := func(u Type) {
		if n <= limit {
			n += Size(u, limit-n)
		}
	}
	switch t := t.(type) {
	case Array:
		add(t.Elem)
	case Option:
		add(t.Elem)
	case Stream:
		add(t.Elem)
	case *Struct:
		for _, f := range t.Fields {
			add(f.Type)
		}
	case *Arrow:
		for _, f := range t.Args {
			add(f.Type)
		}
		for _, r := range t.Results {
			add(r)
		}
	}
	return n
}
