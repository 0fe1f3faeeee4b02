package engine

import (
	"context"
	"slices"
	"time"

	logging "github.com/ipfs/go-log/v2"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/services"
)

var log = logging.Logger("engine")

// wiring is the engine as its parts see it: the dispatcher's network and observer, the host's
// receiver and sender.
type wiring struct{ *Engine }

var (
	_ dispatch.Network  = wiring{}
	_ dispatch.Observer = wiring{}
	_ p2p.Receiver      = wiring{}
	_ p2p.Sender        = wiring{}
)

func ownerOf(from p2p.Remote) share.Owner {
	return share.Owner{Range: from.Range, Remote: from.Peer}
}

// Receive implements [p2p.Receiver].
func (w wiring) Receive(from p2p.Remote, p *particle.Particle) {
	if w.cfg.Observer != nil {
		w.cfg.Observer.Arrived(p)
	}
	w.Dispatcher.Deliver(ownerOf(from), p)
}

// Refused implements [p2p.Receiver].
func (w wiring) Refused(from string, err error) {
	w.Journal.AddError(journal.Entry{Kind: journal.Refused, Peer: from}, err)
}

// Account implements [p2p.Receiver].
func (w wiring) Account(from p2p.Remote) p2p.Account {
	return w.account(ownerOf(from), share.FramesIn)
}

func (w wiring) account(of share.Owner, kind share.Kind) p2p.Account {
	if w.cfg.FramesApart {
		return nil
	}
	return share.Part{Ledger: w.Dispatcher.Ledger(), Owner: of, Kind: kind}
}

// Taken implements [p2p.Receiver]: what a keeper keeps is safe on disk.
func (w wiring) Taken(ctx context.Context) error {
	switch {
	case w.cfg.Keeper == nil:
		return nil
	case w.refusing.Load():
		return journal.ShuttingDown
	}
	return w.cfg.Keeper.Sync(ctx)
}

// handed is a [p2p.Outgoing.Tag], as a *run is one: who waits for a frame to be sent.
type handed func(peer string)

// Send implements [dispatch.Network]. The frame is encoded once.
func (w wiring) Send(o dispatch.Outgoing) {
	m := p2p.Outgoing{
		Particle: o.Particle.ID,
		Init:     o.Particle.InitPeerID,
		Frame:    wire.Frame(o.Particle),
		Deadline: w.Deadline(o.Particle),
		Account:  w.account(o.Owner, share.FramesOut),
	}
	if r, ok := o.Initiator.(*run); ok {
		m.Tag = r
	} else if o.Handed != nil {
		m.Tag = handed(o.Handed)
	}
	relay := w.relay.Load()
	if relay == nil {
		for _, peer := range o.To {
			w.Host.Send(peer, m)
		}
		return
	}
	relayed := false
	for _, peer := range o.To {
		if near, _ := w.Host.IsConnected(peer); !near {
			peer = *relay
		}
		if peer == *relay {
			if relayed {
				continue
			}
			relayed = true
		}
		w.Host.Send(peer, m)
	}
}

// Deadline is until when a particle is of use here: with clocks that lag, longer than it says.
func (e *Engine) Deadline(p *particle.Particle) time.Time {
	now := time.Now()
	return now.Add(p.Left(now.Add(-e.cfg.Limits.Skew)))
}

// Sent implements [p2p.Sender].
func (w wiring) Sent(to string, m p2p.Outgoing, err error) {
	if handed, ok := m.Tag.(handed); ok {
		if w.stopping.Load() && err != nil { // it is sent again by the next process
			w.Journal.AddError(journal.Entry{Kind: journal.Kept, Particle: m.Particle, Init: m.Init, Peer: to}, err)
			return
		}
		handed(to)
	}
	if w.cfg.Observer != nil {
		w.cfg.Observer.Sent(m.Particle, err)
	}
	e := journal.Entry{At: time.Now(), Kind: journal.Sent, Particle: m.Particle, Init: m.Init, Peer: to}
	if err == nil {
		w.Journal.Add(e)
	} else {
		e.Kind = journal.Lost
		w.Journal.AddError(e, err)
		log.Debugw("particle not sent", "particle_id", m.Particle, "to", to, "error", err)
	}
	if r, ok := m.Tag.(*run); ok {
		r.sent(to, err)
	}
}

// Held implements [p2p.Sender].
func (w wiring) Held(to string, m p2p.Outgoing, err error) {
	w.Journal.AddError(journal.Entry{Kind: journal.Held, Particle: m.Particle, Init: m.Init, Peer: to}, err)
	if r, ok := m.Tag.(*run); ok {
		r.held(to, err)
	}
}

// Stepped implements [dispatch.Observer].
func (w wiring) Stepped(_ *particle.Particle, _ dispatch.Scope, out *interpreter.Outcome, took time.Duration) {
	w.cfg.Observer.Stepped(out.RetCode, took)
}

// Ended implements [dispatch.Observer].
func (w wiring) Ended(p *particle.Particle, scope dispatch.Scope) { w.cfg.Observer.Ended(p, scope) }

// called records a finished service call.
func (w wiring) called(o services.Observation) {
	if w.cfg.Observer != nil {
		w.cfg.Observer.Called(o)
	}
	e := journal.Entry{
		At: time.Now().Add(-o.Time), Took: o.Time, Kind: journal.Called,
		Particle: o.Call.ParticleID, Init: o.Call.InitPeerID, Service: o.Call.Service, Function: o.Call.Function,
		Joins: joins(o.Call.Tetraplets),
	}
	if o.Outcome != services.Done {
		e.Code, e.Reason, e.Detail = 1, journal.ServiceFailed, string(o.Outcome)+": "+o.Reason
	}
	w.Journal.Add(e)
}

// joins lists the origins of a call's arguments, nil for fewer than two.
func joins(args [][]value.Tetraplet) (all []journal.Origin) {
	for _, arg := range args {
		for _, t := range arg {
			o := journal.Origin{Peer: t.PeerPK, Service: t.ServiceID, Function: t.FunctionName}
			if o.Service != "" && o.Function != "" && !slices.Contains(all, o) && len(all) < journal.MaxJoins {
				all = append(all, o)
			}
		}
	}
	if len(all) < 2 {
		return nil
	}
	return all
}
