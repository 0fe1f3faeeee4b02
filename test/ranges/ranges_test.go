//go:build netns

// Package ranges tests what one address range may take of a peer, between hosts in network
// namespaces. The hosts have addresses as the Internet has them; what others measure on loopback,
// where each connection counts as a range, is measured here with ranges of many addresses.
//
// It counts answers and reasons of the journal, and no times. It needs Linux, root and ip(8):
//
//	go test -tags netns ./test/ranges
package ranges

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/test/load"
	"github.com/aquanode/aquanode/test/process"
)

// day is a TTL that outlives every test.
const day = 23 * time.Hour

// A peer is a process on a host.
type peer struct {
	*process.Peer
	t *testing.T
}

// startPeer starts a peer that listens at the addresses.
func startPeer(t *testing.T, on namespace, addrs []string, env []string, args ...string) peer {
	t.Helper()
	for _, a := range addrs {
		args = append(args, "--listen", multiaddr(a))
	}
	cfg := process.Config{Binary: binary, Dir: t.TempDir(), Args: args, Env: env, Dial: dialer{from: on}.DialContext}
	var p *process.Peer
	if err := on.do(func() (err error) { p, err = process.Start(cfg); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the peer's log ends with: %.2000s", p.Log())
		}
	})
	return peer{p, t}
}

const port = 7777

func multiaddr(ip string) string {
	kind := "ip4"
	if netip.MustParseAddr(ip).Is6() {
		kind = "ip6"
	}
	return fmt.Sprintf("/%s/%s/tcp/%d", kind, ip, port)
}

// at is the peer's full address with an IP address.
func (p peer) at(ip string) string { return multiaddr(ip) + "/p2p/" + p.PeerID }

// reasons reads the journal's counts.
func (p peer) reasons() process.Counts {
	p.t.Helper()
	c, err := p.Counts(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// has reports whether the journal has an entry of some kind for a particle.
func (p peer) has(id, kind string) bool {
	p.t.Helper()
	page, err := p.Journal(p.t.Context(), id, 100)
	if err != nil {
		p.t.Fatal(err)
	}
	return slices.ContainsFunc(page.Entries, func(e process.Entry) bool { return e.Kind == kind && e.Particle == id })
}

// sum adds up counts of the journal.
func sum(c process.Counts, what ...string) (n int) {
	for _, w := range what {
		n += c[w]
	}
	return n
}

// A stranger is a connection with a key of its own, which sends what it likes.
type stranger struct {
	*load.Stranger
	t        *testing.T
	answers  atomic.Int64
	answered chan struct{} // gets one for each answer while somebody waits
}

// connect connects a stranger from an address of a host to a peer at an address.
func connect(t *testing.T, name string, from dialer, to string) *stranger {
	t.Helper()
	dial := func(ma.Multiaddr) (tcp.ContextDialer, error) { return from, nil }
	s, err := load.NewStranger(t.Context(), name, to, libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(dial)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	x := &stranger{Stranger: s, t: t, answered: make(chan struct{}, 1000)}
	s.SetStreamHandler(wire.ProtocolID, func(st network.Stream) {
		defer st.Close()
		for r := bufio.NewReader(st); ; {
			if _, err := wire.ReadMessage(r, wire.MaxMessage); err != nil {
				return
			}
			x.answers.Add(1)
			select {
			case x.answered <- struct{}{}:
			default:
			}
		}
	})
	return x
}

// send sends a particle on a stream of its own and returns its id.
func (s *stranger) send(script string) (id string) {
	q := particle.New(s.Key, script, day, time.Now())
	if err := s.Send(s.t.Context(), wire.Frame(q)); err != nil && s.t.Context().Err() == nil {
		s.t.Errorf("send: %v", err)
	}
	return q.ID
}

// asks keeps n particles with a script at the peer, until the test ends: a new one for each answer.
func (s *stranger) asks(n int, script string) {
	for range n {
		s.send(script)
	}
	go func() {
		for {
			select {
			case <-s.answered:
				s.send(script)
			case <-s.t.Context().Done():
				return
			}
		}
	}()
}

// answer ends a script of a stranger.
const answer = `(call %init_peer_id% ("callbackSrv" "response") [])`

// heavy is a script that takes some tens of milliseconds of a processor at a peer.
func heavy(at, then string) string {
	ones := "[" + strings.Repeat("1,", 499) + "1]"
	return fmt.Sprintf(`(seq (call %q ("json" "parse") [%q] a)
		(seq (fold a i (seq (fold a j (seq (null) (next j))) (next i))) %s))`, at, ones, then)
}

// waiting is a script that lives at a peer for a day, with a text of some bytes.
func waiting(at string, bytes int) string {
	return fmt.Sprintf(`(seq (ap %q x) (call %q ("peer" "timeout") [80000000 x] y))`, strings.Repeat("x", bytes), at)
}

// share measures how much of a peer's processor time goes to the connections of attackers and how
// much to one of another range, in particles of the same cost that each of them keeps asking for.
func share(t *testing.T, p peer, honest *stranger, attackers []*stranger, enough int64) (ratio float64) {
	t.Helper()
	// What arrives late, because the machine is busy, must not cost a turn: so many wait for one.
	const theirEach, ourEach = 4, 16
	script := heavy(p.PeerID, answer)
	for _, a := range attackers {
		a.asks(theirEach, script)
	}
	all := func() (n int64) {
		for _, a := range attackers {
			n += a.answers.Load()
		}
		return n
	}
	eventually(t, "the attackers to begin", func() bool { return all() >= 5 })
	honest.asks(ourEach, script)
	eventually(t, "the first answer", func() bool { return honest.answers.Load() >= 1 })
	theirs, ours := all(), honest.answers.Load()
	eventually(t, "answers in the attack", func() bool { return honest.answers.Load() >= ours+enough })
	theirs, ours = all()-theirs, honest.answers.Load()-ours
	t.Logf("%d connections got %d answers, one of another range %d", len(attackers), theirs, ours)
	return float64(theirs) / float64(ours)
}

// connections is how many an attacker has, each with a key and an address of its own.
const connections = 20

// Twenty addresses, connections and keys of one range have the processor time of one range: as much
// as a host of another one. Calls of that host are answered beside it.
func TestRangeHasOneShare(t *testing.T) {
	for name, net := range map[string]struct {
		peer, honest string
		attacker     func(i int) string
	}{
		"a 24 of IPv4": {"10.0.0.1", "10.0.1.1", func(i int) string { return fmt.Sprint("10.0.2.", 1+i) }},
		"a 48 of IPv6": {"fd00:0:1::1", "fd00:0:2::1", func(i int) string { return fmt.Sprintf("fd00:0:3:%x::1", 1+i) }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLink(t)
			p := startPeer(t, l.host(net.peer), []string{net.peer}, nil)
			neighbour := l.host(net.honest)
			var addrs []string
			for i := range connections {
				addrs = append(addrs, net.attacker(i))
			}
			bad := l.host(addrs...)
			at := p.at(net.peer)
			var attackers []*stranger
			for i, a := range addrs {
				attackers = append(attackers, connect(t, fmt.Sprint("attacker ", i), dialer{bad, a}, at))
			}
			calls := startCallers(t, "a host beside it", neighbour, at, p.PeerID)
			calls.answered(10)
			honest := connect(t, "honest", dialer{from: neighbour}, at)
			if ratio := share(t, p, honest, attackers, 40); ratio > 3 {
				t.Errorf("%d connections of one range got %.1f times as much as a host of another one", connections, ratio)
			}
			calls.answered(50)
		})
	}
}

// On loopback each connection counts as a range: the same attack gets as many shares as it has
// connections. This is also what the test above would measure if ranges did not count.
func TestLoopbackHasNoRanges(t *testing.T) {
	l := newLink(t)
	h := l.host("10.0.0.1")
	p := startPeer(t, h, []string{"127.0.0.1"}, nil)
	at := p.at("127.0.0.1")
	var attackers []*stranger
	for i := range connections {
		attackers = append(attackers, connect(t, fmt.Sprint("attacker ", i), dialer{from: h}, at))
	}
	calls := startCallers(t, "a client on loopback", h, at, p.PeerID)
	if ratio := share(t, p, connect(t, "honest", dialer{from: h}, at), attackers, 6); ratio < 6 {
		t.Errorf("%d connections on loopback got %.1f times as much as another one", connections, ratio)
	}
	calls.answered(50)
}

// Five keys of one range, and five of another one, fill the peer. Who comes from a third range is
// served: others have to make room, with a reason.
func TestKeysOfARangeMakeRoom(t *testing.T) {
	for name, c := range map[string]struct {
		args, env []string
		each      int // particles of a key
		bytes     int // of each
		full      []string
	}{
		"live particles": {[]string{"--max-particles", "400"}, nil, 60, 1, []string{"refused/particles"}},
		"memory": {nil, []string{"AQUANODE_MAX_MEMORY=64MiB", "AQUANODE_MAX_SPILL=1MiB"}, 12, 1 << 20,
			[]string{"refused/memory", "ended/memory", "lost/memory"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLink(t)
			p := startPeer(t, l.host("10.0.0.1"), []string{"10.0.0.1"}, c.env, c.args...)
			at := p.at("10.0.0.1")
			for r := 2; r < 4; r++ {
				var addrs []string
				for i := range 5 {
					addrs = append(addrs, fmt.Sprintf("10.0.%d.%d", r, 1+i))
				}
				bad := l.host(addrs...)
				for _, a := range addrs {
					s := connect(t, a, dialer{bad, a}, at)
					for range c.each {
						s.send(waiting(p.PeerID, c.bytes))
					}
				}
			}
			eventually(t, "the peer to be full", func() bool { return sum(p.reasons(), c.full...) > 0 })
			neighbour := l.host("10.0.4.1")
			newcomer := connect(t, "newcomer", dialer{from: neighbour}, at)
			calls := startCallers(t, "a newcomer", neighbour, at, p.PeerID)
			for n := range int64(10) {
				text := strings.Repeat("y", c.bytes)
				newcomer.send(fmt.Sprintf(`(seq (call %q ("op" "identity") [%q] x) %s)`, p.PeerID, text, answer))
				eventually(t, "the newcomer's answer", func() bool { return newcomer.answers.Load() > n })
			}
			// These stay: room has to be made for them.
			var stay []string
			for range 3 { // with less than the newcomer's own quarter: script, value and argument count
				stay = append(stay, newcomer.send(waiting(p.PeerID, c.bytes/2)))
			}
			calls.answered(50)
			eventually(t, "others to make room", func() bool { return p.reasons()["ended/displaced"] > 0 })
			for _, id := range stay {
				eventually(t, "a particle of the newcomer to be stepped", func() bool { return p.has(id, "stepped") })
				for _, kind := range []string{"refused", "failed", "ended"} {
					if p.has(id, kind) {
						t.Errorf("a particle of the newcomer: %s", kind)
					}
				}
			}
			t.Logf("%v", p.reasons())
		})
	}
}

// A relay forwards for many clients. One of them floods the peer behind it with particles that
// take time, that stay, and that make many frames of one. The others, and hosts beside the relay,
// are served.
func TestForwarderWithAFloodingClient(t *testing.T) {
	for name, flood := range map[string]struct {
		script  func(relay, p string) string
		reasons []string // at the peer or the relay
	}{
		"time": {func(relay, p string) string { return heavy(p, "(null)") }, nil},
		"live particles": {func(relay, p string) string { return waiting(p, 1) },
			[]string{"refused/particles", "ended/displaced"}},
		"frames": {manyFrames, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLink(t)
			p := startPeer(t, l.host("10.0.0.1"), []string{"10.0.0.1"}, nil, "--max-particles", "400")
			r := startPeer(t, l.host("10.0.1.1"), []string{"10.0.1.1"}, nil, "--bootstrap", p.at("10.0.0.1"))
			relay := r.at("10.0.1.1")
			behind := startCallers(t, "a client behind the relay", l.host("10.0.3.1"), relay, p.PeerID)
			beside := startCallers(t, "a host beside the relay", l.host("10.0.4.1"), p.at("10.0.0.1"), p.PeerID)
			behind.answered(10)
			bad := connect(t, "flood", dialer{from: l.host("10.0.2.1")}, relay)
			script := flood.script(r.PeerID, p.PeerID)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var sent atomic.Int64
			var done sync.WaitGroup
			defer done.Wait()
			defer stop()
			done.Go(func() { bad.flood(ctx, script, &sent) })
			eventually(t, "the flood to begin", func() bool { return sent.Load() > 200 })
			behind.answered(40)
			beside.answered(40)
			if flood.reasons != nil {
				eventually(t, "a reason in the journal", func() bool {
					return sum(p.reasons(), flood.reasons...)+sum(r.reasons(), flood.reasons...) > 0
				})
			}
			behind.lost()
			t.Logf("%d particles sent; the peer: %v; the relay: %v", sent.Load(), p.reasons(), r.reasons())
		})
	}
}

// manyFrames is a script of which each of 300 results at the relay, a millisecond apart, is a frame
// for the peer.
func manyFrames(relay, p string) string {
	var times []string
	for i := range 300 {
		times = append(times, fmt.Sprint(1+i))
	}
	return fmt.Sprintf(`(seq (call %[1]q ("json" "parse") ["[%[2]s]"] a) (fold a i (par
		(seq (call %[1]q ("peer" "timeout") [i "x"] x) (call %[3]q ("op" "identity") [x] y)) (next i))))`,
		relay, strings.Join(times, ","), p)
}

// flood sends particles as fast as the peer takes them, on one stream.
func (s *stranger) flood(ctx context.Context, script string, sent *atomic.Int64) {
	st, err := s.Open(ctx)
	if err != nil {
		s.t.Errorf("flood: %v", err)
		return
	}
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	for ctx.Err() == nil {
		if _, err := st.Write(wire.Frame(particle.New(s.Key, script, day, time.Now()))); err != nil {
			if ctx.Err() == nil {
				s.t.Errorf("flood: %v", err)
			}
			return
		}
		sent.Add(1)
	}
}
