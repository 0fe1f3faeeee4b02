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
