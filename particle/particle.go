// Package particle says what a particle is: an AIR script on its way through the
// network, signed by the peer that created it.
//
// A particle is identified by its signature, which covers the id, the timestamp, the
// TTL and the script, but neither the data (every peer adds to it) nor the init peer id
// (the key that verifies the signature is inlined in it). Peers therefore pass all
// fields on unchanged except Data.
//
// Times are wall-clock milliseconds. A particle lives until Timestamp + TTL; a sum that
// overflows 64 bits counts as already past. Nothing here reads the clock: callers say
// what "now" is.
//
// The package knows nothing of libp2p. Peer ids are the base58 strings that scripts
// use; [ParsePeerID] takes the key out of one.
package particle

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/mr-tron/base58"

	"github.com/aquanode/aquanode/internal/sign"
)

// Reasons for refusing a particle.
var (
	ErrExpired   = errors.New("particle expired")
	ErrSignature = errors.New("signature does not match the init peer id")
)

// Particle is a script with its data. The byte fields may share memory with the frame
// they were decoded from and are not written to.
type Particle struct {
	ID         string // any text; a UUID by custom
	InitPeerID string // base58 peer id of the creator
	Timestamp  uint64 // creation, in milliseconds since 1970
	TTL        uint32 // life time in milliseconds
	Script     string // AIR
	Signature  []byte // of the creator over SigningBytes
	Data       []byte // interpreter data, empty at creation
}

// New makes a signed particle with a fresh id that starts to live now.
func New(key ed25519.PrivateKey, script string, ttl time.Duration, now time.Time) *Particle {
	p := &Particle{
		ID:         uuid.NewString(),
		InitPeerID: PeerID(key.Public().(ed25519.PublicKey)),
		Timestamp:  uint64(now.UnixMilli()),
		TTL:        uint32(min(max(ttl.Milliseconds(), 0), math.MaxUint32)),
		Script:     script,
	}
	p.Sign(key)
	return p
}

// SigningBytes is what the signature covers:
//
//	id | timestamp, 8 bytes little endian | ttl, 4 bytes little endian | script
func (p *Particle) SigningBytes() []byte {
	b := make([]byte, 0, len(p.ID)+8+4+len(p.Script))
	b = append(b, p.ID...)
	b = binary.LittleEndian.AppendUint64(b, p.Timestamp)
	b = binary.LittleEndian.AppendUint32(b, p.TTL)
	return append(b, p.Script...)
}

// Sign sets the signature. The key has to belong to InitPeerID.
func (p *Particle) Sign(key ed25519.PrivateKey) {
	p.Signature = sign.Sign(key, p.SigningBytes())
}

// Verify checks the signature with the key inlined in InitPeerID.
func (p *Particle) Verify() error {
	key, err := ParsePeerID(p.InitPeerID)
	if err != nil {
		return fmt.Errorf("init peer id: %w", err)
	}
	if !key.Verify(p.SigningBytes(), p.Signature) {
		return ErrSignature
	}
	return nil
}

// Deadline is the last millisecond of the particle's life; ok is false when it does not
// fit 64 bits, which makes the particle expired.
func (p *Particle) Deadline() (ms uint64, ok bool) {
	ms = p.Timestamp + uint64(p.TTL)
	return ms, ms >= p.Timestamp
}

// Expired reports whether the deadline is past.
func (p *Particle) Expired(now time.Time) bool {
	deadline, ok := p.Deadline()
	return !ok || nowMillis(now) > deadline
}

// Left is the time until the deadline, 0 when it is past.
func (p *Particle) Left(now time.Time) time.Duration {
	if p.Expired(now) {
		return 0
	}
	deadline, _ := p.Deadline()
	left := min(deadline-nowMillis(now), uint64(math.MaxInt64/time.Millisecond))
	return time.Duration(left) * time.Millisecond
}

// nowMillis puts clocks that stand before 1970 at 1970.
func nowMillis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// Token is the secret name of a particle on one host: only who holds the host's root
// key can derive it from the signature. It guards the particle's vault directory.
func Token(root ed25519.PrivateKey, signature []byte) string {
	return base58.Encode(sign.Sign(root, signature))
}
