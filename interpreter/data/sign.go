package data

import (
	"crypto/ed25519"
	"runtime"
	"strings"
	"sync"

	"github.com/mr-tron/base58"

	"github.com/aquanode/aquanode/internal/sign"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
)

// formatEd25519 is the format byte of keys and signatures; formatSecp256k1 the only other one that
// signatures may have, as the reference looks at the 64 bytes after it alone.
const (
	formatEd25519   = 0
	formatSecp256k1 = 2
)

// Signer is a peer with a signature under the results it made.
type Signer struct {
	Peer      string
	Signature Signature
	Made      *Multiset
}

// Signers are the peers that have signatures in some data, each with what it signs. The zero
// Signers is that of empty data.
type Signers struct {
	list   []Signer
	byPeer map[string]int
}

// Sign signs what a peer made in the particle with the given id.
func Sign(key ed25519.PrivateKey, particleID string, made *Multiset) Signer {
	public := key.Public().(ed25519.PublicKey)
	signature := sign.Sign(key, made.message(particleID))
	return Signer{
		Peer: PeerIDOf(public),
		Signature: Signature{
			PublicKey: PublicKeyOf(key),
			Signature: string(append([]byte{formatEd25519}, signature...)),
		},
		Made: made,
	}
}

// PublicKeyOf is the encoded public key that belongs to a key.
func PublicKeyOf(key ed25519.PrivateKey) string {
	return string(append([]byte{formatEd25519}, key.Public().(ed25519.PublicKey)...))
}

// SignersOf finds out who should have signed what: it gives each result in the trace to the peer
// that its tetraplet names. It fails if a key is malformed or a peer with results has none.
func SignersOf(d *Data, count *meter.Counter) (*Signers, error) {
	s, err := signersOfKeys(d, count)
	for i := 0; i < len(d.Trace) && err == nil; i++ {
		if err = count.Work(1); err != nil {
			break
		}
		err = s.attribute(d, &d.Trace[i])
	}
	return s, err
}

// SignersOfStates is SignersOf for a trace that is not in the data.
func SignersOfStates(d *Data, trace States, count *meter.Counter) (*Signers, error) {
	s, err := signersOfKeys(d, count)
	for i := 0; i < len(trace.results) && err == nil; i++ {
		if err = count.Work(entryWork); err != nil {
			break
		}
		var state State
		reader{b: trace.archive}.state(trace.results[i], &state)
		err = s.attribute(d, &state)
	}
	return s, err
}

// signersOfKeys are the signers of data before anything is given to them.
func signersOfKeys(d *Data, count *meter.Counter) (*Signers, error) {
	s := &Signers{byPeer: make(map[string]int, len(d.Signatures))}
	for _, sig := range d.Signatures {
		if err := count.Work(keyWork); err != nil {
			return nil, err
		}
		peer, err := peerOf(sig.PublicKey)
		if err != nil {
			return nil, err
		}
		s.Put(Signer{peer, sig, &Multiset{}})
	}
	return s, nil
}

// mostKey is how much of a malformed key an error shows: base58 is quadratic.
const mostKey = 128

// keyWork is the work of making a peer id of a key, in units.
const keyWork = 20

// peerOf is the peer id of an encoded public key.
func peerOf(key string) (string, error) {
	malformed := func(why string) (string, error) {
		return "", signatureError(fault.BadKey, base58.Encode([]byte(key[:min(len(key), mostKey)])),
			why)
	}
	switch {
	case key == "":
		return malformed("invalid key data: no key")
	case key[0] == formatSecp256k1:
		return malformed("signature algorithm Secp256k1 not whitelisted")
	case key[0] != formatEd25519:
		return malformed("invalid key data: Invalid type prefix")
	case len(key) != 1+ed25519.PublicKeySize:
		return malformed("invalid key data: Failed to decode, invalid length: could not convert slice to array")
	}
	return PeerIDOf(ed25519.PublicKey(key[1:])), nil
}

// Put adds a signer, or replaces that of the same peer.
func (s *Signers) Put(signer Signer) {
	if i, ok := s.byPeer[signer.Peer]; ok {
		s.list[i] = signer
		return
	}
	if s.byPeer == nil {
		s.byPeer = make(map[string]int)
	}
	s.byPeer[signer.Peer] = len(s.list)
	s.list = append(s.list, signer)
}

// Get finds the signer of a peer.
func (s *Signers) Get(peer string) (Signer, bool) {
	i, ok := s.byPeer[peer]
	if !ok {
		return Signer{}, false
	}
	return s.list[i], true
}

// All lists the signers.
func (s *Signers) All() []Signer { return s.list }

// Len is the number of signers.
func (s *Signers) Len() int { return len(s.list) }

// Signatures is the list for the data.
func (s *Signers) Signatures() []Signature {
	signatures := make([]Signature, len(s.list))
	for i, signer := range s.list {
		signatures[i] = signer.Signature
	}
	return signatures
}

func (s *Signers) attribute(d *Data, state *State) error {
	peer, err := d.MadeBy(state)
	if err != nil || peer == "" {
		return err
	}
	i, ok := s.byPeer[peer]
	if !ok {
		return signatureError(fault.NoKey, peer)
	}
	s.list[i].Made.Add(state.CID)
	return nil
}

// MadeBy is the peer that has to sign a state: that of the tetraplet of its result. It is empty for
// states that nobody signs: requests, unused results, par, ap and fold.
func (d *Data) MadeBy(state *State) (peer string, err error) {
	var tetraplet CID
	var found bool
	switch {
	case state.Kind == CallExecuted && state.Output != Unused, state.Kind == CallFailed:
		r, ok := d.ServiceResults.Get(state.CID)
		tetraplet, found = r.Tetraplet, ok
	case state.Kind == CanonExecuted:
		r, ok := d.CanonResults.Get(state.CID)
		tetraplet, found = r.Tetraplet, ok
	default:
		return "", nil
	}
	if !found {
		return "", storeError(fault.NoResult, state.CID)
	}
	t, ok := d.Tetraplets.Get(tetraplet)
	if !ok {
		return "", storeError(fault.NoResultOrigin, state.CID, tetraplet)
	}
	return t.PeerPK, nil
}

// Verified remembers signatures that were good, for one particle: its id is part of what is signed.
// The zero Verified is empty. It holds 120 bytes for each signature.
type Verified struct{ seen map[verifiedKey]struct{} }

type verifiedKey struct {
	key   [ed25519.PublicKeySize]byte
	sig   [ed25519.SignatureSize]byte
	under fingerprint
}

// maxVerified bounds the memory of a Verified; beyond it, it starts anew.
const maxVerified = 4096

// Len is the number of signatures remembered.
func (v *Verified) Len() int { return len(v.seen) }

// Add remembers a signature, such as one just made.
func (v *Verified) Add(s Signer) {
	if k, ok := keyOf(s); ok {
		v.add(k)
	}
}

func (v *Verified) add(k verifiedKey) {
	if v.seen == nil || len(v.seen) >= maxVerified {
		v.seen = make(map[verifiedKey]struct{})
	}
	v.seen[k] = struct{}{}
}

// keyOf fails for signatures that cannot be good because of their form.
func keyOf(s Signer) (k verifiedKey, ok bool) {
	key, sig := s.Signature.PublicKey, s.Signature.Signature
	if len(key) != 1+len(k.key) || len(sig) != 1+len(k.sig) {
		return k, false
	}
	copy(k.key[:], key[1:])
	copy(k.sig[:], sig[1:])
	k.under = s.Made.fingerprint()
	return k, sig[0] == formatEd25519 || sig[0] == formatSecp256k1
}

// Verify checks the signatures of data from another peer. Those that known remembers are not
// checked again, and known remembers the others if all are good; it may be nil.
func (s *Signers) Verify(particleID string, known *Verified, count *meter.Counter) error {
	if known == nil {
		known = &Verified{}
	}
	var fresh []int
	var keys []verifiedKey
	for i, signer := range s.list {
		if err := count.Work(1 + signer.Made.Len()); err != nil {
			return err
		}
		k, ok := keyOf(signer)
		if !ok {
			return signer.mismatch()
		}
		if _, ok := known.seen[k]; !ok {
			fresh = append(fresh, i)
			keys = append(keys, k)
		}
	}
	for len(fresh) > 0 {
		n := s.together(fresh)
		if i := firstBad(n, func(i int) bool { return s.list[fresh[i]].verify(particleID) }); i >= 0 {
			return s.list[fresh[i]].mismatch()
		}
		work := n * meter.Signature
		for _, i := range fresh[:n] {
			work += 4 * s.list[i].Made.Len()
		}
		if err := count.Work(work); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	for _, k := range keys {
		known.add(k)
	}
	return nil
}

// togetherMost is how many signatures, or ids under them in hundreds, are verified before the meter
// is asked again: 3 ms.
const togetherMost = 64

// together is how many of the signers are verified at once.
func (s *Signers) together(signers []int) int {
	n, size := 0, 0
	for n < len(signers) && (n == 0 || size < togetherMost) {
		size += 1 + s.list[signers[n]].Made.Len()/100
		n++
	}
	return n
}

func (s *Signer) verify(particleID string) bool {
	key, sig := []byte(s.Signature.PublicKey[1:]), []byte(s.Signature.Signature[1:])
	return sign.Verify(key, s.Made.message(particleID), sig)
}

func (s *Signer) mismatch() error {
	why := "the signature is not that of the key"
	switch sig := s.Signature.Signature; {
	case sig == "" || sig[0] != formatEd25519 && sig[0] != formatSecp256k1:
		why = "InvalidSignature(InvalidTypeByte)"
	case len(sig) != 1+ed25519.SignatureSize:
		why = "the signature has another length than 64 bytes"
	}
	return signatureError(fault.SignatureMismatch, s.Peer, why, s.Made)
}

// parallelFrom is the number of signatures from which on they are verified on all cores. One takes
// 40 µs.
const parallelFrom = 8

// firstBad is the first i below n that is not good, -1 if all are. The goroutines it starts have
// ended when it returns.
func firstBad(n int, good func(i int) bool) int {
	workers := min(runtime.GOMAXPROCS(0), n)
	if n < parallelFrom {
		workers = min(1, n)
	}
	bad := make([]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		work := func() { bad[w] = firstBadOf(w, n, workers, good) }
		if w == workers-1 {
			work()
		} else {
			wg.Go(work)
		}
	}
	wg.Wait()
	first := n
	for _, i := range bad {
		first = min(first, i)
	}
	if first == n {
		return -1
	}
	return first
}

// firstBadOf looks at every step-th from start; it returns n if all are good.
func firstBadOf(start, n, step int, good func(i int) bool) int {
	for i := start; i < n; i += step {
		if !good(i) {
			return i
		}
	}
	return n
}

// MergeSigners takes for each peer the signature under more results. The results under the other
// one must be among them, or the peer has said different things to different sides. What is taken
// from current is copied.
func MergeSigners(prev, current *Signers, count *meter.Counter) (*Signers, error) {
	merged := &Signers{byPeer: make(map[string]int, len(prev.list))}
	for _, signer := range prev.list {
		merged.Put(signer)
	}
	for _, theirs := range current.list {
		ours, ok := merged.Get(theirs.Peer)
		work := 1 + theirs.Made.Len()
		if ok {
			work += ours.Made.Len()
		}
		if err := count.Work(work); err != nil {
			return nil, err
		}
		if ok && ours.Made.Len() >= theirs.Made.Len() {
			if !ours.Made.Includes(theirs.Made) {
				return nil, inconsistent(ours.Peer, ours.Made, theirs.Made)
			}
			continue
		}
		if ok && !theirs.Made.Includes(ours.Made) {
			return nil, inconsistent(ours.Peer, theirs.Made, ours.Made)
		}
		merged.Put(theirs.clone())
	}
	return merged, nil
}

func inconsistent(peer string, larger, smaller *Multiset) error {
	return signatureError(fault.Inconsistent, peer, larger, smaller)
}

// clone copies the strings of the signature, not the ids that it is under.
func (s Signer) clone() Signer {
	s.Signature.PublicKey = strings.Clone(s.Signature.PublicKey)
	s.Signature.Signature = strings.Clone(s.Signature.Signature)
	return s
}
