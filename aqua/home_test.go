package aqua

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The results of the branches of a par come to where the program waits for them, whatever a
// branch ends with: over a relay, in many orders, also if two of the peers are the same. As by
// the published interpreter, no peer is named twice here.
func TestBranchesComeHome(t *testing.T) {
	files, err := filepath.Glob("testdata/home/*.aqua")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d programs: %v", len(files), err)
	}
	const orders = 30
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".aqua"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(orders) {
				r := start(t, string(text))
				switch seed % 3 {
				case 1:
					r.args["a"] = r.args[relayPeer]
				case 2:
					r.args["b"] = r.args["a"]
				}
				answer := r.run(t, seed)
				if answer == "" {
					t.Fatalf("order %d has no answer", seed)
				}
				if want := r.expected(t, string(text)); words(answer) != want {
					t.Fatalf("order %d gives %s, want %s", seed, answer, want)
				}
			}
		})
	}
}

// expected returns the answer in the first line of a program, "-- expect <a> <b> 1", with <a> for
// the peer that is argument a.
func (r *particleRun) expected(t *testing.T, text string) string {
	t.Helper()
	line, _, _ := strings.Cut(text, "\n")
	want, ok := strings.CutPrefix(line, "-- expect ")
	if !ok {
		t.Fatal("the program does not begin with its answer")
	}
	for name, id := range r.args {
		if s, ok := id.AsString(); ok {
			want = strings.ReplaceAll(want, "<"+name+">", r.names[s])
		}
	}
	return words(want)
}

// words returns the sorted strings and numbers of an answer, whose order is that of arrival.
func words(text string) string {
	list := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("[]\", ", r) })
	slices.Sort(list)
	return strings.Join(list, " ")
}
