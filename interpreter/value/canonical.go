package value

import (
	"strings"
	"unicode/utf8"
)

// isCanonical reports whether s is the canonical text of a value. It is the fast way into Parse:
// one pass, no allocation (but for keys or floats that need a closer look), and no for an answer as
// soon as anything is unusual, be it legal or not; Parse's parser then says which.
func isCanonical(s string) bool {
	return len(s) > 0 && skipCanonical(s, 0, 0) == len(s) && utf8.ValidString(s)
}

// The functions below take the offset of something in s and return the offset after it, -1 if it
// is not there in canonical form.

func skipCanonical(s string, i, depth int) int {
	if i >= len(s) {
		return -1
	}
	switch c := s[i]; {
	case c == '"':
		end, _ := skipCanonicalString(s, i)
		return end
	case c == '[' && depth < maxDepth:
		return skipCanonicalArray(s, i+1, depth+1)
	case c == '{' && depth < maxDepth:
		return skipCanonicalObject(s, i+1, depth+1)
	case c == '-' || isDigit(c):
		return skipCanonicalNumber(s, i)
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if strings.HasPrefix(s[i:], word) {
			return i + len(word)
		}
	}
	return -1
}

func skipCanonicalArray(s string, i, depth int) int {
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	for {
		if i = skipCanonical(s, i, depth); i < 0 || i >= len(s) {
			return -1
		}
		switch s[i] {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return -1
		}
	}
}

func skipCanonicalObject(s string, i, depth int) int {
	if i < len(s) && s[i] == '}' {
		return i + 1
	}
	last := ""
	for first := true; ; first = false {
		if i >= len(s) || s[i] != '"' {
			return -1
		}
		end, plain := skipCanonicalString(s, i)
		if end < 0 || end >= len(s) || s[end] != ':' {
			return -1
		}
		key := s[i+1 : end-1]
		if !plain {
			key = unquote(key)
		}
		if !first && key <= last {
			return -1
		}
		last = key
		if i = skipCanonical(s, end+1, depth); i < 0 || i >= len(s) {
			return -1
		}
		switch s[i] {
		case ',':
			i++
		case '}':
			return i + 1
		default:
			return -1
		}
	}
}

// skipCanonicalString also tells whether the string has no escapes.
func skipCanonicalString(s string, i int) (end int, plain bool) {
	plain = true
	for i++; ; plain = false {
		i += plainLen(s[i:])
		if i >= len(s) {
			return -1, false
		}
		switch s[i] {
		case '"':
			return i + 1, plain
		case '\\':
			if i = skipCanonicalEscape(s, i); i < 0 {
				return -1, false
			}
		default:
			return -1, false
		}
	}
}

func skipCanonicalEscape(s string, i int) int {
	if i+1 >= len(s) {
		return -1
	}
	letter := s[i+1]
	if letter != 'u' {
		if escapes[unescapes[letter]] != letter { // \/ and the letters that are none
			return -1
		}
		return i + 2
	}
	if i+6 > len(s) || s[i+2] != '0' || s[i+3] != '0' || s[i+4] > '1' || s[i+4] < '0' {
		return -1
	}
	low := unhex(s[i+5])
	if low == 0xff || hexDigits[low] != s[i+5] || escapes[(s[i+4]-'0')<<4|low] != 'u' {
		return -1
	}
	return i + 6
}

// skipCanonicalNumber decides at sight for integers of up to 18 digits and plain floats of up to
// 15, which name their float exactly and shortest; others are read and written to compare.
func skipCanonicalNumber(s string, i int) int {
	start := i
	if s[i] == '-' {
		i++
	}
	first := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	whole := i - first
	if whole == 0 || whole > 1 && s[first] == '0' {
		return -1
	}
	if i == len(s) || s[i] != '.' && s[i]|0x20 != 'e' {
		if whole <= 18 && s[start:i] != "-0" {
			return i
		}
		return rewritten(s, start)
	}
	if s[i] == '.' {
		end := i + 1
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		digits := whole + end - i - 1
		plain := end == len(s) || s[end]|0x20 != 'e'
		large := s[first] != '0' || end > i+1 && s[i+1] != '0'
		shortest := end > i+1 && (s[end-1] != '0' || end == i+2)
		if plain && large && shortest && digits <= 15 {
			return end
		}
	}
	return rewritten(s, start)
}

// rewritten reads the number at i in full and returns the offset after it if its
// canonical text is what stands there.
func rewritten(s string, i int) int {
	p := parser{src: s, pos: i}
	n, reason := p.readNumber()
	if reason != "" {
		return -1
	}
	var buf [32]byte
	text, ok := n.appendTo(buf[:0])
	if !ok || string(text) != s[i:p.pos] {
		return -1
	}
	return p.pos
}
