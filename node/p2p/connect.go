package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/aquanode/aquanode/internal/text"
	"github.com/aquanode/aquanode/node/journal"
)

// dialTimeout bounds finding and dialling a peer that a particle goes to next.
const dialTimeout = 15 * time.Second

// The ways in which a connection to a next peer is come by, for Config.Resolved.
const (
	ByBook      = "Local"            // connected, or an address was known
	ByDiscovery = "Kademlia"         // discovery found an address
	NotFound    = "KademliaNotFound" // nobody knows an address
	NoDiscovery = "KademliaError"    // the search failed
	NoAnswer    = "ConnectionFailed" // no address answered
)

// connect makes a connection to a peer, unless there is one.
func (h *Host) connect(id peer.ID, deadline time.Time) error {
	how, err := h.reach(id, deadline)
	h.resolved(how)
	return err
}

func (h *Host) resolved(how string) {
	if h.cfg.Observer != nil {
		h.cfg.Observer.Resolved(how)
	}
}

func (h *Host) reach(id peer.ID, deadline time.Time) (how string, err error) {
	how = ByBook
	if h.newest(id) != nil {
		return how, nil
	}
	ctx, cancel := context.WithDeadline(h.ctx, deadline)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if len(h.host.Peerstore().Addrs(id)) == 0 {
		how = ByDiscovery
		if err := h.find(ctx, id); err != nil {
			how = NoDiscovery
			if err == journal.NotConnected || errors.Is(err, routing.ErrNotFound) {
				how = NotFound
			}
			return how, err
		}
	}
	if _, err = h.host.Network().DialPeer(ctx, id); err != nil {
		return NoAnswer, fmt.Errorf("%w: %w", journal.DialFailed, err)
	}
	return how, nil
}

// unknown is why a peer need not be looked for: no address is known and nobody can be asked.
func (h *Host) unknown(id peer.ID) error {
	switch {
	case len(h.host.Peerstore().Addrs(id)) > 0:
		return nil
	case h.kad == nil:
		return journal.NotConnected
	}
	return h.kad.banned(id)
}

func (h *Host) find(ctx context.Context, id peer.ID) error {
	if h.kad == nil {
		return journal.NotConnected
	}
	return h.kad.find(ctx, id)
}

// newest gives the newest direct connection to a peer, or else the newest over a circuit, or
// nil.
func (h *Host) newest(id peer.ID) (best network.Conn) {
	for _, c := range slices.Backward(h.host.Network().ConnsToPeer(id)) {
		switch {
		case c.IsClosed():
		case !c.Stat().Limited:
			return c
		case best == nil:
			best = c
		}
	}
	return best
}

// Connect dials a peer at the given addresses, which may be with or without its id. The
// addresses come from scripts: unless [Config.AllowLocal], those of private networks are refused, so
// that nobody looks around in the network of this machine.
func (h *Host) Connect(ctx context.Context, id string, addrs []string) error {
	target, err := parsePeerID(id)
	if err != nil {
		return err
	}
	info := peer.AddrInfo{ID: target}
	for i, a := range addrs {
		addrs[i] = strings.TrimSuffix(a, "/p2p/"+id)
	}
	if info.Addrs, err = parseAddrs(addrs); err != nil {
		return err
	}
	if private := !h.cfg.AllowLocal && len(publicOnly(info.Addrs)) < len(info.Addrs); private {
		return errors.New("addresses of private networks are not dialled for others")
	}
	if len(info.Addrs) == 0 && h.newest(target) == nil && len(h.host.Peerstore().Addrs(target)) == 0 {
		return journal.NotConnected
	}
	if err := h.host.Connect(towards(ctx, info.Addrs), info); err != nil {
		return fmt.Errorf("%w: %w", journal.DialFailed, err)
	}
	return nil
}

// Dial connects to a full address and says which peer is there.
func (h *Host) Dial(ctx context.Context, addr string) (string, error) {
	info, err := parseFullAddr(addr)
	if err != nil {
		return "", err
	}
	h.clearBackoff(info.ID)
	if err := h.host.Connect(towards(ctx, info.Addrs), *info); err != nil {
		return "", fmt.Errorf("%w: %s: %w", journal.DialFailed, addr, err)
	}
	return info.ID.String(), nil
}

// clearBackoff lets a caller with patience of its own dial again at once.
func (h *Host) clearBackoff(id peer.ID) {
	if s, ok := h.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(id)
	}
}

// IsConnected reports whether there is a connection to a peer.
func (h *Host) IsConnected(id string) (bool, error) {
	target, err := parsePeerID(id)
	if err != nil {
		return false, err
	}
	return h.newest(target) != nil, nil
}

// ConnectedTo reports whether there is a connection to the peer of a full address; a host
// counts as connected to itself.
func (h *Host) ConnectedTo(addr string) (bool, error) {
	info, err := parseFullAddr(addr)
	if err != nil {
		return false, err
	}
	return info.ID == h.host.ID() || h.newest(info.ID) != nil, nil
}

// Contact gives the addresses at which a connected peer can be found; known is false
// when there is no connection.
func (h *Host) Contact(id string) (addrs []string, known bool) {
	target, err := parsePeerID(id)
	if err != nil || h.newest(target) == nil {
		return nil, false
	}
	addrs = []string{}
	for _, a := range h.host.Peerstore().Addrs(target) {
		addrs = append(addrs, a.String())
	}
	if len(addrs) == 0 { // before its introduction we know at least where we dialled
		for _, c := range h.host.Network().ConnsToPeer(target) {
			if c.Stat().Direction == network.DirOutbound {
				addrs = append(addrs, c.RemoteMultiaddr().String())
			}
		}
	}
	slices.Sort(addrs)
	return addrs, true
}

// Pauses between attempts to reach a kept address. The first comes at once; a relay
// that restarts is back within its first seconds.
const (
	keepPauseMin = 250 * time.Millisecond
	keepPauseMax = 60 * time.Second
)

// Keep connects to a full address and does so again whenever the connection is lost,
// until Close.
func (h *Host) Keep(addr string) error {
	info, err := parseFullAddr(addr)
	if err != nil {
		return err
	}
	if info.ID == h.host.ID() {
		return nil // one list of bootstrap addresses serves all peers of a network
	}
	h.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.PermanentAddrTTL)
	h.work.start(func() { h.keep(*info) })
	return nil
}

func (h *Host) keep(info peer.AddrInfo) {
	for pause := keepPauseMin; h.ctx.Err() == nil; {
		if h.keepOnce(info) {
			pause = keepPauseMin
		}
		sleep(h.ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, keepPauseMax)
	}
}

// keepOnce dials once and, if that succeeds, waits until the connection is gone.
func (h *Host) keepOnce(info peer.AddrInfo) bool {
	ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
	defer cancel()
	h.clearBackoff(info.ID)
	if err := h.host.Connect(towards(ctx, info.Addrs), info); err != nil {
		log.Infow("cannot reach bootstrap peer", "peer", info.ID, "error", err)
		return false
	}
	if h.kad != nil {
		h.kad.joined()
	}
	h.kept(true)
	select {
	case <-h.gone(info.ID):
	case <-h.ctx.Done():
	}
	h.kept(false)
	return true
}

func (h *Host) kept(connected bool) {
	if h.cfg.Observer != nil {
		h.cfg.Observer.Kept(connected)
	}
}

// gone is closed when no connection to the peer is left.
func (h *Host) gone(id peer.ID) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := make(chan struct{})
	if h.newest(id) == nil {
		close(c)
	} else {
		h.waiters[id] = append(h.waiters[id], c)
	}
	return c
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (h *Host) disconnected(_ network.Network, c network.Conn) {
	id := c.RemotePeer()
	if h.newest(id) != nil {
		return
	}
	h.conns.Unprotect(id, protectTag)
	h.mu.Lock()
	for _, w := range h.waiters[id] {
		close(w)
	}
	delete(h.waiters, id)
	var old *link
	if b := h.outboxes[id]; b != nil && b.state == resting && b.kept != nil && b.kept.Conn().IsClosed() {
		old, b.kept = b.kept, nil
		b.rewind()
		if len(b.waiting) > 0 && h.ctx.Err() == nil {
			h.startSending(b)
		}
		h.recount(b)
		h.forget(b)
	}
	h.mu.Unlock()
	if old != nil {
		old.Reset()
	}
}

// watchIdentify lets go of remotes that do not speak the particle protocol and protects
// the others from the connection manager.
func (h *Host) watchIdentify() error {
	sub, err := h.host.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted), eventbus.BufSize(256))
	if err != nil {
		return err
	}
	h.work.start(func() {
		defer sub.Close()
		for {
			select {
			case e, ok := <-sub.Out():
				if !ok {
					return
				}
				h.known(e.(event.EvtPeerIdentificationCompleted))
			case <-h.ctx.Done():
				return
			}
		}
	})
	return nil
}

// What is kept of a remote's introduction, which may have 80 kB: it stays as long as the
// connection. An aquanode has some 10 protocols, a peer behind several networks some 20 addresses.
const (
	maxKnownAddrs     = 32
	maxKnownProtocols = 64
	maxProtocol       = 128 // bytes of one name
)

// trim drops what is too much of a remote's introduction.
func (h *Host) trim(e event.EvtPeerIdentificationCompleted) {
	store := h.host.Peerstore()
	if addrs := store.Addrs(e.Peer); len(addrs) > maxKnownAddrs {
		store.ClearAddrs(e.Peer)
		store.AddAddrs(e.Peer, addrs[:maxKnownAddrs], peerstore.ConnectedAddrTTL)
	}
	long := func(p protocol.ID) bool { return len(p) > maxProtocol }
	if protocols := e.Protocols; len(protocols) > maxKnownProtocols || slices.ContainsFunc(protocols, long) {
		protocols = slices.DeleteFunc(slices.Clone(protocols), long)
		store.SetProtocols(e.Peer, protocols[:min(len(protocols), maxKnownProtocols)]...)
	}
	for key, v := range map[string]string{"AgentVersion": e.AgentVersion, "ProtocolVersion": e.ProtocolVersion} {
		if len(v) > maxAgent {
			store.Put(e.Peer, key, text.Cut(v, maxAgent))
		}
	}
}

func (h *Host) known(e event.EvtPeerIdentificationCompleted) {
	h.trim(e)
	if slices.Contains(e.Protocols, particleProtocol) {
		h.conns.Protect(e.Peer, protectTag)
		return
	}
	h.work.start(func() { h.reconsider(e) })
}

// reconsider lets go of a remote that still does not speak the particle protocol some
// time after its introduction: a host that has just started may tell of its protocols
// only in a second message.
func (h *Host) reconsider(e event.EvtPeerIdentificationCompleted) {
	sleep(h.ctx, h.cfg.Introduction)
	if spoken, _ := h.host.Peerstore().SupportsProtocols(e.Peer, particleProtocol); len(spoken) > 0 || h.ctx.Err() != nil {
		return
	}
	h.cfg.Receiver.Refused(e.Peer.String(), fmt.Errorf("%w: agent %q", journal.NoParticles, text.Cut(e.AgentVersion, maxAgent)))
	if err := h.host.Network().ClosePeer(e.Peer); err != nil {
		log.Debugw("closing a connection", "peer", e.Peer, "error", err)
	}
}

// maxAgent is how much is shown of the versions that remotes introduce themselves with.
const maxAgent = 128

// PeerInfo is what is known of a connected peer.
type PeerInfo struct {
	ID       string   `json:"peerId"`
	Addrs    []string `json:"addrs"` // remote ends of the connections
	Inbound  bool     `json:"inbound"`
	Agent    string   `json:"agent,omitempty"`
	Protocol string   `json:"protocol,omitempty"`
	Waiting  int      `json:"waiting"` // frames in the send queue
	Streams  int      `json:"streams"`
}

// Peers lists the connected peers.
func (h *Host) Peers() []PeerInfo {
	var out []PeerInfo
	for _, id := range h.host.Network().Peers() {
		out = append(out, h.peerInfo(id))
	}
	slices.SortFunc(out, func(a, b PeerInfo) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (h *Host) peerInfo(id peer.ID) PeerInfo {
	info := PeerInfo{ID: id.String(), Addrs: []string{}}
	for _, c := range h.host.Network().ConnsToPeer(id) {
		info.Addrs = append(info.Addrs, c.RemoteMultiaddr().String())
		info.Inbound = c.Stat().Direction == network.DirInbound
		info.Streams += c.Stat().NumStreams
	}
	introduced := func(key string) string {
		v, _ := h.host.Peerstore().Get(id, key)
		s, _ := v.(string)
		return text.Cut(s, maxAgent)
	}
	info.Agent, info.Protocol = introduced("AgentVersion"), introduced("ProtocolVersion")
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.outboxes[id]; b != nil {
		info.Waiting = len(b.waiting)
	}
	return info
}

// Meet puts full addresses of peers into the address book, without dialling them.
func (h *Host) Meet(addrs []string) error {
	for _, a := range addrs {
		info, err := parseFullAddr(a)
		if err != nil {
			return err
		}
		h.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.PermanentAddrTTL)
	}
	return nil
}

// Announced are the addresses that others are told.
func (h *Host) Announced() []string {
	var out []string
	for _, a := range h.host.Addrs() {
		out = append(out, a.String())
	}
	return out
}
