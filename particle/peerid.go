package particle

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/mr-tron/base58"

	"github.com/aquanode/aquanode/internal/sign"
)

// ErrPeerID marks text that is not a peer id with an inlined public key.
var ErrPeerID = errors.New("not a peer id with an inlined key")

// KeyType is the kind of a public key, by the numbers of the libp2p key format.
type KeyType uint8

// The key types short enough to be inlined in a peer id. RSA keys are not, so particles
// of RSA peers cannot be verified.
const (
	Ed25519   KeyType = 1
	Secp256k1 KeyType = 2
)

// PublicKey is the key that a peer id carries.
type PublicKey struct {
	Type  KeyType
	Bytes []byte // ed25519: 32 bytes; secp256k1: 33 bytes, compressed
}

// An inlined key is an identity multihash (code 00, one length byte) over a protobuf
// message: field 1 the key type, field 2 the key bytes.
//
//	00 24 08 01 12 20 <32 bytes>    ed25519
//	00 25 08 02 12 21 <33 bytes>    secp256k1
const (
	idHeader  = 6
	maxIDText = 64 // longest base58 text of 6 + 33 bytes is 54 characters
)

// PeerID is the base58 peer id of an ed25519 key.
func PeerID(key ed25519.PublicKey) string {
	return base58.Encode(append([]byte{0, 4 + ed25519.PublicKeySize, 8, byte(Ed25519), 0x12, ed25519.PublicKeySize}, key...))
}

// MaxPeerID is the length of the longest text that is decoded as a peer id. An id of an inlined key
// has up to 54 characters, that of a hash of 64 bytes 91. Base58 takes time quadratic in
// the length: 160,000 characters took 2 s.
const MaxPeerID = 128

// DecodePeerID decodes the base58 text of a peer id of any kind. It does not look at what the
// bytes mean.
func DecodePeerID(id string) ([]byte, error) {
	if len(id) > MaxPeerID {
		return nil, fmt.Errorf("%d characters are more than %d", len(id), MaxPeerID)
	}
	if id == "" { // an error with another text for the library
		return nil, nil
	}
	return base58.Decode(id)
}

// ParsePeerID takes the public key out of a base58 peer id.
func ParsePeerID(id string) (PublicKey, error) {
	if len(id) > maxIDText {
		return PublicKey{}, fmt.Errorf("%w: %d characters long", ErrPeerID, len(id))
	}
	b, err := base58.Decode(id)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %q: %w", ErrPeerID, id, err)
	}
	if len(b) < idHeader || b[0] != 0 || int(b[1]) != len(b)-2 ||
		b[2] != 8 || b[4] != 0x12 || int(b[5]) != len(b)-idHeader {
		return PublicKey{}, fmt.Errorf("%w: %q", ErrPeerID, id)
	}
	key := PublicKey{Type: KeyType(b[3]), Bytes: b[idHeader:]}
	if !key.valid() {
		return PublicKey{}, fmt.Errorf("%w: %q has key type %d with %d bytes", ErrPeerID, id, key.Type, len(key.Bytes))
	}
	return key, nil
}

func (k PublicKey) valid() bool {
	switch k.Type {
	case Ed25519:
		return len(k.Bytes) == ed25519.PublicKeySize
	case Secp256k1:
		return len(k.Bytes) == secp256k1.PubKeyBytesLenCompressed
	}
	return false
}

// Verify checks a signature as libp2p peers make it: ed25519 over the message, or a DER
// encoded ECDSA signature over the message's SHA-256.
func (k PublicKey) Verify(message, signature []byte) bool {
	switch {
	case !k.valid():
		return false
	case k.Type == Ed25519:
		return sign.Verify(k.Bytes, message, signature)
	}
	pub, err := secp256k1.ParsePubKey(k.Bytes)
	if err != nil {
		return false
	}
	sig, err := ecdsa.ParseDERSignature(signature)
	if err != nil {
		return false
	}
	hash := sha256.Sum256(message)
	return sig.Verify(hash[:], pub)
}
