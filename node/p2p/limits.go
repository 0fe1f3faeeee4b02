package p2p

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// The connection manager starts to close idle connections above connsHigh and stops at
// connsLow. Connections that can carry particles are protected from it: clients do not
// come back by themselves.
const (
	connsLow  = 6000
	connsHigh = 8000
)

// Bounds of the resource manager. libp2p's own defaults refuse a burst of one client
// from about 65 streams on, more than 8 connections from one address, and more than
// some hundred clients.
const (
	maxConns          = 20_000
	maxConnsPerPeer   = 16
	maxConnsPerIP     = 16_384 // a company or a carrier behind one address
	maxStreams        = 200_000
	maxStreamsPerPeer = 4_096  // more than Config.MaxStreams, which refuses with a reason; a client's muxer allows 1000 each way
	maxBookAddrs      = 50_000 // addresses of peers that are not connected, as others tell them
	maxTransient      = 16_384 // streams and connections still being negotiated
)

func newResourceManager() (network.ResourceManager, error) {
	all := rcmgr.ResourceLimits{
		Streams: maxStreams, StreamsInbound: maxStreams, StreamsOutbound: maxStreams,
		Conns: maxConns, ConnsInbound: maxConns, ConnsOutbound: maxConns,
	}
	transient := rcmgr.ResourceLimits{
		Streams: maxTransient, StreamsInbound: maxTransient, StreamsOutbound: maxTransient,
		Conns: maxTransient, ConnsInbound: maxTransient, ConnsOutbound: maxTransient,
	}
	perPeer := rcmgr.ResourceLimits{
		Streams: 2 * maxStreamsPerPeer, StreamsInbound: maxStreamsPerPeer, StreamsOutbound: maxStreamsPerPeer,
		Conns: maxConnsPerPeer, ConnsInbound: maxConnsPerPeer, ConnsOutbound: maxConnsPerPeer,
	}
	limits := rcmgr.PartialLimitConfig{System: all, Transient: transient, PeerDefault: perPeer}
	m, err := rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: maxConnsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: maxConnsPerIP}},
		),
		rcmgr.WithNetworkPrefixLimit(
			[]rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix("127.0.0.0/8"), ConnCount: maxConns}},
			[]rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix("::1/128"), ConnCount: maxConns}},
		),
		rcmgr.WithConnRateLimiters(&rate.Limiter{}), // no rate limit of its own: noise handshakes bound it
	)
	if err != nil {
		return nil, err
	}
	return &rangeLimits{ResourceManager: m, ranges: make(map[string]*rangeUse), peers: make(map[peer.ID]peerRange)}, nil
}

// rangeLimits is a resource manager in which no address range can take all that there is. A
// range may open one more as long as what it has is less than a part of what is free. So others
// always find room: with a part of a fourth, after 37 ranges that take all they can, 4 of 16,384.
type rangeLimits struct {
	network.ResourceManager

	mu     sync.Mutex
	all    rangeUse
	ranges map[string]*rangeUse
	peers  map[peer.ID]peerRange
}

// A peerRange is where a peer was connected from last, and its number of connections.
type peerRange struct {
	name  string
	conns int
}

// rangeUse counts what remotes have opened.
type rangeUse struct {
	conns      int // inbound
	streams    int // inbound
	negotiated int // streams of these whose protocol is known
}

func (u *rangeUse) add(v rangeUse) {
	u.conns += v.conns
	u.streams += v.streams
	u.negotiated += v.negotiated
}

// freeParts is which part of what is free a range may have.
const freeParts = 4

// take counts what a range opens, unless it has its part.
func (l *rangeLimits) take(name string, v rangeUse) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.ranges[name]
	if u == nil {
		u = new(rangeUse)
	}
	full := func(have, all, most int) bool { return have*freeParts >= most-all }
	switch {
	case v.conns > 0 && full(u.conns, l.all.conns, maxConns),
		v.streams > 0 && full(u.streams, l.all.streams, maxStreams),
		v.streams > 0 && full(u.streams-u.negotiated, l.all.streams-l.all.negotiated, maxTransient):
		return fmt.Errorf("%s has %d connections and %d streams: %w", name, u.conns, u.streams, network.ErrResourceLimitExceeded)
	}
	l.ranges[name] = u
	u.add(v)
	l.all.add(v)
	return nil
}

// count does the same without a limit.
func (l *rangeLimits) count(name string, v rangeUse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.ranges[name]
	u.add(v)
	l.all.add(v)
	if *u == (rangeUse{}) {
		delete(l.ranges, name)
	}
}

// OpenConnection implements [network.ResourceManager].
func (l *rangeLimits) OpenConnection(dir network.Direction, usefd bool, endpoint ma.Multiaddr) (network.ConnManagementScope, error) {
	c := &connScope{limits: l, endpoint: endpoint}
	if name := addrRange(endpoint, ""); dir == network.DirInbound && name != loopbackRange { // there the connection is the unit
		if err := l.take(name, rangeUse{conns: 1}); err != nil {
			return nil, err
		}
		c.counted = name
	}
	var err error
	if c.ConnManagementScope, err = l.ResourceManager.OpenConnection(dir, usefd, endpoint); err != nil {
		c.uncount()
		return nil, err
	}
	return c, nil
}

// A connScope is a connection that is counted in its range.
type connScope struct {
	network.ConnManagementScope
	limits   *rangeLimits
	endpoint ma.Multiaddr
	counted  string // the range; empty: not counted
	peer     peer.ID
	done     sync.Once
}

func (c *connScope) uncount() {
	if c.counted != "" {
		c.limits.count(c.counted, rangeUse{conns: -1})
	}
}

// SetPeer implements [network.ConnManagementScope].
func (c *connScope) SetPeer(id peer.ID) error {
	if err := c.ConnManagementScope.SetPeer(id); err != nil {
		return err
	}
	l := c.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	c.peer = id
	l.peers[id] = peerRange{addrRange(c.endpoint, id), l.peers[id].conns + 1}
	return nil
}

// Done implements [network.ResourceScopeSpan].
func (c *connScope) Done() {
	c.ConnManagementScope.Done()
	c.done.Do(func() {
		c.uncount()
		l := c.limits
		l.mu.Lock()
		defer l.mu.Unlock()
		p, known := l.peers[c.peer]
		switch {
		case !known:
		case p.conns == 1:
			delete(l.peers, c.peer)
		default:
			p.conns--
			l.peers[c.peer] = p
		}
	})
}

// OpenStream implements [network.ResourceManager].
func (l *rangeLimits) OpenStream(id peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	if dir != network.DirInbound {
		return l.ResourceManager.OpenStream(id, dir)
	}
	l.mu.Lock()
	name := l.peers[id].name
	l.mu.Unlock()
	if err := l.take(name, rangeUse{streams: 1}); err != nil {
		return nil, err
	}
	scope, err := l.ResourceManager.OpenStream(id, dir)
	if err != nil {
		l.count(name, rangeUse{streams: -1})
		return nil, err
	}
	return &streamScope{StreamManagementScope: scope, limits: l, name: name}, nil
}

// A streamScope is an inbound stream that is counted in a range.
type streamScope struct {
	network.StreamManagementScope
	limits *rangeLimits
	name   string

	mu         sync.Mutex
	negotiated int
	ended      bool
}

// SetProtocol implements [network.StreamManagementScope].
func (s *streamScope) SetProtocol(p protocol.ID) error {
	if err := s.StreamManagementScope.SetProtocol(p); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.negotiated == 0 && !s.ended {
		s.negotiated = 1
		s.limits.count(s.name, rangeUse{negotiated: 1})
	}
	return nil
}

// Done implements [network.ResourceScopeSpan].
func (s *streamScope) Done() {
	s.StreamManagementScope.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		s.limits.count(s.name, rangeUse{streams: -1, negotiated: -s.negotiated})
	}
}
