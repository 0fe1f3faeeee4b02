// Package value holds JSON values as text.
//
// A particle carries JSON from service to service, and most of it is only passed on: hashed,
// stored, compared, sent. So a [Value] is a piece of JSON text and nothing is built from it until
// somebody looks inside; a look inside is a scan of the text, and what it finds shares the text. (A
// Go tree costs 4 to 10 ms per MB, the scan of [Parse] 0.3 to 0.6.)
//
// There is one canonical text for each value, the text that content ids are computed from:
//
//   - no white space; object keys sorted by their UTF-8 bytes, of equal keys the last one stays;
//   - strings escape only ", \ and the controls below U+0020 (\b \t \n \f \r, else \u00xx in lower
//     case);
//   - integers of 64 bits in decimal; every other number a float in its shortest form, always with
//     a point or an exponent (1.0, 12.5, 1e16, 5e-324).
//
// [Parse] takes any JSON text to its canonical value and keeps the given string itself if it is
// canonical already. [Raw] wraps text somebody else stored; [Value.Canonical] reads it when it is
// wanted. All other functions make and keep canonical values.
//
// # Numbers
//
// Numbers are read as the network reads them, which is not correctly rounded: 1.11e161 becomes
// 1.1099999999999999e161 (see parseFloat). That reading happens in Parse and Canonical only. The
// canonical text of a float then names it exactly, so reading stored text a second time may give
// another value, on every peer the same one.
//
// # Ownership
//
// Values are immutable and share text with what they were cut from. A Value over a view of a buffer
// keeps the buffer alive and relies on nobody writing to it.
package value

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Value is an immutable JSON value. The zero Value is null.
type Value struct {
	text string // "" stands for null unless raw
	raw  bool   // not known to be canonical, or JSON at all
}

// Kind tells the kinds of JSON values apart; integers and floats are different kinds.
type Kind uint8

// The kinds. KindInvalid is the kind of a raw value that is not JSON.
const (
	KindNull Kind = iota
	KindBool
	KindInt
	KindFloat
	KindString
	KindArray
	KindObject
	KindInvalid
)

var kindNames = [...]string{"null", "bool", "integer", "float", "string", "array", "object",
	"invalid"}

func (k Kind) String() string { return kindNames[k] }

// Field is one member of an object.
type Field struct {
	Key   string
	Value Value
}

// The values that need no making.
var (
	Null        = Value{}
	True        = Value{text: "true"}
	False       = Value{text: "false"}
	EmptyArray  = Value{text: "[]"}
	EmptyObject = Value{text: "{}"}
	EmptyString = Value{text: `""`}
)

// of is the value with a canonical text. Values are equal by == if their texts are, so null has one
// form.
func of(text string) Value {
	if text == "null" {
		return Value{}
	}
	return Value{text: text}
}

// Raw is a value over text that nobody has looked at yet. Functions that look inside read it
// anew each time, so call Canonical once before much looking.
func Raw(text string) Value { return Value{text: text, raw: true} }

// Canonical reads the text of a raw value; of other values it returns the value itself.
func (v Value) Canonical() (Value, error) {
	if !v.raw {
		return v, nil
	}
	return Parse(v.text)
}

// canon is Canonical for the functions that treat what is not JSON as having nothing inside.
func (v Value) canon() (text string, ok bool) {
	c, err := v.Canonical()
	return c.Text(), err == nil
}

// Text is the JSON text as held: canonical unless the value is raw.
func (v Value) Text() string {
	if v.text == "" && !v.raw {
		return "null"
	}
	return v.text
}

// String is Text, for messages: %s and %v print the JSON.
func (v Value) String() string { return v.Text() }

// IsRaw reports whether the value still waits for Canonical.
func (v Value) IsRaw() bool { return v.raw }

// Kind is the kind of the value.
func (v Value) Kind() Kind {
	text, ok := v.canon()
	if !ok {
		return KindInvalid
	}
	switch text[0] {
	case 'n':
		return KindNull
	case 't', 'f':
		return KindBool
	case '"':
		return KindString
	case '[':
		return KindArray
	case '{':
		return KindObject
	}
	return numberKind(text)
}

// numberKind tells floats by the point or exponent that their canonical text always has.
func numberKind(text string) Kind {
	for i := 0; i < len(text); i++ {
		if text[i] == '.' || text[i] == 'e' {
			return KindFloat
		}
	}
	return KindInt
}

// String makes a string value. Invalid UTF-8 becomes U+FFFD, as JSON has no way to write it.
func String(s string) Value {
	if s == "" {
		return EmptyString
	}
	return Value{text: string(AppendQuoted(make([]byte, 0, len(s)+2), s))}
}

// Int makes an integer value.
func Int(n int64) Value { return Value{text: strconv.FormatInt(n, 10)} }

// Uint makes an integer value.
func Uint(n uint64) Value { return Value{text: strconv.FormatUint(n, 10)} }

// Float makes a float value; NaN and the infinities, which JSON does not have, become null.
func Float(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{text: string(appendFloat(nil, f))}
}

// Bool makes a boolean value.
func Bool(b bool) Value {
	if b {
		return True
	}
	return False
}

// Array makes an array. It is raw if one of the elements is.
func Array(elements []Value) Value {
	if len(elements) == 0 {
		return EmptyArray
	}
	size := 1 + len(elements)
	for _, e := range elements {
		size += len(e.Text())
	}
	text, raw := make([]byte, 0, size), false
	for i, e := range elements {
		text = append(text, "[,"[min(i, 1)])
		text = append(text, e.Text()...)
		raw = raw || e.raw
	}
	return Value{text: owned(append(text, ']')), raw: raw}
}

// Object makes an object. Fields may come in any order; of equal keys the last one stays.
// It is raw if one of the values is.
func Object(fields []Field) Value {
	return appendObject(make([]byte, 0, objectSize(fields)), fields)
}

// objectSize is the size of the text of an object whose keys need no escapes.
func objectSize(fields []Field) int {
	size := 1 + max(len(fields), 1)
	for _, f := range fields {
		size += len(f.Key) + len(`"":`) + len(f.Value.Text())
	}
	return size
}

// appendObject writes an object to the end of text, of which its value is a view.
func appendObject(text []byte, fields []Field) Value {
	if len(fields) == 0 {
		return EmptyObject
	}
	if !slices.IsSortedFunc(fields, compareKeys) {
		fields = slices.Clone(fields)
		slices.SortStableFunc(fields, compareKeys)
	}
	text, raw := append(text, '{'), false
	for i, f := range fields {
		if i+1 < len(fields) && fields[i+1].Key == f.Key {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(AppendQuoted(text, f.Key), ':')
		text = append(text, f.Value.Text()...)
		raw = raw || f.Value.raw
	}
	return Value{text: owned(append(text, '}')), raw: raw}
}

func compareKeys(a, b Field) int { return strings.Compare(a.Key, b.Key) }

// Equal reports whether two values are the same: the same kind and content, so 1 and 1.0 differ,
// while 0.0 and -0.0, as floats, are equal. What is not JSON equals nothing.
func Equal(a, b Value) bool {
	if !a.raw && !b.raw && a.Text() == b.Text() {
		return true
	}
	at, aok := a.canon()
	bt, bok := b.canon()
	return aok && bok && (at == bt || equalButZeroSigns(at, bt))
}

// equalButZeroSigns compares canonical texts, taking -0.0 for 0.0: the only two
// spellings of equal values.
func equalButZeroSigns(a, b string) bool {
	for a != "" && b != "" {
		if a[0] == '"' {
			n := skipString(a, 0)
			if n > len(b) || a[:n] != b[:n] {
				return false
			}
			a, b = a[n:], b[n:]
			continue
		}
		a, b = dropZeroSign(a), dropZeroSign(b)
		if a[0] != b[0] {
			return false
		}
		a, b = a[1:], b[1:]
	}
	return a == b
}

// dropZeroSign takes the sign off a text that begins with the token -0.0.
func dropZeroSign(s string) string {
	const zero = "-0.0"
	if strings.HasPrefix(s, zero) && (len(s) == len(zero) ||
		strings.IndexByte(",]}", s[len(zero)]) >= 0) {
		return s[1:]
	}
	return s
}
