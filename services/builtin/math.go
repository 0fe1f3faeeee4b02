package builtin

import (
	"context"
	"math"

	"github.com/aquanode/aquanode/interpreter/value"
)

var mathFunctions = []Function{
	arithmetic("add", "Adds x and y.", addInts, "i64 add overflow"),
	arithmetic("sub", "Subtracts y from x.", subInts, "i64 neg overflow", "i64 add overflow"),
	arithmetic("mul", "Multiplies x and y.", mulInts, "i64 mul overflow"),
	{
		Service: "math", Name: "fmul", Args: "x: f64, y: f64", Exact: true, Result: "i64",
		Doc: "Multiplies x and y and rounds down.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return value.Int(floor(c.float(0) * c.float(1))), nil
		},
	},
	arithmetic("div", "Divides x by y, rounding towards zero.", divInts, "i64 div overflow"),
	arithmetic("rem", "Gives the remainder of the division of x by y, with the sign of x.", remInts, "i64 rem overflow"),
	{
		Service: "math", Name: "pow", Args: "x: i64, y: u32", Exact: true, Result: "i64",
		Doc:    "Raises x to the power y.",
		Errors: []string{"i64 pow overflow"},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return integer(powInt(c.int(0), c.int(1)))
		},
	},
	{
		Service: "math", Name: "log", Args: "x: i64, y: i64", Exact: true, Result: "u32",
		Doc:    "Gives the logarithm of y to the base x, rounded down.",
		Errors: []string{"i64 log overflow"},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return integer(logInt(c.int(0), c.int(1)))
		},
	},
}

func arithmetic(name, doc string, f func(x, y int64) (int64, error), errs ...string) Function {
	return Function{
		Service: "math", Name: name, Args: "x: i64, y: i64", Exact: true, Result: "i64",
		Doc: doc, Errors: errs,
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return integer(f(c.int(0), c.int(1)))
		},
	}
}

func integer(n int64, err error) (value.Value, error) {
	if err != nil {
		return value.Value{}, err
	}
	return value.Int(n), nil
}

func addInts(x, y int64) (int64, error) {
	sum := x + y
	if (x < 0) == (y < 0) && (sum < 0) != (x < 0) {
		return 0, plain("i64 add overflow")
	}
	return sum, nil
}

// subInts adds the negative, as its error texts show.
func subInts(x, y int64) (int64, error) {
	if y == math.MinInt64 {
		return 0, plain("i64 neg overflow")
	}
	return addInts(x, -y)
}

func mulInts(x, y int64) (int64, error) {
	if x == 0 || y == 0 {
		return 0, nil
	}
	p := x * y
	if p/y != x || x == -1 && y == math.MinInt64 || y == -1 && x == math.MinInt64 {
		return 0, plain("i64 mul overflow")
	}
	return p, nil
}

func divInts(x, y int64) (int64, error) {
	if y == 0 || x == math.MinInt64 && y == -1 {
		return 0, plain("i64 div overflow")
	}
	return x / y, nil
}

func remInts(x, y int64) (int64, error) {
	if y == 0 || x == math.MinInt64 && y == -1 {
		return 0, plain("i64 rem overflow")
	}
	return x % y, nil
}

// powInt squares and multiplies. The bases 0, 1 and -1 never overflow; others do at y = 64 at
// the latest.
func powInt(x, y int64) (int64, error) {
	p := int64(1)
	for bit := y; bit > 0; bit >>= 1 {
		var err error
		if bit&1 == 1 {
			if p, err = mulInts(p, x); err != nil {
				return 0, plain("i64 pow overflow")
			}
		}
		if bit > 1 {
			if x, err = mulInts(x, x); err != nil {
				return 0, plain("i64 pow overflow")
			}
		}
	}
	return p, nil
}

func logInt(base, y int64) (int64, error) {
	if y <= 0 || base < 2 {
		return 0, plain("i64 log overflow")
	}
	var n int64
	for y >= base {
		y /= base
		n++
	}
	return n, nil
}

// floor saturates; NaN becomes 0.
func floor(f float64) int64 {
	f = math.Floor(f)
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}
