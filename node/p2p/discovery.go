package p2p

import (
	"context"
	"fmt"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/aquanode/aquanode/node/journal"
)

// Lookups of a peer that fail this often in a row are not repeated for a while.
const (
	findTimeout  = 6 * time.Second
	findFailures = 3
	findBan      = 60 * time.Second
	maxFailures  = 10_000 // peers remembered
)

// discovery finds peers over Kademlia. Nothing is stored in the network: records and
// providers are switched off, only FIND_NODE is in use.
type discovery struct {
	host *Host
	dht  *dht.IpfsDHT

	mu       sync.Mutex
	failures map[peer.ID]failure
}

type failure struct {
	count int
	last  time.Time
}

func newDiscovery(h *Host) (*discovery, error) {
	options := []dht.Option{
		dht.Mode(dht.ModeServer),
		// Both are needed: with the default prefix the library insists on providers and values.
		dht.ProtocolPrefix("/fluence"),
		dht.V1ProtocolOverride(protocol.ID("/fluence/kad/" + h.cfg.Network + "/1.0.0")),
		dht.DisableProviders(),
		dht.DisableValues(),
		dht.RoutingTableRefreshQueryTimeout(findTimeout),
	}
	if !h.cfg.AllowLocal {
		options = append(options, dht.AddressFilter(publicOnly))
	}
	d, err := dht.New(h.host, options...)
	if err != nil {
		return nil, fmt.Errorf("kademlia: %w", err)
	}
	return &discovery{host: h, dht: d, failures: make(map[peer.ID]failure)}, nil
}

func publicOnly(addrs []ma.Multiaddr) []ma.Multiaddr {
	return ma.FilterAddrs(addrs, manet.IsPublicAddr)
}

func (d *discovery) close() error { return d.dht.Close() }

// joined refreshes the routing table in the background after a bootstrap peer was
// reached.
func (d *discovery) joined() { d.dht.RefreshRoutingTable() }

// Nearest lists at most count peers of the routing table, those closest to the SHA-256
// of key first.
func (h *Host) Nearest(key []byte, count int) []string {
	if h.kad == nil {
		return nil
	}
	table := h.kad.dht.RoutingTable()
	count = max(0, min(count, table.Size())) // the table allocates by count
	var out []string
	for _, id := range table.NearestPeers(kbucket.ConvertKey(string(key)), count) {
		out = append(out, id.String())
	}
	return out
}

// find looks for a peer's addresses and puts them in the address book.
func (d *discovery) find(ctx context.Context, id peer.ID) error {
	if err := d.banned(id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	info, err := d.dht.FindPeer(ctx, id)
	d.record(id, err == nil)
	if err != nil {
		return fmt.Errorf("%w: %w", journal.NotConnected, err)
	}
	d.host.host.Peerstore().AddAddrs(id, info.Addrs, peerstore.TempAddrTTL)
	return nil
}

// banned is why a peer is not looked up at the moment.
func (d *discovery) banned(id peer.ID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.failures[id]; f.count >= findFailures && time.Since(f.last) < findBan {
		return fmt.Errorf("%w (%d lookups failed)", journal.NotConnected, findFailures)
	}
	return nil
}

// record counts failures in a row. At most maxFailures peers are remembered; others are just
// looked up once more.
func (d *discovery) record(id peer.ID, found bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found {
		delete(d.failures, id)
		return
	}
	f, known := d.failures[id]
	if time.Since(f.last) > findBan {
		f.count = 0
	}
	for other := range d.failures { // some other one makes room
		if known || len(d.failures) < maxFailures {
			break
		}
		delete(d.failures, other)
	}
	d.failures[id] = failure{f.count + 1, time.Now()}
}
