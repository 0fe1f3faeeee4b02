package air

import (
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzParse feeds Parse with anything: it must neither panic nor take long, its
// messages must be drawable, and what it accepts must come back from Format and
// FormatSource as the same tree.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"vectors.jsonl.gz", "compiled.jsonl.gz", "answers.jsonl.gz"} {
		for k, s := range readSamples(f, file) {
			if k%7 == 0 || file == "vectors.jsonl.gz" {
				f.Add(s.Air)
			}
		}
	}
	f.Add("(seq ; comment\n(null) ;\n;\n(never));")
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1<<16 {
			return
		}
		start := time.Now()
		checkParse(t, src)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(src), took)
		}
	})
}

func checkParse(t *testing.T, src string) {
	script, err := Parse(src)
	if err != nil {
		text, human := err.Error(), err.(*ParseError).Human("fuzz.air")
		if utf8.ValidString(src) && !(utf8.ValidString(text) && utf8.ValidString(human)) {
			t.Errorf("message is not UTF-8: %q %q", text, human)
		}
		return
	}
	want := sexpr(script.Tree())
	text := Format(script.Tree())
	again, err := Parse(text)
	if err != nil {
		t.Fatalf("%q formatted gives %q: %v", src, text, err)
	}
	if got := sexpr(again.Tree()); got != want {
		t.Errorf("%q formatted reads %s, want %s", src, got, want)
	}
	if twice := Format(again.Tree()); twice != text {
		t.Errorf("%q formatted twice gives %q, want %q", src, twice, text)
	}
	pretty, err := FormatSource(src)
	if err != nil {
		t.Fatalf("FormatSource(%q): %v", src, err)
	}
	if again, err = Parse(pretty); err != nil || sexpr(again.Tree()) != want {
		t.Errorf("FormatSource(%q) gives %q: %v", src, pretty, err)
	}
	if twice, err := FormatSource(pretty); err != nil || twice != pretty {
		t.Errorf("FormatSource of %q gives %q, %v, want no change", pretty, twice, err)
	}
}
