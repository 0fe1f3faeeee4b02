package interpreter

import "github.com/aquanode/aquanode/interpreter/data"

// arrival is verified data from another peer.
type arrival struct {
	data    *data.Data
	signers *data.Signers
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
	d, err := e.Decode()
	if err != nil {
		return nil, err
	}
	var known *data.Data
	if s.retained {
		known = s.known
	}
	if err := data.VerifyStores(d, known); err != nil {
		return nil, err
	}
	signers, err := data.SignersOf(d)
	if err != nil {
		return nil, err
	}
	return &arrival{d, signers}, signers.Verify(s.params.ParticleID, &s.verified)
}

// mergeSigners finds the signature of each peer that covers more.
func (s *State) mergeSigners(a *arrival) (*data.Signers, error) {
	known, err := s.signersOfTrace()
	if err != nil || a == nothing {
		return known, err
	}
	return data.MergeSigners(known, a.signers)
}

// signersOfTrace says who made what in the trace as it is.
func (s *State) signersOfTrace() (*data.Signers, error) {
	if s.signers != nil {
		return s.signers, nil
	}
	d := *s.known
	d.Trace = s.states()
	if s.stale {
		d.Signatures = s.signatures(data.Signature{PublicKey: data.PublicKeyOf(s.params.Key)})
	}
	signers, err := data.SignersOf(&d)
	s.signers = signers
	return signers, err
}

func (s *State) states() []data.State {
	states := make([]data.State, len(s.trace))
	for i := range s.trace {
		states[i] = s.trace[i].State
	}
	return states
}

// sign makes this peer's signature under its results in the trace.
func (s *State) sign() data.Signer {
	made := &data.Multiset{}
	for _, cid := range s.own {
		made.Add(cid)
	}
	signer := data.Sign(s.params.Key, s.params.ParticleID, made)
	s.verified.Add(signer)
	return signer
}

// Data is all that this peer knows, encoded: what it keeps and what it sends.
func (s *State) Data() []byte {
	if s.stale {
		s.m.close(s.trace)
		d := *s.known
		d.Version, d.InterpreterVersion = data.Version, data.InterpreterVersion
		d.Trace = s.states()
		d.LastCallID = s.lastCallID
		s.known.Signatures = s.signatures(s.sign().Signature)
		d.Signatures = s.known.Signatures
		s.bytes, s.stale = data.Encode(&d), false
	}
	return s.bytes
}

// signatures are those of the others with this peer's own. That is made only when data is
// encoded; until then it stands without a signature.
func (s *State) signatures(own data.Signature) []data.Signature {
	signatures := make([]data.Signature, 0, len(s.known.Signatures)+1)
	for _, sig := range s.known.Signatures {
		if sig.PublicKey != own.PublicKey {
			signatures = append(signatures, sig)
		}
	}
	return append(signatures, own)
}
