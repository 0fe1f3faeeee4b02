// Package simulate runs particles without a network: single runs in a text form, and whole
// particles over simulated peers with services that follow rules.
//
// The forms are those of the black-box tools around the reference interpreter, so that the same
// files go through both: a [Request] and its [Answer], one JSON object a line, and a [Scenario].
package simulate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/value"
)

// defaultLimit is the limit for sizes where a request names none.
const defaultLimit = 1 << 32

// Request is one run. Data and keys are in base64, absent ones are empty.
type Request struct {
	ID   json.RawMessage `json:"id,omitempty"` // copied to the answer
	Name string          `json:"name,omitempty"`
	Op   string          `json:"op,omitempty"` // "" runs; "human" decodes Data
	Data []byte          `json:"data,omitempty"`

	Air           string            `json:"air"`
	PrevData      []byte            `json:"prevData"`
	CurrData      []byte            `json:"currData"`
	InitPeerID    string            `json:"initPeerId"`
	CurrentPeerID string            `json:"currentPeerId"`
	Timestamp     uint64            `json:"timestamp"`
	TTL           uint32            `json:"ttl"`
	KeyFormat     uint8             `json:"keyFormat"`
	SecretKey     []byte            `json:"secretKey"`
	ParticleID    string            `json:"particleId"`
	CallResults   map[string]Result `json:"callResults"`

	Human               bool    `json:"human,omitempty"` // adds the decoded data to the answer
	AirSizeLimit        *uint64 `json:"airSizeLimit,omitempty"`
	ParticleSizeLimit   *uint64 `json:"particleSizeLimit,omitempty"`
	CallResultSizeLimit *uint64 `json:"callResultSizeLimit,omitempty"`
	HardLimitEnabled    bool    `json:"hardLimitEnabled,omitempty"`
	// base64 of bytes in place of CallResults
	CallResultsRaw *string `json:"callResultsRaw,omitempty"`
}

// Result is the answer of a service.
type Result struct {
	RetCode int32  `json:"retCode"`
	Result  string `json:"result"`
}

// Answer is what a run gave.
type Answer struct {
	RetCode      int64    `json:"retCode"`
	ErrorMessage string   `json:"errorMessage"`
	Data         []byte   `json:"data"`
	NextPeerPks  []string `json:"nextPeerPks"`
	// see interpreter.Outcome
	Again                       []string               `json:"again,omitempty"`
	CallRequests                map[string]CallRequest `json:"callRequests"`
	Human                       json.RawMessage        `json:"human,omitempty"`
	AirSizeLimitExceeded        bool                   `json:"airSizeLimitExceeded,omitempty"`
	ParticleSizeLimitExceeded   bool                   `json:"particleSizeLimitExceeded,omitempty"`
	CallResultSizeLimitExceeded bool                   `json:"callResultSizeLimitExceeded,omitempty"`
}

// CallRequest is a call that a run asks for. ArgumentsMsgpack tells 2 from 2.0.
type CallRequest struct {
	ServiceID        string              `json:"serviceId"`
	FunctionName     string              `json:"functionName"`
	Arguments        []value.Value       `json:"arguments"`
	Tetraplets       [][]value.Tetraplet `json:"tetraplets"`
	ArgumentsMsgpack []byte              `json:"argumentsMsgpack"`
}

// Input makes the request ready to run.
func (r *Request) Input(scripts *interpreter.Scripts) (interpreter.Input, error) {
	in := interpreter.Input{
		Script: r.Air, Previous: r.PrevData, Current: r.CurrData,
		KeyFormat: r.KeyFormat, SecretKey: r.SecretKey, Params: r.params(scripts),
	}
	if key, err := interpreter.SigningKey(r.KeyFormat, r.SecretKey); err == nil {
		in.Params.Key = key
	}
	if r.CallResultsRaw != nil {
		raw, err := base64.StdEncoding.DecodeString(*r.CallResultsRaw)
		in.CallResults = raw
		return in, err
	}
	results, err := r.results()
	in.CallResults = data.EncodeCallResults(results)
	return in, err
}

func (r *Request) params(scripts *interpreter.Scripts) interpreter.Params {
	limit := func(p *uint64) uint64 {
		if p == nil {
			return defaultLimit
		}
		return *p
	}
	return interpreter.Params{
		InitPeerID: r.InitPeerID, CurrentPeerID: r.CurrentPeerID, ParticleID: r.ParticleID,
		Timestamp: r.Timestamp, TTL: r.TTL, Scripts: scripts,
		Limits: interpreter.Limits{
			AirSize: limit(r.AirSizeLimit), ParticleSize: limit(r.ParticleSizeLimit),
			CallResultSize: limit(r.CallResultSizeLimit), Hard: r.HardLimitEnabled,
		},
	}
}

func (r *Request) results() (map[uint32]interpreter.CallResult, error) {
	results := make(map[uint32]interpreter.CallResult, len(r.CallResults))
	for key, res := range r.CallResults {
		id, err := strconv.ParseUint(key, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("callResults: %q is not the id of a call", key)
		}
		results[uint32(id)] = interpreter.CallResult(res)
	}
	return results, nil
}

// Step runs one request in the cold form.
func Step(ctx context.Context, r *Request, scripts *interpreter.Scripts) (*Answer, error) {
	in, err := r.Input(scripts)
	if err != nil {
		return nil, err
	}
	out, got := interpreter.Run(ctx, in)
	a := answer(&out)
	a.Data = got
	if r.Human {
		a.Human = Human(got)
	}
	return a, nil
}

func answer(out *interpreter.Outcome) *Answer {
	a := &Answer{
		RetCode: out.RetCode, ErrorMessage: out.ErrorMessage,
		NextPeerPks:                 append([]string{}, out.NextPeers...),
		Again:                       slices.Clone(out.Again),
		CallRequests:                make(map[string]CallRequest, len(out.CallRequests)),
		AirSizeLimitExceeded:        out.AirSizeLimitExceeded,
		ParticleSizeLimitExceeded:   out.ParticleSizeLimitExceeded,
		CallResultSizeLimitExceeded: out.CallResultSizeLimitExceeded,
	}
	slices.Sort(a.NextPeerPks)
	for _, q := range out.CallRequests {
		a.CallRequests[strconv.FormatUint(uint64(q.ID), 10)] = CallRequest{
			ServiceID: q.ServiceID, FunctionName: q.FunctionName,
			Arguments: append([]value.Value{},
				q.Arguments...), Tetraplets: append([][]value.Tetraplet{}, q.Tetraplets...),
			ArgumentsMsgpack: value.AppendMsgpack(nil, value.Array(q.Arguments)),
		}
	}
	return a
}

// Human is the readable form of data; for data that cannot be read it is the error, as a string.
func Human(b []byte) json.RawMessage {
	text, err := data.Human(b)
	if err != nil {
		text, _ = json.Marshal(err.Error())
	}
	return text
}
