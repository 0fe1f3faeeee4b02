package e2e

import (
	"path/filepath"
	"testing"
)

// A peer that listens nowhere is found by others and reached over a peer that carries
// connections, both ways.
func TestPeerThatNobodyCanDial(t *testing.T) {
	dir := scripts(t, 0, 0)
	services := filepath.Join(dir, "services")
	conf := write(t, map[string]string{"hidden.toml": "listen = []\n"})
	relay := start(t, "--circuits")
	hidden := startAs(t, "--config", filepath.Join(conf, "hidden.toml"), "--services", services, "--bootstrap", relay.addr(), "--over", relay.addr())
	other := start(t, "--bootstrap", relay.addr(), "--services", services)
	script := write(t, map[string]string{"foo.aqua": "on peer1:\n    x <- bar()\n    on peer2:\n        y <- foo()\n    baz(x, y)\n"})
	out := command(t, "run", filepath.Join(script, "foo.aqua"), "--services", services, "--relay", other.addr(), "--ttl", "30s",
		"--on", "peer1="+other.PeerID, "--on", "peer2="+hidden.PeerID)
	out.want(t, `"bar+foo"`)
	if n := relay.counts()["arrived/"]; n != 0 {
		t.Errorf("the relay itself took %d particles", n)
	}
}
