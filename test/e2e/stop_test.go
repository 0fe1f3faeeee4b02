package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
)

// busy sends a peer a script that lives for an hour, through another process that does not wait.
func busy(t *testing.T, p *peer, air string) {
	t.Helper()
	c := connect(t, p, nil)
	go c.Run(t.Context(), client.Script{TTL: time.Hour, AIR: `
		(seq (call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-) ` + air + `)`})
	p.wantCount("arrived/", 1)
}

// ends tells a peer to stop and waits for its process. What it says when it had to be ended is
// part of a pass: the particles live for an hour, so without that it would not end at all.
func ends(t *testing.T, p *peer) {
	t.Helper()
	err := p.stop()
	if err != nil && !strings.Contains(p.stderr.String(), "still running:") {
		t.Errorf("stop: %v\n%s", err, p.stderr)
	}
	t.Logf("%v %s", err, p.stderr)
}

// A peer ends when it is told to while a call runs that nothing can interrupt.
func TestStopStuckService(t *testing.T) {
	services := write(t, map[string]string{"stuck.js": `exports.f = () => /^(a|aa)+\1$/.test("a".repeat(500) + "b")`})
	p := start(t, "--services", services, "--grace", "100ms", "--durable")
	busy(t, p, `(call -relay- ("stuck" "f") [] r)`)
	time.Sleep(200 * time.Millisecond) // so that the call runs
	ends(t, p)
	again := start(t, "--data-dir", p.dir, "--durable")
	if again.PeerID != p.PeerID {
		t.Errorf("want peer %s again, got %s", p.PeerID, again.PeerID)
	}
}

// A peer ends when it is told to while it sends a particle to 100,000 peers that nobody knows.
func TestStopManyNextPeers(t *testing.T) {
	p := start(t, "--grace", "100ms")
	peers := make([]value.Value, 100_000)
	for i := range peers {
		key := make(ed25519.PublicKey, ed25519.PublicKeySize)
		rand.Read(key)
		peers[i] = value.String(particle.PeerID(key))
	}
	c := connect(t, p, nil)
	go c.Run(t.Context(), client.Script{TTL: time.Hour, Data: map[string]any{"list": value.Array(peers)}, AIR: `
		(seq (call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-)
		(seq (call %init_peer_id% ("getDataSrv" "list") [] list)
		(seq (call -relay- ("op" "noop") [])
		     (fold list peer (par (call peer ("op" "noop") []) (next peer))))))`})
	p.wantCount("arrived/", 1)
	time.Sleep(200 * time.Millisecond)
	ends(t, p)
}

// A peer ends when it is told to with many frames for a peer that is not there.
func TestStopFullQueue(t *testing.T) {
	p := start(t, "--grace", "100ms")
	c := connect(t, p, nil)
	for range 200 {
		go c.Run(t.Context(), client.Script{TTL: time.Hour, AIR: `
			(seq (call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-)
			(seq (call -relay- ("op" "noop") [])
			     (call "12D3KooWAXX7QMcGFSmMRkvjKrYChcKHkxTsmVzRYC1PT5gSKxqR" ("op" "noop") [])))`})
	}
	p.wantCount("arrived/", 200)
	ends(t, p)
}

// A second signal ends a peer in its grace time, at once.
func TestSecondSignal(t *testing.T) {
	p := start(t, "--grace", "1h")
	busy(t, p, `(call -relay- ("peer" "timeout") [3000000 "x"] r)`)
	p.cmd.Process.Signal(syscall.SIGINT) // two signals of one kind at once would be one
	err := p.stop()
	if err == nil || p.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(p.stderr.String(), "second signal") {
		t.Errorf("want status 1 and a word, got %v\n%s", err, p.stderr)
	}
}
