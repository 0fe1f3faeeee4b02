package interpreter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

// The laws of the merge, over random programs whose result does not depend on who is
// faster: seqs, pars and xors of calls with scalar results, some of which fail.

// orderFree draws such a program over three peers; what both branches of a par define is used
// behind it. Only left branches have calls that fail: a par fails when both branches do, and no
// value brings that news to a peer that waits for it.
func orderFree(t *rapid.T) string {
	n := 0
	var draw func(depth int, known []string, fails bool) (string, []string)
	draw = func(depth int, known []string, fails bool) (text string, defined []string) {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth == 0 || kind < 2 {
			n++
			return drawCall(t, n, known, fails)
		}
		op := []string{"seq", "seq", "par", "xor"}[kind-2]
		left, inLeft := draw(depth-1, known, fails)
		if op == "seq" {
			known = append(slices.Clone(known), inLeft...)
		}
		right, inRight := draw(depth-1, known, fails && op != "par")
		if op != "xor" && !(op == "par" && strings.Contains(left, "fail")) {
			defined = append(inLeft, inRight...)
		}
		return fmt.Sprintf("(%s %s %s)", op, left, right), defined
	}
	text, _ := draw(4, nil, true)
	return text
}

func drawCall(t *rapid.T, n int, known []string, fails bool) (string, []string) {
	peer := rapid.SampledFrom([]string{"alice", "bob", "carol"}).Draw(t, "peer")
	arg := "1"
	if len(known) > 0 && rapid.Bool().Draw(t, "uses a variable") {
		arg = rapid.SampledFrom(known).Draw(t, "variable")
	}
	function := "double"
	if fails && rapid.IntRange(0, 6).Draw(t, "fails") == 0 {
		function = "fail"
	}
	name := fmt.Sprintf("x%d", n)
	return fmt.Sprintf(`(call "@%s" ("s" %q) [%s %d] %s)`, peer, function, arg, n, name), []string{name}
}

func scenarioOf(t *rapid.T) *simulate.Scenario {
	code := "fail"
	batch := rapid.Bool().Draw(t, "batch")
	return &simulate.Scenario{
		Air:      simulate.Text(orderFree(t)),
		Services: []simulate.Rule{{Function: &code, RetCode: 1}},
		Batch:    &batch,
		MaxSteps: 3000,
	}
}

func play(t *rapid.T, s *simulate.Scenario, seed uint32, cold bool) *simulate.Outcome {
	c := *s
	c.Order = simulate.Order{Kind: "random", Seed: seed}
	out, err := simulate.Run(context.Background(), &c, simulate.Options{Cold: cold, Again: true})
	if err != nil {
		t.Fatalf("%s: %v", s.Air, err)
	}
	if len(out.Pending) > 0 {
		t.Fatalf("%s: does not come to an end", s.Air)
	}
	return out
}

// latest is the last data of each peer, in the order of their names.
func latest(out *simulate.Outcome) [][]byte {
	last := map[string][]byte{}
	for _, s := range out.Steps {
		last[s.Request.CurrentPeerID] = s.Answer.Data
	}
	var peers []string
	for id := range last {
		peers = append(peers, id)
	}
	slices.Sort(peers)
	var all [][]byte
	for _, id := range peers {
		all = append(all, last[id])
	}
	return all
}

// observer is a peer that only looks.
type observer struct {
	t    *rapid.T
	of   *simulate.Request
	self simulate.Peer
	kept []byte
}

func observe(t *rapid.T, out *simulate.Outcome) *observer {
	return &observer{t: t, of: &out.Steps[0].Request, self: simulate.NewPeer("observer", nil)}
}

func (o *observer) merge(b []byte) interpreter.Outcome {
	r := *o.of
	r.PrevData, r.CurrData, r.CallResults = o.kept, b, nil
	r.CurrentPeerID, r.SecretKey = o.self.ID, o.self.Seed
	in, err := r.Input(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	result, got := interpreter.Run(context.Background(), in)
	if result.RetCode >= 20000 || result.RetCode > 0 && result.RetCode < 10000 {
		o.t.Fatalf("%s: code %d: %s", o.of.Air, result.RetCode, result.ErrorMessage)
	}
	o.kept = got
	return result
}

// values are the results in the trace, in its order; who asked for what is left out.
func (o *observer) values() []string {
	d, err := data.Decode(o.kept)
	if err != nil {
		o.t.Fatal(err)
	}
	var out []string
	for i := range d.Trace {
		s := &d.Trace[i]
		if s.Kind != data.CallExecuted && s.Kind != data.CallFailed {
			continue
		}
		out = append(out, string(s.CID))
	}
	return out
}

func (o *observer) human() string {
	b, err := data.Human(o.kept)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(b)
}

func TestAnyOrderGivesTheSameValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenarioOf(t)
		var first []string
		for seed := range uint32(4) {
			out := play(t, s, seed+1, seed%2 == 0)
			o := observe(t, out)
			all := latest(out)
			for _, i := range rapid.Permutation([]int{0, 1, 2}[:len(all)]).Draw(t, "order of observation") {
				o.merge(all[i])
			}
			if seed == 0 {
				first = o.values()
			} else if got := o.values(); !slices.Equal(got, first) {
				t.Fatalf("%s\norder %d gave %d results %v, order 1 gave %v", s.Air, seed+1, len(got), got, first)
			}
		}
	})
}

func TestMergeIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := play(t, scenarioOf(t), rapid.Uint32Range(1, 1000).Draw(t, "seed"), true)
		o := observe(t, out)
		for _, b := range latest(out) {
			o.merge(b)
		}
		before := o.human()
		for _, b := range append(latest(out), o.kept) { // also its own data, come back
			if again := o.merge(b); len(again.CallRequests)+len(again.NextPeers)+len(again.Again) > 0 {
				t.Fatalf("%s\na duplicate asked for calls %v and peers %v %v", o.of.Air, again.CallRequests, again.NextPeers, again.Again)
			}
			if after := o.human(); after != before {
				t.Fatalf("%s\na duplicate changed the data\nfrom %s\nto %s", o.of.Air, before, after)
			}
		}
	})
}

// TestEveryStepOnceMore repeats each step of a particle at its peer: nothing may be asked for
// twice.
func TestEveryStepOnceMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := play(t, scenarioOf(t), rapid.Uint32Range(1, 1000).Draw(t, "seed"), true)
		for i := range out.Steps {
			step := &out.Steps[i]
			r := step.Request
			r.PrevData, r.CallResults = step.Answer.Data, nil
			again, err := simulate.Step(context.Background(), &r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(again.CallRequests)+len(again.NextPeerPks) > 0 {
				t.Fatalf("%s\nstep %d %s asked again for %v %v", r.Air, i, step.Event, again.CallRequests, again.NextPeerPks)
			}
			if a, b := traceOf(t, step.Answer.Data), traceOf(t, again.Data); a != b {
				t.Fatalf("%s\nstep %d %s once more made %s of %s", r.Air, i, step.Event, b, a)
			}
		}
	})
}

func traceOf(t *rapid.T, b []byte) string {
	d, err := data.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return simulate.TraceLine(d, func(peer string) string { return peer })
}

// TestRetainedEqualsCold holds the two forms equal, step by step.
func TestRetainedEqualsCold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenarioOf(t)
		seed := rapid.Uint32Range(1, 1000).Draw(t, "seed")
		cold, retained := play(t, s, seed, true), play(t, s, seed, false)
		if len(cold.Steps) != len(retained.Steps) {
			t.Fatalf("%s: %d steps cold, %d retained", s.Air, len(cold.Steps), len(retained.Steps))
		}
		for i := range cold.Steps {
			a, b := cold.Steps[i].Answer, retained.Steps[i].Answer
			if x, y := comparable(t, a), comparable(t, b); x != y {
				t.Fatalf("%s\nstep %d %s\ncold     %s\nretained %s", s.Air, i, cold.Steps[i].Event, x, y)
			}
		}
	})
}

func comparable(t *rapid.T, a *simulate.Answer) string {
	c := *a
	c.Human, c.Data = simulate.Human(a.Data), nil
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
