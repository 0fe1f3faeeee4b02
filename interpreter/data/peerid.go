package data

import (
	"crypto/ed25519"
	"hash/maphash"
	"sync/atomic"

	"github.com/mr-tron/base58"
)

// peerPrefix stands before the raw key in a peer id: an identity multihash (00, length) of the
// key's protobuf (type 1 = Ed25519, 32 bytes).
const peerPrefix = "\x00\x24\x08\x01\x12\x20"

// knownPeer is a peer id computed before.
type knownPeer struct {
	key [ed25519.PublicKeySize]byte
	id  string
}

// knownPeers is a cache with one place per hash: base58 takes 0.6 µs, and the same few peers sign
// everything. What is in it depends on keys alone, so it changes no results.
var knownPeers [1024]atomic.Pointer[knownPeer]

// PeerIDOf is the peer id of an Ed25519 key of 32 bytes: the usual 12D3KooW... text.
func PeerIDOf(key ed25519.PublicKey) string {
	place := &knownPeers[maphash.Bytes(storeSeed, key)%uint64(len(knownPeers))]
	if p := place.Load(); p != nil && string(p.key[:]) == string(key) {
		return p.id
	}
	id := base58.Encode(append([]byte(peerPrefix), key...))
	place.Store(&knownPeer{[ed25519.PublicKeySize]byte(key), id})
	return id
}
