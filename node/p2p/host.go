// Package p2p carries particles between peers over libp2p. It is the only part of a
// node that knows libp2p; everything it hands up or takes is particles and peer ids as
// text.
//
// # Transports
//
// TCP, WebSocket and QUIC (v1), Noise, yamux. Identify tells the protocol version of the
// network, [wire.ProtocolID], and the agent version; ping is answered. A remote that
// does not speak the particle protocol is disconnected some time after identify.
//
// # Receiving
//
// One stream may carry one frame, as the protocol's first implementation sends them, or
// many. Each frame must be complete [Config.FrameTimeout] after its first byte. Frames
// that do not decode are refused and the stream goes on; when the framing itself is
// broken the stream is reset. The connection lives on in any case. Our side of an
// inbound stream is closed as soon as the remote has closed its own, since clients count
// what is half open. A remote that sends much while others are around waits, see pace.
//
// # Sending
//
// [Host.Send] puts a frame in the queue of its peer, which is bounded in frames and
// bytes, and never waits. [Sender.Sent] is told what becomes of it. Its bytes are charged to
// [Outgoing.Account]. How frames travel depends on the remote:
//
//	aquanode       one kept stream of [KeptProtocol], many frames, acknowledged
//	other peers    a stream per frame; they read exactly one
//	clients        one kept stream of the particle protocol: a client never closes its side
//	               of an inbound stream and refuses more after 1000; frames of at most 4 MiB
//
// Peers are told from clients by the protocol version in their identify message. An aquanode
// acknowledges frames that it has taken, see acks.go. Until then they stay in the queue, and when
// the stream breaks or stalls they are sent again on the next one, in their order and before newer
// ones, until their deadline or for [Config.Hold]. They may arrive twice, which changes nothing.
// Elsewhere a frame is sent when it is written. A kept stream that fails is opened once more for
// the same frames before they count as lost.
// Frames for a peer that cannot be reached are held for some time, for peers restart and
// clients come back. Such a peer costs a queue entry but no goroutine; few are looked for at
// once, and accounts share that, see absent.go.
//
// # Peers that nobody can dial
//
// They keep a reservation with a peer that carries connections ([Config.Over],
// [Config.Circuits]) and announce addresses over it. Any peer dials such addresses. A direct
// connection is preferred as soon as there is one.
//
// # Goroutines
//
// Host owns one goroutine per inbound stream, one per connected peer with frames to send (it
// ends when the queue is empty or a window is full), one per kept stream that is acknowledged, which
// reads that, one per inbound stream while an acknowledgement is written, at most 64 that look for absent peers, one per kept address ([Host.Keep]), one per reservation, and one
// that watches identify. Close ends them all and waits.
package p2p

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	logging "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

var log = logging.Logger("p2p")

func init() { gologshim.SetDefaultHandler(logging.SlogHandler()) }

// The protocols that carry particles. Those of our own have the same frames; supporting one
// says that a stream may be kept and carry any number of them. On KeptProtocol the receiver
// acknowledges them.
const (
	particleProtocol protocol.ID = wire.ProtocolID
	keptProtocol10   protocol.ID = "/aquanode/particle/1.0.0"
	KeptProtocol     protocol.ID = "/aquanode/particle/1.1.0"
)

// Config configures a Host. Key, Receiver and Sender are required.
type Config struct {
	Key          ed25519.PrivateKey
	Listen       []string // multiaddrs; none makes a peer that only dials
	External     []string // addresses to announce besides the ones listened on
	ExternalOnly bool     // announce External only
	AgentVersion string

	// Over are full addresses of peers over which this one can be reached when nobody can
	// dial it: it keeps a reservation with each and announces it.
	Over []string
	// Circuits makes the host carry connections for others that cannot be dialled.
	Circuits bool
	// HolePunching tries to replace connections over circuits by direct ones.
	HolePunching bool

	// TLSCert and TLSKey are files for /tls/ws addresses. They are read again when they
	// change.
	TLSCert, TLSKey string
	dialTLS         *tls.Config // for tests; the system's when nil
	notKept         bool        // for tests: only the particle protocol
	notAcked        bool        // for tests: no KeptProtocol

	// Client makes the host look like a client: it runs no discovery and never answers
	// for others.
	Client bool
	// Network names the Kademlia network; empty turns discovery off.
	Network string
	// AllowLocal lets addresses of private networks and loopback into the address book.
	AllowLocal bool

	MaxMessage   int           // largest message accepted; 0 is wire.MaxMessage
	MaxHeld      int64         // bytes of frames without an account that are being read or wait to be sent; 0 is 512 MiB
	MaxStreams   int           // inbound streams of one remote; 0 is 2048
	FrameTimeout time.Duration // for reading or writing a frame; 0 is 20 s
	Introduction time.Duration // for a remote to tell that it speaks the particle protocol; 0 is 10 s
	Hold         time.Duration // how long frames wait for a peer that cannot be reached; 0 is 30 s
	QueueFrames  int           // frames waiting for one peer, half of them of one account; 0 is 8192
	QueueBytes   int           // the same in bytes; 0 is 256 MiB

	Receiver Receiver // takes what arrives
	Sender   Sender   // is told what becomes of frames given to Send
	Observer Observer // may be nil
}

// A Receiver takes what arrives. It is called from many goroutines.
type Receiver interface {
	// Receive gets each decoded particle, signature and expiry unchecked.
	Receive(from Remote, p *particle.Particle)
	// Refused is told why a frame or a connection was not taken.
	Refused(from string, err error)
	// Account returns the account of a remote, for the bytes of its frames that are being read. It
	// is asked once for each stream. Nil: MaxHeld bounds all of them together, and those of one
	// sender to a quarter.
	Account(from Remote) Account
	// Taken waits until all that was received is safe. Frames are acknowledged after it. A stream
	// that its sender has closed is closed on our side after it, or reset when it fails.
	Taken(ctx context.Context) error
}

// A Sender is told what becomes of frames. It is called from many goroutines and must not wait.
type Sender interface {
	// Sent is called once for each frame. To a remote that acknowledges frames, one is sent when
	// the remote has taken it.
	Sent(to string, m Outgoing, err error)
	// Held is told why a frame waits for its peer to be reached.
	Held(to string, m Outgoing, err error)
}

// An Observer is told about connections. It is called from many goroutines.
type Observer interface {
	// Resolved is told how a connection to a next peer was found.
	Resolved(how string)
	// Kept is told that a peer of [Host.Keep] is connected, or no longer.
	Kept(connected bool)
}

func (c *Config) setDefaults() {
	c.MaxMessage = or(c.MaxMessage, wire.MaxMessage)
	c.MaxHeld = or(c.MaxHeld, 512<<20)
	c.MaxStreams = or(c.MaxStreams, 2048)
	c.FrameTimeout = or(c.FrameTimeout, 20*time.Second)
	c.Hold = or(c.Hold, 30*time.Second)
	c.Introduction = or(c.Introduction, 10*time.Second)
	c.QueueFrames = or(c.QueueFrames, 8192)
	c.QueueBytes = or(c.QueueBytes, 256<<20)
	c.AgentVersion = or(c.AgentVersion, "aquanode")
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Host is a peer's presence on the network.
type Host struct {
	cfg   Config
	host  host.Host
	conns *connmgr.BasicConnMgr
	kad   *discovery   // nil without discovery
	held  atomic.Int64 // bytes, see Config.MaxHeld
	pace  *pace

	instance *instance

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   group

	mu       sync.Mutex
	outboxes map[peer.ID]*outbox
	absent   absentees
	shared   map[*byte]sharedFrame       // the queued frames, by their first byte
	waiters  map[peer.ID][]chan struct{} // closed when the peer's last connection is gone
	busy     int                         // outboxes that Flush waits for, and streams for one frame that the remote still reads
	flushed  *sync.Cond                  // busy became 0
}

// New makes a host that neither listens nor answers before Start.
func New(cfg Config) (*Host, error) {
	cfg.setDefaults()
	h := &Host{cfg: cfg, pace: newPace(), instance: newInstance(), outboxes: make(map[peer.ID]*outbox), shared: make(map[*byte]sharedFrame), waiters: make(map[peer.ID][]chan struct{})}
	h.flushed = sync.NewCond(&h.mu)
	h.absent.init(h.retry)
	h.ctx, h.cancel = context.WithCancel(overCircuits(context.Background()))
	opts, err := h.options()
	if err == nil {
		h.host, err = libp2p.New(opts...)
	}
	if err != nil {
		h.cancel()
		return nil, fmt.Errorf("p2p: %w", err)
	}
	return h, nil
}

// Start begins to listen and to answer. It returns before any peer is dialled. After an
// error the host has to be closed.
func (h *Host) Start() error {
	if err := h.start(); err != nil {
		return fmt.Errorf("p2p: %w", err)
	}
	return nil
}

func (h *Host) start() (err error) {
	h.host.Network().Notify(&network.NotifyBundle{ConnectedF: h.connected, DisconnectedF: h.disconnected})
	if err := h.watchIdentify(); err != nil {
		return err
	}
	h.host.SetStreamHandler(particleProtocol, h.handleStream)
	if !h.cfg.notKept {
		h.host.SetStreamHandler(keptProtocol10, h.handleStream)
	}
	if !h.cfg.notKept && !h.cfg.notAcked {
		h.host.SetStreamHandler(KeptProtocol, h.handleStream)
	}
	if !h.cfg.Client {
		h.host.SetStreamHandler(instanceProtocol, h.serveInstance)
	}
	if h.cfg.Network != "" && !h.cfg.Client {
		if h.kad, err = newDiscovery(h); err != nil {
			return err
		}
	}
	for _, a := range h.cfg.Over {
		if err := h.Keep(a); err != nil {
			return err
		}
		info, _ := parseFullAddr(a) // as Keep has done
		h.work.start(func() { h.reserve(*info) })
	}
	listen, err := parseAddrs(h.cfg.Listen)
	if err != nil {
		return err
	}
	return h.listen(listen)
}

// listen opens every address or none: nobody would notice that one of them is missing.
func (h *Host) listen(addrs []ma.Multiaddr) error {
	for _, a := range addrs {
		err := h.free(a)
		if err == nil {
			err = h.host.Network().Listen(a)
		}
		if err != nil {
			return fmt.Errorf("listen on %s: %w", a, err)
		}
	}
	return nil
}

// reuse turns SO_REUSEPORT off, with which two processes can listen on one TCP port and get
// half of the connections each. Only hole punching needs it: it dials from the port that it
// listens on.
func (h *Host) reuse() []any {
	if h.cfg.HolePunching {
		return nil
	}
	return []any{tcp.DisableReuseport()}
}

// free reports why a TCP port cannot be had by this process alone. It matters with
// SO_REUSEPORT only; a second process that starts in the same moment is not noticed then.
func (h *Host) free(a ma.Multiaddr) error {
	if !h.cfg.HolePunching {
		return nil
	}
	if _, err := a.ValueForProtocol(ma.P_TCP); err != nil {
		return nil
	}
	tcpOnly, _ := ma.SplitFunc(a, func(c ma.Component) bool { return c.Protocol().Code != ma.P_TCP && !isIP(c) })
	l, err := manet.Listen(tcpOnly)
	if err != nil {
		return err
	}
	return l.Close()
}

func isIP(c ma.Component) bool {
	code := c.Protocol().Code
	return code == ma.P_IP4 || code == ma.P_IP6 || code == ma.P_IP6ZONE
}

func (h *Host) options() ([]libp2p.Option, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(h.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	external, err := parseAddrs(h.cfg.External)
	if err != nil {
		return nil, err
	}
	over, err := h.circuitAddrs()
	if err != nil {
		return nil, err
	}
	webSocket, err := h.webSocket()
	if err != nil {
		return nil, err
	}
	resources, err := newResourceManager()
	if err != nil {
		return nil, err
	}
	book, err := pstoremem.NewPeerstore(pstoremem.WithMaxAddresses(maxBookAddrs), pstoremem.WithMaxAddressesPerPeer(maxKnownAddrs))
	if err != nil {
		return nil, err
	}
	if h.conns, err = connmgr.NewConnManager(connsLow, connsHigh); err != nil {
		return nil, err
	}
	return append(h.circuits(),
		libp2p.Identity(key),
		libp2p.Peerstore(book),
		libp2p.NoListenAddrs, // see Start
		libp2p.AddrsFactory(func(own []ma.Multiaddr) []ma.Multiaddr {
			if h.cfg.ExternalOnly {
				own = nil
			}
			return slices.Concat(external, over, own)
		}),
		libp2p.Transport(tcp.NewTCPTransport, h.reuse()...),
		libp2p.Transport(websocket.New, webSocket...),
		libp2p.Transport(quic.NewTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, pacedMuxer{h.pace}),
		libp2p.ProtocolVersion(h.protocolVersion()),
		libp2p.UserAgent(h.cfg.AgentVersion),
		libp2p.ResourceManager(resources),
		libp2p.ConnectionManager(h.conns),
		libp2p.DisableMetrics(),
	), nil
}

// maxHTTPHeader bounds the header of a WebSocket handshake. net/http takes 1 MiB, and the lines of
// that take 30 ms to parse: a stranger who repeats it held both processors.
const maxHTTPHeader = 16 << 10

// handshakeTimeout is the time a remote has to send the header of a WebSocket handshake.
const handshakeTimeout = 15 * time.Second

// httpServer bounds requests that come before anybody has a key.
func httpServer(s *http.Server) {
	s.MaxHeaderBytes = maxHTTPHeader
	s.ReadTimeout, s.WriteTimeout = handshakeTimeout, handshakeTimeout // a WebSocket drops both
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.SetKeepAlivesEnabled(false)
}

func (h *Host) webSocket() (opts []any, err error) {
	opts = []any{
		websocket.WithHandshakeTimeout(handshakeTimeout),
		websocket.WithHTTPHandler(http.NotFoundHandler()), // the server is configured only with a handler
		websocket.WithHTTPServerConfig(httpServer),
	}
	if h.cfg.dialTLS != nil {
		opts = append(opts, websocket.WithTLSClientConfig(h.cfg.dialTLS))
	}
	if h.cfg.TLSCert == "" {
		return opts, nil
	}
	cert, err := loadCertificate(h.cfg.TLSCert, h.cfg.TLSKey)
	if err != nil {
		return nil, err
	}
	return append(opts, websocket.WithTLSConfig(cert.config())), nil
}

// protocolVersion marks peers; clients keep libp2p's own.
func (h *Host) protocolVersion() string {
	if h.cfg.Client {
		return "ipfs/0.1.0"
	}
	return wire.ProtocolID
}

// Close ends all connections and goroutines. Frames still queued are reported as lost. Stream
// handlers stay, and reset every stream: without them, remotes would be told that this peer is
// one that acknowledges nothing.
func (h *Host) Close() error {
	h.work.stop()
	h.cancel()
	h.absent.timer.Stop()
	var err error
	if h.kad != nil {
		err = h.kad.close()
	}
	err = errors.Join(err, h.host.Close())
	h.work.wait()
	h.dropQueues()
	return err
}

// ID is the peer id.
func (h *Host) ID() string { return h.host.ID().String() }

// Addrs are the addresses others can dial, each with the peer id, unspecified ones
// resolved to those of the machine's interfaces.
func (h *Host) Addrs() []string {
	addrs, err := h.host.Network().InterfaceListenAddresses()
	if err != nil {
		addrs = h.host.Addrs()
	}
	external, _ := parseAddrs(h.cfg.External) // checked by New
	over, _ := h.circuitAddrs()
	addrs = slices.DeleteFunc(addrs, func(a ma.Multiaddr) bool { return a.String() == "/p2p-circuit" }) // how libp2p listens for them
	addrs = slices.Concat(external, over, addrs)
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.String()+"/p2p/"+h.ID())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// group counts goroutines and refuses new ones once stopped, so that Close can wait.
type group struct {
	mu      sync.Mutex
	stopped bool
	count   sync.WaitGroup
}

// enter counts the calling goroutine; it has to leave when enter reports true.
func (g *group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	g.count.Add(1)
	return true
}

func (g *group) leave() { g.count.Done() }

// start runs f on a goroutine of the group.
func (g *group) start(f func()) bool {
	if !g.enter() {
		return false
	}
	go func() { defer g.leave(); f() }()
	return true
}

func (g *group) stop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
}

func (g *group) wait() { g.count.Wait() }
