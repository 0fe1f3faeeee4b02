package dispatch

import (
	"fmt"
	"time"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
)

// rateBurst is for how long an owner may use its rates in advance.
const rateBurst = 2 * time.Second

// rates are how fast an owner may start particles. They are looked at before a signature is
// verified, since refusing has to be cheap, and booked after it, since nobody may use up what
// belongs to others. They are guarded by Dispatcher.mu.
type rates struct{ particles, bytes bucket }

// A bucket is a leaky one: time is used up by what is booked, and passes.
type bucket struct{ until time.Time }

func (b *bucket) over(now time.Time) bool { return b.until.Sub(now) > rateBurst }

func (b *bucket) book(now time.Time, n, perSecond int) {
	if b.until.Before(now) {
		b.until = now
	}
	b.until = b.until.Add(time.Duration(float64(n) / float64(perSecond) * float64(time.Second)))
}

// tooFast reports which rate an owner is over. The host itself never is. d.mu is held.
func (d *Dispatcher) tooFast(o share.Owner, now time.Time) error {
	r := d.rates[o]
	switch {
	case r == nil || o.Range == share.Self:
	case r.particles.over(now):
		return fmt.Errorf("%w: %d new particles a second", journal.TooFast, d.cfg.Rate)
	case r.bytes.over(now):
		return fmt.Errorf("%w: %d bytes of new particles a second", journal.TooFast, d.cfg.ByteRate)
	}
	return nil
}

// bookRates books a new particle. d.mu is held.
func (d *Dispatcher) bookRates(o share.Owner, p *particle.Particle, now time.Time) {
	if o.Range == share.Self {
		return
	}
	r := d.rates[o]
	if r == nil {
		d.forgetRates(now)
		r = new(rates)
		d.rates[o] = r
	}
	r.particles.book(now, 1, d.cfg.Rate)
	r.bytes.book(now, len(p.Script)+len(p.Data), d.cfg.ByteRate)
}

// refusals are why a new particle is refused for which a resource has no room.
var refusals = map[share.Resource]journal.Reason{share.Live: journal.TooMany, share.Memory: journal.Overload}

// overQuota reports that the owner of a new particle has all that it may, before a signature is
// verified for nothing. Nothing is booked, and room is made only by letting the owner's own
// particles rest: whether the init peer signed this one is not known yet. Where others hold more
// than the owner, they make room once the signature is good.
func (d *Dispatcher) overQuota(of share.Owner, p *particle.Particle) error {
	full := d.ledger.Full(of, baseSize(p))
	if full == nil || full.Depth == 0 {
		return nil
	}
	if _, others := d.ledger.Largest(of, full.What, full.Depth); others {
		return nil
	}
	if d.displace(of, full.What, full.Missing(), false) > 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", refusals[full.What], full)
}

// forgetRates looks at some rates and forgets those at rest. As it goes with every new one, all
// have their turn.
func (d *Dispatcher) forgetRates(now time.Time) {
	some := 3
	for o, r := range d.rates {
		if r.particles.until.Before(now) && r.bytes.until.Before(now) {
			delete(d.rates, o)
		}
		if some--; some == 0 {
			return
		}
	}
}
