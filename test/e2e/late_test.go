package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestLateResults runs programs whose results come after what follows them was asked for, over five processes that know
// nothing but the address of the first, and over five peers in the process of the program that runs them.
func TestLateResults(t *testing.T) {
	first := start(t)
	on := []string{"--relay", first.addr(), "--on", "peer1=" + first.PeerID}
	for i := range 4 {
		p := start(t, "--bootstrap", first.addr())
		on = append(on, "--on", fmt.Sprintf("peer%d=%s", i+2, p.PeerID))
	}
	for name, network := range map[string][]string{"five processes": on, "one process": {"-n", "5"}} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				file, call string
				want       []string // sorted, or nil for the ids of the arguments
				n          int
			}{
				{"late-results", "hang(peer3)", []string{"1", "2", "3"}, 3},
				{"late-results", "hang(peer1)", []string{"1", "2", "3"}, 3},
				{"late-results", "hang_loop(peer4)", []string{"1", "2", "3"}, 3},
				{"late-results", "hang_co(peer5)", []string{"1", "2"}, 2},
				{"late-closures", "closure_par(peer2, peer5)", nil, 2},
				{"late-closures", "closure_par(peer1, peer3)", nil, 2},
			} {
				args := append([]string{"run", lateProgram(t, c.file), "-f", c.call, "--ttl", "30s"}, network...)
				out := command(t, args...)
				var got []string
				if err := json.Unmarshal([]byte(out.stdout), &got); out.err != nil || err != nil {
					t.Fatalf("%s: %q, %v %v\n%s", c.call, out.stdout, out.err, err, out.stderr)
				}
				slices.Sort(got)
				if len(slices.Compact(slices.Clone(got))) != c.n || c.want != nil && !slices.Equal(got, c.want) {
					t.Errorf("%s: %q", c.call, got)
				}
			}
		})
	}
}

// lateProgram is the program of a case of the interpreter's suite, in a file of its own.
func lateProgram(t *testing.T, name string) string {
	t.Helper()
	a, err := txtar.ParseFile("../../interpreter/testdata/suite/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if f.Name == "program.aqua" {
			path := filepath.Join(t.TempDir(), f.Name)
			if err := os.WriteFile(path, f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	t.Fatalf("%s has no program", name)
	return ""
}
