package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
)

// slowly starts a script that calls a service of 1.5 s at a peer, through a relay, and what
// became of it.
func slowly(t *testing.T, relay, at *peer, ttl time.Duration) (result <-chan string) {
	t.Helper()
	c := connect(t, relay, nil)
	end := make(chan string, 1)
	go func() {
		r, err := c.Run(t.Context(), client.Script{TTL: ttl, Data: map[string]any{"at": value.String(at.PeerID)}, AIR: `
			(xor (seq (call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-)
			     (seq (call %init_peer_id% ("getDataSrv" "at") [] at)
			     (seq (call -relay- ("op" "noop") [])
			     (seq (call at ("op" "concat_strings") ["be" "fore"] a)
			     (seq (call at ("slow" "work") [1500] b)
			     (seq (call at ("op" "concat_strings") [a ", " b] r)
			     (seq (call -relay- ("op" "noop") [])
			          (call %init_peer_id% ("callbackSrv" "response") [r]))))))))
			     (call %init_peer_id% ("errorHandlingSrv" "error") [:error: 0]))`})
		if err != nil {
			end <- err.Error()
			return
		}
		end <- r.JSON().Text()
	}()
	return end
}

// again starts a peer in the place of one that ended.
func again(t *testing.T, p *peer, args ...string) *peer {
	t.Helper()
	next := start(t, append(args, "--listen", strings.Split(p.addr(), "/p2p/")[0])...)
	if next.PeerID != p.PeerID {
		t.Fatalf("want peer %s again, got %s", p.PeerID, next.PeerID)
	}
	return next
}

func slowPeer(t *testing.T, args ...string) (relay, p *peer, its []string) {
	t.Helper()
	services := write(t, map[string]string{"slow.js": `exports.work = (ms) => { sleep(ms); return "after" }`})
	relay = start(t)
	its = append([]string{"--data-dir", t.TempDir(), "--services", services, "--bootstrap", relay.addr()}, args...)
	p = start(t, its...)
	return relay, p, its
}

// calling waits until a peer is in the slow call.
func calling(p *peer) {
	p.wantCount("called/", 1) // concat_strings
	time.Sleep(300 * time.Millisecond)
}

// A durable peer that crashes in a call makes it again after its restart, and the script ends
// as if nothing had happened.
func TestDurableCrash(t *testing.T) {
	relay, p, args := slowPeer(t, "--durable")
	result := slowly(t, relay, p, 30*time.Second)
	calling(p)
	p.kill()
	p = again(t, p, args...)
	if got := <-result; got != `"before, after"` {
		t.Errorf("want the result, got %s", got)
	}
	counts := p.counts()
	if counts["resumed/"] != 1 || counts["called/"] != 2 { // not the call that had a result
		t.Errorf("want one particle resumed and two calls, got %v", counts)
	}
}

// The same when the peer is the client's only relay: the client comes back to it.
func TestDurableRelay(t *testing.T) {
	_, p, args := slowPeer(t, "--durable")
	result := slowly(t, p, p, 30*time.Second)
	calling(p)
	p.kill()
	again(t, p, args...)
	if got := <-result; got != `"before, after"` {
		t.Errorf("want the result, got %s", got)
	}
}

// Without --durable the script ends at its TTL and tells what it waited for.
func TestForgetfulCrash(t *testing.T) {
	relay, p, args := slowPeer(t)
	result := slowly(t, relay, p, 4*time.Second)
	calling(p)
	p.kill()
	again(t, p, args...)
	if got := <-result; !strings.Contains(got, "no answer within 4s") {
		t.Errorf("want a timeout, got %s", got)
	}
	relay.wantCount("expired/unfinished", 1)
}

// A durable peer that is stopped keeps what does not end within the grace time.
func TestDurableStop(t *testing.T) {
	relay, p, args := slowPeer(t, "--durable", "--grace", "200ms")
	result := slowly(t, relay, p, 30*time.Second)
	calling(p)
	if err := p.stop(); err != nil {
		t.Errorf("stop: %v\n%s", err, p.stderr)
	}
	p = again(t, p, args...)
	if got := <-result; got != `"before, after"` {
		t.Errorf("want the result, got %s", got)
	}
	if counts := p.counts(); counts["resumed/"] != 1 {
		t.Errorf("want one particle resumed, got %v", counts)
	}
}

// What expired while the peer was down is swept when it starts, and told.
func TestDurableSweep(t *testing.T) {
	relay, p, args := slowPeer(t, "--durable")
	result := slowly(t, relay, p, 4*time.Second)
	calling(p)
	p.kill()
	if got := <-result; !strings.Contains(got, "no answer within 4s") {
		t.Errorf("want a timeout, got %s", got)
	}
	p = again(t, p, args...)
	p.wantCount("expired/down", 1)
}

// A peer that crashes again and again makes progress, and no script is lost or sees another result.
func TestManyCrashes(t *testing.T) {
	const scripts, crashes = 25, 6
	relay := start(t)
	args := []string{"--data-dir", t.TempDir(), "--bootstrap", relay.addr(), "--durable"}
	p := start(t, args...)
	c := connect(t, relay, nil)
	results := make(chan string, scripts)
	for i := range scripts {
		go func() {
			r, err := c.Run(t.Context(), client.Script{
				TTL:  90 * time.Second,
				Data: map[string]any{"at": value.String(p.PeerID), "list": value.Array([]value.Value{value.String("1"), value.String("2"), value.String("3"), value.String("4")})},
				AIR: fmt.Sprintf(`
				(xor (seq (call %%init_peer_id%% ("getDataSrv" "-relay-") [] -relay-)
				     (seq (call %%init_peer_id%% ("getDataSrv" "at") [] at)
				     (seq (call %%init_peer_id%% ("getDataSrv" "list") [] list)
				     (seq (call -relay- ("op" "noop") [])
				     (new $all (seq (fold list n (seq (par (call at ("peer" "timeout") [%d n] v) (call at ("peer" "timeout") [%[1]d "x"] x))
				          (seq (call at ("op" "concat_strings") [v x] $all) (next n))))
				     (seq (canon at $all #all) (seq (call at ("op" "identity") [#all] r)
				     (seq (call -relay- ("op" "noop") [])
				          (call %%init_peer_id%% ("callbackSrv" "response") [r]))))))))))
				     (call %%init_peer_id%% ("errorHandlingSrv" "error") [:error: 0]))`, 100+5*i),
			})
			if err != nil {
				results <- err.Error()
				return
			}
			results <- r.JSON().Text()
		}()
	}
	p.wantCount("arrived/", scripts) // what is on its way when a peer dies is lost with it
	time.Sleep(50 * time.Millisecond)
	for range crashes {
		time.Sleep(rand.N(400 * time.Millisecond))
		p.kill()
		p = again(t, p, args...)
	}
	for range scripts {
		if got := <-results; got != `["1x","2x","3x","4x"]` {
			t.Errorf("want the list, got %s", got)
		}
	}
}

// Every particle whose stream the peer has closed is there after a crash at any moment.
func TestTakenOver(t *testing.T) {
	for range 3 {
		args := []string{"--data-dir", t.TempDir(), "--durable"}
		p := start(t, args...)
		h, _ := stranger(t, p)
		var senders sync.WaitGroup
		var taken atomic.Int64
		for range 8 {
			senders.Go(func() {
				for takes(t, h, p) {
					taken.Add(1)
				}
			})
		}
		for taken.Load() < 10 { // else the test shows little
			time.Sleep(time.Millisecond)
		}
		time.Sleep(rand.N(300 * time.Millisecond))
		p.kill()
		senders.Wait()
		h.Close()
		p = again(t, p, args...)
		p.wantCount("resumed/", int(taken.Load()))
		t.Logf("%d particles taken over, %d there after the crash", taken.Load(), p.counts()["resumed/"])
		p.kill()
	}
}

// takes sends a new particle and reports whether the peer took it over.
func takes(t *testing.T, h host.Host, to *peer) bool {
	return acknowledges(t, h, to, particle.New(testKey("stranger"), "(never)", time.Minute, time.Now()))
}
