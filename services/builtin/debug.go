package builtin

import (
	"context"
	"strings"

	"github.com/aquanode/aquanode/interpreter/value"
)

var debugFunctions = []Function{
	{
		Service: "debug", Name: "stringify", Args: "anything: ...any", Result: "string",
		Doc: `Writes its argument as JSON text, several as an array, none as "<empty argument list>" with the quotes.`,
		run: debugStringify,
	},
}

func debugStringify(_ *host, _ context.Context, c *call) (value.Value, error) {
	switch len(c.Args) {
	case 0:
		return c.stringify(value.String("<empty argument list>"))
	case 1:
		return c.stringify(c.Args[0])
	}
	if err := c.growResult(textSize(c.Args)); err != nil {
		return value.Value{}, err
	}
	return c.stringify(value.Array(c.Args))
}

// stringify makes a string of a value's text. Its quotes and backslashes get a backslash each.
func (c *call) stringify(v value.Value) (value.Value, error) {
	v, err := v.Canonical()
	if err != nil {
		return value.Value{}, err
	}
	text := v.Text()
	size := 2 + len(text) + strings.Count(text, `"`) + strings.Count(text, `\`)
	if err := c.growResult(size); err != nil {
		return value.Value{}, err
	}
	return written(value.AppendQuoted(make([]byte, 0, size), text))
}
