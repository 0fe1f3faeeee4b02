package builtin

import (
	"context"

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
	shown := value.Array(c.Args)
	switch len(c.Args) {
	case 0:
		shown = value.String("<empty argument list>")
	case 1:
		shown = c.Args[0]
	}
	shown, err := shown.Canonical()
	return value.String(shown.Text()), err
}
