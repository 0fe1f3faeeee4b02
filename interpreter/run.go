package interpreter

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/meter"
)

// Input is what the cold form takes: a run with all of its inputs as bytes.
type Input struct {
	Script      string
	Previous    []byte // data this peer kept; none is no data
	Current     []byte // data that arrived; none is no data
	CallResults []byte // see data.EncodeCallResults; none is an error
	Params      Params // without Key, that is made of the next two
	KeyFormat   uint8  // 0 for Ed25519, the only one
	SecretKey   []byte // the 32 bytes of the seed
}

// Run executes a script once, bytes in and bytes out. It returns the data to keep, which is
// Previous itself when the run was refused.
func Run(ctx context.Context, in Input) (Outcome, []byte) {
	var out Outcome
	p := in.Params
	if err := p.Limits.check(&out, in.Script, in.Current); err != nil {
		return refused(out, in, err)
	}
	count := newCounter(&p, ctx)
	defer count.End()
	s, a, err := in.decode(&p, count)
	if s != nil {
		defer s.release()
	}
	if err != nil {
		return refused(out, in, err)
	}
	if s.p, err = p.program(in.Script, count); err != nil {
		return refused(out, in, err)
	}
	results, err := data.DecodeCallResults(in.CallResults)
	if err == nil {
		err = p.Limits.checkResults(&out, results.ByID)
	}
	if err != nil {
		return refused(out, in, err)
	}
	if p.Key == nil { // a host makes it once: that takes as long as a signature
		if s.params.Key, err = SigningKey(in.KeyFormat, in.SecretKey); err != nil {
			return refused(out, in, err)
		}
	}
	if f := s.run(a, results.ByID, &out); f != nil {
		return refused(out, in, f)
	}
	if n := len(results.Strays); n > 0 && (out.RetCode == 0 || out.RetCode == CodeUnusedResults) {
		out.fail(unusedResults(s.m.results, results.Strays))
	}
	b, err := s.data()
	if err != nil {
		return refused(Outcome{}, in, err)
	}
	return out, b
}

func refused(out Outcome, in Input, err error) (Outcome, []byte) {
	out.fail(err)
	return out, in.Previous
}

// codeOf is the code and the text of an error of this package or of data.
func codeOf(err error) (int64, string) {
	var f *fault
	if errors.As(err, &f) {
		return f.code, f.message()
	}
	var d *data.Error
	if errors.As(err, &d) {
		return int64(d.Code), d.Error()
	}
	var stop *meter.Stop
	if errors.As(err, &stop) {
		return CodeStopped, stop.Error()
	}
	return CodeData, err.Error()
}

// decode reads and verifies both data.
func (in *Input) decode(p *Params, count *meter.Counter) (*State, *arrival, error) {
	previous, err := data.Open(in.Previous)
	if err != nil {
		return nil, nil, err
	}
	current, err := data.Open(in.Current)
	if err != nil {
		return nil, nil, err
	}
	if err := current.CheckVersion(); err != nil {
		return nil, nil, err
	}
	known, trace, err := previous.DecodeStates(count)
	if err != nil {
		return nil, nil, err
	}
	s := newState(known, trace, in.Previous, *p, count, workspaces.Get().(*workspace))
	a, err := s.decode(in.Current)
	if err != nil {
		return s, nil, err
	}
	merged, err := s.mergeSigners(a)
	if a != nothing {
		a.merged = merged
	}
	return s, a, err
}

// SigningKey makes the key that a peer signs with.
func SigningKey(format uint8, seed []byte) (ed25519.PrivateKey, error) {
	if format == 2 {
		return nil, faultf(CodeKey, "malformed keypair format: signature algorithm Secp256k1 not whitelisted")
	}
	if format != 0 {
		return nil, faultf(CodeKey, "malformed keypair format: invalid key data: Invalid type prefix")
	}
	if len(seed) != ed25519.SeedSize {
		return nil, faultf(CodeKey, "malformed keypair format: invalid key data: Failed to decode, invalid length: could not convert slice to array")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// check looks at the sizes of a script and of data that arrived.
func (l Limits) check(out *Outcome, script string, current []byte) error {
	if over(len(script), l.AirSize) {
		if l.Hard {
			return faultf(CodeSizeLimit, "air size: %d bytes is bigger than the limit allowed: %d bytes", len(script), l.AirSize)
		}
		out.AirSizeLimitExceeded = true
	}
	if over(len(current), l.ParticleSize) {
		if l.Hard {
			out.AirSizeLimitExceeded = false
			return faultf(CodeSizeLimit, "Current_data particle size: %d bytes is bigger than the limit allowed: %d bytes", len(current), l.ParticleSize)
		}
		out.ParticleSizeLimitExceeded = true
	}
	return nil
}

func (l Limits) checkResults(out *Outcome, results map[uint32]CallResult) error {
	for _, r := range results {
		if !over(len(r.Result), l.CallResultSize) {
			continue
		}
		out.CallResultSizeLimitExceeded = true
		if l.Hard {
			return faultf(CodeSizeLimit, "Call result size is bigger than the limit allowed: %d bytes", l.CallResultSize)
		}
	}
	return nil
}

func over(size int, limit uint64) bool { return limit > 0 && uint64(size) > limit }
