package text

import (
	"strings"
	"testing"
	"unsafe"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc..."},
		{"abé", 3, "ab..."},
		{"aé", 3, "aé"},
		{"日本", 4, "日..."},
		{"日本", 1, "..."},
		{strings.Repeat("\x80", 10), 8, strings.Repeat("\x80", 4) + "..."},
	} {
		if got := Cut(c.s, c.n); got != c.want {
			t.Errorf("%q at %d: want %q, got %q", c.s, c.n, c.want, got)
		}
	}
}

// A short piece of a long text does not keep the long one in memory.
func TestCutCopies(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, s := range []string{long[:36], long} {
		if got := Cut(s, 100); unsafe.StringData(got) == unsafe.StringData(long) {
			t.Errorf("the cut of %d bytes shares their memory", len(s))
		}
	}
}
