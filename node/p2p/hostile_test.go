package p2p

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify/pb"
	"github.com/libp2p/go-msgio/pbio"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

func openTo(t *testing.T, h host.Host, x *node) network.Stream {
	t.Helper()
	s, err := h.NewStream(context.Background(), x.host.ID(), particleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func quiet(s network.Stream) { s.Close() }

// A frame that comes byte by byte for ever ends at its deadline, which the bytes do not
// move.
func TestEndlessFrame(t *testing.T) {
	const timeout = time.Second
	x := newNode(t, 1, func(c *Config) { c.FrameTimeout = timeout })
	h := strange(t, "ipfs/0.1.0", quiet)
	connectTo(t, h, x)
	s := openTo(t, h, x)
	began := time.Now()
	s.Write([]byte("\xff\xff\x7f")) // 2 MB to come
	for len(x.refused) == 0 && time.Since(began) < time.Minute {
		s.Write([]byte("x"))
		time.Sleep(timeout / 20)
	}
	wantReason(t, wait(t, x.refused, "a refusal"), journal.BadFrame)
	if took := time.Since(began); took < timeout {
		t.Errorf("refused after %s already", took)
	}
	wantGoodOne(t, h, x)
	x.wantHeld(0)
}

func (x *node) wantHeld(want int64) {
	x.t.Helper()
	for end := time.Now().Add(time.Minute); x.Host.held.Load() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("want %d bytes held, got %d", want, x.Host.held.Load())
		}
	}
}

// Memory for frames is bounded by what has arrived, for each sender and for all.
func TestMemoryOfFrames(t *testing.T) {
	const most = 4 << 20
	x := newNode(t, 1, func(c *Config) { c.MaxHeld = most; c.FrameTimeout = time.Minute })
	bad, good := stranger(t, 50, "ipfs/0.1.0", quiet), stranger(t, 51, "ipfs/0.1.0", quiet)
	connectTo(t, bad, x)
	connectTo(t, good, x)
	// Ten frames that claim to be of 100 MB take what has arrived of them.
	var open []network.Stream
	for range 10 {
		s := openTo(t, bad, x)
		s.Write([]byte("\x80\x80\x80\x30"))
		s.Write(make([]byte, 1000))
		open = append(open, s)
	}
	x.wantHeld(10 * 64 << 10)
	// A sender has a quarter.
	for _, s := range open {
		s.Write(make([]byte, 150_000))
	}
	wantReason(t, wait(t, x.refused, "a refusal"), journal.Overload)
	if held := x.Host.held.Load(); held > most/4+most/8 {
		t.Errorf("one sender holds %d bytes of %d", held, most)
	}
	m := outgoing(900_000)
	s := openTo(t, good, x)
	s.Write(m.Frame)
	s.CloseWrite()
	x.wantReceived(m)
	for _, s := range open {
		s.Reset()
	}
	x.wantHeld(0)
	for len(x.refused) > 0 { // those cut short by the end of the streams
		<-x.refused
	}
	wantGoodOne(t, bad, x)
}

// Frames that wait to be sent are held within the same bound; one that waits for many peers
// counts once.
func TestMemoryOfQueues(t *testing.T) {
	const size = 100_000
	x := newNode(t, 1, func(c *Config) { c.MaxHeld = 5*size + 25*queueEntry + 5*1000; c.Hold = time.Minute })
	absent := func(n byte) string { return stranger(t, n, "", nil).ID().String() }
	m := outgoing(size)
	for n := range byte(20) {
		x.Send(absent(100+n), m)
	}
	x.wantHeld(int64(len(m.Frame) + 20*queueEntry))
	for range 5 {
		x.Send(absent(100), outgoing(size))
	}
	x.wantSent(journal.Overload)
	x.Close()
	for range 20 + 4 {
		wait(t, x.sent, "the fate of every frame")
	}
	x.wantHeld(0)
}

func (x *node) senderOf(h host.Host) *sender {
	id := h.ID().String()
	s := x.pace.sender(Remote{id, "loopback/" + id})
	x.pace.release(s)
	return s
}

// Ten thousand streams of one remote: what is too many is refused with a reason, others are
// served, and so is the remote when it has come to its senses.
func TestManyStreams(t *testing.T) {
	x := newNode(t, 1, nil)
	bad, good := stranger(t, 50, "ipfs/0.1.0", quiet), stranger(t, 51, "ipfs/0.1.0", quiet)
	connectTo(t, bad, x)
	connectTo(t, good, x)
	opened := 0
	for range 10_000 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		s, err := bad.Network().ConnsToPeer(x.host.ID())[0].NewStream(ctx)
		cancel()
		if err != nil {
			break // also the stranger's own library sets it a limit
		}
		s.Write([]byte("\x13/multistream/1.0.0\n\x18" + string(particleProtocol) + "\n"))
		opened++
		if opened%1000 == 0 {
			s := openTo(t, good, x)
			m := outgoing(10)
			s.Write(m.Frame)
			s.CloseWrite()
			x.wantReceived(m)
		}
	}
	wantReason(t, wait(t, x.refused, "a refusal"), journal.TooManyStreams)
	served := func() int { return int(x.senderOf(bad).streams.Load()) } // with those that are just being refused
	for end := time.Now().Add(time.Minute); served() > x.cfg.MaxStreams; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d streams are served", served())
		}
	}
	t.Logf("%d streams opened, %d refused", opened, len(x.refused)+1)
	bad.Network().ClosePeer(x.host.ID())
	for served() > 0 {
		time.Sleep(time.Millisecond)
	}
	connectTo(t, bad, x)
	for len(x.refused) > 0 {
		<-x.refused
	}
	wantGoodOne(t, bad, x)
}

// A remote that has not introduced itself, and never will, is heard and answered all the
// same.
func TestFramesBeforeIdentify(t *testing.T) {
	x := newNode(t, 1, func(c *Config) { c.FrameTimeout = 2 * time.Second })
	got := make(chan *particle.Particle, 1)
	h := strange(t, "ipfs/0.1.0", func(s network.Stream) {
		if p := readOne(s); p != nil {
			got <- p
		}
	})
	silent := make(chan struct{})
	t.Cleanup(func() { close(silent) })
	h.SetStreamHandler(identify.ID, func(s network.Stream) { <-silent; s.Reset() })
	connectTo(t, h, x)
	s := openTo(t, h, x)
	m := outgoing(10)
	s.Write(m.Frame)
	s.CloseWrite()
	x.wantReceived(m)
	x.Send(h.ID().String(), m)
	if p := wait(t, got, "an answer"); p.ID != m.Particle {
		t.Errorf("want %s, got %s", m.Particle, p.ID)
	}
	x.wantSent("")
}

// A remote may introduce itself with 80 kB. Little of it stays.
func TestGiantIntroduction(t *testing.T) {
	x := newNode(t, 1, nil)
	h := strange(t, "ipfs/0.1.0", quiet)
	long := strings.Repeat("x", 7000)
	h.SetStreamHandler(identify.ID, func(s network.Stream) {
		w := pbio.NewDelimitedWriter(s)
		w.WriteMsg(&pb.Identify{AgentVersion: &long, Protocols: []string{string(particleProtocol)}})
		w.WriteMsg(&pb.Identify{ProtocolVersion: &long})
		w.WriteMsg(&pb.Identify{Protocols: []string{"/" + long}})
		some := &pb.Identify{}
		for i := range 110 {
			some.Protocols = append(some.Protocols, fmt.Sprint("/protocol/", i))
		}
		w.WriteMsg(some)
		some = &pb.Identify{}
		for i := range 400 {
			some.ListenAddrs = append(some.ListenAddrs, ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", i+1)).Bytes())
		}
		w.WriteMsg(some)
		s.Close()
	})
	connectTo(t, h, x)
	id := h.ID()
	book := x.host.Peerstore()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		protocols, _ := book.GetProtocols(id)
		agent, _ := book.Get(id, "AgentVersion")
		version, _ := book.Get(id, "ProtocolVersion")
		addrs := book.Addrs(id)
		if len(addrs) == maxKnownAddrs && len(protocols) == maxKnownProtocols && len(fmt.Sprint(agent, version)) < 4*maxAgent {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d addresses, %d protocols, versions of %d bytes", len(addrs), len(protocols), len(fmt.Sprint(agent, version)))
		}
	}
	if ok, _ := book.SupportsProtocols(id, particleProtocol); len(ok) == 0 {
		t.Error("its protocol for particles was dropped")
	}
	wantGoodOne(t, h, x)
}

// A script cannot make a peer on the internet dial into the network of its machine.
func TestPrivateAddresses(t *testing.T) {
	x := newNode(t, 1, func(c *Config) { c.AllowLocal = false })
	id := stranger(t, 50, "", nil).ID().String()
	for _, addr := range []string{"/ip4/127.0.0.1/tcp/1", "/ip4/10.1.2.3/tcp/22", "/ip4/192.168.0.1/tcp/80", "/ip4/169.254.169.254/tcp/80", "/ip6/fd00::1/tcp/1", "/ip6/::1/udp/1/quic-v1"} {
		if err := x.Connect(context.Background(), id, []string{addr}); err == nil || !strings.Contains(err.Error(), "private") {
			t.Errorf("%s: want a refusal, got %v", addr, err)
		}
	}
}

// Lookups that fail are remembered, but not of any number of peers.
func TestFailedLookupsAreBounded(t *testing.T) {
	d := &discovery{failures: make(map[peer.ID]failure)}
	for i := range 3 * maxFailures {
		d.record(peer.ID(fmt.Sprint(i)), false)
	}
	if n := len(d.failures); n != maxFailures {
		t.Errorf("%d peers are remembered", n)
	}
	for range findFailures {
		d.record("a", false)
	}
	if err := d.banned("a"); err == nil {
		t.Error("a peer whose lookups fail is looked up again")
	}
	d.record("a", true)
	if err := d.banned("a"); err != nil {
		t.Errorf("a peer that was found: %v", err)
	}
}

// readOne reads the first particle of a stream, nil when there is none.
func readOne(s network.Stream) *particle.Particle {
	var b [1]byte
	message, err := wire.ReadMessage(byteReader{s, b[:]}, wire.MaxMessage)
	if err != nil {
		return nil
	}
	p, _ := wire.Decode(message)
	return p
}

type byteReader struct {
	network.Stream
	b []byte
}

func (r byteReader) ReadByte() (byte, error) {
	_, err := r.Read(r.b)
	return r.b[0], err
}

// A header of a WebSocket handshake is small, and a connection is for one handshake.
func TestWebSocketHeader(t *testing.T) {
	h := newNode(t, 1, func(c *Config) { c.Listen = []string{"/ip4/127.0.0.1/tcp/0/ws"} })
	addr, err := manet.ToNetAddr(h.host.Addrs()[0].Decapsulate(ma.StringCast("/ws")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, request, status string }{
		{"long header", "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Y: z\r\n", 100_000), "431"},
		{"long path", "GET /" + strings.Repeat("a", 100<<10) + " HTTP/1.1\r\n\r\n", "431"},
		{"no upgrade", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "404"},
		{"cookies of a browser", "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("c", 12<<10) +
			"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "101"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go io.WriteString(conn, c.request)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if !strings.Contains(line, " "+c.status+" ") {
				t.Errorf("answered %q, %v, not %s", line, err, c.status)
			}
		})
	}
}
