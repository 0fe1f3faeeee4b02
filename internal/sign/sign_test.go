package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// Keys where implementations disagree: the points of small order in all their encodings, and a few that are none.
var oddKeys = []string{
	"0100000000000000000000000000000000000000000000000000000000000000", // identity
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"0000000000000000000000000000000000000000000000000000000000000000", // order 4
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, not canonical
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"0200000000000000000000000000000000000000000000000000000000000000", // not on the curve
}

// order of the base point, little endian.
var order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, key, message, signature []byte) bool {
	t.Helper()
	want := ed25519.Verify(key, message, signature)
	if got := Verify(key, message, signature); got != want {
		t.Fatalf("key %x message %x signature %x: crypto/ed25519 says %v, we say %v", key, message, signature, want, got)
	}
	return want
}

func TestSameAsStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytesOf := func(n int, name string) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, name) }
		key := ed25519.NewKeyFromSeed(bytesOf(ed25519.SeedSize, "seed"))
		public := key.Public().(ed25519.PublicKey)
		message := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "message")
		signature := ed25519.Sign(key, message)
		if got := Sign(key, message); !bytes.Equal(got, signature) {
			t.Fatalf("want signature %x, got %x", signature, got)
		}
		if !same(t, public, message, signature) {
			t.Fatalf("a good signature is refused")
		}
		bit := rapid.IntRange(0, 8*len(signature)-1).Draw(t, "bit")
		signature[bit/8] ^= 1 << (bit % 8)
		same(t, public, message, signature)
	})
}

// With a key of small order and S = 0, whether a signature is good depends on the rules alone.
func TestSameRules(t *testing.T) {
	var points [][]byte
	for _, text := range oddKeys {
		p, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		points = append(points, p)
	}
	scalars := [][]byte{make([]byte, 32), le(order), le(new(big.Int).Add(order, big.NewInt(1))), bytes.Repeat([]byte{0xff}, 32)}
	good, all := 0, 0
	for _, key := range points {
		for _, r := range points {
			for _, s := range scalars {
				for i := range 16 { // of messages about one in eight suits a point of order 8
					all++
					if same(t, key, fmt.Appendf(nil, "message %d", i), append(append([]byte(nil), r...), s...)) {
						good++
					}
				}
			}
		}
	}
	if good == 0 || good == all {
		t.Errorf("%d of %d are good: the cases show nothing", good, all)
	}
	for n := range 100 {
		if n != ed25519.SignatureSize && Verify(points[0], nil, make([]byte, n)) {
			t.Errorf("a signature of %d bytes is good", n)
		}
		if n != ed25519.PublicKeySize && Verify(make([]byte, n), nil, make([]byte, ed25519.SignatureSize)) {
			t.Errorf("a key of %d bytes is good", n)
		}
	}
}

// A signature with S + order in place of S is not good.
func TestMalleability(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	for i := range 50 {
		message := fmt.Appendf(nil, "message %d", i)
		signature := ed25519.Sign(key, message)
		s := new(big.Int).SetBytes(reverse(signature[32:]))
		copy(signature[32:], le(s.Add(s, order)))
		if same(t, key.Public().(ed25519.PublicKey), message, signature) {
			t.Fatal("a second form of the signature is good")
		}
	}
}

func le(n *big.Int) []byte { return reverse(n.FillBytes(make([]byte, 32))) }

func reverse(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

func BenchmarkVerify(b *testing.B) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public, message := key.Public().(ed25519.PublicKey), make([]byte, 300)
	signature := Sign(key, message)
	for name, f := range map[string]func(ed25519.PublicKey, []byte, []byte) bool{"ours": Verify, "std": ed25519.Verify} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if !f(public, message, signature) {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	key, message := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), make([]byte, 300)
	for name, f := range map[string]func(ed25519.PrivateKey, []byte) []byte{"ours": Sign, "std": ed25519.Sign} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f(key, message)
			}
		})
	}
}
