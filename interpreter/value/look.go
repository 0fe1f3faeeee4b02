package value

import (
	"strconv"
	"strings"
)

// AsString is what a string says.
func (v Value) AsString() (string, bool) {
	text, ok := v.canon()
	if !ok || text[0] != '"' {
		return "", false
	}
	return unquote(text[1 : len(text)-1]), true
}

// AsBool is the truth of a boolean.
func (v Value) AsBool() (b, ok bool) {
	text, _ := v.canon()
	return text == "true", text == "true" || text == "false"
}

// AsInt64 is an integer that fits.
func (v Value) AsInt64() (int64, bool) {
	if v.Kind() != KindInt {
		return 0, false
	}
	text, _ := v.canon()
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// AsUint64 is an integer that fits.
func (v Value) AsUint64() (uint64, bool) {
	if v.Kind() != KindInt {
		return 0, false
	}
	text, _ := v.canon()
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// AsFloat is a number of either kind.
func (v Value) AsFloat() (float64, bool) {
	if k := v.Kind(); k != KindFloat && k != KindInt {
		return 0, false
	}
	text, _ := v.canon()
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// Len is the number of elements of an array.
func (v Value) Len() (int, bool) {
	text, ok := v.canon()
	if !ok || text[0] != '[' {
		return 0, false
	}
	n := 0
	for i := firstElement(text); i > 0; i = nextElement(text, skip(text, i)) {
		n++
	}
	return n, true
}

// Index is the i-th element of an array. It scans from the beginning; to visit all elements use Elements.
func (v Value) Index(i int) (Value, bool) {
	text, ok := v.canon()
	if !ok || text[0] != '[' || i < 0 {
		return Value{}, false
	}
	at := firstElement(text)
	for ; at > 0 && i > 0; i-- {
		at = nextElement(text, skip(text, at))
	}
	if at < 0 {
		return Value{}, false
	}
	return of(text[at:skip(text, at)]), true
}

// Field is the member of an object with the given name.
func (v Value) Field(name string) (Value, bool) {
	text, ok := v.canon()
	if !ok || text[0] != '{' {
		return Value{}, false
	}
	// Canonical strings are equal as text if they are equal: the names inside need no reading.
	var buf [64]byte
	quoted := AppendQuoted(buf[:0], name)
	for at := firstElement(text); at > 0; {
		colon := skipString(text, at)
		end := skip(text, colon+1)
		if text[at:colon] == string(quoted) {
			return of(text[colon+1 : end]), true
		}
		at = nextElement(text, end)
	}
	return Value{}, false
}

// Elements splits an array; it is nil for anything else.
func (v Value) Elements() []Value {
	text, ok := v.canon()
	if !ok || text[0] != '[' || len(text) == 2 {
		return nil
	}
	elements := make([]Value, 0, sizeHint(text))
	for i := firstElement(text); i > 0; {
		end := skip(text, i)
		elements = append(elements, of(text[i:end]))
		i = nextElement(text, end)
	}
	return elements
}

// Fields splits an object, in the order of keys; it is nil for anything else.
func (v Value) Fields() []Field {
	text, ok := v.canon()
	if !ok || text[0] != '{' || len(text) == 2 {
		return nil
	}
	fields := make([]Field, 0, sizeHint(text))
	for i := firstElement(text); i > 0; {
		colon := skipString(text, i)
		end := skip(text, colon+1)
		fields = append(fields, Field{
			Key:   unquote(text[i+1 : colon-1]),
			Value: of(text[colon+1 : end]),
		})
		i = nextElement(text, end)
	}
	return fields
}

// sizeHint guesses a number of elements: exact for lists of numbers, bounded for others, whose commas may be anywhere.
func sizeHint(text string) int {
	n := strings.Count(text, ",") + 1
	if n > 256 && (strings.ContainsAny(text, `"{`) || strings.IndexByte(text[1:], '[') >= 0) {
		return 256
	}
	return n
}

// The functions below walk over text known to be canonical.

// firstElement is the offset of the first element of the array or object that begins text, -1 if it is empty.
func firstElement(text string) int {
	if len(text) == 2 {
		return -1
	}
	return 1
}

// nextElement is the offset of the element after the one that ends at i, -1 after the last.
func nextElement(text string, i int) int {
	if text[i] != ',' {
		return -1
	}
	return i + 1
}

// skip is the offset after the value at i.
func skip(s string, i int) int {
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '[', '{':
		return skipNested(s, i)
	}
	for i < len(s) && s[i] != ',' && s[i] != ']' && s[i] != '}' {
		i++
	}
	return i
}

func skipNested(s string, i int) int {
	for depth := 0; ; i++ {
		switch s[i] {
		case '"':
			i = skipString(s, i) - 1
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

func skipString(s string, i int) int {
	for i++; ; i++ {
		i += strings.IndexByte(s[i:], '"')
		escape := i
		for s[escape-1] == '\\' {
			escape--
		}
		if (i-escape)%2 == 0 {
			return i + 1
		}
	}
}
