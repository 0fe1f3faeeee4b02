package interpreter

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/machine"
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
		defer s.m.Release()
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
	unused := out.RetCode == 0 || out.RetCode == fault.CodeUnusedResults
	if len(results.Strays) > 0 && unused {
		out.fail(unusedResults(s.m.Results, results.Strays))
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

// asFault makes a fault of an error of this package, of data, or of the counter.
func asFault(err error) *fault.Fault {
	code, text := codeOf(err)
	return fault.Of(code, text, err)
}

// codeOf is the code and the text of such an error.
func codeOf(err error) (int64, string) {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Code(), f.Message()
	}
	var d *data.Error
	if errors.As(err, &d) {
		return d.Code, d.Error()
	}
	var stop *meter.Stop
	if errors.As(err, &stop) {
		return fault.CodeStopped, stop.Error()
	}
	return fault.CodeArchive, err.Error()
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
	s := newState(known, trace, in.Previous, *p, count, machine.Borrow())
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
		return nil, fault.KeySecp256k1.New()
	}
	if format != 0 {
		return nil, fault.KeyPrefix.New()
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fault.KeyLength.New()
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// check looks at the sizes of a script and of data that arrived.
func (l Limits) check(out *Outcome, script string, current []byte) error {
	if over(len(script), l.AirSize) {
		if l.Hard {
			return fault.ScriptSize.New(len(script), l.AirSize)
		}
		out.AirSizeLimitExceeded = true
	}
	if over(len(current), l.ParticleSize) {
		if l.Hard {
			out.AirSizeLimitExceeded = false
			return fault.ParticleSize.New(len(current), l.ParticleSize)
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
			return fault.ResultSize.New(l.CallResultSize)
		}
	}
	return nil
}

func over(size int, limit uint64) bool { return limit > 0 && uint64(size) > limit }

// mostUnused is how many results without a call an error shows.
const mostUnused = 32

// unusedResults is the outcome when results were given for calls that nobody made. strays are
// those whose keys are no ids.
func unusedResults(results map[uint32]CallResult, strays map[string]CallResult) *fault.Fault {
	all := maps.Clone(strays)
	if all == nil {
		all = map[string]CallResult{}
	}
	for id, r := range results {
		all[strconv.FormatUint(uint64(id), 10)] = r
	}
	var items []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if len(items) == mostUnused {
			items = append(items, "...")
			break
		}
		items = append(items, fmt.Sprintf("%q: CallServiceResult { ret_code: %d, result: %q }",
			fault.Cut(key), all[key].RetCode, fault.Cut(all[key].Result)))
	}
	return fault.UnusedResults.New(fault.Whole(strings.Join(items, ", ")))
}
