package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
)

// Two processes with one key fail their health checks, which name both, as soon as a third peer
// is connected to both.
func TestTwoProcessesWithOneKeyAreNotHealthy(t *testing.T) {
	run := func(key int, bootstrap ...string) *node.Node {
		n, err := node.New(config.Config{
			Key: devnet.Key(key), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowLocal: config.On, Admin: "127.0.0.1:0", Bootstrap: bootstrap,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	third := run(1)
	a, b := run(2, third.Addrs()[0]), run(2, third.Addrs()[0])
	for _, n := range []*node.Node{a, b} {
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			_, text := get(t, n.AdminAddr(), "/health")
			if strings.Contains(text, `"key":"Fail"`) && strings.Contains(text, a.Addrs()[0]) && strings.Contains(text, b.Addrs()[0]) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("want a check that names both, got %s", text)
			}
		}
	}
	if _, text := get(t, third.AdminAddr(), "/health"); strings.Contains(text, "key") {
		t.Errorf("the third peer is not concerned: %s", text)
	}
}
