package p2p

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// What a host carries for others that cannot be dialled. libp2p's own limits, 128 kB and two
// minutes, are for introductions; here particles go over circuits.
const (
	circuitBytes        = 64 << 20 // of one connection, each way
	circuitTime         = time.Hour
	circuitReservations = 512
	circuitsPerPeer     = 64
	circuitsPerIP       = 64 // many may be behind one NAT
)

// circuits are the options of libp2p for connections over other peers. Any peer can dial such
// addresses; to be reached at one, or to carry others, is a matter of configuration.
func (h *Host) circuits() []libp2p.Option {
	if h.cfg.Client {
		return []libp2p.Option{libp2p.DisableRelay(), libp2p.DisableIdentifyAddressDiscovery()}
	}
	options := []libp2p.Option{libp2p.EnableRelay()}
	if h.cfg.Circuits {
		r := relay.DefaultResources()
		r.Limit = &relay.RelayLimit{Duration: circuitTime, Data: circuitBytes}
		r.MaxReservations, r.MaxCircuits = circuitReservations, circuitsPerPeer
		r.MaxReservationsPerIP, r.MaxReservationsPerASN = circuitsPerIP, circuitReservations
		private := relay.WithReservationAddressFilter(func(a ma.Multiaddr) bool { return h.cfg.AllowLocal || manet.IsPublicAddr(a) })
		options = append(options, libp2p.EnableRelayService(relay.WithResources(r), private), libp2p.ForceReachabilityPublic())
	}
	if h.cfg.HolePunching { // it needs to know how others see us
		options = append(options, libp2p.EnableHolePunching())
	} else {
		options = append(options, libp2p.DisableIdentifyAddressDiscovery())
	}
	if len(h.cfg.Over) > 0 {
		options = append(options, libp2p.ForceReachabilityPrivate()) // hole punching asks for it
	}
	return options
}

// circuitAddrs are the addresses at which the host is reached over others.
func (h *Host) circuitAddrs() (addrs []ma.Multiaddr, err error) {
	for _, a := range h.cfg.Over {
		if _, err := parseFullAddr(a); err != nil {
			return nil, err
		}
		addrs = append(addrs, ma.StringCast(a+"/p2p-circuit"))
	}
	return addrs, nil
}

// Pauses between attempts to get a reservation, and how long before its end it is renewed.
const (
	reservePauseMin = 250 * time.Millisecond
	reservePauseMax = 30 * time.Second
	reserveAhead    = 5 * time.Minute
)

// reserve keeps a reservation with a peer that carries connections. A reservation ends with the
// connection, which keep makes.
func (h *Host) reserve(info peer.AddrInfo) {
	for pause := reservePauseMin; h.ctx.Err() == nil; {
		ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
		r, err := client.Reserve(ctx, h.host, info)
		cancel()
		if err != nil {
			log.Infow("no reservation for connections over a peer", "peer", info.ID, "error", err)
			sleep(h.ctx, pause)
			pause = min(2*pause, reservePauseMax)
			continue
		}
		pause = reservePauseMin
		renew := time.NewTimer(max(time.Until(r.Expiration)-reserveAhead, reserveAhead))
		select {
		case <-h.gone(info.ID):
		case <-renew.C:
		case <-h.ctx.Done():
		}
		renew.Stop()
	}
}

// overCircuits lets a context use connections over circuits, which libp2p calls limited.
func overCircuits(ctx context.Context) context.Context {
	return network.WithAllowLimitedConn(ctx, "particles")
}

// towards makes a dial to direct addresses end in a direct connection, even if there is one
// over a circuit.
func towards(ctx context.Context, addrs []ma.Multiaddr) context.Context {
	circuit := func(a ma.Multiaddr) bool {
		_, err := a.ValueForProtocol(ma.P_CIRCUIT)
		return err == nil
	}
	if len(addrs) == 0 || slices.ContainsFunc(addrs, circuit) {
		return overCircuits(ctx)
	}
	return network.WithForceDirectDial(ctx, "direct addresses")
}
