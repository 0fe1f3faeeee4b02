package interpreter

import (
	"context"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// arrival is verified data from another peer.
type arrival struct {
	data    *data.Data
	trace   data.States
	signers *data.Signers
	merged  *data.Signers // with those of what is known, if that has been done
}

// nothing arrives when a run only takes results.
var nothing = &arrival{data: &data.Data{}, signers: &data.Signers{}}

// decode reads and verifies data that arrived. What the state knows as good is not
// verified again.
func (s *State) decode(b []byte) (*arrival, error) {
	if len(b) == 0 {
		return nothing, nil
	}
	e, err := data.Open(b)
	if err != nil {
		return nil, err
	}
	if err := e.CheckVersion(); err != nil {
		return nil, err
	}
	d, trace, err := e.DecodeStates(s.count)
	if err != nil {
		return nil, err
	}
	var known *data.Data
	if s.retained {
		known = s.known
	}
	if err := data.VerifyStores(d, known, s.count); err != nil {
		return nil, err
	}
	signers, err := data.SignersOfStates(d, trace, s.count)
	if err != nil {
		return nil, err
	}
	err = signers.Verify(s.params.ParticleID, &s.verified, s.count)
	return &arrival{data: d, trace: trace, signers: signers}, err
}

// mergeSigners finds, for each peer that signed what arrived, the signature that covers more.
// Peers that signed known results only keep their signatures.
func (s *State) mergeSigners(a *arrival) (*data.Signers, error) {
	if a.merged != nil {
		return a.merged, nil
	}
	if err := s.checkKnown(); err != nil || a == nothing {
		return &data.Signers{}, err
	}
	known := &data.Signers{}
	// results under the signatures of peers that are known here; often none, and then ours cover as
	// much
	signed := 0
	for _, theirs := range a.signers.All() {
		if i, ok := s.signed[theirs.Signature.PublicKey]; ok {
			known.Put(data.Signer{Peer: theirs.Peer, Signature: s.known.Signatures[i],
				Made: &data.Multiset{}})
			signed += theirs.Made.Len()
		}
	}
	if signed > 0 {
		if err := s.attribute(known); err != nil {
			return nil, err
		}
	}
	return data.MergeSigners(known, a.signers, s.count)
}

// checkKnown looks once at the data that the state was opened with: each peer with results in its
// trace must have a key. Whether the signatures are good it need not ask: the data is this peer's
// own.
func (s *State) checkKnown() error {
	if s.signed != nil && !s.particle.Unsure {
		return nil
	}
	d := *s.known
	d.Trace = s.m.States()
	if _, err := data.SignersOf(&d, s.count); err != nil {
		return err
	}
	s.particle.Unsure = false
	s.signed = make(map[string]int, len(d.Signatures))
	for i, sig := range d.Signatures {
		s.signed[sig.PublicKey] = i
	}
	return nil
}

// attribute gives the results in the trace to those of the signers that made them.
func (s *State) attribute(signers *data.Signers) error {
	known := s.m.Known
	for i := range known {
		if err := s.count.Work(1); err != nil {
			return err
		}
		e := &known[i]
		peer, err := s.madeBy(e)
		if err != nil {
			return err
		}
		if peer == "" {
			continue
		}
		if signer, ok := signers.Get(peer); ok {
			signer.Made.Add(e.CID)
		}
	}
	return nil
}

// madeBy is the peer that signs a state, or "".
func (s *State) madeBy(e *trace.Entry) (string, error) {
	switch known := e.Known.(type) {
	case *content.Result:
		return known.Tet.PeerPK, nil
	case *content.Canon:
		return known.Tet.PeerPK, nil
	}
	return s.known.MadeBy(&e.State)
}

// putSignature notes the signature of a peer and returns its place.
func (s *State) putSignature(sig data.Signature) int {
	i, ok := s.signed[sig.PublicKey]
	if !ok {
		i = len(s.known.Signatures)
		s.signed[sig.PublicKey] = i
		s.known.Signatures = append(s.known.Signatures, sig)
	}
	s.known.Signatures[i] = sig
	return i
}

// sign makes this peer's signature under its results in the trace.
func (s *State) sign() data.Signature {
	signer := data.Sign(s.params.Key, s.params.ParticleID, data.MultisetOf(s.m.KnownOwn))
	s.verified.Add(signer)
	return signer.Signature
}

// Data is all that this peer knows, encoded: what it keeps and what it sends. It fails with the
// error of the meter.
func (s *State) Data() ([]byte, error) {
	s.count.Begin(context.Background())
	defer s.count.End()
	return s.data()
}

func (s *State) data() ([]byte, error) {
	if s.stale {
		if err := s.count.Work(len(s.m.Known)); err != nil {
			return nil, err
		}
		s.m.CloseOpen()
		d := *s.known
		d.Version, d.InterpreterVersion = data.Version, data.InterpreterVersion
		d.Trace = s.m.States()
		d.LastCallID = s.store.LastCallID
		own := s.putSignature(data.Signature{PublicKey: data.PublicKeyOf(s.params.Key)})
		d.Signatures = s.known.Signatures
		sign := func() { d.Signatures[own] = s.sign() }
		b, err := data.EncodeSigning(&d, sign, len(s.m.KnownOwn), s.count)
		if err != nil {
			return nil, err
		}
		s.bytes, s.stale = b, false
	}
	return s.bytes, nil
}
