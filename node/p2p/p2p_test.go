package p2p

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// go-log and opencensus-like helpers of libp2p that live as long as the process
		goleak.IgnoreTopFunction("github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem.(*memoryAddrBook).background"),
		// half a second that net/http waits after it has refused a request
		goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"),
	)
}

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// node is a host whose callbacks are recorded.
type node struct {
	*Host
	t        testing.TB
	received chan *particle.Particle
	refused  chan error
	sent     chan error
	held     chan error
}

// fake is a receiver and a sender made of functions.
type fake struct {
	receive func(Remote, *particle.Particle)
	refused func(string, error)
	sent    func(string, Outgoing, error)
	held    func(string, Outgoing, error)
	account func(Remote) Account
	taken   func(context.Context) error
}

// fakeOf is the fake of a host that is being configured.
func fakeOf(c *Config) *fake { return c.Receiver.(*fake) }

func (f *fake) Receive(from Remote, p *particle.Particle) { f.receive(from, p) }
func (f *fake) Refused(from string, err error)            { f.refused(from, err) }
func (f *fake) Account(from Remote) Account               { return f.account(from) }
func (f *fake) Taken(ctx context.Context) error           { return f.taken(ctx) }
func (f *fake) Sent(to string, m Outgoing, err error)     { f.sent(to, m, err) }
func (f *fake) Held(to string, m Outgoing, err error)     { f.held(to, m, err) }

func newNode(t testing.TB, n byte, change func(*Config)) *node {
	t.Helper()
	x := &node{t: t, received: make(chan *particle.Particle, 5000), refused: make(chan error, 20_000), sent: make(chan error, 5000), held: make(chan error, 5000)}
	cfg := Config{
		Key:        testKey(n),
		Listen:     []string{"/ip4/127.0.0.1/tcp/0"},
		AllowLocal: true,
		Hold:       300 * time.Millisecond,
	}
	f := &fake{
		receive: func(_ Remote, p *particle.Particle) { x.received <- p },
		refused: func(_ string, err error) { x.refused <- err },
		sent:    func(_ string, _ Outgoing, err error) { x.sent <- err },
		held:    func(_ string, _ Outgoing, err error) { x.held <- err },
		account: func(Remote) Account { return nil },
		taken:   func(context.Context) error { return nil },
	}
	cfg.Receiver, cfg.Sender = f, f
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	x.Host = h
	t.Cleanup(func() { h.Close() })
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *node) dial(to *node) {
	x.t.Helper()
	if _, err := x.Dial(context.Background(), to.Addrs()[0]); err != nil {
		x.t.Fatal(err)
	}
}

func outgoing(size int) Outgoing {
	p := particle.New(testKey(99), "(null)", time.Minute, time.Now())
	p.Data = make([]byte, size)
	return Outgoing{Particle: p.ID, Frame: wire.Frame(p), Deadline: time.Now().Add(time.Minute)}
}

func wait[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("waited too long for %s", what)
		panic("unreachable")
	}
}

func (x *node) wantReceived(m Outgoing) {
	x.t.Helper()
	if p := wait(x.t, x.received, "a particle"); p.ID != m.Particle {
		x.t.Errorf("want particle %s, got %s", m.Particle, p.ID)
	}
}

func (x *node) wantSent(want journal.Reason) {
	x.t.Helper()
	wantReason(x.t, wait(x.t, x.sent, "the fate of a frame"), want)
}

func wantReason(t testing.TB, err error, want journal.Reason) {
	t.Helper()
	got := journal.Reason("")
	if err != nil {
		got = journal.ReasonOf(err)
	}
	if got != want {
		t.Errorf("want reason %q, got %q (%v)", want, got, err)
	}
}

func TestTransports(t *testing.T) {
	for _, listen := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/udp/0/quic-v1", "/ip6/::1/tcp/0"} {
		t.Run(listen, func(t *testing.T) {
			a := newNode(t, 1, nil)
			b := newNode(t, 2, func(c *Config) { c.Listen = []string{listen} })
			a.dial(b)
			for _, size := range []int{0, 3000, 1 << 20} {
				m := outgoing(size)
				a.Send(b.ID(), m)
				b.wantReceived(m)
				a.wantSent("")
				b.Send(a.ID(), m) // over the same connection
				a.wantReceived(m)
				b.wantSent("")
			}
		})
	}
}

func TestOrderIsKept(t *testing.T) {
	a, b := newNode(t, 1, nil), newNode(t, 2, nil)
	a.dial(b)
	for a.wayTo(a.newest(b.host.ID())) != keptWithAcks { // until b has told of all its protocols
		time.Sleep(time.Millisecond)
	}
	var all []Outgoing
	for range 500 {
		all = append(all, outgoing(500))
		a.Send(b.ID(), all[len(all)-1])
	}
	for _, m := range all {
		b.wantReceived(m)
	}
}

// strange is a host that is not ours. onStream handles what it receives.
func strange(t *testing.T, version string, onStream func(network.Stream)) host.Host {
	t.Helper()
	return stranger(t, 50, version, onStream)
}

func stranger(t *testing.T, n byte, version string, onStream func(network.Stream)) host.Host {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(testKey(n))
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.ProtocolVersion(version), libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	if onStream != nil {
		h.SetStreamHandler(particleProtocol, onStream)
	}
	return h
}

func connectTo(t *testing.T, h host.Host, to *node) {
	t.Helper()
	info, err := peer.AddrInfoFromString(to.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(context.Background(), *info); err != nil {
		t.Fatal(err)
	}
	// A protocol that was added just before may come in a second message of identify only.
	for slices.Contains(h.Mux().Protocols(), KeptProtocol) {
		if c := to.newest(h.ID()); c != nil && to.wayTo(c) == keptWithAcks {
			break
		}
		time.Sleep(time.Millisecond)
	}
}

// A client never closes its side of a stream and would refuse the 1001st.
func TestClientGetsOneStream(t *testing.T) {
	const n = 1300
	var mu sync.Mutex
	streams, got := 0, make(chan string, n)
	client := strange(t, "ipfs/0.1.0", func(s network.Stream) {
		mu.Lock()
		streams++
		mu.Unlock()
		r := bufio.NewReader(s)
		for {
			message, err := wire.ReadMessage(r, wire.MaxClientMessage)
			if err != nil {
				return
			}
			p, err := wire.Decode(message)
			if err != nil {
				t.Error(err)
				return
			}
			got <- p.ID
		}
	})
	relay := newNode(t, 1, nil)
	connectTo(t, client, relay)
	for range n {
		m := outgoing(100)
		relay.Send(client.ID().String(), m)
		if id := wait(t, got, "a particle at the client"); id != m.Particle {
			t.Fatalf("want %s, got %s", m.Particle, id)
		}
		relay.wantSent("")
	}
	if streams != 1 {
		t.Errorf("want one stream, got %d", streams)
	}
	relay.Send(client.ID().String(), outgoing(wire.MaxClientMessage))
	relay.wantSent(journal.TooBig)
	m := outgoing(1 << 20)
	relay.Send(client.ID().String(), m)
	if id := wait(t, got, "a particle after one that was too big"); id != m.Particle {
		t.Errorf("want %s, got %s", m.Particle, id)
	}
}

// A client that resets the kept stream gets a new one.
func TestKeptStreamIsReopened(t *testing.T) {
	got := make(chan string, 10)
	client := strange(t, "ipfs/0.1.0", func(s network.Stream) {
		message, err := wire.ReadMessage(bufio.NewReader(s), wire.MaxClientMessage)
		s.Reset()
		if err != nil {
			return
		}
		p, _ := wire.Decode(message)
		got <- p.ID
	})
	relay := newNode(t, 1, nil)
	connectTo(t, client, relay)
	for range 20 {
		m := outgoing(10)
		relay.Send(client.ID().String(), m)
		relay.wantSent("")
		for id := ""; id != m.Particle; {
			select {
			case id = <-got:
			case <-time.After(100 * time.Millisecond): // written before the reset came in: lost, as on any broken link
				relay.Send(client.ID().String(), m)
				relay.wantSent("")
			}
		}
	}
}

// A peer of another implementation reads exactly one frame of each stream.
func TestOtherPeersGetAStreamPerFrame(t *testing.T) {
	const n = 300
	got := make(chan string, n)
	other := strange(t, wire.ProtocolID, func(s network.Stream) {
		message, err := wire.ReadMessage(bufio.NewReader(s), wire.MaxMessage)
		s.Close()
		if err != nil {
			t.Error(err)
			return
		}
		p, err := wire.Decode(message)
		if err != nil {
			t.Error(err)
			return
		}
		got <- p.ID
	})
	x := newNode(t, 1, nil)
	connectTo(t, other, x)
	want := map[string]bool{}
	for range n {
		m := outgoing(1000)
		want[m.Particle] = true
		x.Send(other.ID().String(), m)
		x.wantSent("")
	}
	for range n {
		delete(want, wait(t, got, "a particle"))
	}
	if len(want) != 0 {
		t.Errorf("%d particles missing", len(want))
	}
}

func TestRemoteWithoutParticlesIsLetGo(t *testing.T) {
	x := newNode(t, 1, func(c *Config) { c.Introduction = 100 * time.Millisecond })
	h := strange(t, "ipfs/0.1.0", nil)
	connectTo(t, h, x)
	wantReason(t, wait(t, x.refused, "a refusal"), journal.NoParticles)
	for h.Network().Connectedness(x.host.ID()) == network.Connected {
		time.Sleep(time.Millisecond)
	}
}

// What breaks a frame or a stream leaves a reason and the connection.
func TestBadFrames(t *testing.T) {
	good := outgoing(10).Frame
	for _, c := range []struct {
		name   string
		bytes  string
		hang   bool // leave the stream open
		late   bool // nothing but the time ends it
		reason journal.Reason
	}{
		{"too long", "\xff\xff\xff\xff\x7f", true, false, journal.BadFrame},
		{"endless length", strings.Repeat("\xff", 20), true, false, journal.BadFrame},
		{"cut short", string(good[:100]), false, false, journal.BadFrame},
		{"only half a length", "\x80", false, false, journal.BadFrame},
		{"never completed", string(good[:100]), true, true, journal.BadFrame},
		{"nothing at all", "", true, true, journal.BadFrame},
		{"not message pack", "\x05hello", false, false, journal.BadMessage},
		{"JSON", "\x04\x80\x04{}", false, false, journal.BadMessage},
		{"no particle", "\x03\x81\x04\x80", false, false, journal.BadMessage},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := time.Minute
			if c.late {
				timeout = time.Second // also for the good one after it
			}
			x := newNode(t, 1, func(cfg *Config) { cfg.FrameTimeout = timeout; cfg.MaxMessage = 1 << 20 })
			h := strange(t, "ipfs/0.1.0", func(s network.Stream) { s.Close() })
			connectTo(t, h, x)
			s, err := h.NewStream(context.Background(), x.host.ID(), particleProtocol)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write([]byte(c.bytes)); err != nil {
				t.Fatal(err)
			}
			if !c.hang {
				s.CloseWrite()
			}
			wantReason(t, wait(t, x.refused, "a refusal"), c.reason)
			wantGoodOne(t, h, x)
			if len(x.refused) != 0 {
				t.Errorf("one more refusal: %v", <-x.refused)
			}
		})
	}
}

// wantGoodOne sends a good frame on a new stream, over the same connection, and expects
// our side to be closed after it.
func wantGoodOne(t *testing.T, h host.Host, x *node) {
	t.Helper()
	if n := len(h.Network().Conns()); n != 1 {
		t.Fatalf("want one connection, got %d", n)
	}
	s, err := h.NewStream(context.Background(), x.host.ID(), particleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	m := outgoing(10)
	if _, err := s.Write(m.Frame); err != nil {
		t.Fatal(err)
	}
	s.CloseWrite()
	x.wantReceived(m)
	s.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadAll(s); err != nil {
		t.Errorf("stream is not closed after the remote's end: %v", err)
	}
}

// A bad message in the middle of a stream does not cost those after it.
func TestBadMessageAmongGoodOnes(t *testing.T) {
	x := newNode(t, 1, nil)
	h := strange(t, "ipfs/0.1.0", func(s network.Stream) { s.Close() })
	connectTo(t, h, x)
	s, err := h.NewStream(context.Background(), x.host.ID(), particleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	m := outgoing(10)
	s.Write(m.Frame)
	s.Write([]byte("\x05hello\x12\x81\x04\x81\xa6action\xa7Upgrade"))
	s.Write(m.Frame)
	s.CloseWrite()
	x.wantReceived(m)
	x.wantReceived(m)
	wantReason(t, wait(t, x.refused, "a refusal"), journal.BadMessage)
}

func TestSendFailures(t *testing.T) {
	x := newNode(t, 1, func(c *Config) { c.QueueFrames = 2 })
	x.Send("nobody", outgoing(0))
	x.wantSent(journal.BadPeerID)
	absent := particle.PeerID(testKey(7).Public().(ed25519.PublicKey))
	x.Send(absent, outgoing(0))
	wantReason(t, wait(t, x.held, "a frame to be held"), journal.NotConnected)
	x.wantSent(journal.NotConnected)

	late := outgoing(0)
	late.Deadline = time.Now().Add(-time.Second)
	x.Send(particle.PeerID(testKey(8).Public().(ed25519.PublicKey)), late)
	x.wantSent(journal.TooLate)

	// A stalled reader: the queue fills up while the write hangs.
	stalled := strange(t, "ipfs/0.1.0", func(s network.Stream) { <-x.ctx.Done() })
	connectTo(t, stalled, x)
	for full := false; !full; {
		x.Send(stalled.ID().String(), outgoing(1<<20))
		select {
		case err := <-x.sent:
			full = err != nil
			if full {
				wantReason(t, err, journal.QueueFull)
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// A reader that stalls costs its own frames only, and a new stream is tried for the next.
func TestStalledStreamIsGivenUp(t *testing.T) {
	x := newNode(t, 1, func(c *Config) { c.FrameTimeout = time.Second })
	var later atomic.Bool
	got := make(chan string, 10)
	h := strange(t, "ipfs/0.1.0", func(s network.Stream) {
		if !later.Swap(true) {
			<-x.ctx.Done()
			return
		}
		if message, err := wire.ReadMessage(bufio.NewReader(s), wire.MaxMessage); err == nil {
			p, _ := wire.Decode(message)
			got <- p.ID
		}
	})
	connectTo(t, h, x)
	for {
		x.Send(h.ID().String(), outgoing(3<<20))
		if err := wait(t, x.sent, "the fate of a frame"); err != nil {
			wantReason(t, err, journal.WriteFailed)
			break
		}
	}
	m := outgoing(10)
	x.Send(h.ID().String(), m)
	if id := wait(t, got, "a particle"); id != m.Particle {
		t.Errorf("want %s, got %s", m.Particle, id)
	}
}

// What was sent before Flush arrives although the host is closed right after it.
func TestFlush(t *testing.T) {
	for range 20 {
		a, b := newNode(t, 1, nil), newNode(t, 2, nil)
		a.dial(b)
		b.dial(a)
		all := []Outgoing{outgoing(300_000), outgoing(10), outgoing(10)}
		for _, m := range all {
			a.Send(b.ID(), m)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		a.Flush(ctx)
		cancel()
		a.Close()
		missing := map[string]bool{}
		for _, m := range all {
			missing[m.Particle] = true
		}
		for range all {
			delete(missing, wait(t, b.received, "a particle").ID)
		}
		if len(missing) > 0 {
			t.Errorf("missing: %v", missing)
		}
		b.Close()
	}
}

// A client reads everything but never closes its side; it is not waited for.
func TestFlushToClient(t *testing.T) {
	x := newNode(t, 1, nil)
	got := make(chan string, 1)
	c := strange(t, "ipfs/0.1.0", func(s network.Stream) {
		message, err := wire.ReadMessage(bufio.NewReader(s), wire.MaxClientMessage)
		if err != nil {
			t.Error(err)
			return
		}
		p, err := wire.Decode(message)
		if err != nil {
			t.Error(err)
			return
		}
		got <- p.ID
	})
	connectTo(t, c, x)
	m := outgoing(300_000)
	x.Send(c.ID().String(), m)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	x.Flush(ctx)
	if ctx.Err() != nil {
		t.Error("Flush waited for the client to close its side")
	}
	x.Close()
	if id := wait(t, got, "a particle"); id != m.Particle {
		t.Errorf("want %s, got %s", m.Particle, id)
	}
}

func TestCloseReportsWhatWaits(t *testing.T) {
	x := newNode(t, 1, nil)
	stalled := strange(t, "ipfs/0.1.0", func(s network.Stream) { <-x.ctx.Done() })
	connectTo(t, stalled, x)
	const n = 40
	for range n {
		x.Send(stalled.ID().String(), outgoing(3<<20))
	}
	x.Close()
	for range n {
		wait(t, x.sent, "the fate of every frame")
	}
	x.Send(stalled.ID().String(), outgoing(0))
	x.wantSent(journal.ShuttingDown)
}

// A frame for a peer that is away for a moment waits for it.
func TestHeldUntilThePeerIsBack(t *testing.T) {
	relay := newNode(t, 1, func(c *Config) { c.Hold = 20 * time.Second })
	m := outgoing(10)
	relay.Send(particle.PeerID(testKey(2).Public().(ed25519.PublicKey)), m)
	wantReason(t, wait(t, relay.held, "a frame to be held"), journal.NotConnected)
	client := newNode(t, 2, func(c *Config) { c.Client, c.Listen = true, nil })
	client.dial(relay)
	client.wantReceived(m)
	relay.wantSent("")
}

func TestKeepComesBack(t *testing.T) {
	relay := newNode(t, 1, nil)
	client := newNode(t, 2, func(c *Config) { c.Client = true; c.Listen = nil })
	addr := relay.Addrs()[0]
	if err := client.Keep(addr); err != nil {
		t.Fatal(err)
	}
	arrives := func(from *node) {
		t.Helper()
		for m := outgoing(0); ; {
			from.Send(relay.ID(), m)
			select {
			case <-relay.received:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	arrives(client)
	relay.Close()
	listen := strings.Split(addr, "/p2p/")[0]
	relay = newNode(t, 1, func(c *Config) { c.Listen = []string{listen} })
	for {
		if ok, _ := client.IsConnected(relay.ID()); ok {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	arrives(client)
	if err := client.Keep("/ip4/127.0.0.1/tcp/1"); err == nil || !strings.Contains(err.Error(), "/p2p/") {
		t.Errorf("an address without peer id: want an error that says so, got %v", err)
	}
}

// Peers that know nothing but one bootstrap peer find each other.
func TestDiscovery(t *testing.T) {
	kad := func(c *Config) { c.Network = "dar" }
	boot := newNode(t, 1, kad)
	a, b := newNode(t, 2, kad), newNode(t, 3, kad)
	for _, x := range []*node{a, b} {
		if err := x.Keep(boot.Addrs()[0]); err != nil {
			t.Fatal(err)
		}
	}
	for len(boot.Peers()) < 2 {
		time.Sleep(5 * time.Millisecond)
	}
	for m := outgoing(0); ; {
		a.Send(b.ID(), m)
		if wait(t, a.sent, "the fate of a frame") == nil {
			b.wantReceived(m)
			break
		}
		time.Sleep(50 * time.Millisecond) // b is still introducing itself to boot
	}
	absent := particle.PeerID(testKey(77).Public().(ed25519.PublicKey))
	a.Send(absent, outgoing(0))
	a.wantSent(journal.NotConnected)
	// A count is a caller's number: it must not become an allocation.
	for count, most := range map[int]int{math.MinInt: 0, -1: 0, 0: 0, 1: 1, math.MaxInt: 2} {
		if got := a.Nearest([]byte("key"), count); len(got) > most || most > 0 && len(got) == 0 {
			t.Errorf("nearest %d: %v", count, got)
		}
	}
}

func TestContactAndPeers(t *testing.T) {
	a, b := newNode(t, 1, nil), newNode(t, 2, func(c *Config) { c.AgentVersion = "1.2.3" })
	if ok, err := a.IsConnected(b.ID()); ok || err != nil {
		t.Errorf("before: want not connected, got %v, %v", ok, err)
	}
	if err := a.Connect(context.Background(), b.ID(), b.Addrs()); err != nil {
		t.Fatal(err)
	}
	if ok, _ := a.IsConnected(b.ID()); !ok {
		t.Error("after: not connected")
	}
	if _, err := a.IsConnected("x"); err == nil {
		t.Error("want an error for a bad peer id")
	}
	a.identified(a.newest(b.host.ID()))
	addrs, known := a.Contact(b.ID())
	if !known || len(addrs) == 0 || addrs[0]+"/p2p/"+b.ID() != b.Addrs()[0] {
		t.Errorf("contact: want %v, got %v", b.Addrs(), addrs)
	}
	peers := a.Peers()
	if len(peers) != 1 || peers[0].Agent != "1.2.3" || peers[0].Protocol != wire.ProtocolID || peers[0].Inbound {
		t.Errorf("unexpected peers %+v", peers)
	}
	if err := a.Connect(context.Background(), particle.PeerID(testKey(9).Public().(ed25519.PublicKey)), nil); err == nil {
		t.Error("want an error for a peer without addresses")
	}
}

// 900 streams at once from one client are more than libp2p's own limits allow, and a
// client does not try again.
func TestBurstOfStreams(t *testing.T) {
	const n = 900
	x := newNode(t, 1, nil)
	client := newNode(t, 2, func(c *Config) { c.Client = true; c.Listen = nil })
	client.dial(x)
	conn := client.newest(x.host.ID())
	var streams []network.Stream
	for range n {
		s, err := client.openStream(conn, keptByClient)
		if err != nil {
			t.Fatalf("stream %d: %v", len(streams), err)
		}
		streams = append(streams, s)
	}
	for _, s := range streams {
		s.Write(outgoing(10).Frame)
		s.CloseWrite()
	}
	for range n {
		wait(t, x.received, "a particle of the burst")
	}
}

// Two ways between peers: a kept stream for all frames, and a stream for each. One way is as
// fast as it goes with 500 frames on their way.
func BenchmarkWays(b *testing.B) {
	for name, notKept := range map[string]bool{"kept": false, "a stream each": true} {
		x := newNode(b, 1, func(c *Config) { c.notKept = notKept })
		y := newNode(b, 2, func(c *Config) { c.notKept = notKept })
		x.dial(y)
		for _, size := range []int{1500, 100_000} {
			m := outgoing(size)
			x.Send(y.ID(), m)
			<-x.sent
			<-y.received
			time.Sleep(100 * time.Millisecond) // introductions
			b.Run(fmt.Sprintf("%s/hop/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				hops := 0
				for b.Loop() {
					x.Send(y.ID(), m)
					<-y.received
					for len(x.sent) > 0 { // it comes later, see ackDelay
						<-x.sent
						hops--
					}
					hops++
				}
				for ; hops > 0; hops-- {
					<-x.sent
				}
			})
			b.Run(fmt.Sprintf("%s/one way/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				window := make(chan struct{}, 500)
				go func() {
					for range b.N {
						window <- struct{}{}
						x.Send(y.ID(), m)
					}
				}()
				for range b.N {
					<-y.received
					<-x.sent
					<-window
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "particles/s")
			})
		}
		x.Close()
		y.Close()
	}
}
