package interpreter_test

import (
	"context"
	"slices"
	"testing"

	"github.com/aquanode/aquanode/interpreter/simulate"
)

// A join on a third peer ends in every order of arrival, with and without another relay on the way, though nobody is sent
// data that it does not need.
func TestAgain(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		most   int // steps
	}{
		"one relay": {`(seq (par (seq (call "@a" ("s" "x") [] x) (call "@r" ("s" "back") [])) (seq (call "@b" ("s" "y") [] y) (call "@r" ("s" "back") [])))
			(seq (call "@c" ("s" "join") [x y]) (call "@r" ("s" "end") [])))`, 15},
		"two relays": {`(seq (par (seq (call "@a" ("s" "x") [] x) (call "@r" ("s" "back") [])) (seq (call "@b" ("s" "y") [] y) (call "@r" ("s" "back") [])))
			(seq (call "@s" ("s" "hop") []) (seq (call "@c" ("s" "join") [x y]) (call "@r" ("s" "end") []))))`, 18},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint32(50) {
				s := &simulate.Scenario{Air: simulate.Text(c.script), Order: simulate.Order{Kind: "random", Seed: seed + 1}}
				for _, p := range []string{"r", "a", "b", "c", "s"} {
					s.Peers = append(s.Peers, simulate.NewPeer(p, nil))
				}
				out, err := simulate.Run(context.Background(), s, simulate.Options{Again: true, Cold: seed%2 == 0})
				if err != nil {
					t.Fatal(err)
				}
				ended := slices.ContainsFunc(out.Steps, func(step simulate.StepRecord) bool {
					for _, c := range step.Answer.CallRequests {
						if c.FunctionName == "end" {
							return true
						}
					}
					return false
				})
				if !ended || len(out.Steps) > c.most {
					t.Errorf("order %d: ended %v after %d steps, want at most %d", seed, ended, len(out.Steps), c.most)
				}
			}
		})
	}
}
