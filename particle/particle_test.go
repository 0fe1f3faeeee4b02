package particle

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/mr-tron/base58"
)

// The vector that the js-client and Node's crypto agree on (docs/spec/node.md, 2.3).
const (
	vectorSeed      = "7h48PQ/f1rS9TxacmgODxbD42Il9B3KC117jvOPppPE="
	vectorPeer      = "12D3KooWANqfCDrV79MZdMnMqTvDdqSAPSxdgFY1L6DCq2DVGB4D"
	vectorMessage   = "Mjg4M2Y5NTktZTllNy00ODQzLThjMzctMjA1ZDM5M2NhMzcy/kguGYsBAABYGwAAYWJj"
	vectorSignature = "KceXDnOfqe0dOnAxiDsyWBIvUq6WHoT0ge+VMHXOZsjZvCNH7/10oufdlYfcPomfv28On6E87ZhDcHGBZcb7Bw=="
	vectorToken     = "AVwPGTJmovwL6GskDBQhs3BKkUe9QwkFutfr29yzeB6QzfDiM14zsei8nwYAMCABjQdoRTPmbQL6zxw1LoHHsTS"
)

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vector(t testing.TB) (Particle, ed25519.PrivateKey) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(unbase64(t, vectorSeed))
	return Particle{
		ID:         "2883f959-e9e7-4843-8c37-205d393ca372",
		InitPeerID: vectorPeer,
		Timestamp:  1696934545662,
		TTL:        7000,
		Script:     "abc",
		Signature:  unbase64(t, vectorSignature),
	}, key
}

func TestVector(t *testing.T) {
	p, key := vector(t)
	if got := PeerID(key.Public().(ed25519.PublicKey)); got != vectorPeer {
		t.Errorf("peer id: want %s, got %s", vectorPeer, got)
	}
	if got := base64.StdEncoding.EncodeToString(p.SigningBytes()); got != vectorMessage {
		t.Errorf("signing bytes: want %s, got %s", vectorMessage, got)
	}
	if err := p.Verify(); err != nil {
		t.Errorf("verify: %v", err)
	}
	p.Signature = nil
	p.Sign(key)
	if got := base64.StdEncoding.EncodeToString(p.Signature); got != vectorSignature {
		t.Errorf("signature: want %s, got %s", vectorSignature, got)
	}
	if got := Token(key, p.Signature); got != vectorToken {
		t.Errorf("token: want %s, got %s", vectorToken, got)
	}
}

func TestVerifyCoversEveryField(t *testing.T) {
	for name, change := range map[string]func(*Particle){
		"id":            func(p *Particle) { p.ID += "x" },
		"timestamp":     func(p *Particle) { p.Timestamp++ },
		"ttl":           func(p *Particle) { p.TTL++ },
		"script":        func(p *Particle) { p.Script = "abd" },
		"signature":     func(p *Particle) { p.Signature[5] ^= 1 },
		"no signature":  func(p *Particle) { p.Signature = nil },
		"short":         func(p *Particle) { p.Signature = p.Signature[:63] },
		"other creator": func(p *Particle) { p.InitPeerID = PeerID(make(ed25519.PublicKey, 32)) },
	} {
		p, _ := vector(t)
		change(&p)
		if err := p.Verify(); !errors.Is(err, ErrSignature) {
			t.Errorf("%s changed: want %v, got %v", name, ErrSignature, err)
		}
	}
	p, _ := vector(t)
	p.Data = []byte("anything")
	if err := p.Verify(); err != nil {
		t.Errorf("data is not covered, yet: %v", err)
	}
}

func TestSecp256k1(t *testing.T) {
	key := secp256k1.PrivKeyFromBytes([]byte("0123456789abcdef0123456789abcdef"))
	id := append([]byte{0, 37, 8, 2, 0x12, 33}, key.PubKey().SerializeCompressed()...)
	p := Particle{ID: "a", InitPeerID: base58.Encode(id), Timestamp: 1, TTL: 2, Script: "(null)"}
	hash := sha256.Sum256(p.SigningBytes())
	p.Signature = ecdsa.Sign(key, hash[:]).Serialize()
	if err := p.Verify(); err != nil {
		t.Fatalf("verify: %v", err)
	}
	p.TTL = 3
	if err := p.Verify(); !errors.Is(err, ErrSignature) {
		t.Errorf("ttl changed: want %v, got %v", ErrSignature, err)
	}
	p.Signature = []byte("no DER")
	if err := p.Verify(); !errors.Is(err, ErrSignature) {
		t.Errorf("junk signature: want %v, got %v", ErrSignature, err)
	}
}

func TestParsePeerIDRefuses(t *testing.T) {
	header := []byte{0, 36, 8, 1, 0x12, 32}
	for name, id := range map[string]string{
		"empty":          "",
		"not base58":     "0OIl",
		"rsa id":         "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
		"cut short":      vectorPeer[:40],
		"long":           strings.Repeat(vectorPeer, 1000),
		"no key":         base58.Encode(header),
		"31 bytes":       base58.Encode(append([]byte{0, 35, 8, 1, 0x12, 31}, make([]byte, 31)...)),
		"wrong hash":     base58.Encode(append([]byte{1, 36, 8, 1, 0x12, 32}, make([]byte, 32)...)),
		"unknown type":   base58.Encode(append([]byte{0, 36, 8, 7, 0x12, 32}, make([]byte, 32)...)),
		"trailing bytes": base58.Encode(append(header, make([]byte, 33)...)),
	} {
		if key, err := ParsePeerID(id); !errors.Is(err, ErrPeerID) {
			t.Errorf("%s: want %v, got key %v, error %v", name, ErrPeerID, key, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	const sec = uint64(1_700_000_000_000)
	for _, c := range []struct {
		timestamp uint64
		ttl       uint32
		now       int64
		left      time.Duration
		expired   bool
	}{
		{sec, 1000, int64(sec), time.Second, false},
		{sec, 1000, int64(sec) + 1000, 0, false}, // the deadline itself still counts
		{sec, 1000, int64(sec) + 1001, 0, true},
		{sec, 0, int64(sec), 0, false},
		{sec + 5000, 1000, int64(sec), 6 * time.Second, false}, // a clock ahead of ours
		{math.MaxUint64, 1, int64(sec), 0, true},
		{math.MaxUint64 - 1, 1, int64(sec), math.MaxInt64 / time.Millisecond * time.Millisecond, false},
		{0, 1000, -5, time.Second, false},
	} {
		p := Particle{Timestamp: c.timestamp, TTL: c.ttl}
		now := time.UnixMilli(c.now)
		if got := p.Expired(now); got != c.expired {
			t.Errorf("expired(%d+%d at %d): want %v, got %v", c.timestamp, c.ttl, c.now, c.expired, got)
		}
		if got := p.Left(now); got != c.left {
			t.Errorf("left(%d+%d at %d): want %v, got %v", c.timestamp, c.ttl, c.now, c.left, got)
		}
	}
}

func TestNew(t *testing.T) {
	_, key := vector(t)
	now := time.UnixMilli(1234567)
	a, b := New(key, "(null)", 3*time.Second, now), New(key, "(null)", 3*time.Second, now)
	if err := a.Verify(); err != nil {
		t.Error(err)
	}
	if a.ID == b.ID || a.Timestamp != 1234567 || a.TTL != 3000 || a.InitPeerID != vectorPeer {
		t.Errorf("unexpected particles %+v and %+v", a, b)
	}
	if long := New(key, "(null)", 1e6*time.Hour, now); long.TTL != math.MaxUint32 {
		t.Errorf("a TTL that does not fit: want the longest, got %d", long.TTL)
	}
}

func BenchmarkVerify(b *testing.B) {
	p, _ := vector(b)
	b.ReportAllocs()
	for b.Loop() {
		if p.Verify() != nil {
			b.Fatal("signature refused")
		}
	}
}
