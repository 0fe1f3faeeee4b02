package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

// A peer that hangs for a while delays a script and does not lose it.
func TestFrozenPeer(t *testing.T) {
	dir := scripts(t, 0, 0)
	peers := three(t, "--services", filepath.Join(dir, "services"))
	join := filepath.Join(dir, "join.aqua")
	over(t, peers, join).want(t, `"foo+bar"`) // everybody knows everybody
	frozen := peers[1].cmd.Process
	frozen.Signal(syscall.SIGSTOP)
	done := make(chan output, 1)
	go func() { done <- over(t, peers, join) }()
	peers[0].wantCount("called/", 2) // foo ran, in both runs
	select {
	case out := <-done:
		t.Errorf("a result without the frozen peer: %+v", out)
	case <-time.After(200 * time.Millisecond):
	}
	frozen.Signal(syscall.SIGCONT)
	(<-done).want(t, `"foo+bar"`)
}

// A peer that is dead ends a script at its TTL. The message says what was waited for.
func TestDeadPeer(t *testing.T) {
	dir := scripts(t, 0, 0)
	peers := three(t, "--services", filepath.Join(dir, "services"))
	peers[1].kill()
	out := over(t, peers, filepath.Join(dir, "join.aqua"), "--ttl", "2s")
	if out.err == nil || out.stdout != "" {
		t.Errorf("want no result, got %+v", out)
	}
	for _, want := range []string{"no answer within 2s", "waited for", `("baz" "baz")`} {
		if !strings.Contains(out.stderr, want) {
			t.Errorf("want %q in the message, got %s", want, out.stderr)
		}
	}
	peers[0].wantCount("held/dial", 1)
}

// A client whose clock lags is served when the peer is told to be patient.
func TestSkew(t *testing.T) {
	p := start(t, "--skew", "10s")
	_, send := stranger(t, p)
	late := func(by time.Duration) string {
		q := particle.New(testKey("stranger"), "(null)", time.Second, time.Now().Add(-time.Second-by))
		return string(wire.Frame(q))
	}
	send(late(5 * time.Second))
	p.wantCount("stepped/", 1)
	send(late(15 * time.Second))
	p.wantCount("refused/expired", 1)
}
