// Package load puts peers under load and measures what their other users see of it. Tests
// and test/bench share it.
package load

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

// Stranger is a libp2p host that may send anything. Its protocol list is that of a client.
type Stranger struct {
	host.Host
	Key    ed25519.PrivateKey
	Target peer.ID
}

// NewStranger makes a host with a key made from name and connects it to a full address. Options
// change what it says of itself.
func NewStranger(ctx context.Context, name, addr string, more ...libp2p.Option) (*Stranger, error) {
	seed := sha256.Sum256([]byte(name))
	s := &Stranger{Key: ed25519.NewKeyFromSeed(seed[:])}
	key, err := crypto.UnmarshalEd25519PrivateKey(s.Key)
	if err != nil {
		return nil, err
	}
	if s.Host, err = libp2p.New(append(more, libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(), libp2p.DisableMetrics())...); err != nil {
		return nil, err
	}
	s.SetStreamHandler(wire.ProtocolID, func(st network.Stream) { st.Close() })
	info, err := peer.AddrInfoFromString(addr)
	if err == nil {
		s.Target = info.ID
		err = s.Connect(ctx, *info)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Particle makes a good particle, with a script that leaves nothing to do.
func (s *Stranger) Particle() *particle.Particle {
	return particle.New(s.Key, "(null)", 5*time.Minute, time.Now())
}

// Open opens a stream of the particle protocol.
func (s *Stranger) Open(ctx context.Context) (network.Stream, error) {
	return s.NewStream(ctx, s.Target, wire.ProtocolID)
}

// Send writes bytes to a stream of their own and closes its side.
func (s *Stranger) Send(ctx context.Context, frames []byte) error {
	st, err := s.Open(ctx)
	if err != nil {
		return err
	}
	if _, err := st.Write(frames); err != nil {
		st.Reset()
		return err
	}
	return st.CloseWrite()
}

// A Kind is a way to flood a peer.
type Kind struct {
	Name string
	// Reason is why the peer refuses what comes, empty when it need not.
	Reason journal.Reason
	// prepare makes what is sent, over and over.
	prepare func(s *Stranger) [][]byte
	// oneEach opens a stream for each frame.
	oneEach bool
}

// prepared is how many different particles a flood has.
const prepared = 5000

// particles makes frames of different particles with something changed.
func particles(change func(p *particle.Particle)) func(s *Stranger) [][]byte {
	return func(s *Stranger) (all [][]byte) {
		for range prepared {
			p := s.Particle()
			change(p)
			all = append(all, wire.Frame(p))
		}
		return all
	}
}

func same(frame []byte) func(*Stranger) [][]byte {
	return func(*Stranger) [][]byte { return [][]byte{frame} }
}

func good(*particle.Particle) {}

// Kinds are the floods. Particles come in frames of about 300 bytes.
var Kinds = []Kind{
	{"good particles", "", particles(good), false},
	{"good particles, a stream each", "", particles(good), true},
	{"forged signatures", journal.BadSignature, particles(func(p *particle.Particle) { p.Signature[7] ^= 1 }), false},
	{"forged data", journal.Interpreter, particles(func(p *particle.Particle) { p.Data = []byte("forged") }), false},
	{"replays", "", func(s *Stranger) [][]byte { return [][]byte{wire.Frame(s.Particle())} }, false},
	{"junk", journal.BadMessage, same([]byte("\x05hello")), false},
	{"empty streams", "", same(nil), true},
}

// Latencies are those of calls, sorted.
type Latencies []time.Duration

// At gives a quantile.
func (l Latencies) At(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(int(q*float64(len(l))), len(l)-1)]
}

func (l Latencies) String() string {
	return fmt.Sprintf("p50 %s, p99 %s, max %s", l.At(.5).Round(time.Microsecond), l.At(.99).Round(time.Microsecond), l.At(1).Round(time.Microsecond))
}

// FloodResult says what an honest client saw of a flood.
type FloodResult struct {
	Quiet, Flooded Latencies
	Sent           uint64 // frames that the flood got rid of
}

// rounds is into how many quiet and flooded parts the calls are divided, in alternation.
const rounds = 4

// settle is how long a flood goes on before calls are measured. Its beginning is not the peer's
// alone: the stranger, which shares our cores, fills its windows with up to 43,000 writes.
const settle = 300 * time.Millisecond

// Flood measures calls of an honest client of the peer at a full address, one after the
// other, in quiet and while a stranger floods the peer. A call that fails is an error:
// nothing may be lost for others.
func Flood(ctx context.Context, addr string, kind Kind, calls int) (*FloodResult, error) {
	c, err := client.Connect(ctx, client.Config{Relays: []string{addr}})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s, err := NewStranger(ctx, "flood "+kind.Name, addr)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	frames := kind.prepare(s)
	r := new(FloodResult)
	for range rounds {
		quiet, err := Calls(ctx, c, calls/rounds)
		if err != nil {
			return nil, fmt.Errorf("in quiet: %w", err)
		}
		stop := s.flood(ctx, kind, frames, &r.Sent)
		time.Sleep(settle)
		flooded, err := Calls(ctx, c, calls/rounds)
		stop()
		if err != nil {
			return nil, fmt.Errorf("in the flood: %w", err)
		}
		r.Quiet, r.Flooded = append(r.Quiet, quiet...), append(r.Flooded, flooded...)
	}
	slices.Sort(r.Quiet)
	slices.Sort(r.Flooded)
	return r, nil
}

// Script calls op.identity at the relay and gives its result.
const Script = `
	(xor
	 (seq (call %init_peer_id% ("getDataSrv" "-relay-") [] relay)
	 (seq (call relay ("op" "identity") [42] r)
	      (call %init_peer_id% ("callbackSrv" "response") [r])))
	 (call %init_peer_id% ("errorHandlingSrv" "error") [:error: 0]))`

// Calls makes calls one after the other.
func Calls(ctx context.Context, c *client.Client, n int) (times Latencies, err error) {
	for range n {
		began := time.Now()
		r, err := c.Run(ctx, client.Script{AIR: Script})
		if err != nil {
			return nil, err
		}
		if got := r.JSON().Text(); got != "42" {
			return nil, fmt.Errorf("want 42, got %s", got)
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times, nil
}

// flooders is how many streams write at once.
const flooders = 4

// flood sends as fast as it can until it is stopped. A stream that fails is opened anew.
func (s *Stranger) flood(ctx context.Context, kind Kind, frames [][]byte, sent *uint64) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range flooders {
		all.Go(func() {
			at := i * len(frames) / flooders
			next := func() []byte { at++; return frames[at%len(frames)] }
			for ctx.Err() == nil {
				st, err := s.Open(ctx)
				if err != nil {
					time.Sleep(time.Millisecond)
					continue
				}
				end := context.AfterFunc(ctx, func() { st.Reset() })
				for ctx.Err() == nil {
					if _, err := st.Write(next()); err != nil {
						break
					}
					atomic.AddUint64(sent, 1)
					if kind.oneEach {
						break
					}
				}
				if end() {
					st.CloseWrite()
				}
			}
		})
	}
	return func() { cancel(); all.Wait() }
}
