package node_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/journal"
)

// A peer that floods another with particles that wait is refused beyond its quota, with a reason, and
// nobody else loses anything.
func TestFlood(t *testing.T) {
	const quota = 500
	x := start(t, devnet.Config{Peers: 1, Edit: func(_ int, c *config.Config) { c.Dispatch.Particles = 4 * quota }})
	honest := func() (times []time.Duration) {
		for i := range 100 {
			began := time.Now()
			x.want(fmt.Sprintf(`(call -relay- ("op" "identity") [%d] r)`, i), fmt.Sprint(i))
			times = append(times, time.Since(began))
		}
		slices.Sort(times)
		return times
	}
	quiet := honest()

	flooder := x.join(0)
	stop := make(chan struct{})
	var flood sync.WaitGroup
	script := client.Script{AIR: fmt.Sprintf(`(call %q ("peer" "timeout") [20000])`, x.Peers[0].ID()), NoResult: true, TTL: 20 * time.Second}
	for range 4 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := flooder.Run(t.Context(), script); err != nil {
					t.Errorf("the flood: %v", err)
					return
				}
			}
		})
	}
	for x.Peers[0].Journal().Count(journal.Refused, journal.TooMany) == 0 {
		time.Sleep(time.Millisecond)
	}
	loud := honest()
	close(stop)
	flood.Wait()
	t.Logf("median %s, in the flood %s; slowest %s and %s; %d refused", quiet[50], loud[50], quiet[99], loud[99],
		x.Peers[0].Journal().Count(journal.Refused, journal.TooMany))
	if live := x.Peers[0].Live(); live > quota+300 {
		t.Errorf("%d particles live, the quota of one peer is %d", live, quota)
	}
}
