package load

import (
	"errors"
	"testing"

	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/runs"
)

// Whatever a stranger floods a peer with, nothing is lost for a client, what is refused has a
// reason. The times are in the log;
// they are compared by test/bench.
func TestFlood(t *testing.T) {
	const calls, quota = 100, 250 // of live particles of one remote
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			net, err := devnet.Start(devnet.Config{Peers: 1, Edit: func(_ int, c *config.Config) { c.Dispatch.Particles = 4 * quota }})
			if err != nil {
				t.Fatal(err)
			}
			defer net.Close()
			relay := net.Peers[0]
			r, err := Flood(t.Context(), relay.Addrs()[0], k, calls)
			if err != nil {
				var late *runs.TimeoutError
				if errors.As(err, &late) {
					for _, e := range relay.Journal().Particle(late.ParticleID) {
						t.Logf("the relay: %+v", e)
					}
				}
				t.Fatalf("%v; the journal has %v", err, relay.Journal().Counts())
			}
			refused := relay.Journal().Count(journal.Refused, "")
			t.Logf("quiet %s; flooded %s; %d sent, %d refused", r.Quiet, r.Flooded, r.Sent, refused)
			if r.Sent == 0 || len(r.Flooded) != calls {
				t.Errorf("want %d calls in a flood, got %d while %d frames were sent", calls, len(r.Flooded), r.Sent)
			}
			if k.Reason != "" && relay.Journal().Count(journal.Refused, k.Reason) == 0 {
				t.Errorf("nothing was refused for the reason %q, the journal has %v", k.Reason, relay.Journal().Counts())
			}
		})
	}
}
