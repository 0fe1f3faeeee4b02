package value

import (
	"strings"
	"testing"
)

func TestTexts(t *testing.T) {
	var shared Texts
	var got, want []string
	note := func(g string, w string) { got, want = append(got, g), append(want, w) }
	for i := range 400 {
		text := strings.Repeat("x", i*i%700)
		b := []byte(text)
		note(shared.Keep(b), text)
		clear(b) // the caller goes on to use it
		// Keys whose escapes take more than was expected, repeated and unsorted ones.
		for _, key := range []string{"plain", "\x01\x02\n\"", "\xff\xfe", ""} {
			fields := []Field{{Key: key, Value: String(text)}, {Key: "b", Value: Int(int64(i))}, {Key: "b", Value: Null}}
			note(shared.Object(fields).Text(), Object(fields).Text())
		}
		note(shared.Object(nil).Text(), "{}")
	}
	for i := range got { // only now, when later ones could have written over earlier ones
		if got[i] != want[i] {
			t.Fatalf("text %d: %q, want %q", i, got[i], want[i])
		}
	}
}
