package node_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/services"
)

// particleSize is about what a particle of a simple call has on the wire.
const particleSize = 2000

// One hop: from the moment a client starts a particle of 2 kB to the call of the service on
// the peer. test/bench compares it with a bare echo.
func BenchmarkHop(b *testing.B) {
	x := start(b, devnet.Config{Peers: 1})
	arrived := make(chan time.Time, 1)
	x.serve(0, "bench", func(context.Context, *services.Call) (value.Value, error) {
		arrived <- time.Now()
		return value.Value{}, nil
	})
	s := client.Script{
		AIR:      fmt.Sprintf(`(call %q ("bench" "hit") [%q])`, x.Peers[0].ID(), strings.Repeat("x", particleSize-400)),
		NoResult: true, TTL: 2 * time.Second,
	}
	var times []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := x.client.Run(context.Background(), s); err != nil {
			b.Fatal(err)
		}
		times = append(times, (<-arrived).Sub(began))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "us-p50")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "us-p99")
}

// Particles from one client through the relay to another one, as fast as they go.
func BenchmarkOneWay(b *testing.B) {
	x := start(b, devnet.Config{Peers: 1})
	other := x.join(0)
	arrived := make(chan struct{}, 1000)
	err := other.Services().Register("bench", services.HandlerFunc(func(context.Context, *services.Call) (value.Value, error) {
		arrived <- struct{}{}
		return value.Value{}, nil
	}), services.In(other.ID()), services.Concurrent())
	if err != nil {
		b.Fatal(err)
	}
	s := client.Script{
		AIR: fmt.Sprintf(`(seq (call %q ("op" "noop") []) (call %q ("bench" "hit") []))`, x.Peers[0].ID(), other.ID()), NoResult: true, TTL: 20 * time.Second,
	}
	window := make(chan struct{}, 500) // in flight
	go func() {
		for range b.N {
			window <- struct{}{}
			if _, err := x.client.Run(context.Background(), s); err != nil {
				b.Error(err)
			}
		}
	}()
	b.ResetTimer()
	for range b.N {
		<-arrived
		<-window
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "particles/s")
}

// Memory and goroutines stay flat over many particles that expire.
func TestSoak(t *testing.T) {
	rounds, each := 4, 700
	x := start(t, devnet.Config{Peers: 1})
	s := x.script(`(call -relay- ("op" "identity") ["x"] r)`)
	s.TTL = 2 * time.Second
	var goroutines, heap []int
	for range rounds {
		for range each {
			if _, err := x.client.Run(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		for x.Peers[0].Live() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		goroutines, heap = append(goroutines, runtime.NumGoroutine()), append(heap, int(m.HeapAlloc))
	}
	if last := goroutines[rounds-1]; last > goroutines[1]+5 {
		t.Errorf("goroutines grow: %v", goroutines)
	}
	// The journals fill up until their rings are full; beyond that nothing may grow.
	if last := heap[rounds-1]; last > heap[1]+20<<20 {
		t.Errorf("heap grows: %v", heap)
	}
}
