package client_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	netw "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/builtin"
)

// liar is a relay that runs particles as whichever peer it likes, and changes what it sends.
type liar struct {
	t     *testing.T
	id    string
	key   ed25519.PrivateKey
	host  *p2p.Host
	tasks *dispatch.Dispatcher
}

// newLiar starts a relay. It runs particles as the peer that as names, or as itself, with its
// own key. Its answers go through send.
func newLiar(t *testing.T, as string, send func(l *liar, to string, p particle.Particle)) *liar {
	t.Helper()
	l := &liar{t: t, key: devnet.Key(200)}
	l.id = particle.PeerID(l.key.Public().(ed25519.PublicKey))
	if as == "" {
		as = l.id
	}
	registry := services.New(services.Config{Host: as})
	if err := builtin.Register(registry, builtin.Config{Identity: func() builtin.Identity { return builtin.Identity{} }}); err != nil {
		t.Fatal(err)
	}
	l.tasks = dispatch.New(dispatch.Config{
		Host: dispatch.Scope{Peer: as, Key: l.key}, Journal: journal.New(as, 100), Interpreter: dispatch.Interpret(interpreter.Limits{}), Services: registry, Network: sends(func(o dispatch.Outgoing) {
			for _, peer := range o.To {
				send(l, peer, *o.Particle)
			}
		}),
	})
	t.Cleanup(l.tasks.Close)
	var err error
	l.host, err = p2p.New(p2p.Config{
		Key: l.key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowLocal: true,
		Receiver: l, Sender: l,
	})
	if err == nil {
		t.Cleanup(func() { l.host.Close() })
		err = l.host.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type sends func(o dispatch.Outgoing)

func (f sends) Send(o dispatch.Outgoing) { f(o) }

func (l *liar) Receive(from p2p.Remote, p *particle.Particle) {
	l.tasks.Deliver(share.Owner{Range: from.Range, Remote: from.Peer}, p)
}
func (l *liar) Refused(string, error)            {}
func (l *liar) Account(p2p.Remote) p2p.Account   { return nil }
func (l *liar) Taken(context.Context) error      { return nil }
func (l *liar) Sent(string, p2p.Outgoing, error) {}
func (l *liar) Held(string, p2p.Outgoing, error) {}

func (l *liar) pass(to string, p particle.Particle) {
	l.host.Send(to, p2p.Outgoing{Particle: p.ID, Frame: wire.Frame(&p), Deadline: time.Now().Add(time.Minute)})
}

// ask is a script that calls a peer and answers with what it says.
func ask(peer string) client.Script {
	return client.Script{TTL: 2 * time.Second, AIR: fmt.Sprintf(`
		(seq (call %q ("op" "identity") ["honest"] r)
		     (call %%init_peer_id%% ("callbackSrv" "response") [r]))`, peer)}
}

func wantTimeout(t *testing.T, l string, err error) *client.TimeoutError {
	t.Helper()
	var timeout *client.TimeoutError
	if !errors.As(err, &timeout) || !strings.Contains(err.Error(), l) {
		t.Fatalf("want a TimeoutError that names the relay %s, got %v", l, err)
	}
	return timeout
}

// A relay that lies gets nothing into a client: not the result of another peer, nor a changed
// one, nor one of another particle, nor another script.
func TestLyingRelay(t *testing.T) {
	other := devnet.ID(77)
	var first atomic.Pointer[particle.Particle]
	for _, c := range []struct {
		name, as, refused string
		send              func(l *liar, to string, p particle.Particle)
		runs              int
	}{
		{"honest", "", "", (*liar).pass, 1},
		{"result of another peer", other, "public key", (*liar).pass, 1},
		{"changed result", "", "cid", func(l *liar, to string, p particle.Particle) {
			p.Data = bytes.ReplaceAll(p.Data, []byte("honest"), []byte("forged"))
			l.pass(to, p)
		}, 1},
		{"result of another particle", "", "signature", func(l *liar, to string, p particle.Particle) {
			if first.CompareAndSwap(nil, &p) {
				return
			}
			p.Data = first.Load().Data
			l.pass(to, p)
		}, 2},
		{"junk", "", "", func(l *liar, to string, p particle.Particle) {
			p.Data = []byte("junk")
			l.pass(to, p)
		}, 1},
		{"another script", "", "", func(l *liar, to string, p particle.Particle) {
			p.Script = `(call %init_peer_id% ("callbackSrv" "response") ["forged"])`
			l.pass(to, p)
		}, 1},
		{"a particle of its own", "", "", func(l *liar, to string, _ particle.Particle) {
			l.pass(to, *particle.New(l.key, fmt.Sprintf(`(call %q ("callbackSrv" "response") ["forged"])`, to), time.Minute, time.Now()))
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLiar(t, c.as, c.send)
			me := connect(t, l.host.Addrs()[0])
			to := l.id
			if c.as != "" {
				to = c.as
			}
			for range c.runs {
				r, err := me.Run(t.Context(), ask(to))
				if c.name == "honest" {
					if err != nil || r.JSON().Text() != `"honest"` {
						t.Errorf("want an answer, got %v, %v", r, err)
					}
					continue
				}
				if err == nil {
					t.Fatalf("the client took %s", r.JSON().Text())
				}
				timeout := wantTimeout(t, l.id, err)
				t.Log(timeout.Refused)
			}
			if c.name == "honest" || c.refused == "" {
				return
			}
			refusals := me.Journal().Recent(10, func(e *journal.Entry) bool { return e.Kind == journal.Refused })
			if len(refusals) == 0 || !slices.ContainsFunc(refusals, func(e journal.Entry) bool { return strings.Contains(strings.ToLower(e.Detail), c.refused) }) {
				t.Errorf("want a refusal about the %s, got %v", c.refused, refusals)
			}
		})
	}
}

// A relay that floods a client with particles does not keep its answer away.
func TestFloodingRelay(t *testing.T) {
	var once sync.Once
	l := newLiar(t, "", func(l *liar, to string, p particle.Particle) {
		once.Do(func() {
			for range 3000 {
				l.pass(to, *particle.New(l.key, `(null)`, time.Minute, time.Now()))
			}
		})
		l.pass(to, p)
	})
	me := connect(t, l.host.Addrs()[0])
	s := ask(l.id)
	s.TTL = time.Minute
	if r, err := me.Run(t.Context(), s); err != nil || r.JSON().Text() != `"honest"` {
		t.Errorf("want an answer, got %v, %v", r, err)
	}
}

// rawRelay is a libp2p host that does with streams of particles what it likes.
func rawRelay(t *testing.T, handle netw.StreamHandler) (addr string, id peer.ID, set func(string, netw.StreamHandler)) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.ProtocolVersion(wire.ProtocolID),
		libp2p.ResourceManager(&netw.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	h.SetStreamHandler(wire.ProtocolID, handle)
	return fmt.Sprintf("%s/p2p/%s", h.Addrs()[0], h.ID()), h.ID(), func(p string, handle netw.StreamHandler) { h.SetStreamHandler("/ipfs/id/1.0.0", handle) }
}

// A relay that stalls costs a script its time to live and no more.
func TestStallingRelay(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	stall := func(s netw.Stream) { <-stop; s.Reset() }
	for name, c := range map[string]struct {
		handle  netw.StreamHandler
		silent  bool
		refused bool
	}{
		"reads nothing":       {handle: stall},
		"says nothing":        {handle: func(s netw.Stream) { s.Close() }},
		"resets each stream":  {handle: func(s netw.Stream) { s.Reset() }},
		"no introduction":     {handle: stall, silent: true},
		"ends the connection": {handle: func(s netw.Stream) { s.Conn().Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			addr, id, set := rawRelay(t, c.handle)
			if c.silent {
				set(string(identify.ID), stall)
			}
			me := connect(t, addr)
			s := ask(id.String())
			s.AIR = strings.Replace(s.AIR, `"honest"`, `"`+strings.Repeat("x", 2<<20)+`"`, 1) // more than a window
			_, err := me.Run(t.Context(), s)
			if err == nil || !strings.Contains(err.Error(), id.String()) {
				t.Errorf("want an error that names the relay, got %v", err)
			}
		})
	}
}

// An address where nobody ever says a word ends the attempt with the caller's context.
func TestDeafRelay(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	addr := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", deaf.Addr().(*net.TCPAddr).Port, devnet.ID(1))
	if _, err := client.Connect(ctx, client.Config{Relays: []string{addr}}); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("want an error that names the address, got %v", err)
	}
}

// Frames that claim to be giants take what has arrived of them, and one relay gets no more
// than its part of the client's memory.
func TestGiantsFromARelay(t *testing.T) {
	relayed := make(chan netw.Conn, 1)
	addr, id, _ := rawRelay(t, func(s netw.Stream) {
		select {
		case relayed <- s.Conn():
		default:
		}
		s.Close()
	})
	me := connect(t, addr)
	go me.Run(t.Context(), ask(id.String()))
	conn := <-relayed
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	piece := make([]byte, 16<<20)
	var all sync.WaitGroup
	var streams []netw.Stream
	for range 12 {
		s, err := conn.NewStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
		all.Go(func() {
			s.Write([]byte("\x13/multistream/1.0.0\n\x18" + wire.ProtocolID + "\n\xff\xff\xff\x2f"))
			s.SetWriteDeadline(time.Now().Add(time.Minute))
			s.Write(piece) // and waits for what is missing to 100 MB
		})
	}
	all.Wait()
	for end := time.Now().Add(time.Minute); me.Journal().Count(journal.Refused, journal.Overload) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was refused")
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&now)
	if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 200<<20 {
		t.Errorf("the client holds %d MB", grown>>20)
	}
	for _, s := range streams {
		s.Reset()
	}
}
