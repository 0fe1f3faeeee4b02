// Package text bounds texts that strangers make before they are kept or shown.
package text

import (
	"strings"
	"unicode/utf8"
)

// mark stands at the end of a text that was cut.
const mark = "..."

// Cut returns the first n bytes of s, with a mark if that is not all of it. The result is a
// copy: a piece of a text keeps all of it in memory. Half a character at the end is left out.
func Cut(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s)
	}
	end := n
	for end > 0 && end > n-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
