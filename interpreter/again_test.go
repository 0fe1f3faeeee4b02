package interpreter_test

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/simulate"
	"github.com/aquanode/aquanode/interpreter/value"
)

// TestNamesAgainAreFew counts how often peers are named again by fan-outs and joins of 100 (-wide
// 1000 takes a minute): never where the answers come home, and at most once for each answer where
// they are joined on a peer that was asked with the first one.
func TestNamesAgainAreFew(t *testing.T) {
	for _, c := range []struct {
		name, script string // over the peers @w0, @w1 ...
		most         int    // for each of the n peers
	}{
		{"home", `(seq LIST (seq (fold ps p (par (call p ("s" "f") [p] $s) (next p))) (seq JOIN:@client (call "@client" ("s" "end") []))))`, 0},
		{"over a relay", `(seq LIST (seq (fold ps p (par (seq (call "@relay" ("s" "hop") []) (seq (call p ("s" "f") [p] $s) (seq (call "@relay" ("s" "hop") []) (call "@client" ("s" "hop") [])))) (next p)))
			(seq JOIN:@client (call "@client" ("s" "end") []))))`, 0},
		{"co", `(seq LIST (seq (fold ps p (seq (par (seq (call "@relay" ("s" "hop") []) (seq (call p ("s" "f") [p] $s) (call "@client" ("s" "hop") []))) (null)) (next p)))
			(seq JOIN:@client (call "@client" ("s" "end") []))))`, 0},
		{"join elsewhere", `(seq LIST (seq (fold ps p (par (seq (call p ("s" "f") [p] $s) (call "@client" ("s" "hop") [])) (next p)))
			(seq (call "@relay" ("s" "hop") []) (seq JOIN:@relay (call "@relay" ("s" "end") [])))))`, 1},
		{"stream after a hop", `(seq LIST (seq (fold ps p (par (call p ("s" "f") [p] $s) (next p)))
			(seq (call "@relay" ("s" "hop") []) (seq JOIN:@relay (call "@client" ("s" "end") [])))))`, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := fanOut(t, c.script, *wide)
			if !slices.ContainsFunc(out.Calls, func(c simulate.Called) bool { return c.Function == "end" }) {
				t.Fatalf("no end after %d steps", out.Stats.Steps)
			}
			t.Logf("%d steps, %d names again", out.Stats.Steps, out.Again)
			if out.Again > c.most**wide {
				t.Errorf("%d names again, want at most %d", out.Again, c.most**wide)
			}
		})
	}
}

var wide = flag.Int("wide", 100, "width of the fan-outs whose names are counted")

func fanOut(t *testing.T, script string, n int) *simulate.Outcome {
	t.Helper()
	list := "list"
	s := &simulate.Scenario{MaxSteps: 100 * n, Order: simulate.Order{Kind: "time", Seed: 1}, Peers: []simulate.Peer{simulate.NewPeer("client", nil), simulate.NewPeer("relay", nil)}}
	var ids []value.Value
	for i := range n {
		p := simulate.NewPeer(fmt.Sprintf("w%d", i), nil)
		s.Peers = append(s.Peers, p)
		ids = append(ids, value.String(p.ID))
	}
	all := value.Array(ids)
	s.Services = []simulate.Rule{{Function: &list, Ret: &all}}
	// A join that counts by canons of all elements so far would be quadratic by itself; this one
	// waits for the last element.
	join := fmt.Sprintf(`(fold $$s e (seq (new $$none (canon "$1" $$none #none)) (xor (match e "@w%d" (null)) (next e))) (never))`, n-1)
	script = strings.ReplaceAll(script, "LIST", `(call "@client" ("s" "list") [] ps)`)
	s.Air = simulate.Text(regexp.MustCompile(`JOIN:(@\w+)`).ReplaceAllString(script, join))
	out, err := simulate.Run(context.Background(), s, simulate.Options{Raw: true, Only: "nobody", Again: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
