package p2p

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

// nox reads one frame of a stream and drops it. The frame was read, so it was sent, also
// when the reset overtakes the closing of our side: 3 of 2,374 did under load.
func TestFrameWrittenWholeIsSent(t *testing.T) {
	const n, senders = 4000, 8
	got := make(chan string, n)
	other := strange(t, wire.ProtocolID, func(s network.Stream) {
		message, err := wire.ReadMessage(bufio.NewReader(s), wire.MaxMessage)
		s.Reset()
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
	conn := x.newest(other.ID())
	x.identified(conn)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			m := outgoing(100 * i)
			for range n / senders {
				if err := x.sendSingle(conn, m); err != nil {
					t.Errorf("a frame that was read counts as lost: %v", err)
				}
			}
		})
	}
	for range n {
		wait(t, got, "a frame")
	}
	all.Wait()
}

// Of frames written together, those that were written whole before the stream broke count
// as sent.
func TestWholeFramesOfABatch(t *testing.T) {
	batch := []Outgoing{{Frame: make([]byte, 10)}, {Frame: make([]byte, 20)}, {Frame: make([]byte, 5)}}
	for n, want := range map[int]int{0: 0, 9: 0, 10: 1, 29: 1, 30: 2, 34: 2, 35: 3} {
		if got := whole(batch, n); got != want {
			t.Errorf("%d bytes written: want %d whole frames, got %d", n, want, got)
		}
	}
}

// A name is measured before it is decoded: base58 takes quadratic time, hours for these.
func TestLongNames(t *testing.T) {
	x := newNode(t, 1, nil)
	long := strings.Repeat("Z", 50<<20)
	x.Send(long, outgoing(0))
	short := func(err error) {
		t.Helper()
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("want a short error, got %.1000v", err)
		}
	}
	err := wait(t, x.sent, "the fate of a frame")
	wantReason(t, err, journal.BadPeerID)
	short(err)
	_, err = x.IsConnected(long)
	short(err)
	short(x.Connect(context.Background(), long, nil))
	id := stranger(t, 50, "", nil).ID().String()
	short(x.Connect(context.Background(), id, []string{"/p2p/" + long}))
	short(x.Connect(context.Background(), id, make([]string, 1<<20)))
	_, err = x.Dial(context.Background(), "/ip4/127.0.0.1/tcp/1/p2p/"+long)
	short(err)
	short(x.Meet([]string{"/p2p/" + long}))
	if _, known := x.Contact(long); known {
		t.Error("there is no such peer")
	}
}

// purse is an account with a limit that remembers what it holds.
type purse struct{ held, limit atomic.Int64 }

func newPurse(limit int64) *purse {
	p := new(purse)
	p.limit.Store(limit)
	return p
}

func (p *purse) Grow(n int64) error {
	if now := p.held.Add(n); n > 0 && now > p.limit.Load() {
		p.held.Add(-n)
		return fmt.Errorf("%w: the purse is empty", journal.Overload)
	}
	return nil
}

// someIDs makes peer ids of which nobody has the key.
func someIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		key := make([]byte, 32)
		rand.Read(key)
		ids[i] = particle.PeerID(key)
	}
	return ids
}

// A particle for 100,000 peers that are not there: no goroutine and no dial for each, every
// frame has one fate, others may still send to absent peers, and nothing is left at the end.
func TestManyAbsentPeers(t *testing.T) {
	for name, network := range map[string]string{"no discovery": "", "discovery": "dar"} {
		t.Run(name, func(t *testing.T) {
			const n = 100_000
			var sent, full atomic.Int64
			x := newNode(t, 1, func(c *Config) {
				c.Network = network
				c.Hold = time.Minute
				fakeOf(c).held = func(string, Outgoing, error) {}
				fakeOf(c).sent = func(_ string, _ Outgoing, err error) {
					sent.Add(1)
					if journal.ReasonOf(err) == journal.QueueFull {
						full.Add(1)
					}
				}
			})
			before := runtime.NumGoroutine()
			m := outgoing(1000)
			payer := newPurse(1 << 30)
			m.Account = payer
			most := 0
			for i, id := range someIDs(n) {
				x.Send(id, m)
				if i%1000 == 0 {
					most = max(most, runtime.NumGoroutine()-before)
				}
			}
			if most > 20*maxDials { // a lookup has some of its own
				t.Errorf("%d more goroutines", most)
			}
			x.mu.Lock()
			boxes := len(x.outboxes)
			x.mu.Unlock()
			if boxes > maxAbsent/2+1 {
				t.Errorf("%d queues for absent peers", boxes)
			}
			if held, want := payer.held.Load(), int64(boxes*queueEntry+len(m.Frame)); held > want {
				t.Errorf("want at most %d bytes charged, got %d", want, held)
			}
			other := outgoing(1000)
			other.Account = newPurse(1 << 20)
			rejected := full.Load()
			x.Send(someIDs(1)[0], other)
			if full.Load() != rejected {
				t.Error("another account may not send to an absent peer")
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			x.Flush(ctx)
			x.Close()
			if got := sent.Load(); got != n+1 {
				t.Errorf("want the fate of %d frames, got %d", n+1, got)
			}
			if held := payer.held.Load(); held != 0 {
				t.Errorf("%d bytes stay charged", held)
			}
			x.wantHeld(0)
			if x.absent.count != 0 || x.busy != 0 {
				t.Errorf("%d absent peers and %d busy queues are left", x.absent.count, x.busy)
			}
		})
	}
}

// One account with 2000 peers at an address where nobody answers has half of the dials. Another
// one reaches its peer.
func TestDialsAreShared(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	x := newNode(t, 1, func(c *Config) { c.Hold = time.Minute })
	y := newNode(t, 2, nil)
	address := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", deaf.Addr().(*net.TCPAddr).Port)
	payer := newPurse(1 << 30)
	for _, id := range someIDs(2000) {
		target, err := peer.Decode(id)
		if err != nil {
			t.Fatal(err)
		}
		x.host.Peerstore().AddAddr(target, ma.StringCast(address), time.Hour)
		m := outgoing(0)
		m.Account = payer
		x.Send(id, m)
	}
	x.mu.Lock()
	dials, absent := x.absent.payers[payer].dials, x.absent.count
	x.mu.Unlock()
	if dials != maxDials/2 || absent != 2000 {
		t.Errorf("%d dials for %d absent peers", dials, absent)
	}
	if err := x.Meet(y.Addrs()); err != nil {
		t.Fatal(err)
	}
	m := outgoing(10)
	m.Account = newPurse(1 << 20)
	x.Send(y.ID(), m)
	y.wantReceived(m)
}

// The account that a frame belongs to bounds it, whatever room the host has.
func TestAccountOfAFrame(t *testing.T) {
	x := newNode(t, 1, func(c *Config) { c.Hold = time.Minute })
	m := outgoing(100_000)
	m.Account = newPurse(int64(len(m.Frame)) + 3*queueEntry)
	ids := someIDs(4)
	for _, id := range ids[:3] {
		x.Send(id, m) // one frame and three places
		wait(t, x.held, "a frame to be held")
	}
	x.Send(ids[3], m)
	x.wantSent(journal.Overload)
	x.Send(ids[3], outgoing(100_000)) // of nobody
	wait(t, x.held, "a frame to be held")
}

// Frames that are read are charged to their remote before they are allocated.
func TestAccountOfARemote(t *testing.T) {
	purse := newPurse(1 << 20)
	var who Remote
	x := newNode(t, 1, func(c *Config) {
		fakeOf(c).account = func(from Remote) Account { who = from; return purse }
	})
	h := strange(t, "ipfs/0.1.0", quiet)
	connectTo(t, h, x)
	s := openTo(t, h, x)
	s.Write([]byte("\x80\x80\x80\x30"))
	go s.Write(make([]byte, 3<<20))
	wantReason(t, wait(t, x.refused, "a refusal"), journal.Overload)
	x.wantHeld(0)
	if held := purse.held.Load(); held != 0 {
		t.Errorf("%d bytes stay charged", held)
	}
	if id := h.ID().String(); who != (Remote{id, "loopback/" + id}) {
		t.Errorf("unexpected remote %+v", who)
	}
	wantGoodOne(t, h, x)
}

// One account leaves half of the queue of a peer to others, also where the first one has filled
// its half, in frames and in bytes. What is sent or lost is given back.
func TestQueueIsShared(t *testing.T) {
	const size = 10_000
	frame := len(outgoing(size).Frame)
	for name, limit := range map[string]func(*Config){
		"frames": func(c *Config) { c.QueueFrames = 64 },
		"bytes":  func(c *Config) { c.QueueBytes = 64 * frame },
	} {
		t.Run(name, func(t *testing.T) {
			x := newNode(t, 1, func(c *Config) { limit(c); c.Hold = time.Hour })
			to := someIDs(1)[0]
			send := func(account Account, n int) (taken int) {
				t.Helper()
				for range n {
					m := outgoing(size)
					m.Account = account
					x.Send(to, m)
					select {
					case err := <-x.sent: // before Send has returned
						wantReason(t, err, journal.QueueFull)
					default:
						taken++
					}
				}
				return taken
			}
			flood, honest := newPurse(1<<30), newPurse(1<<30)
			for i, c := range []struct {
				account Account
				n, want int
			}{{flood, 100, 32}, {honest, 5, 5}, {flood, 10, 0}, {honest, 100, 11}, {nil, 100, 16}} {
				if got := send(c.account, c.n); got != c.want {
					t.Errorf("%d: %d of %d frames were taken, want %d", i, got, c.n, c.want)
				}
			}
			id, err := peer.Decode(to)
			if err != nil {
				t.Fatal(err)
			}
			b := x.outbox(id)
			x.Close()
			if len(b.accounts) != 0 || b.backlog != (backlog{}) {
				t.Errorf("%+v and %d accounts are left", b.backlog, len(b.accounts))
			}
		})
	}
}

func TestRanges(t *testing.T) {
	const id, relay = "12D3KooWRSafuiBnN9kRtp7uRPSbtJbpLqWNNeLxhnsDSZB9HGUd", "12D3KooWANqfCDrV79MZdMnMqTvDdqSAPSxdgFY1L6DCq2DVGB4D"
	remote, err := peer.Decode(id)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"/ip4/192.0.2.77/tcp/1":                              "192.0.2.0/24",
		"/ip4/192.0.2.78/udp/1/quic-v1":                      "192.0.2.0/24",
		"/ip4/192.0.2.79/tcp/1/ws":                           "192.0.2.0/24",
		"/ip6/2001:db8:7:ffff::1/tcp/1":                      "2001:db8:7::/48",
		"/ip6/::ffff:192.0.2.1/tcp/1":                        "192.0.2.0/24",
		"/ip6zone/eth0/ip6/fe80::1/tcp/1":                    "fe80::/48",
		"/ip4/127.0.0.2/tcp/1":                               "loopback/" + id,
		"/ip6/::1/tcp/1":                                     "loopback/" + id,
		"/ip4/192.0.2.1/tcp/1/p2p/" + relay + "/p2p-circuit": "circuit/" + relay,
		"/dns4/example.com/tcp/1":                            "other",
	} {
		if got := addrRange(ma.StringCast(addr), remote); got != want {
			t.Errorf("%s: want %s, got %s", addr, want, got)
		}
	}
	for addr, want := range map[net.Addr]string{
		&net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 1}:             "192.0.2.0/24",
		&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 1, Zone: "eth0"}: "fe80::/48",
		websocket.NewAddr("127.0.0.1:80"):                               "loopback/" + id,
		websocket.NewAddr("[2001:db8::1]:80"):                           "2001:db8::/48",
		&client.NetAddr{Relay: relay, Remote: id}:                       "circuit/" + relay,
		&net.UnixAddr{Name: "/tmp/x"}:                                   "other",
	} {
		if got := netRange(addr, remote); got != want {
			t.Errorf("%s: want %s, got %s", addr, want, got)
		}
	}
}
