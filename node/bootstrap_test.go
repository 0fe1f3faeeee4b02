package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
)

// A bootstrap address need not tell which peer is there, nor need the peer be there already.
func TestBootstrapWithoutID(t *testing.T) {
	for _, listen := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		begin := func(c config.Config) *node.Node {
			t.Helper()
			c.AllowLocal = config.On
			n, err := node.New(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { n.Close() })
			if err := n.Start(); err != nil {
				t.Fatal(err)
			}
			return n
		}
		first := begin(config.Config{Key: key(1), Listen: []string{listen}})
		addr := strings.TrimSuffix(first.Addrs()[0], "/p2p/"+first.ID())
		first.Close()
		second := begin(config.Config{Key: key(2), Listen: []string{listen}, Bootstrap: []string{addr}, Admin: "127.0.0.1:0"})
		third := begin(config.Config{Key: key(3), Bootstrap: []string{addr}}) // never gets there
		time.Sleep(50 * time.Millisecond)
		if status, body := get(t, second.AdminAddr(), "/health"); status != 429 || !strings.Contains(body, "not connected to "+addr) {
			t.Errorf("%s: health is %d, %s", listen, status, body)
		}
		if third.Close(); len(second.Peers()) != 0 {
			t.Errorf("%s: connected to nobody: %v", listen, second.Peers())
		}
		first = begin(config.Config{Key: key(1), Listen: []string{addr}, Bootstrap: []string{addr}, Admin: "127.0.0.1:0"}) // itself
		for deadline := time.Now().Add(time.Minute); len(second.Peers()) == 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: no connection", listen)
			}
		}
		if got := second.Peers()[0].ID; got != first.ID() {
			t.Errorf("%s: want a connection to %s, got %s", listen, first.ID(), got)
		}
		if status, body := get(t, second.AdminAddr(), "/health"); status != 200 {
			t.Errorf("%s: health is %d, %s", listen, status, body)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			status, body := get(t, first.AdminAddr(), "/health")
			if status == 200 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: health of the bootstrap peer, which is its own, is %d, %s", listen, status, body)
			}
		}
		second.Close()
		first.Close()
	}
}
