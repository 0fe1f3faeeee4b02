package value

import (
	"strings"
	"testing"
)

// TestAppendQuoted puts every byte at every place of strings whose sizes are around those of words.
func TestAppendQuoted(t *testing.T) {
	for size := 1; size < 26; size++ {
		for at := range size {
			for c := range 256 {
				b := []byte(strings.Repeat("a", size))
				b[at] = byte(c)
				want := []byte{'"'}
				for _, c := range []byte(strings.ToValidUTF8(string(b), "\uFFFD")) {
					if escapes[c] != 0 {
						want = appendEscape(want, c)
					} else {
						want = append(want, c)
					}
				}
				want = append(want, '"')
				if got := AppendQuoted(nil, string(b)); string(got) != string(want) {
					t.Fatalf("%q: %s, want %s", b, got, want)
				}
			}
		}
	}
}
