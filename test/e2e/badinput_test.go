package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	corepeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// stranger is a libp2p host that may send anything.
func stranger(t *testing.T, to *peer) (host.Host, func(frame string)) {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(testKey("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	h.SetStreamHandler(wire.ProtocolID, func(s network.Stream) { s.Close() })
	info, err := corepeer.AddrInfoFromString(to.addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(context.Background(), *info); err != nil {
		t.Fatal(err)
	}
	return h, func(frame string) {
		t.Helper()
		s, err := h.NewStream(context.Background(), info.ID, wire.ProtocolID)
		if err != nil {
			t.Fatal(err)
		}
		s.Write([]byte(frame)) // the peer may have reset the stream before the end
		s.CloseWrite()
	}
}

// What a stranger sends is refused with a reason; the connection and the peer live on.
func TestBadInput(t *testing.T) {
	p := start(t)
	h, send := stranger(t, p)
	framed := func(change func(*particle.Particle)) string {
		q := particle.New(testKey("stranger"), "(null)", time.Minute, time.Now())
		change(q)
		return string(wire.Frame(q))
	}
	good := framed(func(*particle.Particle) {})
	for _, c := range []struct{ name, frame, count string }{
		{"oversize", "\xff\xff\xff\xff\x07" + strings.Repeat("x", 1000), "refused/frame"},
		{"truncated", good[:len(good)-5], "refused/frame"},
		{"junk", strings.Repeat("\xff", 4096), "refused/frame"},
		{"not message pack", "\x10hello, who there?", "refused/message"},
		{"JSON", "\x04\x80\x04{}", "refused/message"},
		{"half a particle", "\x0d\x81\x04\x81\xa2id\xa6abcdef", "refused/message"},
		{"unsigned", framed(func(q *particle.Particle) { q.Signature = nil }), "refused/signature"},
		{"wrongly signed", framed(func(q *particle.Particle) { q.Signature[3] ^= 1 }), "refused/signature"},
		{"signed by another", framed(func(q *particle.Particle) { q.Sign(testKey("other")) }), "refused/signature"},
		{"no peer id", framed(func(q *particle.Particle) { q.InitPeerID = "../../etc/passwd" }), "refused/signature"},
		{"expired", framed(func(q *particle.Particle) { q.Timestamp -= 3600_000; q.Sign(testKey("stranger")) }), "refused/expired"},
		{"time overflow", framed(func(q *particle.Particle) { q.Timestamp = 1<<64 - 1; q.Sign(testKey("stranger")) }), "refused/expired"},
		{"far future", framed(func(q *particle.Particle) { q.Timestamp = 1 << 62; q.Sign(testKey("stranger")) }), "refused/ttl"},
		{"no script", framed(func(q *particle.Particle) { q.Script = "(seq"; q.Sign(testKey("stranger")) }), "failed/interpreter"},
		{"forged data", framed(func(q *particle.Particle) { q.Data = []byte("forged") }), "refused/interpreter"},
		{"no next peer", framed(func(q *particle.Particle) {
			q.Script = `(call "../../nobody" ("op" "noop") [])`
			q.Sign(testKey("stranger"))
		}), "lost/peer-id"},
		{"path as id", framed(func(q *particle.Particle) { q.ID = "../../" + strings.Repeat("x", 240); q.Sign(testKey("stranger")) }), "stepped/"},
		{"long id", framed(func(q *particle.Particle) { q.ID = strings.Repeat("x", 300); q.Sign(testKey("stranger")) }), "refused/message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := p.counts()[c.count]
			send(c.frame)
			p.wantCount(c.count, before+1)
			if n := len(h.Network().Conns()); n != 1 {
				t.Errorf("want the connection to live on, got %d connections", n)
			}
			before = p.counts()["stepped/"]
			send(framed(func(*particle.Particle) {}))
			p.wantCount("stepped/", before+1)
		})
	}
	p.wantMetrics(t)
	var outside []string
	filepath.WalkDir(filepath.Dir(p.dir), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.Contains(path, "xxx") {
			outside = append(outside, path)
		}
		return nil
	})
	if len(outside) > 0 {
		t.Errorf("an id became a path: %v", outside)
	}
	if err := p.stop(); err != nil {
		t.Errorf("the peer ended with %v\n%s", err, p.stderr)
	}
	if strings.Contains(p.stderr.String(), "panic") {
		t.Errorf("the peer panicked:\n%s", p.stderr)
	}
}

// wantMetrics holds what the journal counts equal to what Prometheus reads.
func (p *peer) wantMetrics(t *testing.T) {
	t.Helper()
	r, err := http.Get("http://" + p.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range p.counts() {
		kind, reason, _ := strings.Cut(what, "/")
		if kind != "refused" {
			continue // others may go on meanwhile
		}
		if line := fmt.Sprintf("aquanode_journal_total{kind=%q,reason=%q} %d\n", kind, reason, n); !strings.Contains(string(text), line) {
			t.Errorf("want the line %sin the metrics, got\n%s", line, text)
		}
	}
}

// A particle that comes again and again is stepped for what is new in it, and gives the same
// result; replayed after its end it is refused. A stranger's replays of what others sent are
// no different.
func TestReplays(t *testing.T) {
	p := start(t)
	_, send := stranger(t, p)
	q := particle.New(testKey("somebody else"), fmt.Sprintf(`(call %q ("op" "identity") ["x"] r)`, p.PeerID), 6*time.Second, time.Now())
	const replays = 200
	for range replays {
		send(string(wire.Frame(q)))
	}
	p.wantCount("arrived/", replays)
	if n := p.counts()["called/"]; n != 1 {
		t.Errorf("want one call of %d replays, got %d", replays, n)
	}
	p.wantCount("done/", 1)
	time.Sleep(q.Left(time.Now()) + time.Second)
	send(string(wire.Frame(q)))
	p.wantCount("refused/expired", 1)
	if n := p.counts()["called/"]; n != 1 {
		t.Errorf("called again after its end: %d", n)
	}
}
