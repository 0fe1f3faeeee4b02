package builtin

import (
	"context"

	"github.com/aquanode/aquanode/interpreter/value"
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
			return selected(c.strs(0), func(string) bool { return true }), nil
		},
	},
	{
		Service: "array", Name: "intersect", Args: "x: []string, y: []string", Exact: true, Result: "[]string",
		Doc: "Lists the strings that are in both, in the order of x.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			y := setOf(c.strs(1))
			return selected(c.strs(0), func(s string) bool { return y[s] }), nil
		},
	},
	{
		Service: "array", Name: "diff", Args: "x: []string, y: []string", Exact: true, Result: "[]string",
		Doc: "Lists the strings of x that are not in y.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			y := setOf(c.strs(1))
			return selected(c.strs(0), func(s string) bool { return !y[s] }), nil
		},
	},
	{
		Service: "array", Name: "sdiff", Args: "x: []string, y: []string", Exact: true, Result: "[]string",
		Doc: "Lists the strings that are in one of both only.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			x, y := setOf(c.strs(0)), setOf(c.strs(1))
			return selected(append(c.strs(0), c.strs(1)...), func(s string) bool { return x[s] != y[s] }), nil
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
	for _, e := range c.value(0).Elements() {
		n, _ := e.AsInt64()
		var err error
		if sum, err = addInts(sum, n); err != nil {
			return value.Value{}, err
		}
	}
	return value.Int(sum), nil
}

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
}

// selected keeps the wanted strings, each where it stands first.
func selected(list []string, want func(string) bool) value.Value {
	seen := make(map[string]bool, len(list))
	var kept []string
	for _, s := range list {
		if !seen[s] && want(s) {
			kept = append(kept, s)
		}
		seen[s] = true
	}
	return strs(kept)
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
		return value.Value{}, plain("first argument must be an array, was %s", array)
	}
	start, ok := startArg.AsUint64()
	if !ok {
		return value.Value{}, plain("second argument (start index) must be an unsigned integer, was %s", startArg)
	}
	end, ok := endArg.AsUint64()
	if !ok {
		return value.Value{}, plain("third argument (end index) must be an unsigned integer, was %s", endArg)
	}
	elements := array.Elements()
	if start > end || end > uint64(len(elements)) {
		return value.Value{}, plain("slice indexes out of bounds. start index: %d, end index: %d, array length: %d",
			start, end, len(elements))
	}
	return value.Array(elements[start:end]), nil
}
