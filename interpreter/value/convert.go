package value

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// FromGo makes a value of a Go one: nil, booleans, numbers, strings, []any, map[string]any and
// []string directly, other types the way encoding/json writes them.
func FromGo(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Null, nil
	case Value:
		return x.Canonical()
	case bool:
		return Bool(x), nil
	case string:
		return String(x), nil
	case float64:
		return fromFloat(x)
	case int:
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case uint64:
		return Uint(x), nil
	case []any:
		return fromSlice(x)
	case map[string]any:
		return fromMap(x)
	}
	return fromOther(x)
}

func fromFloat(f float64) (Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}, fmt.Errorf("%v is no JSON number", f)
	}
	return Float(f), nil
}

func fromSlice(xs []any) (Value, error) {
	elements := make([]Value, len(xs))
	for i, x := range xs {
		var err error
		if elements[i], err = FromGo(x); err != nil {
			return Value{}, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return Array(elements), nil
}

func fromMap(m map[string]any) (Value, error) {
	fields := make([]Field, 0, len(m))
	for key, x := range m {
		v, err := FromGo(x)
		if err != nil {
			return Value{}, fmt.Errorf("field %q: %w", key, err)
		}
		fields = append(fields, Field{Key: key, Value: v})
	}
	return Object(fields), nil
}

// fromOther keeps the kinds that encoding/json would lose: it writes the float 1 as 1, an integer
// here.
func fromOther(x any) (Value, error) {
	switch r := reflect.ValueOf(x); r.Kind() {
	case reflect.Float32, reflect.Float64:
		return fromFloat(r.Float())
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(x); err != nil {
		return Value{}, fmt.Errorf("%T is no JSON value: %w", x, err)
	}
	return Parse(text.String())
}

// Go makes a Go value: nil, bool, string, float64 for floats, int64 for integers (uint64 for
// those beyond), []any, map[string]any.
func (v Value) Go() (any, error) {
	c, err := v.Canonical()
	if err != nil {
		return nil, err
	}
	return c.tree(), nil
}

func (v Value) tree() any {
	switch v.Kind() {
	case KindBool:
		return v.text == "true"
	case KindString:
		s, _ := v.AsString()
		return s
	case KindFloat:
		f, _ := v.AsFloat()
		return f
	case KindInt:
		return v.integer()
	case KindArray:
		list := make([]any, 0)
		for _, e := range v.Elements() {
			list = append(list, e.tree())
		}
		return list
	case KindObject:
		m := make(map[string]any)
		for _, f := range v.Fields() {
			m[f.Key] = f.Value.tree()
		}
		return m
	}
	return nil
}

func (v Value) integer() any {
	if n, ok := v.AsInt64(); ok {
		return n
	}
	n, _ := v.AsUint64()
	return n
}

// MarshalJSON gives the text of the value.
func (v Value) MarshalJSON() ([]byte, error) {
	c, err := v.Canonical()
	return []byte(c.Text()), err
}

// UnmarshalJSON reads JSON text as Parse does.
func (v *Value) UnmarshalJSON(b []byte) (err error) {
	*v, err = Parse(string(b))
	return err
}
