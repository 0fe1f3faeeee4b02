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
	{
		Service: "debug", Name: "journal", Args: "particle_id: string", Result: "[]Entry",
		Doc: `Returns what happened on this peer to a particle of the caller: the latest 256 entries, oldest first. ` +
			`An entry has at, kind, and as far as they apply peer, service, function, code, reason, detail, joins, waits.`,
		run: debugJournal,
	},
}

// maxEntries bounds a result of debug.journal; an entry has some 200 bytes, 10 kB at most.
const maxEntries = 256

// debugJournal shows nobody the particles of others: they are looked up by the init peer, which the
// signature of the asking particle proves.
func debugJournal(h *host, _ context.Context, c *call) (value.Value, error) {
	if h.Journal == nil {
		return value.Value{}, disabled(c, "journal")
	}
	entries := h.Journal.Entries(c.InitPeerID, c.str(0), maxEntries)
	size := 2
	for _, e := range entries {
		size += len(e) + 1
	}
	if err := c.growResult(size); err != nil {
		return value.Value{}, err
	}
	text := append(make([]byte, 0, size), '[')
	for i, e := range entries {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, e...)
	}
	return value.Raw(string(append(text, ']'))).Canonical()
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
