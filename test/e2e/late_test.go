package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
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
				{"hang", "hang(peer3)", []string{"1", "2", "3"}, 3},
				{"hang", "hang(peer1)", []string{"1", "2", "3"}, 3},
				{"hang", "hang_loop(peer4)", []string{"1", "2", "3"}, 3},
				{"hang", "hang_co(peer5)", []string{"1", "2"}, 2},
				{"closure-par", "closure_par(peer2, peer5)", nil, 2},
				{"closure-par", "closure_par(peer1, peer3)", nil, 2},
			} {
				args := append([]string{"run", "../../interpreter/testdata/late/" + c.file + ".aqua", "-f", c.call, "--ttl", "30s"}, network...)
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
