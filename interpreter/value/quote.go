package value

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"
)

const hexDigits = "0123456789abcdef"

// escapes maps the bytes that a string escapes to the letter after the backslash; 'u' stands for
// \u00xx. It is the only table of what is special in a string.
var escapes = func() (table [256]byte) {
	for c := range 0x20 {
		table[c] = 'u'
	}
	for c, letter := range map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\t': 't', '\n': 'n',
		'\f': 'f', '\r': 'r'} {
		table[c] = letter
	}
	return table
}()

// unescapes maps the letter after a backslash to the byte it stands for, 0 for none.
// \u is not in it.
var unescapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n',
	'r': '\r', 't': '\t'}

// AppendQuoted writes s as a canonical JSON string. Invalid UTF-8 is written as U+FFFD.
func AppendQuoted(dst []byte, s string) []byte {
	if plainASCII(s) {
		return append(append(append(dst, '"'), s...), '"')
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	dst = append(dst, '"')
	for {
		n := plainLen(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return append(dst, '"')
		}
		dst = appendEscape(dst, s[n])
		s = s[n+1:]
	}
}

func appendEscape(dst []byte, c byte) []byte {
	if letter := escapes[c]; letter != 'u' {
		return append(dst, '\\', letter)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// plainASCII reports whether s, of at least eight bytes, has only bytes below 0x80 that need no
// escape, as ids have.
func plainASCII(s string) bool {
	if len(s) < 8 {
		return false
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for i := 0; i+8 <= len(b); i += 8 {
		if word := binary.LittleEndian.Uint64(b[i:]); special(word)|word&tops != 0 {
			return false
		}
	}
	word := binary.LittleEndian.Uint64(b[len(b)-8:]) // the rest, with some before it once more
	return special(word)|word&tops == 0
}

const ones, tops = 0x0101010101010101, 0x8080808080808080

// special has top bits where bytes of a word need an escape. A bit rises where a byte was below
// 0x20, or zero after the xor; bytes from 0x80 up are masked out. Borrows can only raise bits above
// a true one, so the lowest is true.
func special(word uint64) uint64 {
	quote, slash := word^(ones*'"'), word^(ones*'\\')
	return ((word-ones*0x20)&^word | (quote-ones)&^quote | (slash-ones)&^slash) & tops
}

// plainLen is the length of the longest beginning of s without a byte that needs an escape. It
// looks at eight bytes at a time: 2.5 times as fast as the byte loop on long strings.
func plainLen(s string) int {
	i := 0
	for b := unsafe.Slice(unsafe.StringData(s), len(s)); i+8 <= len(s); i += 8 {
		if hits := special(binary.LittleEndian.Uint64(b[i:])); hits != 0 {
			return i + bits.TrailingZeros64(hits)/8
		}
	}
	for ; i < len(s); i++ {
		if escapes[s[i]] != 0 {
			return i
		}
	}
	return i
}

// unquote reads the inside of a canonical JSON string, without its quotes.
func unquote(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i >= 0 {
		b = append(b, s[:i]...)
		if s[i+1] == 'u' {
			b = append(b, unhex(s[i+4])<<4|unhex(s[i+5])) // canonical text has \u00xx only
			s = s[i+6:]
		} else {
			b = append(b, unescapes[s[i+1]])
			s = s[i+2:]
		}
		i = strings.IndexByte(s, '\\')
	}
	return owned(append(b, s...))
}

// unhex is the value of a hexadecimal digit, 0xff for other bytes.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// owned makes a string of bytes that nobody will write to again, without copying them.
func owned(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
