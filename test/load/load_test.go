package load

import (
	"testing"

	"github.com/aquanode/aquanode/node/devnet"
)

func TestFloodX(t *testing.T) {
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			net, err := devnet.Start(devnet.Config{Peers: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer net.Close()
			r, err := Flood(t.Context(), net.Peers[0].Addrs()[0], k, 2000)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("quiet   %s", r.Quiet)
			t.Logf("flooded %s", r.Flooded)
			t.Logf("sent %d, live %d, %v", r.Sent, net.Peers[0].Live(), net.Peers[0].Journal().Counts())
		})
	}
}
