package p2p

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/aquanode/aquanode/internal/text"
	"github.com/aquanode/aquanode/node/journal"
)

// Bounds of names from strangers. Base58 is decoded in quadratic time: 160,000 characters
// took 2.2 s. A peer id as text has 46 to 54 characters, as a CID in hex 90.
const (
	maxPeerID = 100
	maxAddr   = 1000
	maxAddrs  = 64 // of one peer
)

// parsePeerID reads a peer id in any of its text forms.
func parsePeerID(s string) (peer.ID, error) {
	if len(s) > maxPeerID {
		return "", fmt.Errorf("%w: %q: %d characters", journal.BadPeerID, text.Cut(s, maxPeerID), len(s))
	}
	id, err := peer.Decode(s)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", journal.BadPeerID, s, err)
	}
	return id, nil
}

func parseAddr(s string) (ma.Multiaddr, error) {
	if len(s) > maxAddr {
		return nil, fmt.Errorf("address %q: %d characters, at most %d are taken", text.Cut(s, maxPeerID), len(s), maxAddr)
	}
	a, err := ma.NewMultiaddr(s)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", s, err)
	}
	return a, nil
}

func parseAddrs(texts []string) ([]ma.Multiaddr, error) {
	if len(texts) > maxAddrs {
		return nil, fmt.Errorf("%d addresses, at most %d are taken", len(texts), maxAddrs)
	}
	var out []ma.Multiaddr
	for _, s := range texts {
		a, err := parseAddr(s)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func parseFullAddr(s string) (*peer.AddrInfo, error) {
	a, err := parseAddr(s)
	if err != nil {
		return nil, err
	}
	info, err := peer.AddrInfoFromP2pAddr(a)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w (a full address ends in /p2p/<peer id>)", s, err)
	}
	return info, nil
}
