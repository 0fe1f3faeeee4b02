package builtin

import (
	"math"
	"strconv"
	"strings"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

// A param is one parameter of a row.
type param struct {
	name     string
	typ      string
	optional bool // written ?type
	rest     bool // written ...type: all further arguments
}

// parseParams reads the Args text of a row.
func parseParams(text string) []param {
	if text == "" {
		return nil
	}
	var ps []param
	for _, s := range strings.Split(text, ", ") {
		name, typ, _ := strings.Cut(s, ": ")
		p := param{name: name, typ: typ}
		p.typ, p.optional = strings.CutPrefix(p.typ, "?")
		p.typ, p.rest = strings.CutPrefix(p.typ, "...")
		ps = append(ps, p)
	}
	return ps
}

// An argument is the checked argument of a parameter; of an optional one the value inside.
type argument struct {
	value value.Value
	given bool
}

// A scalar is a type that is no array: its name in error texts, and who belongs to it.
type scalar struct {
	name string
	has  func(value.Value) bool
}

var scalars = map[string]scalar{
	"any":    {"Value", func(value.Value) bool { return true }},
	"string": {"String", ofKind(value.KindString)},
	"bool":   {"bool", ofKind(value.KindBool)},
	"object": {"Map<String, Value>", ofKind(value.KindObject)},
	"i32":    {"i32", isInt(math.MinInt32, math.MaxInt32)},
	"i64":    {"i64", isInt(math.MinInt64, math.MaxInt64)},
	"u8":     {"u8", isInt(0, math.MaxUint8)},
	"u32":    {"u32", isInt(0, math.MaxUint32)},
	"u64":    {"usize", isUint},
	"f64":    {"f64", func(v value.Value) bool { _, ok := v.AsFloat(); return ok }},
	// A number of milliseconds, also as text.
	"millis": {"u64", func(v value.Value) bool { _, ok := millis(v); return ok }},
	// A key, which json.* checks itself, and its value.
	"keyed": {"(String, Value)", func(v value.Value) bool { n, ok := v.Len(); return ok && n == 2 }},
	// Two strings, a key and its value.
	"pair": {"(String, String)", func(v value.Value) bool {
		n := 0
		for e := range v.All() {
			if n++; n > 2 || e.Kind() != value.KindString {
				return false
			}
		}
		return n == 2
	}},
}

func ofKind(k value.Kind) func(value.Value) bool {
	return func(v value.Value) bool { return v.Kind() == k }
}

func isInt(lo, hi int64) func(value.Value) bool {
	return func(v value.Value) bool {
		n, ok := v.AsInt64()
		return ok && lo <= n && n <= hi
	}
}

func isUint(v value.Value) bool {
	_, ok := v.AsUint64()
	return ok
}

func millis(v value.Value) (uint64, bool) {
	if s, ok := v.AsString(); ok {
		n, err := strconv.ParseUint(s, 10, 64)
		return n, err == nil
	}
	return v.AsUint64()
}

// typeHas tells whether a value belongs to a type.
func typeHas(typ string, v value.Value) bool {
	elem, isArray := strings.CutPrefix(typ, "[]")
	if !isArray {
		return scalars[typ].has(v)
	}
	if v.Kind() != value.KindArray {
		return false
	}
	for e := range v.All() {
		if !typeHas(elem, e) {
			return false
		}
	}
	return true
}

// typeName is the type in error texts.
func typeName(typ string) string {
	if elem, ok := strings.CutPrefix(typ, "[]"); ok {
		return "Vec<" + typeName(elem) + ">"
	}
	return scalars[typ].name
}

// check reads the arguments of a call by the row's parameters.
func (f *Function) check(args []value.Value) ([]argument, error) {
	if f.Exact && len(args) != len(f.params) {
		return nil, plain("expected %d arguments, got %d", len(f.params), len(args))
	}
	checked := make([]argument, len(f.params))
	for i, p := range f.params {
		if p.rest {
			return checked, checkRest(p, args, i)
		}
		if i >= len(args) {
			if !p.optional {
				return nil, typed("Field '%s' is missing from args to call_service", p.name)
			}
			continue
		}
		a, err := p.check(args[i])
		if err != nil {
			return nil, err
		}
		checked[i] = a
	}
	return checked, nil
}

func checkRest(p param, args []value.Value, from int) error {
	for i := from; i < len(args); i++ {
		if !typeHas(p.typ, args[i]) {
			return p.mistyped(args[i])
		}
	}
	return nil
}

func (p param) check(v value.Value) (argument, error) {
	switch {
	case p.optional:
		return p.checkOption(v)
	case !typeHas(p.typ, v):
		return argument{}, p.mistyped(v)
	}
	return argument{v, true}, nil
}

// checkOption unwraps an optional argument. An array for a parameter of array type is read as
// an option around such an array if it can be, else as the array itself.
func (p param) checkOption(v value.Value) (argument, error) {
	n, isArray := v.Len()
	switch {
	case v.Kind() == value.KindNull, isArray && n == 0:
		return argument{}, nil
	case isArray && typeHas("[]"+p.typ, v):
		if n > 1 {
			return argument{}, p.crowded(n)
		}
		inner, _ := v.Index(0)
		return argument{inner, true}, nil
	case typeHas(p.typ, v):
		return argument{v, true}, nil
	case isArray && n > 1 && !strings.HasPrefix(p.typ, "[]"):
		return argument{}, p.crowded(n)
	}
	return argument{}, p.mistyped(v)
}

func (p param) mistyped(v value.Value) error {
	name := typeName(p.typ)
	if p.optional {
		name = "Option<" + name + ">"
	}
	return typed("Error deserializing field '%s': expected %s, got %s", p.name, name, services.Cut(v.Text()))
}

func (p param) crowded(n int) error {
	return typed("Option's array must contain at most 1 element, '%s' was of %d elements", p.name, n)
}

// The getters rely on check. They give the zero value for an absent optional argument.

func (c *call) given(i int) bool { return c.args[i].given }

func (c *call) value(i int) value.Value { return c.args[i].value }

func (c *call) str(i int) string {
	s, _ := c.args[i].value.AsString()
	return s
}

func (c *call) bool(i int) bool {
	b, _ := c.args[i].value.AsBool()
	return b
}

func (c *call) int(i int) int64 {
	n, _ := c.args[i].value.AsInt64()
	return n
}

func (c *call) float(i int) float64 {
	f, _ := c.args[i].value.AsFloat()
	return f
}

// strs is a list of at most maxCount strings.
func (c *call) strs(i int) ([]string, error) {
	if n, _ := c.args[i].value.Len(); n > maxCount {
		return nil, typed("Error deserializing field '%s': %d elements are more than %d", c.function.params[i].name, n, maxCount)
	}
	return stringsOf(c.args[i].value), nil
}

func (c *call) bytes(i int) ([]byte, error) {
	n, _ := c.args[i].value.Len()
	if err := c.grow(n); err != nil {
		return nil, err
	}
	b := make([]byte, 0, n)
	for e := range c.args[i].value.All() {
		n, _ := e.AsInt64()
		b = append(b, byte(n))
	}
	return b, nil
}

// maxCount is the longest list that a caller may ask for. Lists are allocated by their count, so
// it must never be a number that a stranger chose: 2^31 entries took 32 GB and ended the process.
const maxCount = 1024

// count is an optional number of list entries.
func (c *call) count(i, otherwise int) int {
	if !c.args[i].given {
		return otherwise
	}
	n, _ := c.args[i].value.AsUint64()
	return int(min(n, maxCount))
}

func stringsOf(array value.Value) []string {
	var list []string
	for e := range array.All() {
		s, _ := e.AsString()
		list = append(list, s)
	}
	return list
}
