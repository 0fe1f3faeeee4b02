// Package devnet is a network of real peers in one process, on loopback.
//
// Its peers have fixed keys, so that addresses and peer ids can be written down: peer n
// has the same id in every network on every machine. The keys are no secret, which is why
// the peers listen on loopback only.
package devnet

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/particle"
)

// Config configures a network.
type Config struct {
	Peers int // 3 when 0
	// PortBase gives peer n the TCP port PortBase+2n and the WebSocket port PortBase+2n+1,
	// with n counting from 0; free ports are taken when it is 0.
	PortBase int
	// Edit, if set, changes the configuration of peer n, counting from 1.
	Edit func(n int, c *config.Config)
}

// Network is a running network.
type Network struct {
	Peers []*node.Node
}

// Key is the key of peer n, counting from 1.
func Key(n int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "aquanode development peer %d", n))
	return ed25519.NewKeyFromSeed(seed[:])
}

// published is how many keys there are in files of this project, and some more.
const published = 16

// IsKey reports whether a key is one of the first development keys, which no peer of a public network
// should have.
func IsKey(key ed25519.PrivateKey) bool {
	for n := 1; n <= published; n++ {
		if key.Equal(Key(n)) {
			return true
		}
	}
	return false
}

// Name is what scripts call peer n.
func Name(n int) string { return fmt.Sprintf("peer%d", n) }

// Start starts a network. All its peers know the addresses of all others.
func Start(cfg Config) (*Network, error) {
	if cfg.Peers == 0 {
		cfg.Peers = 3
	}
	net := &Network{}
	for n := 1; n <= cfg.Peers; n++ {
		peer, err := net.startPeer(n, cfg)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", Name(n), err), net.Close())
		}
		net.Peers = append(net.Peers, peer)
	}
	return net, net.introduce()
}

func (net *Network) startPeer(n int, cfg Config) (*node.Node, error) {
	c := config.Config{Key: Key(n), Listen: listen(cfg.PortBase, n), AllowLocal: config.On}
	if n > 1 {
		c.Bootstrap = net.Peers[0].Addrs()[:1]
	}
	if cfg.Edit != nil {
		cfg.Edit(n, &c)
	}
	peer, err := node.New(c)
	if err != nil {
		return nil, err
	}
	if err := peer.Start(); err != nil {
		return nil, errors.Join(err, peer.Close())
	}
	return peer, nil
}

func listen(base, n int) []string {
	tcp, ws := 0, 0
	if base != 0 {
		tcp, ws = base+2*(n-1), base+2*(n-1)+1
	}
	return []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", tcp), fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/ws", ws)}
}

// introduce fills the address books, so that no search is needed in a network of which
// everything is known.
func (net *Network) introduce() error {
	for _, a := range net.Peers {
		for _, b := range net.Peers {
			if a == b {
				continue
			}
			if err := a.Meet(b.Addrs()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Names gives the peer ids by the names that scripts use.
func (net *Network) Names() map[string]string {
	names := make(map[string]string)
	for i, p := range net.Peers {
		names[Name(i+1)] = p.ID()
	}
	return names
}

// Close ends all peers.
func (net *Network) Close() error {
	var errs []error
	for _, p := range net.Peers {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// ID is the peer id of peer n.
func ID(n int) string { return particle.PeerID(Key(n).Public().(ed25519.PublicKey)) }
