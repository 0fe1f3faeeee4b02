package p2p

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/aquanode/aquanode/node/journal"
)

// Remote is who is behind a frame. Keys are free to make, so shares hang on the range.
type Remote struct {
	Peer string // peer id
	// Range is the part of the remote's address that is not free to make:
	//
	//	192.0.2.0/24        IPv4
	//	2001:db8:7::/48     IPv6
	//	circuit/<peer id>   a connection over that relay
	//	loopback/<peer id>  this machine: the connection is the unit
	//	other               no IP address is known
	Range string
}

// Account bounds the memory of what somebody causes. It is used as a map key, so its type
// should be a pointer. Grow is called with locks held: it must not wait or call back.
type Account interface {
	// Grow takes n more bytes, or gives -n back. When it fails, nothing was taken; the error
	// should be a journal.Reason or wrap one.
	Grow(n int64) error
}

// Bits of an address that a range has.
const (
	rangeBits4 = 24
	rangeBits6 = 48
)

func ipRange(addr netip.Addr, id peer.ID) string {
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() {
		return loopbackRange + id.String()
	}
	bits := rangeBits6
	if addr.Is4() {
		bits = rangeBits4
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return otherRange
	}
	return prefix.String()
}

const (
	otherRange    = "other"
	circuitRange  = "circuit/"
	loopbackRange = "loopback/"
)

// remoteOf is who is at the other end of a connection.
func remoteOf(c network.Conn) Remote {
	id := c.RemotePeer()
	return Remote{id.String(), addrRange(c.RemoteMultiaddr(), id)}
}

// addrRange is the range of the address at which a remote is connected.
func addrRange(a ma.Multiaddr, id peer.ID) string {
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		relay, _ := a.ValueForProtocol(ma.P_P2P) // the first one
		return circuitRange + relay
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return otherRange
	}
	addr, _ := netip.AddrFromSlice(ip)
	return ipRange(addr, id)
}

// netRange is the same for an address as a muxer sees it.
func netRange(a net.Addr, id peer.ID) string {
	text := a.String()
	switch a := a.(type) {
	case *client.NetAddr:
		return circuitRange + a.Relay
	case *websocket.Addr:
		text = a.Host
	}
	addr, err := netip.ParseAddrPort(text)
	if err != nil {
		return otherRange
	}
	return ipRange(addr.Addr(), id)
}

// account returns the account of a remote, where the receiver has none one by the rules of
// Config.MaxHeld.
func (h *Host) account(from Remote, s *sender) Account {
	if a := h.cfg.Receiver.Account(from); a != nil {
		return a
	}
	return &quarter{h, &s.held}
}

// quarter is an account that may hold a quarter of Config.MaxHeld, as long as there is room
// at all.
type quarter struct {
	host *Host
	own  *atomic.Int64
}

// Grow implements [Account].
func (q *quarter) Grow(n int64) error {
	own := q.own.Add(n)
	if all := q.host.held.Load() + n; n > 0 && (own > q.host.cfg.MaxHeld/4 || all > q.host.cfg.MaxHeld) {
		q.own.Add(-n)
		return fmt.Errorf("%w: %d, of the sender %d", journal.Overload, all, own)
	}
	return nil
}

// grow takes n more bytes for frames, or gives -n back.
func (h *Host) grow(a Account, n int64) error {
	if a != nil {
		if err := a.Grow(n); err != nil {
			return err
		}
	}
	h.held.Add(n)
	return nil
}
