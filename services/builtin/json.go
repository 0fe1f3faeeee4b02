package builtin

import (
	"context"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
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
			return c.putAll(value.EmptyObject, c.Args)
		},
	},
	{
		Service: "json", Name: "put", Args: "object: any, key: string, value: any", Result: "object",
		Doc:    "Sets one field of an object.",
		Errors: []string{errNoObject},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return c.putAll(c.value(0), c.Args[1:3])
		},
	},
	{
		Service: "json", Name: "puts", Args: "object: any, pairs: ...any", Result: "object",
		Doc:    "Sets fields of an object, given as keys and values in turn.",
		Errors: append([]string{errNoObject}, pairErrors...),
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return c.putAll(c.value(0), c.Args[1:])
		},
	},
	{
		Service: "json", Name: "obj_pairs", Args: "x: []keyed", Exact: true, Result: "object",
		Doc:    "Makes an object of an array of [key, value].",
		Errors: pairErrors[1:],
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return c.putPairs(value.EmptyObject, c.value(0))
		},
	},
	{
		Service: "json", Name: "puts_pairs", Args: "x: any, y: []keyed", Exact: true, Result: "object",
		Doc:    "Sets fields of an object, given as an array of [key, value].",
		Errors: append([]string{errNoObject}, pairErrors[1:]...),
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return c.putPairs(c.value(0), c.value(1))
		},
	},
	{
		Service: "json", Name: "parse", Args: "x: string", Exact: true, Result: "any",
		Doc:    "Reads JSON text.",
		Errors: []string{"Error: error parsing json <text>"},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			// Text that is not canonical is written anew: 1e15 becomes 1000000000000000.0. Of an
			// object being read each member takes 32 bytes beside its text.
			if err := c.grow(jsonGrowth * len(c.value(0).Text())); err != nil {
				return value.Value{}, err
			}
			v, err := value.Parse(c.str(0))
			if err != nil {
				return value.Value{}, typed("error parsing json %s", services.Cut(c.str(0)))
			}
			return v, nil
		},
	},
	{
		Service: "json", Name: "stringify", Args: "x: any", Exact: true, Result: "string",
		Doc: "Writes a value as compact JSON text.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return c.stringify(c.value(0))
		},
	},
}

// jsonGrowth is the memory that reading JSON may take, in lengths of the text.
const jsonGrowth = 8

// A field takes 40 bytes, and as many again while fields are put in order.
const fieldSize = 80

// putAll sets fields given as keys and values in turn. Objects travel between peers with
// sorted keys, so the order of fields is not kept.
func (c *call) putAll(obj value.Value, pairs []value.Value) (value.Value, error) {
	if err := c.growFields(obj, len(pairs)/2, textSize(pairs)); err != nil {
		return value.Value{}, err
	}
	fields := make([]value.Field, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if i+1 == len(pairs) {
			return value.Value{}, plain("Expected odd number of arguments, got even. No value for key '%s'", services.Cut(bare(pairs[i])))
		}
		key, isString := pairs[i].AsString()
		if !isString {
			return value.Value{}, badKey(pairs[i], pairs[i+1])
		}
		fields = append(fields, value.Field{Key: key, Value: pairs[i+1]})
	}
	return value.Merge(obj, value.Object(fields)), nil
}

// putPairs sets fields given as an array of pairs, which were checked to be of two.
func (c *call) putPairs(obj, pairs value.Value) (value.Value, error) {
	n, _ := pairs.Len()
	if err := c.growFields(obj, n, len(pairs.Text())); err != nil {
		return value.Value{}, err
	}
	fields := make([]value.Field, 0, n)
	for p := range pairs.All() {
		k, _ := p.Index(0)
		v, _ := p.Index(1)
		key, isString := k.AsString()
		if !isString {
			return value.Value{}, badKey(k, v)
		}
		fields = append(fields, value.Field{Key: key, Value: v})
	}
	return value.Merge(obj, value.Object(fields)), nil
}

// growFields asks for the memory of n new fields of an object: the fields, the text of an object
// of them, and that of both.
func (c *call) growFields(obj value.Value, n, size int) error {
	if obj.Kind() != value.KindObject {
		return plain("expected json object, got %s", services.Cut(obj.Text()))
	}
	if err := c.grow(n*fieldSize + size); err != nil {
		return err
	}
	return c.growResult(len(obj.Text()) + size)
}

func badKey(k, v value.Value) error {
	return plain("All keys must be of type string. Key of the following pair is of invalid type: (%s, %s)",
		services.Cut(k.Text()), services.Cut(v.Text()))
}

// bare is a string without quotes, or JSON.
func bare(v value.Value) string {
	if s, ok := v.AsString(); ok {
		return s
	}
	return v.Text()
}
