package services

import (
	"fmt"
	"strings"
)

// How much of a text that others wrote is shown or kept.
const (
	maxShown   = 200     // of a name or a value, in an error or a log line
	maxReason  = 1000    // of an error, in an observation
	maxMessage = 8 << 10 // of an error, as the result of a call
)

// Cut shortens a text that others wrote for an error or a log line: to 200 bytes, with its length.
func Cut(s string) string { return cut(s, maxShown) }

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(s[:most], ""), len(s))
}
