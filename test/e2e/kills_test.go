package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	corepeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/aquanode/aquanode/node/store"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

var kills = flag.Int("kills", 3, "how often TestKills kills a durable peer")

// A durable peer that is killed under load, again and again with one directory, always starts, and
// has each particle that it acknowledged and that has not expired, matched by id. Its files are
// whole after each kill. For many of them: go test ./test/e2e -run TestKills -kills 300 -timeout 1h
func TestKills(t *testing.T) {
	// Lives of some seconds keep the particles that are there at once in the thousands.
	const ttl, senders = 6 * time.Second, 8
	args := []string{"--data-dir", t.TempDir(), "--durable"}
	dir := args[1]
	acknowledged := map[string]time.Time{} // deadlines by id
	total, matched := 0, 0
	var mu sync.Mutex
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return total
	}
	for round := range *kills {
		p := start(t, args...)
		matched += wantResumed(t, p, acknowledged)
		h, _ := stranger(t, p)
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				for {
					sent := particle.New(testKey("stranger"), "(never)", ttl, time.Now())
					if !acknowledges(t, h, p, sent) {
						return
					}
					mu.Lock()
					acknowledged[sent.ID] = time.UnixMilli(int64(sent.Timestamp)).Add(ttl)
					total++
					mu.Unlock()
				}
			})
		}
		for before := count(); count() < before+10; { // else the test shows little
			time.Sleep(time.Millisecond)
		}
		time.Sleep(rand.N(300 * time.Millisecond))
		p.kill()
		all.Wait()
		h.Close()
		files, err := store.Check(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.State != "ok" {
				t.Errorf("kill %d: %s is %s: %v", round+1, f.Name, f.State, f.Damages)
			}
		}
	}
	p := start(t, args...)
	matched += wantResumed(t, p, acknowledged)
	t.Logf("%d kills, %d particles acknowledged, %d found again (each once a start)", *kills, total, matched)
	if matched == 0 {
		t.Error("no particle was found again: each start took longer than their TTL")
	}
}

// wantResumed waits until a peer that has started goes on with every particle of a list, and forgets
// those that end soon.
func wantResumed(t *testing.T, p *peer, list map[string]time.Time) (matched int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resumed := resumedIDs(t, p)
		missing := ""
		matched = 0
		for id, ends := range list {
			switch {
			case time.Until(ends) < time.Second:
				delete(list, id)
			case resumed[id]:
				matched++
			default:
				missing = id
			}
		}
		if missing == "" {
			return matched
		}
		if time.Now().After(deadline) {
			t.Fatalf("particle %s was acknowledged and is missing, one of %d", missing, len(list)-matched)
		}
	}
}

func resumedIDs(t *testing.T, p *peer) map[string]bool {
	t.Helper()
	r, err := http.Get(fmt.Sprintf("http://%s/particles?n=10000", p.admin))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var page struct {
		Entries []struct{ Kind, Particle string }
	}
	if err := json.NewDecoder(r.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, e := range page.Entries {
		if e.Kind == "resumed" {
			ids[e.Particle] = true
		}
	}
	return ids
}

// acknowledges sends a particle on a stream of its own and reports whether the peer closed its side.
func acknowledges(t *testing.T, h host.Host, to *peer, p *particle.Particle) bool {
	id, err := corepeer.Decode(to.PeerID)
	if err != nil {
		t.Error(err)
		return false
	}
	s, err := h.NewStream(network.WithNoDial(t.Context(), "a crash is the end"), id, wire.ProtocolID)
	if err != nil {
		return false
	}
	defer s.Reset()
	s.Write(wire.Frame(p))
	s.CloseWrite()
	_, err = io.Copy(io.Discard, s)
	return err == nil
}
