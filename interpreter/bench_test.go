package interpreter_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

// clientSteps are the runs of the client in a fan-out to n peers, and what a state needs to repeat
// them.
func clientSteps(tb testing.TB, n int) []*simulate.Request {
	requests, err := simulate.Client(context.Background(), simulate.FanOut(n))
	if err != nil {
		tb.Fatal(err)
	}
	return requests
}

func BenchmarkFanOutClient(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			steps := clientSteps(b, n)
			b.ReportAllocs()
			for b.Loop() {
				s := open(b, steps[0])
				for i := range steps {
					step(b, s, steps[i])
				}
				encoded(b, s)
			}
		})
	}
}

func open(tb testing.TB, r *simulate.Request) *interpreter.State {
	key, err := interpreter.SigningKey(r.KeyFormat, r.SecretKey)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := interpreter.Open(r.Air, r.PrevData, interpreter.Params{
		InitPeerID: r.InitPeerID, CurrentPeerID: r.CurrentPeerID, ParticleID: r.ParticleID,
		Timestamp: r.Timestamp, TTL: r.TTL, Key: key,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func step(tb testing.TB, s *interpreter.State, r *simulate.Request) {
	var arrivals [][]byte
	if len(r.CurrData) > 0 {
		arrivals = [][]byte{r.CurrData}
	}
	results := map[uint32]interpreter.CallResult{}
	for id, res := range r.CallResults {
		var n uint32
		fmt.Sscan(id, &n)
		results[n] = interpreter.CallResult(res)
	}
	if out := s.Step(context.Background(), arrivals, results); out.RetCode != 0 {
		tb.Fatal(out.RetCode, out.ErrorMessage)
	}
}
