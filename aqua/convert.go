package aqua

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/aquanode/aquanode/aqua/types"
)

// ToAqua converts a JSON value to the form that a script takes for a type, as clients do:
//
//	?T       null is none, a value is some; [] and [value] stay as they are
//	data     each field by its type; only an option may be missing
//	numbers  in the range of their type, integers without a fraction
//	⊤        anything
//
// The error has the place in the value.
func ToAqua(t types.Type, text []byte) (json.RawMessage, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	out, err := toAqua(t, v, "")
	if err != nil {
		return nil, err
	}
	return encode(out)
}

// optionToAqua converts a value that is an option already.
func optionToAqua(t types.Option, text []byte) (json.RawMessage, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	out, err := elements(t.Elem, v, t, "")
	if err != nil {
		return nil, err
	}
	return encode(out)
}

// FromAqua converts a result of a script to the form that clients return: none is null, some is the
// value, data has its declared fields. A value that does not fit its type stays as it is.
func FromAqua(t types.Type, text []byte) (json.RawMessage, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	return encode(fromAqua(t, v))
}

func decode(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // digits stay as they are
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func toAqua(t types.Type, v any, at string) (any, error) {
	switch t := t.(type) {
	case types.Top, types.Dynamic:
		return v, nil
	case types.Array:
		return elements(t.Elem, v, t, at)
	case types.Stream:
		return elements(t.Elem, v, t, at)
	case types.Option:
		return option(t, v, at)
	case *types.Struct:
		return object(t, v, at)
	case types.Scalar:
		return scalar(t, v, at)
	}
	return nil, mismatch(t, v, at)
}

func elements(elem types.Type, v any, t types.Type, at string) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, mismatch(t, v, at)
	}
	out := make([]any, len(list))
	for i, e := range list {
		var err error
		if out[i], err = toAqua(elem, e, at+"["+strconv.Itoa(i)+"]"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// option converts a list that is the value itself or the form that a script takes. The list and the
// type decide: trying both would take twice as long at each level.
func option(t types.Option, v any, at string) (any, error) {
	if v == nil {
		return []any{}, nil
	}
	if list, ok := v.([]any); ok && len(list) <= 1 && wrapped(t.Elem, list) {
		return elements(t.Elem, v, t, at)
	}
	out, err := toAqua(t.Elem, v, at)
	if err != nil {
		return nil, err
	}
	return []any{out}, nil
}

// wrapped reports whether a list of one or none is an option of elem, and not an elem.
func wrapped(elem types.Type, list []any) bool {
	switch elem.(type) {
	case types.Top, types.Dynamic:
		return false
	}
	inner, many := types.Elem(elem)
	if !many {
		return true
	}
	if len(list) == 0 {
		return false
	}
	_, nested := list[0].([]any)
	_, deeper := types.Elem(inner)
	return nested && !deeper && inner != types.Type(types.Top{})
}

func object(t *types.Struct, v any, at string) (any, error) {
	fields, ok := v.(map[string]any)
	if !ok || t.Kind != types.Data {
		return nil, mismatch(t, v, at)
	}
	for name := range fields {
		if _, ok := t.Field(name); !ok {
			return nil, fmt.Errorf("%s has no field '%s'; it has %s",
				place(at, t.Name), cutName(name), fieldNames(t))
		}
	}
	out := make(map[string]any, len(t.Fields))
	for _, f := range t.Fields {
		value, given := fields[f.Name]
		if _, optional := f.Type.(types.Option); !given && !optional {
			return nil, fmt.Errorf("%s lacks the field '%s' of type %s", place(at, t.Name), f.Name, f.Type)
		}
		var err error
		if out[f.Name], err = toAqua(f.Type, value, at+"."+f.Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func fieldNames(t *types.Struct) string {
	var names []string
	for _, f := range t.Fields[:min(len(t.Fields), 10)] {
		names = append(names, f.Name)
	}
	if len(t.Fields) > 10 {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// place names a part of a value, or the whole by its type.
func place(at, whole string) string {
	if at == "" {
		return "the value of type " + whole
	}
	return "'" + strings.TrimPrefix(at, ".") + "'"
}

// bits are the sizes of integers in bits.
var bits = map[types.Scalar]uint{
	types.U8: 8, types.U16: 16, types.U32: 32, types.U64: 64,
	types.I8: 8, types.I16: 16, types.I32: 32, types.I64: 64,
}

func scalar(t types.Scalar, v any, at string) (any, error) {
	ok := false
	switch v := v.(type) {
	case string:
		ok = t == types.String
	case bool:
		ok = t == types.Bool
	case json.Number:
		if t == types.F32 || t == types.F64 {
			ok = true
			break
		}
		size, isInteger := bits[t]
		if !isInteger {
			break
		}
		return integerIn(t, size, v, at)
	}
	if !ok {
		return nil, mismatch(t, v, at)
	}
	return v, nil
}

// integerIn checks an integer. 1.0 and 1e3 are integers too, but not numbers with a large exponent.
func integerIn(t types.Scalar, size uint, v json.Number, at string) (any, error) {
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), size)
	if t >= types.I8 {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	n, ok := new(big.Int).SetString(v.String(), 10)
	if !ok || len(v) > 40 {
		if f, err := v.Float64(); err == nil && f == float64(int64(f)) && f > -1e15 && f < 1e15 {
			n, ok = big.NewInt(int64(f)), true
		}
	}
	if !ok || n.Cmp(low) < 0 || n.Cmp(high) >= 0 {
		high.Sub(high, big.NewInt(1))
		return nil, fmt.Errorf("%s is %s, but %s goes from %s to %s",
			place(at, t.String()), cutName(v.String()), t, low, high)
	}
	return json.Number(n.String()), nil
}

func mismatch(t types.Type, v any, at string) error {
	return fmt.Errorf("%s must be %s, not %s", place(at, t.String()), t, kind(v))
}

// kind describes a JSON value in an error: its type, and its text if that is short.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "the string " + strconv.Quote(cutName(v))
	case json.Number:
		return "the number " + cutName(v.String())
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "an array"
	}
	return "an object"
}

// cutName bounds the text of a value in errors.
func cutName(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "..."
	}
	return s
}

func fromAqua(t types.Type, v any) any {
	switch t := t.(type) {
	case types.Array:
		return eachOf(t.Elem, v)
	case types.Stream:
		return eachOf(t.Elem, v)
	case types.Option:
		if list, ok := v.([]any); ok && len(list) == 0 {
			return nil
		} else if ok {
			return fromAqua(t.Elem, list[0])
		}
	case *types.Struct:
		fields, ok := v.(map[string]any)
		if !ok {
			return v
		}
		out := make(map[string]any, len(t.Fields))
		for _, f := range t.Fields {
			out[f.Name] = fromAqua(f.Type, fields[f.Name])
		}
		return out
	}
	return v
}

func eachOf(elem types.Type, v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = fromAqua(elem, e)
	}
	return out
}

// Zero returns the zero value of a type, in the form that scripts take.
func Zero(t types.Type) json.RawMessage {
	switch t := t.(type) {
	case types.Array, types.Stream, types.Option:
		return json.RawMessage("[]")
	case types.Scalar:
		switch t {
		case types.Bool:
			return json.RawMessage("false")
		case types.String:
			return json.RawMessage(`""`)
		}
		return json.RawMessage("0")
	case *types.Struct:
		fields := make(map[string]json.RawMessage, len(t.Fields))
		for _, f := range t.Fields {
			fields[f.Name] = Zero(f.Type)
		}
		text, _ := json.Marshal(fields) // of valid parts
		return text
	}
	return json.RawMessage("null")
}
