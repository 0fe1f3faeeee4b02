package p2p

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"
)

// Two processes with one key learn of each other from a peer that both are connected to.
func TestTwoProcessesWithOneKey(t *testing.T) {
	third := newNode(t, 1, nil)
	a, b := newNode(t, 2, nil), newNode(t, 2, nil)
	a.dial(third)
	if _, ok := a.Conflict(); ok {
		t.Error("a conflict without a second process")
	}
	b.dial(third)
	for _, x := range []struct{ own, other *node }{{a, b}, {b, a}} {
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if addrs, ok := x.own.Conflict(); ok {
				if want := [2]string{x.own.Addrs()[0], x.other.Addrs()[0]}; addrs != want {
					t.Errorf("want %v, got %v", want, addrs)
				}
				break
			}
			if time.Now().After(end) {
				t.Fatal("one does not know of the other")
			}
		}
	}
	if _, ok := third.Conflict(); ok {
		t.Error("the third peer has no conflict")
	}
}

// One process is no conflict with itself.
func TestOneProcessIsNoConflict(t *testing.T) {
	a, b := newNode(t, 1, nil), newNode(t, 2, nil)
	a.dial(b)
	if b.introduce(a.host.ID()) || a.introduce(b.host.ID()) {
		t.Error("one process was taken for two")
	}
	conn := b.newest(a.host.ID())
	if err := b.confront(conn, conn); err == nil {
		t.Error("a process was confronted with itself")
	}
	if _, ok := a.Conflict(); ok {
		t.Error("a process believes in itself as another one")
	}
}

func (x *node) own(c challenge) proof {
	p := proof{nonce: x.instance.nonce, addr: "/ip4/192.0.2.1/tcp/1"}
	copy(p.signature[:], ed25519.Sign(x.cfg.Key, p.signed(c)))
	return p
}

// Nobody can make up a conflict: not with another key, nor with an answer to another challenge.
func TestMadeUpConflicts(t *testing.T) {
	a, liar := newNode(t, 1, nil), newNode(t, 2, nil)
	twin := newNode(t, 1, nil)
	for name, p := range map[string]proof{
		"of another key":         liar.own(challenge{1}),
		"of another challenge":   twin.own(challenge{2}),
		"with a changed address": func() proof { p := twin.own(challenge{1}); p.addr += "1"; return p }(),
	} {
		if err := a.believe(p, challenge{1}); err == nil {
			t.Errorf("a proof %s is believed", name)
		}
	}
	if _, ok := a.Conflict(); ok {
		t.Error("there is a conflict")
	}
	if err := a.believe(twin.own(challenge{1}), challenge{1}); err != nil {
		t.Errorf("a good proof: %v", err)
	}
	// What a proof signs is a hash, which cannot be a particle.
	if p := twin.own(challenge{}); len(p.signed(challenge{})) != 32 {
		t.Error("the signature covers more than a hash")
	}
}

// A TCP port belongs to one process. SO_REUSEPORT would give each half of the connections.
func TestPortOfAnother(t *testing.T) {
	for name, punching := range map[string]bool{"plain": false, "hole punching": true} {
		t.Run(name, func(t *testing.T) {
			first := newNode(t, 1, func(c *Config) { c.HolePunching = punching })
			listen := strings.Split(first.Addrs()[0], "/p2p/")[0]
			for _, addr := range []string{listen, listen + "/ws"} {
				second, err := New(Config{Key: testKey(2), Listen: []string{addr}, HolePunching: punching})
				if err != nil {
					t.Fatal(err)
				}
				defer second.Close()
				if err := second.Start(); err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "in use") {
					t.Errorf("%s: want an error that names the address, got %v", addr, err)
				}
			}
			third := newNode(t, 3, func(c *Config) { c.HolePunching = punching })
			third.dial(first)
		})
	}
}
