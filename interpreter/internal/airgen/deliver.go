package airgen

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

// Bounds of a case: what grows beyond them is left as it is.
const (
	maxEvents = 60
	maxData   = 200_000
)

// Simulate makes a program, lets things happen to it in all engines, and compares them. The
// case it returns ends with the event that failed, if one did.
func (e Engines) Simulate(
	ctx context.Context, seed uint64, mixed bool, stats *Stats,
) (*Case, *Failure, error) {
	rng := rand.New(rand.NewPCG(seed, 0x41495247454e))
	c := &Case{Seed: seed, Peers: 1 + rng.IntN(4), Mixed: mixed}
	peers := Peers(c.Peers)
	c.Script = air.Format(Generate(rng, peers))
	script, err := air.Parse(c.Script)
	stats.program(script, err)
	s := newSession(c, e.New(), e.Foreign)
	d := &deliverer{Rand: rng, peers: peers, services: services{rng, peers}, foreign: e.Foreign,
		results: make([]map[string]simulate.Result, c.Peers)}
	for len(c.Events) < maxEvents {
		ev, ok := d.next()
		if !ok {
			break
		}
		c.Events = append(c.Events, ev)
		answer, before, f, err := s.step(ctx, ev)
		if err != nil || f != nil {
			return c, f, err
		}
		stats.step(answer, before, len(ev.Arrivals) > 0)
		if len(answer.Data) > maxData {
			break
		}
		d.happened(ev, answer)
	}
	return c, nil, ctx.Err()
}

// deliverer decides what happens next, from what the reference answered.
type deliverer struct {
	*rand.Rand
	peers    []simulate.Peer
	services services
	foreign  bool
	events   int
	pending  []message
	past     []message                    // delivered or lost
	results  []map[string]simulate.Result // finished calls, by peer
	again    int                          // a peer that has to run once more, plus one
	held     []message                    // what it will send then
}

type message struct{ to, from int } // a peer, and the event whose data it gets

// next chooses the next event; there is none when nothing is pending.
func (d *deliverer) next() (Event, bool) {
	ev := Event{ID: d.events, Choice: d.IntN(60), Peek: d.IntN(4) == 0}
	d.events++
	if d.again > 0 {
		ev.Peer, ev.Peek = d.again-1, true
		return ev, true
	}
	if ev.ID == 0 {
		return ev, true
	}
	busy := d.busy()
	if len(d.pending) == 0 && len(busy) == 0 {
		return ev, false
	}
	switch n := d.IntN(100); {
	case n < 3:
		ev.Peer = d.IntN(len(d.peers)) // for no reason
	case n < 8 && len(d.past) > 0:
		old := d.past[d.IntN(len(d.past))]
		ev.Peer, ev.Arrivals = old.to, []int{old.from}
	case n < 10 && len(d.past) > 0:
		// to anyone
		ev.Peer, ev.Arrivals = d.IntN(len(d.peers)), []int{d.past[d.IntN(len(d.past))].from}
	case len(busy) > 0 && (n < 50 || len(d.pending) == 0):
		ev.Peer = busy[d.IntN(len(busy))]
		d.take(&ev)
		if d.IntN(8) == 0 {
			d.arrive(&ev, ev.Peer)
		}
	case len(d.pending) > 0 && n < 52:
		d.lose(d.IntN(len(d.pending)))
		return d.next()
	default:
		ev.Peer = d.pending[d.IntN(len(d.pending))].to
		d.arrive(&ev, ev.Peer)
		for d.IntN(6) == 0 {
			d.arrive(&ev, ev.Peer)
		}
		if d.results[ev.Peer] != nil && d.IntN(8) == 0 {
			d.take(&ev)
		}
	}
	return ev, true
}

// busy lists the peers with finished calls.
func (d *deliverer) busy() []int {
	var peers []int
	for p, r := range d.results {
		if len(r) > 0 {
			peers = append(peers, p)
		}
	}
	return peers
}

// take puts finished calls into an event: all, or one or some.
func (d *deliverer) take(ev *Event) {
	ev.Results = map[string]simulate.Result{}
	all := d.IntN(2) == 0
	for _, id := range slices.Sorted(maps.Keys(d.results[ev.Peer])) {
		if all || len(ev.Results) == 0 || d.IntN(3) == 0 {
			ev.Results[id] = d.results[ev.Peer][id]
			delete(d.results[ev.Peer], id)
		}
	}
	if d.IntN(50) == 0 {
		ev.Results["77"] = simulate.Result{Result: `"nobody asked"`}
	}
}

// arrive puts one of the messages for a peer into an event.
func (d *deliverer) arrive(ev *Event, peer int) {
	var mine []int
	for k, m := range d.pending {
		if m.to == peer {
			mine = append(mine, k)
		}
	}
	if len(mine) == 0 {
		return
	}
	k := mine[d.IntN(len(mine))]
	ev.Arrivals = append(ev.Arrivals, d.pending[k].from)
	d.lose(k)
}

func (d *deliverer) lose(k int) {
	d.past = append(d.past, d.pending[k])
	d.pending = slices.Delete(d.pending, k, k+1)
}

// happened looks at what an event led to.
func (d *deliverer) happened(ev Event, a *Answer) {
	if d.again > 0 {
		for _, m := range d.held {
			if !a.refused() {
				d.pending = append(d.pending, message{m.to, ev.ID})
			}
		}
		d.again, d.held = 0, nil
	}
	next := slices.Compact(slices.Sorted(slices.Values(a.NextPeerPks)))
	for _, id := range next {
		if to := d.peer(id); to >= 0 {
			d.pending = append(d.pending, message{to, ev.ID})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.CallRequests)) {
		q := a.CallRequests[id]
		if d.IntN(30) == 0 {
			continue // never answered
		}
		if d.results[ev.Peer] == nil {
			d.results[ev.Peer] = map[string]simulate.Result{}
		}
		d.results[ev.Peer][id] = d.services.answer(&q)
	}
	if d.foreign && hasBroken(ev.Results) {
		// The data of this run would be refused by others; that of the next run of the peer is
		// good.
		d.again = ev.Peer + 1
		for k := len(d.pending) - 1; k >= 0; k-- {
			if d.pending[k].from == ev.ID {
				d.held = append(d.held, d.pending[k])
				d.pending = slices.Delete(d.pending, k, k+1)
			}
		}
	}
}

func (d *deliverer) peer(id string) int {
	return slices.IndexFunc(d.peers, func(p simulate.Peer) bool { return p.ID == id })
}
