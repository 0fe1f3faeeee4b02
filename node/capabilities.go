package node

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aquanode/aquanode/internal/sign"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services/builtin"
	"github.com/aquanode/aquanode/services/vault"
)

// loadServices registers the built-in functions, with the capabilities of this peer, and the
// services of the services directory.
func (n *Node) loadServices() error {
	err := builtin.Register(n.engine.Services, builtin.Config{
		Identity:      n.identity,
		Connector:     connector{n},
		Neighbourhood: n.engine.Host,
		Keys:          keys{n.ID(), n.cfg.Key},
		Vault:         n.vault,
		Journal:       entries{n.engine.Journal},
	})
	if err != nil {
		return fmt.Errorf("built-in functions: %w", err)
	}
	return n.loadScripts()
}

func (n *Node) identity() builtin.Identity {
	agent := n.cfg.AgentVersion
	if agent == "" {
		agent = Version
	}
	return builtin.Identity{
		ExternalAddresses: n.engine.Host.Announced(),
		NodeVersion:       agent,
		AirVersion:        data.InterpreterVersion,
		SpellVersion:      Version,
	}
}

// connector lets scripts ask about connections.
type connector struct{ *Node }

func (c connector) IsConnected(peer string) bool {
	ok, err := c.engine.Host.IsConnected(peer)
	return err == nil && ok
}

func (c connector) Connect(ctx context.Context, peer string, addrs []string) (bool, error) {
	err := c.engine.Host.Connect(ctx, peer, addrs)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, journal.DialFailed), errors.Is(err, journal.NotConnected):
		return false, nil
	}
	return err == nil, err
}

func (c connector) Addresses(peer string) ([]string, bool) { return c.engine.Host.Contact(peer) }

// entries shows initiators what happened to their particles.
type entries struct{ *journal.Journal }

func (e entries) Entries(initPeerID, particleID string, n int) (all [][]byte) {
	for _, entry := range e.Of(initPeerID, particleID, n) {
		if text, err := json.Marshal(entry); err == nil { // an entry is texts, numbers and a time
			all = append(all, text)
		}
	}
	return all
}

// keys signs for the host.
type keys struct {
	host string
	key  ed25519.PrivateKey
}

func (k keys) Local(peer string) bool { return peer == k.host }

func (k keys) Sign(peer string, data []byte) ([]byte, error) {
	if !k.Local(peer) {
		return nil, fmt.Errorf("no key of %s here", peer)
	}
	return sign.Sign(k.key, data), nil
}

func (k keys) Token(signature []byte) string { return particle.Token(k.key, signature) }

func (n *Node) vaultOf(p *particle.Particle, scope dispatch.Scope) vault.Particle {
	token := particle.Token(n.cfg.Key, p.Signature)
	return vault.Particle{Scope: scope.Peer, ID: p.ID, Token: token, Expires: n.engine.Deadline(p)}
}

func publicKey(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }
