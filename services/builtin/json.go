package builtin

import (
	"context"

	"github.com/aquanode/aquanode/interpreter/value"
)

var (
	pairErrors = []string{
		"Expected odd number of arguments, got even. No value for key '<k>'",
		"All keys must be of type string. Key of the following pair is of invalid type: (<k>, <v>)",
	}
	errNoObject = "expected json object, got <v>"
)

var jsonFunctions = []Function{
	{
		Service: "json", Name: "obj", Args: "pairs: ...any", Result: "object",
		Doc:    "Makes an object of keys and values in turn.",
		Errors: pairErrors,
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return putAll(value.EmptyObject, c.Args)
		},
	},
	{
		Service: "json", Name: "put", Args: "object: any, key: string, value: any", Result: "object",
		Doc:    "Sets one field of an object.",
		Errors: []string{errNoObject},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return putAll(c.value(0), c.Args[1:3])
		},
	},
	{
		Service: "json", Name: "puts", Args: "object: any, pairs: ...any", Result: "object",
		Doc:    "Sets fields of an object, given as keys and values in turn.",
		Errors: append([]string{errNoObject}, pairErrors...),
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return putAll(c.value(0), c.Args[1:])
		},
	},
	{
		Service: "json", Name: "obj_pairs", Args: "x: []keyed", Exact: true, Result: "object",
		Doc:    "Makes an object of an array of [key, value].",
		Errors: pairErrors[1:],
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return putAll(value.EmptyObject, flatten(c.value(0)))
		},
	},
	{
		Service: "json", Name: "puts_pairs", Args: "x: any, y: []keyed", Exact: true, Result: "object",
		Doc:    "Sets fields of an object, given as an array of [key, value].",
		Errors: append([]string{errNoObject}, pairErrors[1:]...),
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return putAll(c.value(0), flatten(c.value(1)))
		},
	},
	{
		Service: "json", Name: "parse", Args: "x: string", Exact: true, Result: "any",
		Doc:    "Reads JSON text.",
		Errors: []string{"Error: error parsing json <text>"},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			v, err := value.Parse(c.str(0))
			if err != nil {
				return value.Value{}, typed("error parsing json %s", c.str(0))
			}
			return v, nil
		},
	},
	{
		Service: "json", Name: "stringify", Args: "x: any", Exact: true, Result: "string",
		Doc: "Writes a value as compact JSON text.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			v, err := c.value(0).Canonical()
			return value.String(v.Text()), err
		},
	},
}

// putAll sets fields given as keys and values in turn. Objects travel between peers with
// sorted keys, so the order of fields is not kept.
func putAll(obj value.Value, pairs []value.Value) (value.Value, error) {
	if obj.Kind() != value.KindObject {
		return value.Value{}, plain("expected json object, got %s", obj)
	}
	fields := obj.Fields()
	for i := 0; i < len(pairs); i += 2 {
		key, isString := pairs[i].AsString()
		if i+1 == len(pairs) {
			return value.Value{}, plain("Expected odd number of arguments, got even. No value for key '%s'", bare(pairs[i]))
		}
		if !isString {
			return value.Value{}, plain("All keys must be of type string. Key of the following pair is of invalid type: (%s, %s)",
				pairs[i], pairs[i+1])
		}
		fields = append(fields, value.Field{Key: key, Value: pairs[i+1]})
	}
	return value.Object(fields), nil
}

// flatten joins an array of pairs, which were checked to be of two.
func flatten(pairs value.Value) []value.Value {
	var flat []value.Value
	for _, p := range pairs.Elements() {
		flat = append(flat, p.Elements()...)
	}
	return flat
}

// bare is a string without quotes, or JSON.
func bare(v value.Value) string {
	if s, ok := v.AsString(); ok {
		return s
	}
	return v.Text()
}
