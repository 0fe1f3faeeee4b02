package p2p

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/aquanode/aquanode/node/journal"
)

// A peer that listens nowhere is reached over another one that carries connections.
func TestCircuit(t *testing.T) {
	relay := newNode(t, 1, func(c *Config) { c.Circuits = true })
	hidden := newNode(t, 2, func(c *Config) {
		c.Listen, c.Over, c.HolePunching = nil, relay.Addrs()[:1], true
	})
	at := relay.Addrs()[0] + "/p2p-circuit/p2p/" + hidden.ID()
	if got := hidden.Addrs(); len(got) != 1 || got[0] != at {
		t.Errorf("want the address %s, got %v", at, got)
	}
	x := newNode(t, 3, func(c *Config) { c.Hold = 20 * time.Second })
	if err := x.Meet([]string{at}); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 300_000} {
		m := outgoing(size)
		x.Send(hidden.ID(), m)
		hidden.wantReceived(m)
		x.wantSent("")
		hidden.Send(x.ID(), m)
		x.wantReceived(m)
		hidden.wantSent("")
	}
	if c := x.newest(hidden.host.ID()); !c.Stat().Limited {
		t.Error("want a connection over the relay, got a direct one")
	}
	// Later there is a direct connection: it is preferred, however old.
	if err := hidden.listen(mustAddrs(t, "/ip4/127.0.0.1/tcp/0")); err != nil {
		t.Fatal(err)
	}
	hidden.dial(x)
	if c := x.newest(hidden.host.ID()); c.Stat().Limited {
		t.Error("want the direct connection")
	}
	m := outgoing(10)
	x.Send(hidden.ID(), m)
	hidden.wantReceived(m)
}

// A peer that carries nothing refuses circuits, and the frame is lost with a reason.
func TestNoCircuit(t *testing.T) {
	other, hidden, x := newNode(t, 1, nil), newNode(t, 2, func(c *Config) { c.Listen = nil }), newNode(t, 3, nil)
	hidden.dial(other)
	if err := x.Meet([]string{other.Addrs()[0] + "/p2p-circuit/p2p/" + hidden.ID()}); err != nil {
		t.Fatal(err)
	}
	x.Send(hidden.ID(), outgoing(10))
	wantReason(t, wait(t, x.held, "a frame to be held"), journal.DialFailed)
	x.wantSent(journal.DialFailed)
	if _, err := New(Config{Key: testKey(4), Over: []string{"/ip4/127.0.0.1/tcp/1"}}); err == nil || !strings.Contains(err.Error(), "/p2p/") {
		t.Errorf("a circuit without a peer id: want an error that says so, got %v", err)
	}
	if slices.ContainsFunc(hidden.Addrs(), func(a string) bool { return strings.Contains(a, "circuit") }) {
		t.Errorf("announces a circuit without a reservation: %v", hidden.Addrs())
	}
	_, err := x.Dial(context.Background(), other.Addrs()[0]+"/p2p-circuit/p2p/"+hidden.ID())
	wantReason(t, err, journal.DialFailed)
}

func mustAddrs(t *testing.T, texts ...string) []ma.Multiaddr {
	t.Helper()
	addrs, err := parseAddrs(texts)
	if err != nil {
		t.Fatal(err)
	}
	return addrs
}
