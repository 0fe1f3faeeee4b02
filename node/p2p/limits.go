package p2p

import (
	"net/netip"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
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
	return rcmgr.NewResourceManager(
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
}
