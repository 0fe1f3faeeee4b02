package p2p

import (
	"errors"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// However many connections one address range opens, others still find room, and nothing stays
// counted.
func TestConnectionsOfARange(t *testing.T) {
	m, err := newResourceManager()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var open []network.ConnManagementScope
	flood := func(format string) (n int) {
		for ; n < maxConns; n++ {
			c, err := m.OpenConnection(network.DirInbound, true, ma.StringCast(fmt.Sprintf(format, n%250+1)))
			if err != nil {
				if !errors.Is(err, network.ErrResourceLimitExceeded) {
					t.Fatal(err)
				}
				break
			}
			id := peer.ID(fmt.Sprint(format, n/10))
			if err := c.SetPeer(id); err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
		return n
	}
	if n := flood("/ip4/198.51.100.%d/tcp/1"); n != maxConns/(freeParts+1) {
		t.Errorf("one range has %d connections", n)
	}
	for i := range 20 {
		if n := flood(fmt.Sprintf("/ip4/198.51.%d.%%d/tcp/1", i)); n < 20 {
			t.Fatalf("range %d: only %d connections", i, n)
		}
	}
	for range 2 {
		for _, c := range open {
			c.Done() // once more does no harm
		}
	}
	l := m.(*rangeLimits)
	if len(l.ranges) != 0 || len(l.peers) != 0 || l.all != (rangeUse{}) {
		t.Errorf("left: %v, %v, %v", l.ranges, l.peers, l.all)
	}
}

// Streams that never say their protocol do not use up what there is for others.
func TestHalfOpenStreams(t *testing.T) {
	m, err := newResourceManager()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var open []interface{ Done() }
	flood := func(i int, negotiate bool) (n int) {
		id := peer.ID(fmt.Sprint(i))
		c, err := m.OpenConnection(network.DirInbound, true, ma.StringCast("/ip4/127.0.0.1/tcp/1"))
		if err == nil {
			err = c.SetPeer(id)
		}
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		for ; n < 100_000; n++ {
			s, err := m.OpenStream(id, network.DirInbound)
			if err != nil {
				break
			}
			if negotiate {
				if err := s.SetProtocol(particleProtocol); err != nil {
					t.Fatal(err)
				}
			}
			open = append(open, s)
		}
		return n
	}
	for i := range 20 {
		if n := flood(i, false); n < 40 {
			t.Fatalf("remote %d: only %d streams", i, n)
		}
	}
	if n := flood(100, true); n < maxStreamsPerPeer {
		t.Errorf("one that negotiates has %d streams", n)
	}
	for range 2 {
		for _, s := range open {
			s.Done()
		}
	}
	if l := m.(*rangeLimits); len(l.ranges) != 0 || l.all != (rangeUse{}) {
		t.Errorf("left: %v, %v", l.ranges, l.all)
	}
}
