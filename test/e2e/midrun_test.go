package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// A relay that crashes in the middle of a run and comes back costs time only: what it knew of
// the particle is in the data that the next peer holds for it, and the client holds on too.
func TestRelayRestartMidRun(t *testing.T) {
	dir := write(t, map[string]string{
		"services/slow.js": `exports.slow = () => { sleep(1500); return "slow" }`,
		"services/fast.js": `exports.fast = (...all) => all.join("+")`,
		"slow.aqua":        "on peer1:\n    before <- fast(\"before\")\n    on peer2:\n        s <- slow()\n    fast(before, s)\n",
	})
	services := filepath.Join(dir, "services")
	relayArgs := []string{"--key", filepath.Join(t.TempDir(), "key"), "--services", services}
	relay := start(t, relayArgs...)
	other := start(t, "--services", services, "--bootstrap", relay.addr())
	done := make(chan output, 1)
	go func() {
		done <- command(t, "run", filepath.Join(dir, "slow.aqua"), "--services", services, "--relay", relay.addr(), "--ttl", "30s",
			"--on", "peer1="+relay.PeerID, "--on", "peer2="+other.PeerID)
	}()
	other.wantCount("stepped/", 1) // the slow call is running
	relay.kill()
	other.wantCount("called/", 1)
	start(t, append(relayArgs, "--listen", strings.Split(relay.addr(), "/p2p/")[0])...)
	(<-done).want(t, `"before+slow"`)
	if n := other.counts()["called/"]; n != 1 {
		t.Errorf("the slow call ran %d times", n)
	}
}
