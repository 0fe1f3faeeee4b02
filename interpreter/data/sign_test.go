package data

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/value"
)

// testKey is the key of a peer of the vectors: its seed is the hash of its name.
func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

type signatureVector struct {
	Name      string
	Signer    string
	PeerID    string `json:"peer_id"`
	PublicKey string `json:"public_key"`
	Salt      string
	CIDs      []CID  `json:"cids_in_trace_order"`
	Message   string `json:"message_hex"`
	Signature string
}

func TestSignatureVectors(t *testing.T) {
	for _, vec := range readVectors[signatureVector](t, "signatures") {
		t.Run(vec.Name, func(t *testing.T) {
			var made Multiset
			for _, cid := range vec.CIDs {
				made.Add(cid)
			}
			if got := hex.EncodeToString(made.message(vec.Salt)); got != vec.Message {
				t.Errorf("message %s, want %s", got, vec.Message)
			}
			s := Sign(testKey(vec.Signer), vec.Salt, &made)
			if got := hex.EncodeToString([]byte(s.Signature.PublicKey)); got != vec.PublicKey || s.Peer != vec.PeerID {
				t.Errorf("key %s of %s, want %s of %s", got, s.Peer, vec.PublicKey, vec.PeerID)
			}
			if got := hex.EncodeToString([]byte(s.Signature.Signature)); got != vec.Signature {
				t.Errorf("signature %s, want %s", got, vec.Signature)
			}
		})
	}
}

// TestBlobSignatures verifies what the reference signed, all but the blobs that show its defect.
func TestBlobSignatures(t *testing.T) {
	for _, vec := range readVectors[blobVector](t, "blobs") {
		d, err := Decode(vec.Data)
		if err != nil {
			t.Fatal(err)
		}
		s, err := SignersOf(d, nil)
		if err != nil {
			t.Fatalf("%s: %v", vec.Name, err)
		}
		if err := s.Verify(vec.ParticleID, nil, nil); (err == nil) != vec.SignaturesValid {
			t.Errorf("%s: %v, want valid: %v", vec.Name, err, vec.SignaturesValid)
		}
		if s.Len() > 0 && s.Verify("another particle", nil, nil) == nil {
			t.Errorf("%s: valid in another particle", vec.Name)
		}
	}
}

// signed is data in which each named peer has called so many services.
func signed(particleID string, calls map[string]int) *Data {
	d := &Data{}
	for _, name := range slices.Sorted(keysOf(calls)) {
		key := testKey(name)
		peer := PeerIDOf(key.Public().(ed25519.PublicKey))
		var made Multiset
		for i := range calls[name] {
			state := addCall(d, peer, value.Int(int64(i)))
			made.Add(state.CID)
		}
		d.Signatures = append(d.Signatures, Sign(key, particleID, &made).Signature)
	}
	return d
}

func keysOf(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// addCall puts the result of a call into data.
func addCall(d *Data, peer string, v value.Value) State {
	t := value.Tetraplet{PeerPK: peer, ServiceID: "srv", FunctionName: "fun"}
	r := ServiceResult{Value: ValueCID(v), ArgumentHash: ArgumentsCID(nil), Tetraplet: TetrapletCID(t)}
	d.Values.Put(r.Value, v)
	d.Tetraplets.Put(r.Tetraplet, t)
	cid := ServiceResultCID(r)
	d.ServiceResults.Put(cid, r)
	state := CallDone(Scalar, cid, 0)
	d.Trace = append(d.Trace, state)
	return state
}

func signersOf(t testing.TB, d *Data) *Signers {
	t.Helper()
	s, err := SignersOf(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerifySkipsWhatIsKnown(t *testing.T) {
	const particle = "p"
	d := signed(particle, map[string]int{"A": 2, "B": 3})
	var known Verified
	if err := signersOf(t, d).Verify(particle, &known, nil); err != nil {
		t.Fatal(err)
	}
	if known.Len() != 2 {
		t.Errorf("%d signatures known, want 2", known.Len())
	}
	// Known signatures are not looked at again, so that even the wrong particle passes.
	if err := signersOf(t, d).Verify("other", &known, nil); err != nil {
		t.Errorf("known signatures were verified again: %v", err)
	}
	// Known is the signature under exactly these results.
	d.Trace = d.Trace[1:]
	if err := signersOf(t, d).Verify(particle, &known, nil); codeOf(err) != fault.CodeSignature {
		t.Errorf("a known signature under other results: %v", err)
	}
}

func TestVerifyManyFindsTheFirst(t *testing.T) {
	calls := make(map[string]int)
	for i := range 40 {
		calls[fmt.Sprintf("peer%02d", i)] = 1
	}
	d := signed("p", calls)
	if err := signersOf(t, d).Verify("p", nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]int{{0}, {39}, {12, 25}, {25, 11, 38}} {
		broken := *d
		broken.Signatures = slices.Clone(d.Signatures)
		for _, i := range bad {
			sig := []byte(broken.Signatures[i].Signature)
			sig[20] ^= 1
			broken.Signatures[i].Signature = string(sig)
		}
		s := signersOf(t, &broken)
		err := s.Verify("p", nil, nil)
		first, _ := peerOf(d.Signatures[slices.Min(bad)].PublicKey)
		if err == nil || !strings.Contains(err.Error(), first) {
			t.Errorf("broken %v: %v, want the first, %s", bad, err, first)
		}
	}
}

func TestMergeSigners(t *testing.T) {
	of := func(calls map[string]int) *Signers { return signersOf(t, signed("p", calls)) }
	type calls = map[string]int
	for _, test := range []struct {
		name          string
		prev, current calls
		want          calls
	}{
		{"nothing", nil, nil, calls{}},
		{"one side", calls{"A": 1}, nil, calls{"A": 1}},
		{"other side", nil, calls{"A": 1}, calls{"A": 1}},
		{"different peers", calls{"A": 1}, calls{"B": 2}, calls{"A": 1, "B": 2}},
		{"current larger", calls{"A": 1, "B": 5}, calls{"A": 3}, calls{"A": 3, "B": 5}},
		{"previous larger", calls{"A": 4}, calls{"A": 3, "B": 0}, calls{"A": 4, "B": 0}},
	} {
		got, err := MergeSigners(of(test.prev), of(test.current), nil)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got.Len() != len(test.want) || len(got.Signatures()) != got.Len() {
			t.Errorf("%s: %d signers, want %d", test.name, got.Len(), len(test.want))
		}
		for name, n := range test.want {
			s, _ := got.Get(PeerIDOf(testKey(name).Public().(ed25519.PublicKey)))
			if s.Made.Len() != n {
				t.Errorf("%s: %s signs %d results, want %d", test.name, name, s.Made.Len(), n)
			}
		}
	}
}

func TestMergeRefusesTwoStories(t *testing.T) {
	one, two, more := signed("p", map[string]int{"A": 2}), &Data{}, &Data{}
	peer := PeerIDOf(testKey("A").Public().(ed25519.PublicKey))
	for i := range 2 {
		addCall(two, peer, value.Int(int64(i+1)))
	}
	for i := range 3 {
		addCall(more, peer, value.Int(int64(i+1)))
	}
	two.Signatures, more.Signatures = one.Signatures, one.Signatures
	for _, pair := range [][2]*Data{{one, two}, {two, one}, {one, more}, {more, one}} {
		_, err := MergeSigners(signersOf(t, pair[0]), signersOf(t, pair[1]), nil)
		if codeOf(err) != fault.CodeSignature || !strings.HasPrefix(err.Error(), "inconsistent CID multisets on merge for peer") {
			t.Errorf("%v", err)
		}
	}
}

// TestRepeatedResults: the same result twice is not the same as once.
func TestRepeatedResults(t *testing.T) {
	var once, twice Multiset
	once.Add("a")
	twice.Add("a")
	twice.Add("a")
	if once.Includes(&twice) || !twice.Includes(&once) {
		t.Error("multisets are compared as sets")
	}
	if once.fingerprint() == twice.fingerprint() {
		t.Error("equal fingerprints")
	}
}
