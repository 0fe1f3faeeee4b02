package airgen

import (
	"context"
	"hash/fnv"
	"math/rand/v2"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

// Late runs a program over virtual time in a random order: messages and results of services come
// early or late, and some messages twice. A service answers equal calls alike, in any order.
func Late(ctx context.Context, script string, peers []simulate.Peer, seed uint32,
	again bool) (*simulate.Outcome, error) {
	batch := seed%3 == 0
	s := &simulate.Scenario{
		Air: simulate.Text(script), Peers: peers, MaxSteps: 2000, Batch: &batch,
		Order: simulate.Order{Kind: []string{"random", "time"}[seed%2], Seed: seed},
		Answer: func(c *simulate.Call) (simulate.Result, bool) {
			h := fnv.New64a()
			q := &simulate.CallRequest{ServiceID: c.Service, FunctionName: c.Function,
				Arguments: c.Args}
			h.Write([]byte(c.Peer.ID + "\x00" + c.Service + "\x00" + c.Function))
			for _, a := range c.Args {
				h.Write([]byte("\x00" + a.Text()))
			}
			return (&services{rand.New(rand.NewPCG(h.Sum64(), 1)), peers}).answer(q), true
		},
	}
	return simulate.Run(ctx, s, simulate.Options{
		Raw: true, Only: "nobody", Cold: seed%5 == 0, Again: again, Twice: int(seed % 4 * 10), Stranded: true,
	})
}

// ShrinkScript makes a script smaller as long as it still fails.
func ShrinkScript(script string, tries int, fails func(script string) bool) string {
	for k := 0; ; {
		s, err := air.Parse(script)
		if err != nil {
			return script
		}
		smaller := variants(s.Tree(), k)
		if smaller == nil {
			return script
		}
		took := false
		for _, root := range smaller {
			c := air.Format(root)
			if _, err := air.Parse(c); err != nil || len(c) >= len(script) {
				continue
			}
			if tries--; tries < 0 {
				return script
			}
			if took = fails(c); took {
				script = c
				break
			}
		}
		if !took {
			k++
		}
	}
}
