// Package sign makes and checks ed25519 signatures (RFC 8032), the half of what a hop of a particle costs.
//
// The arithmetic is curve25519-voi's, which signs in half and checks in two thirds of the time of crypto/ed25519 on
// amd64 (12 and 31 us against 25 and 45). It is asked for exactly the rules of crypto/ed25519: no cofactor, keys of
// small order and non-canonical keys taken, non-canonical S refused. A test holds the two equal.
package sign

import (
	"crypto/ed25519"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

var rules = &voi.Options{Verify: voi.VerifyOptionsStdLib}

// Sign is the 64 bytes of signature of a message. It panics if the key is not one.
func Sign(key ed25519.PrivateKey, message []byte) []byte {
	return voi.Sign(voi.PrivateKey(key), message)
}

// Verify reports whether a signature of a message is good. Keys and signatures of another length are not.
func Verify(key ed25519.PublicKey, message, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && voi.VerifyWithOptions(voi.PublicKey(key), message, signature, rules)
}
