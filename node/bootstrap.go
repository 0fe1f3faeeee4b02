package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/aquanode/aquanode/node/identity"
	"github.com/aquanode/aquanode/particle"
)

// Pauses between attempts to learn who is at an address; bounds of one attempt.
const (
	learnPauseMin = 250 * time.Millisecond
	learnPauseMax = 60 * time.Second
	learnTimeout  = 15 * time.Second
)

// keepContact stays connected to the bootstrap peers.
func (n *Node) keepContact() error {
	for _, addr := range n.cfg.Bootstrap {
		a, err := ma.NewMultiaddr(addr)
		if err != nil {
			return fmt.Errorf("bootstrap: %w", err)
		}
		if _, err := a.ValueForProtocol(ma.P_P2P); err != nil {
			n.work.Go(func() { n.keepAnybody(strings.TrimSuffix(addr, "/")) })
		} else if err := n.engine.Host.Keep(addr); err != nil {
			return fmt.Errorf("bootstrap: %w", err)
		}
	}
	return nil
}

// keepAnybody stays connected to the peer that is at an address without an id.
func (n *Node) keepAnybody(addr string) {
	for pause := learnPauseMin; n.ctx.Err() == nil; pause = min(2*pause, learnPauseMax) {
		full, err := n.learn(addr)
		if err == nil {
			n.learned.Store(addr, full)
			err = n.engine.Host.Keep(full)
		}
		if err == nil {
			return
		}
		log.Infow("cannot reach bootstrap peer", "address", addr, "error", err)
		select {
		case <-n.ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// learn finds out which peer is at an address. A connection needs a peer id; with a random one it
// fails with the id of the peer that answered.
func (n *Node) learn(addr string) (full string, err error) {
	ctx, cancel := context.WithTimeout(n.ctx, learnTimeout)
	defer cancel()
	nobody := particle.PeerID(publicKey(identity.Generate()))
	_, err = n.engine.Host.Dial(ctx, addr+"/p2p/"+nobody)
	var other sec.ErrPeerIDMismatch
	if errors.As(err, &other) {
		return addr + "/p2p/" + other.Actual.String(), nil
	}
	if onlySelf(err) {
		return addr + "/p2p/" + n.ID(), nil
	}
	return "", err
}

// onlySelf reports whether every address is one that this peer listens on, so that none was dialled.
// Peers with one configuration have the first of them as bootstrap peer, the first one included. A
// DNS name of several peers may resolve to this one too; that shows only when others answer.
func onlySelf(err error) bool {
	var dial *swarm.DialError
	if !errors.As(err, &dial) || len(dial.DialErrors) == 0 {
		return false
	}
	for _, e := range dial.DialErrors {
		if !errors.Is(e.Cause, swarm.ErrDialToSelf) {
			return false
		}
	}
	return true
}

// reached reports whether a bootstrap peer is connected.
func (n *Node) reached(addr string) (bool, error) {
	if full, ok := n.learned.Load(strings.TrimSuffix(addr, "/")); ok {
		addr = full.(string)
	} else if !strings.Contains(addr, "/p2p/") {
		return false, nil
	}
	return n.engine.Host.ConnectedTo(addr)
}
