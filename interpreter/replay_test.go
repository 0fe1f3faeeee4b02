package interpreter

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// player replays a scenario with our own data in place of the recorded. An engine keeps what a
// peer needs from run to run.
type player struct {
	engine   engine
	recorded map[string][]byte // by peer name: the reference's latest data
	ours     map[string][]byte
}

// engine is one of the two forms of the interpreter.
type engine interface {
	// step runs with the previous data of a peer in in.
	step(t testing.TB, peer string, in Input, results map[uint32]CallResult) (Outcome, []byte)
}

type coldEngine struct{}

func (coldEngine) step(t testing.TB, _ string, in Input, _ map[uint32]CallResult) (Outcome, []byte) {
	return Run(context.Background(), in)
}

// retainedEngine keeps a State for each peer as long as its data is what the next run starts from.
type retainedEngine struct {
	states map[string]*State
	data   map[string]string
}

func (e *retainedEngine) step(t testing.TB, peer string, in Input, results map[uint32]CallResult) (Outcome, []byte) {
	key := fmt.Sprint(peer, in.Script, in.Params)
	s := e.states[key]
	if s == nil || e.data[key] != string(in.Previous) {
		p := in.Params
		var err error
		if p.Key, err = SigningKey(in.KeyFormat, in.SecretKey); err != nil {
			return Run(context.Background(), in)
		}
		if s, err = Open(in.Script, in.Previous, p); err != nil {
			return Run(context.Background(), in)
		}
	}
	out := s.Step(context.Background(), [][]byte{in.Current}, results)
	b, err := s.Data()
	if err != nil {
		t.Fatal(err)
	}
	got := append([]byte{}, b...)
	e.states[key], e.data[key] = s, string(got)
	return out, got
}

// swap puts our data where the recorded data of a peer was delivered.
func (p *player) swap(b []byte, peer string) []byte {
	if len(b) > 0 && string(b) == string(p.recorded[peer]) {
		return p.ours[peer]
	}
	return b
}

func (p *player) play(t *testing.T, s *scenario) {
	for i := range s.Steps {
		step := &s.Steps[i]
		r := step.Request
		if r.CallResultsRaw != nil || step.Expect.Trap {
			continue
		}
		peer, from := participants(s, step)
		r.PrevData = p.swap(r.PrevData, peer)
		r.CurrData = p.swap(r.CurrData, from)
		out, got := p.engine.step(t, peer, r.input(t), r.results(t))
		want := step.Expect
		if string(want.Data) == string(step.Request.PrevData) {
			want.Data = r.PrevData
		}
		if d := want.differs(t, &r, out, got); d != "" {
			t.Fatalf("step %d %s: %s\nscript: %s", i, step.Event, d, r.Air)
		}
		p.recorded[peer], p.ours[peer] = step.Expect.Data, got
	}
}

// participants are who runs in a step, and whose data is delivered to it.
func participants(s *scenario, step *vectorStep) (peer, from string) {
	for name, p := range s.Peers {
		if p.PeerID == step.Request.CurrentPeerID {
			peer = name
		}
	}
	_, from, _ = strings.Cut(step.Event, "<")
	return peer, from
}

// TestReplay chains the recorded runs with our own data, in both forms.
func TestReplay(t *testing.T) {
	for _, file := range airFiles(t) {
		for _, s := range readLines[scenario](t, file) {
			if s.Name == "bad-json-signature" {
				continue // ours is accepted where the reference's is refused: TestBadJSONIsSigned
			}
			name := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz") + "/" + s.Name
			for form, e := range map[string]engine{
				"cold":     coldEngine{},
				"retained": &retainedEngine{states: map[string]*State{}, data: map[string]string{}},
			} {
				t.Run(form+"/"+name, func(t *testing.T) {
					p := player{engine: e, recorded: map[string][]byte{}, ours: map[string][]byte{}}
					p.play(t, &s)
				})
			}
		}
	}
}
