package builtin

import (
	"context"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

var arrayFunctions = []Function{
	{
		Service: "array", Name: "sum", Args: "x: []i64", Exact: true, Result: "i64",
		Doc:    "Adds numbers.",
		Errors: []string{"i64 add overflow"},
		run:    arraySum,
	},
	{
		Service: "array", Name: "dedup", Args: "x: []string", Exact: true, Result: "[]string",
		Doc: "Drops strings that came before.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return c.selected(func(string) bool { return true }, c.value(0))
		},
	},
	{
		Service: "array", Name: "intersect", Args: "x: []string, y: []string", Exact: true, Result: "[]string",
		Doc: "Lists the strings that are in both, in the order of x.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			y, err := c.setOf(c.value(1))
			if err != nil {
				return value.Value{}, err
			}
			return c.selected(y.contains, c.value(0))
		},
	},
	{
		Service: "array", Name: "diff", Args: "x: []string, y: []string", Exact: true, Result: "[]string",
		Doc: "Lists the strings of x that are not in y.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			y, err := c.setOf(c.value(1))
			if err != nil {
				return value.Value{}, err
			}
			return c.selected(func(s string) bool { return !y.contains(s) }, c.value(0))
		},
	},
	{
		Service: "array", Name: "sdiff", Args: "x: []string, y: []string", Exact: true, Result: "[]string",
		Doc: "Lists the strings that are in one of both only.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			x, err := c.setOf(c.value(0))
			if err != nil {
				return value.Value{}, err
			}
			y, err := c.setOf(c.value(1))
			if err != nil {
				return value.Value{}, err
			}
			return c.selected(func(s string) bool { return x.contains(s) != y.contains(s) }, c.value(0), c.value(1))
		},
	},
	{
		Service: "array", Name: "slice", Args: "array: ...any", Result: "[]any",
		Doc: "Takes the elements of an array from a start index up to, not including, an end index.",
		Errors: []string{
			"invalid number of parameters. need array, start index and end index",
			"first argument must be an array, was <v>",
			"second argument (start index) must be an unsigned integer, was <v>",
			"third argument (end index) must be an unsigned integer, was <v>",
			"slice indexes out of bounds. start index: <s>, end index: <e>, array length: <n>",
		},
		run: arraySlice,
	},
	{
		Service: "array", Name: "length", Args: "array: ...any", Result: "u32",
		Doc:    "Counts the elements of an array.",
		Errors: arrayLengthErrors,
		run:    arrayLength,
	},
}

func arraySum(_ *host, _ context.Context, c *call) (value.Value, error) {
	var sum int64
	for e := range c.value(0).All() {
		n, _ := e.AsInt64()
		var err error
		if sum, err = addInts(sum, n); err != nil {
			return value.Value{}, err
		}
	}
	return value.Int(sum), nil
}

// arraySlice answers for an empty array before it looks at anything else, as the reference
// peer does.
func arraySlice(_ *host, _ context.Context, c *call) (value.Value, error) {
	if len(c.Args) > 0 && c.Args[0].Text() == "[]" {
		return value.EmptyArray, nil
	}
	if len(c.Args) != 3 {
		return value.Value{}, plain("invalid number of parameters. need array, start index and end index")
	}
	array, startArg, endArg := c.Args[0], c.Args[1], c.Args[2]
	if array.Kind() != value.KindArray {
		return value.Value{}, plain("first argument must be an array, was %s", services.Cut(array.Text()))
	}
	start, ok := startArg.AsUint64()
	if !ok {
		return value.Value{}, plain("second argument (start index) must be an unsigned integer, was %s", services.Cut(startArg.Text()))
	}
	end, ok := endArg.AsUint64()
	if !ok {
		return value.Value{}, plain("third argument (end index) must be an unsigned integer, was %s", services.Cut(endArg.Text()))
	}
	from, to, n := 1, 1, uint64(0) // where the elements are in the text
	at := 1
	for e := range array.All() {
		if n == start {
			from = at
		}
		at += len(e.Text()) + len(",")
		if n++; n == end {
			to = at - len(",")
		}
	}
	switch {
	case start > end || end > n:
		return value.Value{}, plain("slice indexes out of bounds. start index: %d, end index: %d, array length: %d", start, end, n)
	case start == end:
		return value.EmptyArray, nil
	}
	if err := c.growResult(to - from + 2); err != nil {
		return value.Value{}, err
	}
	return value.Parse("[" + array.Text()[from:to] + "]")
}
