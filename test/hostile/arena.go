package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/mr-tron/base58"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/test/load"
	"github.com/aquanode/aquanode/test/process"
)

// An Arena is what an attack has: a peer, and the means to send it anything.
type Arena struct {
	Peer *process.Peer

	// Answers counts frames that strangers got.
	Answers atomic.Int64

	mu     sync.Mutex
	opened []func() error
}

func newArena(p *process.Peer) (*Arena, error) { return &Arena{Peer: p}, nil }

// closeLater closes something when the attack is over.
func (a *Arena) closeLater(f func() error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opened = append(a.opened, f)
}

func (a *Arena) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.opened {
		f()
	}
	a.opened = nil
}

// hostPeer stands for the attacked peer in scripts.
const hostPeer = "HOST_PEER"

// Script puts the peer's id into a script.
func (a *Arena) Script(text string) string { return strings.ReplaceAll(text, hostPeer, a.Peer.PeerID) }

// asPeer makes a host say that it is a peer and not a client.
func asPeer() libp2p.Option { return libp2p.ProtocolVersion(wire.ProtocolID) }

// Stranger connects a libp2p host that takes frames and counts them.
func (a *Arena) Stranger(ctx context.Context, name string, more ...libp2p.Option) (*load.Stranger, error) {
	s, err := load.NewStranger(ctx, name, a.Peer.Addr(), more...)
	if err != nil {
		return nil, err
	}
	a.closeLater(s.Close)
	s.SetStreamHandler(wire.ProtocolID, func(st network.Stream) {
		defer st.Close()
		r := bufio.NewReader(st)
		for {
			if _, err := wire.ReadMessage(r, wire.MaxMessage); err != nil {
				return
			}
			a.Answers.Add(1)
		}
	})
	return s, nil
}

// TCP opens a connection to the peer's port.
func (a *Arena) TCP(ctx context.Context, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	a.closeLater(c.Close)
	return c, nil
}

// Port is host:port of the peer.
func (a *Arena) Port() string {
	parts := strings.Split(a.Peer.Addr(), "/")
	return net.JoinHostPort(parts[2], parts[4])
}

// frame makes a particle with a script.
func frame(s *load.Stranger, script string, ttl time.Duration) []byte {
	return wire.Frame(particle.New(s.Key, script, ttl, time.Now()))
}

// changed makes a particle that is changed and then signed again.
func changed(s *load.Stranger, script string, ttl time.Duration, change func(p *particle.Particle)) []byte {
	p := particle.New(s.Key, script, ttl, time.Now())
	change(p)
	p.Sign(s.Key)
	return wire.Frame(p)
}

// send writes each frame to a stream of its own. An overloaded peer may refuse streams, which is
// its right.
func send(ctx context.Context, s *load.Stranger, frames ...[]byte) error {
	var refused error
	for _, f := range frames {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.Send(ctx, f); err != nil {
			refused = err
		}
	}
	if refused != nil && len(s.Network().Conns()) == 0 {
		return refused
	}
	return nil
}

// stream writes frames to one stream, and leaves it open.
func stream(ctx context.Context, s *load.Stranger, frames func(i int) []byte) error {
	st, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	for i := 0; ctx.Err() == nil; i++ {
		f := frames(i)
		if f == nil {
			break
		}
		if _, err := st.Write(f); err != nil {
			return err
		}
	}
	return st.CloseWrite()
}

// particles is the attack that sends n particles, by keys many strangers, with scripts that may
// differ. They are made before the first one is sent.
func particles(n, keys int, ttl time.Duration, script func(i int) string) func(context.Context, *Arena) error {
	return func(ctx context.Context, a *Arena) error {
		all := make([]*load.Stranger, keys)
		for k := range all {
			s, err := a.Stranger(ctx, fmt.Sprint("stranger ", k))
			if err != nil {
				return err
			}
			all[k] = s
		}
		var senders sync.WaitGroup
		errs := make([]error, keys)
		for k, s := range all {
			var frames [][]byte
			for i := k; i < n; i += keys {
				frames = append(frames, frame(s, a.Script(script(i)), ttl))
			}
			senders.Go(func() { errs[k] = send(ctx, s, frames...) })
		}
		senders.Wait()
		return errors.Join(errs...)
	}
}

// one is the attack that sends one script.
func one(ttl time.Duration, script string) func(context.Context, *Arena) error {
	return particles(1, 1, ttl, func(int) string { return script })
}

// testdata reads a case.
func testdata(name string) string {
	text, err := cases.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		panic(err)
	}
	return string(text)
}

// absentPeer is the id of a peer that nobody is.
func absentPeer() string {
	b := make([]byte, 38)
	rand.Read(b)
	copy(b, []byte{0, 36, 8, 1, 0x12, 32})
	return base58.Encode(b)
}

// fold nests instructions as a balanced tree, for programs that are wide and not deep.
func tree(op string, leaves []string) string {
	switch len(leaves) {
	case 0:
		return "(null)"
	case 1:
		return leaves[0]
	}
	half := len(leaves) / 2
	return "(" + op + " " + tree(op, leaves[:half]) + " " + tree(op, leaves[half:]) + ")"
}

// times repeats a text that may depend on its number.
func times(n int, f func(i int) string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = f(i)
	}
	return all
}

// array is JSON text of n ones, as an AIR literal.
func array(n int) string { return `"[` + strings.Repeat("1,", n-1) + `1]"` }

// parsed puts an array of n elements into a variable before a script.
func parsed(n int, name, script string) string {
	return fmt.Sprintf(`(seq (call "HOST_PEER" ("json" "parse") [%s] %s) %s)`, array(n), name, script)
}

// Scene is what a scene has.
type Scene struct {
	Dir   string
	bench *Bench
}

func (b *Bench) scene(ctx context.Context, r Row, dir string) error {
	return r.Scene(ctx, &Scene{Dir: dir, bench: b})
}

// Start starts a peer with a data directory in the scene.
func (s *Scene) Start(data string, args ...string) (*process.Peer, error) {
	return process.Start(s.bench.config(filepath.Join(s.Dir, data), args...))
}

// Command runs the program in the scene's directory.
func (s *Scene) Command(ctx context.Context, args ...string) process.Output {
	return process.Command(ctx, process.Config{
		Binary: s.bench.binary, Dir: s.Dir, Args: args, AddressSpace: addressSpace,
	})
}

// Write writes a file.
func (s *Scene) Write(name, text string) error {
	return os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600)
}
