package builtin

import (
	"cmp"
	"context"

	"github.com/aquanode/aquanode/interpreter/value"
)

var cmpFunctions = []Function{
	comparison("gt", "Tells whether x > y.", func(x, y int64) bool { return x > y }),
	comparison("gte", "Tells whether x >= y.", func(x, y int64) bool { return x >= y }),
	comparison("lt", "Tells whether x < y.", func(x, y int64) bool { return x < y }),
	comparison("lte", "Tells whether x <= y.", func(x, y int64) bool { return x <= y }),
	{
		Service: "cmp", Name: "cmp", Args: "x: i64, y: i64", Exact: true, Result: "i8",
		Doc: "Gives -1, 0 or 1 as x is less than, equal to, or greater than y.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return value.Int(int64(cmp.Compare(c.int(0), c.int(1)))), nil
		},
	},
}

func comparison(name, doc string, f func(x, y int64) bool) Function {
	return Function{
		Service: "cmp", Name: name, Args: "x: i64, y: i64", Exact: true, Result: "bool", Doc: doc,
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return value.Bool(f(c.int(0), c.int(1))), nil
		},
	}
}
