package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Options choose how a scenario is run.
type Options struct {
	Cold  bool   // bytes in and out for every step, instead of one retained state for each peer
	Stats bool   // keep no steps
	Raw   bool   // keep the requests of steps only, nothing decoded
	Only  string // with Raw, those of this peer
	Again bool   // bring the data also to peers that are named again, as peers of this project do
	Twice int    // so many of 100 messages come twice
	// Stranded looks at the end whether everybody would go on if they had everybody's data.
	Stranded bool
}

// Outcome is a simulated particle.
type Outcome struct {
	Steps   []StepRecord
	Stats   Stats
	Lost    []string // ids of peers that are not in the scenario, or not to be reached
	Pending []string // labels of events that did not happen
	Names   map[string]string
	Again   int // how often peers were named again
	Calls   []Called

	Stranded string // with Options.Stranded: a call that would be made; "" is as it should be
}

// Called is a call that a service got.
type Called struct {
	Peer, Service, Function string // Peer is a name
	Args                    []value.Value
}

// StepRecord is one run of the interpreter.
type StepRecord struct {
	Event   string          `json:"event"`
	Request Request         `json:"request"`
	Answer  *Answer         `json:"answer"`
	Human   json.RawMessage `json:"human"`
}

// Stats are the sums over all steps.
type Stats struct {
	Steps         int            `json:"steps"`
	MS            float64        `json:"ms"` // inside the interpreter
	BytesReceived int            `json:"bytesReceived"`
	LargestData   int            `json:"largestData"`
	Codes         map[string]int `json:"codes"`
}

// event is something that will happen at a peer: data arrives, or results of its services.
type event struct {
	label   string
	to      string
	data    []byte
	results map[string]Result
	at      float64 // in the virtual time
}

type simulation struct {
	s       *Scenario
	o       Options
	ctx     context.Context
	air     string
	init    Peer
	peers   map[string]Peer
	prev    map[string][]byte
	states  map[string]*interpreter.State
	scripts *interpreter.Scripts
	pending []event
	random  uint32
	now     float64
	out     *Outcome
}

// Run runs a scenario until nothing is pending.
func Run(ctx context.Context, s *Scenario, o Options) (*Outcome, error) {
	sim := newSimulation(ctx, s, o)
	most := s.MaxSteps
	if most == 0 {
		most = 100
		if o.Stats {
			most = 1e7
		}
	}
	for len(sim.pending) > 0 && sim.out.Stats.Steps < most && ctx.Err() == nil {
		ev, ok, err := sim.pick()
		if err != nil || !ok {
			return sim.finish(), err
		}
		if err := sim.step(ev); err != nil {
			return sim.finish(), fmt.Errorf("step %d %s: %w", sim.out.Stats.Steps, ev.label, err)
		}
	}
	if o.Stranded && len(sim.pending) == 0 {
		if err := sim.gossip(); err != nil {
			return sim.finish(), err
		}
	}
	return sim.finish(), ctx.Err()
}

// gossip brings everybody's data to everybody, as nobody does, until somebody makes a call: what it
// needs was there, and it was not told.
func (sim *simulation) gossip() error {
	for range 3 { // what a peer freezes then may lead to a call of another
		for _, to := range sim.s.Peers {
			for _, from := range sim.s.Peers {
				if from.ID == to.ID || len(sim.prev[from.Name]) == 0 ||
					len(sim.prev[to.Name]) == 0 {
					continue
				}
				r := sim.request(event{to: to.Name, data: sim.prev[from.Name]})
				out, _, err := sim.interpret(to, r)
				if err != nil {
					return err
				}
				for i := range out.CallRequests {
					q := &out.CallRequests[i]
					sim.out.Stranded = fmt.Sprintf("%s calls %s.%s once it has the data of %s",
						to.Name, q.ServiceID, q.FunctionName, from.Name)
					return nil
				}
			}
		}
	}
	return nil
}

func newSimulation(ctx context.Context, s *Scenario, o Options) *simulation {
	c := *s
	if len(c.Peers) == 0 {
		c.Peers = []Peer{NewPeer("alice", nil), NewPeer("bob", nil), NewPeer("carol", nil)}
	}
	sim := &simulation{
		s: &c, o: o, ctx: ctx, random: c.Order.Seed,
		peers: map[string]Peer{}, prev: map[string][]byte{}, states: map[string]*interpreter.State{},
		scripts: interpreter.NewScripts(1 << 30),
		out:     &Outcome{Names: map[string]string{}, Stats: Stats{Codes: map[string]int{}}},
	}
	for _, p := range c.Peers {
		sim.peers[p.Name] = p
		sim.out.Names[p.ID] = p.Name
		sim.prev[p.Name] = c.Start[p.Name]
	}
	if c.Init == "" {
		c.Init = c.Peers[0].Name
	}
	sim.init = sim.peers[c.Init]
	sim.air = named(string(c.Air), sim.peers)
	c.Services = slices.Clone(c.Services)
	for i := range c.Services {
		r := &c.Services[i]
		r.Ret, r.Template = namedValue(r.Ret, sim.peers), namedValue(r.Template, sim.peers)
		if r.Raw != nil {
			raw := named(*r.Raw, sim.peers)
			r.Raw = &raw
		}
	}
	if c.Timestamp == 0 {
		c.Timestamp = 1700000000000
	}
	if c.TTL == 0 {
		c.TTL = 60000
	}
	if c.ParticleID == "" {
		c.ParticleID = "particle-1"
	}
	sim.pending = []event{{label: c.Init + "<start", to: c.Init}}
	return sim
}

func (sim *simulation) finish() *Outcome {
	for _, ev := range sim.pending {
		sim.out.Pending = append(sim.out.Pending, ev.label)
	}
	return sim.out
}

// pick takes the next event out of the pending ones.
func (sim *simulation) pick() (event, bool, error) {
	i := 0
	o := &sim.s.Order
	switch {
	case o.Labels != nil:
		if len(o.Labels) == 0 {
			return event{}, false, nil
		}
		want := o.Labels[0]
		o.Labels = o.Labels[1:]
		i = slices.IndexFunc(sim.pending, func(e event) bool { return e.label == want })
		if i < 0 {
			return event{}, false, fmt.Errorf("no pending event %s; pending: %s", want,
				strings.Join(sim.finish().Pending, ", "))
		}
	case o.Kind == "lifo":
		i = len(sim.pending) - 1
	case o.Kind == "random":
		i = int(sim.roll() * float64(len(sim.pending)))
	case o.Kind == "time":
		for k := range sim.pending {
			if sim.pending[k].at < sim.pending[i].at {
				i = k
			}
		}
		sim.now = sim.pending[i].at
	}
	ev := sim.pending[i]
	sim.pending = slices.Delete(sim.pending, i, i+1)
	return ev, true, nil
}

// roll is the xorshift generator of the reference simulator: equal seeds give equal orders.
func (sim *simulation) roll() float64 {
	if sim.random == 0 {
		sim.random = 1
	}
	sim.random ^= sim.random << 13
	sim.random ^= sim.random >> 17
	sim.random ^= sim.random << 5
	return float64(sim.random) / 4294967296
}

// await adds an event. In the virtual time one of four takes up to 100 times as long as the others.
func (sim *simulation) await(ev event) {
	if sim.s.Order.Kind == "time" {
		took := sim.roll()
		if sim.roll() < 0.25 {
			took *= 100
		}
		ev.at = sim.now + took
	}
	sim.pending = append(sim.pending, ev)
}

func (sim *simulation) step(ev event) error {
	me, r := sim.peers[ev.to], sim.request(ev)
	start := time.Now()
	out, sent, err := sim.interpret(me, r)
	sim.out.Stats.MS += float64(time.Since(start)) / 1e6
	if err != nil {
		return err
	}
	sim.record(ev, r, &out, sent)
	sim.spread(me, &out, sent)
	sim.serve(me, &out)
	return nil
}

func (sim *simulation) request(ev event) *Request {
	me := sim.peers[ev.to]
	return &Request{
		Air: sim.air, PrevData: sim.prev[ev.to], CurrData: ev.data,
		InitPeerID: sim.init.ID, CurrentPeerID: me.ID, SecretKey: me.Seed,
		Timestamp: sim.s.Timestamp, TTL: sim.s.TTL, ParticleID: sim.s.ParticleID, CallResults: ev.results,
	}
}

// interpret runs one step. It returns the data only when somebody needs it.
func (sim *simulation) interpret(
	me Peer, r *Request,
) (out interpreter.Outcome, sent []byte, err error) {
	if sim.o.Cold {
		in, err := r.Input(sim.scripts)
		if err != nil {
			return out, nil, err
		}
		out, sent = interpreter.Run(sim.ctx, in)
		sim.prev[me.Name] = sent
		return out, sent, nil
	}
	s := sim.states[me.Name]
	if s == nil {
		p := r.params(sim.scripts)
		p.Key = me.key
		if s, err = interpreter.Open(r.Air, r.PrevData, p); err != nil {
			return out, nil, err
		}
		sim.states[me.Name] = s
	}
	results, err := r.results()
	if err != nil {
		return out, nil, err
	}
	var arrivals [][]byte
	if len(r.CurrData) > 0 {
		arrivals = [][]byte{r.CurrData}
	}
	out = s.Step(sim.ctx, arrivals, results)
	if len(out.NextPeers)+len(out.Again) > 0 || !sim.o.Stats {
		if sent, err = s.Data(); err != nil {
			return out, nil, err
		}
		sim.prev[me.Name] = sent
	}
	return out, sent, nil
}

func (sim *simulation) record(ev event, r *Request, out *interpreter.Outcome, sent []byte) {
	stats := &sim.out.Stats
	stats.Steps++
	stats.BytesReceived += len(ev.data)
	stats.Codes[strconv.FormatInt(out.RetCode, 10)]++
	stats.LargestData = max(stats.LargestData, len(sent))
	switch {
	case sim.o.Stats:
	case sim.o.Raw:
		if sim.o.Only == "" || sim.o.Only == ev.to {
			sim.out.Steps = append(sim.out.Steps, StepRecord{Event: ev.label, Request: *r})
		}
	default:
		a := answer(out)
		a.Data = sent
		sim.out.Steps = append(sim.out.Steps,
			StepRecord{Event: ev.label, Request: *r, Answer: a, Human: Human(sent)})
	}
}

// spread delivers the data to the next peers.
func (sim *simulation) spread(me Peer, out *interpreter.Outcome, sent []byte) {
	next := slices.Clone(out.NextPeers)
	if sim.o.Again {
		next = append(next, out.Again...)
	}
	sim.out.Again += len(out.Again)
	slices.SortFunc(next, func(a, b string) int {
		return strings.Compare(sim.nameOf(a),
			sim.nameOf(b))
	})
	for _, id := range next {
		name, ok := sim.out.Names[id]
		if !ok || !sim.reaches(me.Name, name) {
			sim.out.Lost = append(sim.out.Lost, id)
			continue
		}
		ev := event{label: name + "<" + me.Name, to: name, data: sent}
		sim.await(ev)
		if sim.o.Twice > 0 && sim.roll()*100 < float64(sim.o.Twice) {
			sim.await(ev)
		}
	}
}

func (sim *simulation) reaches(from, to string) bool {
	allows := func(a, b string) bool {
		only, ok := sim.s.Behind[a]
		return !ok || only == b ||
			a == b
	}
	return allows(from, to) && allows(to, from)
}

func (sim *simulation) nameOf(id string) string {
	if name, ok := sim.out.Names[id]; ok {
		return name
	}
	return id
}

// serve lets the services of a peer answer.
func (sim *simulation) serve(me Peer, out *interpreter.Outcome) {
	results := map[string]Result{}
	for i := range out.CallRequests {
		q := &out.CallRequests[i]
		if !sim.o.Stats {
			sim.out.Calls = append(sim.out.Calls,
				Called{me.Name, q.ServiceID, q.FunctionName, q.Arguments})
		}
		res, ok := sim.s.answer(&Call{Peer: me, Service: q.ServiceID, Function: q.FunctionName,
			Args: q.Arguments, request: q})
		if !ok {
			continue
		}
		id := strconv.FormatUint(uint64(q.ID), 10)
		if sim.s.Batch != nil && !*sim.s.Batch {
			sim.await(event{label: me.Name + "!" + id, to: me.Name,
				results: map[string]Result{id: res}})
			continue
		}
		results[id] = res
	}
	if len(results) > 0 {
		sim.await(event{label: me.Name + "!", to: me.Name, results: results})
	}
}
