package value

import (
	"iter"
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

// Index is the i-th element of an array. It scans from the beginning; to visit all elements use
// Elements.
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

// All visits the elements of an array, one at a time: a list of them takes 24 bytes for each, 12
// times the text of an array of digits. There is nothing to visit in anything else.
func (v Value) All() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		text, ok := v.canon()
		if !ok || text[0] != '[' {
			return
		}
		for i := firstElement(text); i > 0; {
			end := skip(text, i)
			if !yield(of(text[i:end])) {
				return
			}
			i = nextElement(text, end)
		}
	}
}

// Merge is the object with the members of two objects; where both have one, that of b. It is
// null if one of them is not an object.
func Merge(a, b Value) Value {
	at, aok := a.canon()
	bt, bok := b.canon()
	if !aok || !bok || at[0] != '{' || bt[0] != '{' {
		return Null
	}
	out := make([]byte, 0, len(at)+len(bt))
	from, with := firstMember(at), firstMember(bt)
	for from.at > 0 || with.at > 0 {
		next, order := from, from.compare(with)
		if order >= 0 {
			next = with
		}
		out = append(append(out, "{,"[min(len(out), 1)]), next.text[next.at:next.end]...)
		if order <= 0 {
			from = from.next()
		}
		if order >= 0 {
			with = with.next()
		}
	}
	if len(out) == 0 {
		return EmptyObject
	}
	return of(owned(append(out, '}')))
}

// A cursor stands at a member of the text of an object, text[at:end]; behind the last at is -1.
type cursor struct {
	text    string
	at, end int
	key     string
}

func firstMember(text string) cursor { return memberAt(text, firstElement(text)) }

func (c cursor) next() cursor { return memberAt(c.text, nextElement(c.text, c.end)) }

func memberAt(text string, at int) cursor {
	if at < 0 {
		return cursor{text: text, at: -1}
	}
	colon := skipString(text, at)
	return cursor{text, at, skip(text, colon+1), unquote(text[at+1 : colon-1])}
}

// compare orders cursors by their keys; those behind the last come last.
func (c cursor) compare(d cursor) int {
	switch {
	case c.at < 0:
		return 1
	case d.at < 0:
		return -1
	}
	return strings.Compare(c.key, d.key)
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

// sizeHint guesses a number of elements: exact for lists of numbers, bounded for others, whose
// commas may be anywhere.
func sizeHint(text string) int {
	n := strings.Count(text, ",") + 1
	if n > 256 && (strings.ContainsAny(text, `"{`) || strings.IndexByte(text[1:], '[') >= 0) {
		return 256
	}
	return n
}

// The functions below walk over text known to be canonical.

// firstElement is the offset of the first element of the array or object that begins text, -1 if it
// is empty.
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
