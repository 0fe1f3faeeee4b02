package builtin

import (
	"context"
	"strings"

	logging "github.com/ipfs/go-log/v2"

	"github.com/aquanode/aquanode/interpreter/value"
)

var console = logging.Logger("run-console")

var consoleFunctions = []Function{
	{
		Service: "run-console", Name: "print", Args: "anything: ...any", Guarded: true,
		Doc: "Writes its arguments to the peer's log, at level debug (info if one contains \"decider\").",
		run: consolePrint,
	},
}

// maxLogged bounds the text of one log line.
const maxLogged = 500

func consolePrint(_ *host, _ context.Context, c *call) (value.Value, error) {
	text := value.Array(c.Args).Text()
	logAt := console.Debugw
	if strings.Contains(text, "decider") {
		logAt = console.Infow
	}
	if len(text) > maxLogged {
		text = strings.ToValidUTF8(text[:maxLogged], "") + "..."
	}
	logAt(text, "particle", c.ParticleID)
	return unit, nil
}
