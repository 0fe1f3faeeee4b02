package aqua

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/simulate"
	"github.com/aquanode/aquanode/interpreter/value"
)

// clientName is the peer that starts every program. Only its relay reaches it, and it sends to
// its relay only, as clients do.
const (
	clientName = "client"
	relayPeer  = "relay"
)

// outbound is a copy of the particle in flight.
type outbound struct {
	from, to string
	data     []byte
	results  map[uint32]interpreter.CallResult
}

// particleRun is one program on its way through simulated peers.
type particleRun struct {
	peers   map[string]simulate.Peer
	names   map[string]string // by peer id
	states  map[string]*interpreter.State
	air     string
	args    map[string]value.Value
	pending []outbound
	answer  string // "" until there is one
}

// start compiles a program and starts its function f. An argument with the name of a peer is the id
// of that peer.
func start(t *testing.T, text string) *particleRun {
	t.Helper()
	compiled, err := Compile(Source{"run.aqua", text}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fn, ok := compiled.Function("f")
	if !ok {
		t.Fatal("no function f")
	}
	r := &particleRun{
		peers: map[string]simulate.Peer{}, names: map[string]string{}, states: map[string]*interpreter.State{},
		air: fn.AIR, args: map[string]value.Value{},
	}
	for _, name := range []string{clientName, relayPeer, "a", "b", "c"} {
		p := simulate.NewPeer(name, nil)
		r.peers[name], r.names[p.ID] = p, name
		r.args[name] = value.String(p.ID)
	}
	r.args["peers"] = value.Array([]value.Value{r.args["a"], r.args["b"], r.args["c"]})
	r.args["-relay-"] = r.args[relayPeer]
	r.pending = []outbound{{to: clientName}}
	return r
}

// run delivers in a random order until the function answers or nothing is in flight.
func (r *particleRun) run(t *testing.T, seed uint64) string {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	for steps := 0; len(r.pending) > 0 && r.answer == "" && steps < 2000; steps++ {
		i := random.IntN(len(r.pending))
		next := r.pending[i]
		r.pending = slices.Delete(r.pending, i, i+1)
		r.step(t, next)
	}
	return r.answer
}

func (r *particleRun) step(t *testing.T, o outbound) {
	t.Helper()
	me := r.peers[o.to]
	s := r.states[o.to]
	if s == nil {
		key, err := interpreter.SigningKey(0, me.Seed)
		if err != nil {
			t.Fatal(err)
		}
		s, err = interpreter.Open(r.air, nil, interpreter.Params{
			InitPeerID: r.peers[clientName].ID, CurrentPeerID: me.ID, ParticleID: "p", Timestamp: 1, TTL: 60000, Key: key,
		})
		if err != nil {
			t.Fatal(err)
		}
		r.states[o.to] = s
	}
	var arrivals [][]byte
	if o.data != nil {
		arrivals = [][]byte{o.data}
	}
	out := s.Step(context.Background(), arrivals, o.results)
	if out.RetCode != 0 && (out.RetCode < 10000 || out.RetCode >= 20000) {
		t.Fatalf("%s: %d %s", o.to, out.RetCode, out.ErrorMessage)
	}
	r.spread(t, o.to, out.NextPeers, s)
	for i := range out.CallRequests {
		r.serve(o.to, &out.CallRequests[i])
	}
}

// spread sends to the next peers. A copy for an unreachable peer is lost.
func (r *particleRun) spread(t *testing.T, from string, next []string, s *interpreter.State) {
	t.Helper()
	if len(next) == 0 {
		return
	}
	data, err := s.Data()
	if err != nil {
		t.Fatal(err)
	}
	if from == clientName {
		next = []string{r.peers[relayPeer].ID}
	}
	for _, id := range next {
		to := r.names[id]
		if to == clientName && from != relayPeer {
			continue
		}
		r.pending = append(r.pending, outbound{from: from, to: to, data: data})
	}
}

func (r *particleRun) serve(at string, c *interpreter.CallRequest) {
	result, code := value.Array(nil), int32(0)
	switch {
	case c.ServiceID == "getDataSrv":
		result = r.args[c.FunctionName]
	case c.ServiceID == "callbackSrv" && c.FunctionName == "response":
		r.answer = r.named(value.Array(c.Arguments).Text())
	case c.ServiceID == "errorHandlingSrv":
		r.answer = "error " + c.Arguments[0].Text()
	case c.ServiceID == "callbackSrv":
		result = c.Arguments[0]
	case c.ServiceID == "op" && len(c.Arguments) > 0:
		result = c.Arguments[0]
	case c.ServiceID == "math" && c.FunctionName == "add":
		result = value.Int(int64Of(c.Arguments[0]) + int64Of(c.Arguments[1]))
	case c.ServiceID == "math" && c.FunctionName == "sub":
		result = value.Int(int64Of(c.Arguments[0]) - int64Of(c.Arguments[1]))
	case c.ServiceID == "here":
		result = value.String(at)
	case c.ServiceID == "bad":
		result, code = value.String("bad"), 1
	}
	r.pending = append(r.pending, outbound{to: at, results: map[uint32]interpreter.CallResult{
		c.ID: {RetCode: code, Result: result.Text()},
	}})
}

func int64Of(v value.Value) int64 {
	n, _ := v.AsInt64()
	return n
}

// named replaces the ids of peers by their names.
func (r *particleRun) named(text string) string {
	for id, name := range r.names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}
