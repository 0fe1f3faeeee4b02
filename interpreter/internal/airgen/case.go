package airgen

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/aquanode/aquanode/interpreter/simulate"
)

// Case is a program and everything that happens to it: it can be run again and made smaller.
type Case struct {
	Seed   uint64  `json:"seed"`
	Peers  int     `json:"peers"`
	Mixed  bool    `json:"mixed,omitempty"`
	Script string  `json:"script"`
	Events []Event `json:"events"`
}

// Event is a step at a peer.
type Event struct {
	ID       int                        `json:"id"`
	Peer     int                        `json:"peer"`
	Arrivals []int                      `json:"arrivals,omitempty"` // the events whose data comes
	Results  map[string]simulate.Result `json:"results,omitempty"`  // of calls, by id
	// Mixed: whose data goes on, modulo the number of engines
	Choice int `json:"choice,omitempty"`
	// even lazy engines show their data
	Peek bool `json:"peek,omitempty"`
}

// Failure is an event at which an engine did not answer as the first one.
type Failure struct {
	Event  Event
	Engine string
	Diff   string
}

// kind is the beginning of what differs: failures of one kind have probably one cause.
func (f *Failure) kind() string {
	words := strings.Fields(f.Diff)
	return strings.Join(words[:min(2, len(words))], " ")
}

func (f *Failure) String() string {
	return fmt.Sprintf("event %d at peer %d: %s: %s", f.Event.ID, f.Event.Peer, f.Engine, f.Diff)
}

// world is where an engine's data lives.
type world struct {
	kept  [][]byte       // by peer
	stale []bool         // of a lazy engine: it has gone on since and kept its data to itself
	made  map[int][]byte // by event
}

// session runs the events of one case.
type session struct {
	c       *Case
	peers   []simulate.Peer
	engines []Engine
	worlds  []*world     // one for each engine, or one for all
	foreign bool         // the first engine is not ours
	tainted []bool       // peers whose data it left unsigned
	sent    map[int]bool // events whose data comes to somebody, as far as the case tells
}

func newSession(c *Case, engines []Engine, foreign bool) *session {
	s := &session{c: c, peers: Peers(c.Peers), engines: engines, foreign: foreign,
		tainted: make([]bool, c.Peers), sent: map[int]bool{}}
	for _, ev := range c.Events {
		for _, id := range ev.Arrivals {
			s.sent[id] = true
		}
	}
	for range engines {
		s.worlds = append(s.worlds, &world{kept: make([][]byte, c.Peers),
			stale: make([]bool, c.Peers), made: map[int][]byte{}})
		if c.Mixed {
			break
		}
	}
	return s
}

func (s *session) world(engine int) *world { return s.worlds[min(engine, len(s.worlds)-1)] }

// step lets all engines take an event. It returns the answer that goes on and the
// previous data that it started from.
func (s *session) step(ctx context.Context, ev Event) (*Answer, []byte, *Failure, error) {
	answers := make([]*Answer, len(s.engines))
	c := comparison{unsigned: s.unsigned(ev)}
	before := make([][]byte, len(s.engines))
	for k, e := range s.engines {
		r, arrivals := s.request(s.world(k), ev)
		c.severalRuns = severalRuns(r, arrivals)
		before[k] = r.PrevData
		a, err := stepSafely(ctx, e, r, arrivals)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		if a.Trap != "" && (!s.foreign || k > 0 &&
			(answers[0].Trap == "" || strings.HasPrefix(a.Trap, "panic"))) {
			return a, r.PrevData, &Failure{ev, e.Name(), "crashed: " + a.Trap}, nil
		}
		answers[k] = a
	}
	for k, a := range answers[1:] {
		c.stale = s.world(k + 1).stale[ev.Peer]
		if d := c.differ(before[k+1], answers[0], a); d != "" {
			return answers[0], before[0], &Failure{ev, s.engines[k+1].Name(), d}, nil
		}
	}
	s.tainted[ev.Peer] = s.unsigned(ev) && (hasBroken(ev.Results) || answers[0].refused())
	goes := 0
	if s.c.Mixed {
		goes = ev.Choice % len(answers)
	}
	for k, w := range s.worlds {
		a := answers[max(k, goes)]
		w.stale[ev.Peer] = a.Trap == "" && a.Data == nil || a.Trap != "" && w.stale[ev.Peer]
		if a.Trap == "" && a.Data != nil {
			w.kept[ev.Peer] = a.Data
			w.made[ev.ID] = a.Data
		}
	}
	return answers[goes], before[goes], nil, nil
}

// stepSafely makes a crash of a panic, so that the case can be made smaller.
func stepSafely(
	ctx context.Context, e Engine, r *simulate.Request, arrivals [][]byte,
) (a *Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = &Answer{Trap: fmt.Sprintf("panic: %v\n%s", p, debug.Stack())}, nil
		}
	}()
	return e.Step(ctx, r, arrivals)
}

// request makes the request of an event in a world.
func (s *session) request(w *world, ev Event) (*simulate.Request, [][]byte) {
	me := s.peers[ev.Peer]
	r := &simulate.Request{
		Air: s.c.Script, PrevData: w.kept[ev.Peer], InitPeerID: s.peers[0].ID, CurrentPeerID: me.ID,
		Timestamp: 1700000000000, TTL: 60000, SecretKey: me.Seed, ParticleID: "particle-1", CallResults: ev.Results, Human: ev.Peek || s.sent[ev.ID],
	}
	var arrivals [][]byte
	for _, id := range ev.Arrivals {
		if data, ok := w.made[id]; ok {
			arrivals = append(arrivals, data)
		}
	}
	return r, arrivals
}

// unsigned says that the reference does not sign what it should at an event: a result that is no
// JSON, in the run that makes a failure of it and as long as runs are refused.
func (s *session) unsigned(ev Event) bool {
	return s.foreign && (hasBroken(ev.Results) || s.tainted[ev.Peer])
}

func hasBroken(results map[string]simulate.Result) bool {
	for _, r := range results {
		if r.RetCode == 0 && !json.Valid([]byte(r.Result)) {
			return true
		}
	}
	return false
}

// Engines makes the engines for one case. The first is the reference.
type Engines struct {
	New func() []Engine
	// Foreign says that the reference is not ours: it leaves results that are no JSON unsigned
	// for one run.
	Foreign bool
}

// Replay runs a case as it is.
func (e Engines) Replay(ctx context.Context, c *Case) (*Failure, error) {
	s := newSession(c, e.New(), e.Foreign)
	for _, ev := range c.Events {
		if _, _, f, err := s.step(ctx, ev); f != nil || err != nil {
			return f, err
		}
	}
	return nil, ctx.Err()
}
