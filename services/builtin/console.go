package builtin

import (
	"context"
	"strings"

	logging "github.com/ipfs/go-log/v2"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
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
	logAt := console.Debugw
	var words []string
	room := maxLogged
	for _, a := range c.Args {
		text := a.Text()
		if strings.Contains(text, "decider") {
			logAt = console.Infow
		}
		if room > 0 {
			words = append(words, text[:min(len(text), room)])
			room -= len(text) + len(",")
		}
	}
	line := "[" + strings.Join(words, ",")
	if room < 0 {
		line = strings.ToValidUTF8(line, "") + "..."
	} else {
		line += "]"
	}
	logAt(line, "particle", services.Cut(c.ParticleID))
	return unit, nil
}
