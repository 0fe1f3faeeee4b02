package simulate

import (
	"context"
	"fmt"
	"testing"
)

func BenchmarkWhole(b *testing.B) {
	for _, c := range []struct {
		name string
		make func(int) *Scenario
	}{{"local-chain", LocalChain}, {"fan-out", FanOut}} {
		for _, n := range []int{100, 1000} {
			for _, cold := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/n=%d/cold=%v", c.name, n, cold), func(b *testing.B) {
					ms := 0.0
					for b.Loop() {
						out, err := Run(context.Background(), c.make(n), Options{Stats: true, Cold: cold})
						if err != nil || out.Stats.Codes["0"] != out.Stats.Steps {
							b.Fatal(err, out.Stats)
						}
						ms += out.Stats.MS
					}
					b.ReportMetric(ms/float64(b.N), "ms-inside/op")
				})
			}
		}
	}
}

// TestCases holds that the requests of the performance table do what their names say.
func TestCases(t *testing.T) {
	for _, name := range CaseNames() {
		c, err := MakeCase(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Requests) == 0 || c.Warm >= len(c.Requests) {
			t.Errorf("%s has %d requests", c.Name, len(c.Requests))
		}
		for i, r := range c.Requests {
			a, err := Step(context.Background(), r, nil)
			if err != nil || a.RetCode != 0 {
				t.Errorf("%s, request %d: %v, %v", c.Name, i, a, err)
			}
			t.Logf("%s %d: %d bytes of script, %d previous, %d current, %d out, %d calls, next %v", c.Name, i,
				len(r.Air), len(r.PrevData), len(r.CurrData), len(a.Data), len(a.CallRequests), len(a.NextPeerPks))
		}
	}
}
