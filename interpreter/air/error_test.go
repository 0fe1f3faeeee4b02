package air

import (
	"os"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/internal/golden"
)

// TestHuman holds the texts for people to testdata/human.txt: scripts between lines of
// "---", each followed by what its author reads.
func TestHuman(t *testing.T) {
	const file, fence, arrow = "testdata/human.txt", "---\n", "==>\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for k, part := range strings.Split(string(text), fence) {
		src, _, _ := strings.Cut(part, arrow)
		src = strings.TrimSuffix(src, "\n")
		_, err := Parse(src)
		if err == nil {
			t.Fatalf("accepted: %s", src)
		}
		if k > 0 {
			b.WriteString(fence)
		}
		b.WriteString(src + "\n" + arrow + err.(*ParseError).Human("hello.air"))
	}
	golden.File(t, file, b.String())
}

func TestDiagnostics(t *testing.T) {
	src := "(seq\n (call \"p\" (\"s\" \"f\") [x])\n (next i)\n)"
	_, err := Parse(src)
	refusal, ok := err.(*ParseError)
	if !ok || len(refusal.Diagnostics) != 2 {
		t.Fatalf("got %v, want two diagnostics", err)
	}
	for k, want := range []struct{ text, label string }{
		{`(call "p" ("s" "f") [x])`, "variable 'x' wasn't defined"},
		{`(next i)`, "iterable 'i' wasn't defined"},
	} {
		d := refusal.Diagnostics[k]
		if text := src[d.Span.Start:d.Span.End]; text != want.text || d.Label != want.label {
			t.Errorf("got %q at %q, want %q at %q", d.Label, text, want.label, want.text)
		}
	}
}
