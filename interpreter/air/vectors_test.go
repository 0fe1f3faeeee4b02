package air

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// sample is a script and what AquaVM 0.62.0 says of it.
type sample struct {
	Name    string
	Air     string
	Refusal string // the text of its code 1; empty if it accepts the script
	Trap    bool   // it crashes on the script
}

func readSamples(tb testing.TB, file string) []sample {
	tb.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	var samples []sample
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			tb.Fatal(err)
		}
		samples = append(samples, s)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return samples
}

// TestVectors holds Parse to every script of the interpreter's vectors, those about the
// parser among them: accepted or refused, and refused in the same words.
func TestVectors(t *testing.T) {
	var all, refused, parser int
	for _, s := range readSamples(t, "vectors.jsonl.gz") {
		all++
		if strings.HasPrefix(s.Name, "parser/") {
			parser++
		}
		_, err := Parse(s.Air)
		switch {
		case s.Trap && strings.HasPrefix(s.Name, "parser/"):
			if err == nil {
				t.Errorf("%s: accepted, want a refusal where the original crashes", s.Name)
			}
		case s.Refusal == "":
			if err != nil {
				t.Errorf("%s: %v\nwant it accepted", s.Name, err)
			}
		case err == nil:
			t.Errorf("%s: accepted, want %s", s.Name, s.Refusal)
		default:
			refused++
			if got := err.Error(); got != s.Refusal {
				t.Errorf("%s: refused with\n%s\nwant\n%s", s.Name, got, s.Refusal)
			}
		}
	}
	t.Logf("%d different scripts, %d of them from the parser's vectors; %d refused, all in AquaVM's exact words", all, parser, refused)
	if parser != 103 {
		t.Errorf("%d parser vectors, want 103", parser)
	}
}

// TestAnswers compares with AquaVM's answers to random scripts, good and broken. The
// order of labels on the same place is random there, so that several labels are compared
// as a set; a single one has to look exactly the same.
func TestAnswers(t *testing.T) {
	var accepted, exact, alike, passed int
	for _, s := range readSamples(t, "answers.jsonl.gz") {
		_, err := Parse(s.Air)
		if s.Refusal == "" || err == nil {
			accepted++
			if (err == nil) != (s.Refusal == "") {
				if foreignLens(s.Air) && err != nil {
					passed++
					continue
				}
				t.Errorf("%q: error %v, want %s", s.Air, err, s.Refusal)
			}
			continue
		}
		refusal := err.(*ParseError)
		switch got := refusal.Error(); {
		case got == s.Refusal:
			exact++
		case foreignLens(s.Air):
			passed++
		case len(refusal.Diagnostics) == 1:
			t.Errorf("%q: refused with\n%s\nwant\n%s", s.Air, got, s.Refusal)
		default:
			alike++
			if got, want := labels(got), labels(s.Refusal); !slices.Equal(got, want) {
				t.Errorf("%q: labels\n%s\nwant\n%s", s.Air, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
	t.Logf("%d accepted; refused: %d in the same words, %d with the same labels in another order, %d with a lens outside of ASCII", accepted, exact, alike, passed)
	if accepted < 300 || exact < 3000 {
		t.Error("too few samples")
	}
}

// foreignLens reports whether a lens may hold a letter outside of ASCII: AquaVM crashes
// on most of these, and takes some apart at the wrong place. We refuse them.
func foreignLens(src string) bool {
	lens := strings.IndexAny(src, ".:%")
	return lens >= 0 && strings.ContainsFunc(src[lens:], func(r rune) bool { return r > 127 })
}

// labels are the labels of a drawing in alphabetical order.
func labels(drawing string) []string {
	var found []string
	for line := range strings.Lines(drawing) {
		for _, start := range []string{"expected ", "variable '", "iterable '", "multiple ", "new can't", "fold can not", "error code "} {
			if k := strings.Index(line, start); k >= 0 && strings.ContainsAny(line[:k], "│^") && !strings.Contains(line[k:], "│") {
				found = append(found, strings.TrimSpace(line[k:]))
			}
		}
	}
	slices.Sort(found)
	return found
}

// TestCompiledScripts holds Format to the layout of the reference compiler of Aqua.
func TestCompiledScripts(t *testing.T) {
	samples := readSamples(t, "compiled.jsonl.gz")
	for _, s := range samples {
		script, err := Parse(s.Air)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if got := Format(script.Tree()); got != s.Air {
			t.Errorf("%s: Format gives\n%s\nwant\n%s", s.Name, got, s.Air)
		}
		if got, err := FormatSource(s.Air); err != nil || got != s.Air {
			t.Errorf("%s: FormatSource gives\n%s %v\nwant\n%s", s.Name, got, err, s.Air)
		}
	}
	t.Logf("%d compiled scripts come back byte for byte", len(samples))
	if len(samples) != 160 {
		t.Errorf("%d compiled scripts, want 160", len(samples))
	}
}
