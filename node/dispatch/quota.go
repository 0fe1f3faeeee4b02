package dispatch

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
)

// quotaBurst is for how long an init peer may use its quota in advance.
const quotaBurst = 2 * time.Second

// A quota is what one init peer has here. Rates are looked at before a signature is
// verified, since refusing has to be cheap, and booked after it, since nobody may use up what
// belongs to others. It is guarded by Dispatcher.mu.
type quota struct {
	live      int
	particles bucket
	bytes     bucket
	weight    atomic.Int64 // bytes of its live particles
}

// A bucket is a leaky one: time is used up by what is booked, and passes.
type bucket struct{ until time.Time }

// over reports whether the burst is used up.
func (b *bucket) over(now time.Time) bool { return b.until.Sub(now) > quotaBurst }

func (b *bucket) book(now time.Time, n, perSecond int) {
	if b.until.Before(now) {
		b.until = now
	}
	b.until = b.until.Add(time.Duration(float64(n) / float64(perSecond) * float64(time.Second)))
}

// rate reports that an init peer is too fast. The host itself never is. d.mu is held.
func (d *Dispatcher) rate(p *particle.Particle, now time.Time) error {
	q := d.quotas[p.InitPeerID]
	switch {
	case q == nil || p.InitPeerID == d.cfg.Host.Peer:
		return nil
	case q.particles.over(now):
		return fmt.Errorf("%w: %d new particles a second", journal.TooFast, d.cfg.Rate)
	case q.bytes.over(now):
		return fmt.Errorf("%w: %d bytes of new particles a second", journal.TooFast, d.cfg.ByteRate)
	}
	return nil
}

// charge books a new particle. d.mu is held.
func (d *Dispatcher) charge(p *particle.Particle, now time.Time) *quota {
	q := d.quotas[p.InitPeerID]
	if q == nil {
		d.forgetSome(now)
		q = new(quota)
		d.quotas[p.InitPeerID] = q
	}
	q.live++
	q.particles.book(now, 1, d.cfg.Rate)
	q.bytes.book(now, len(p.Script)+len(p.Data), d.cfg.ByteRate)
	return q
}

// forgetSome looks at some quotas and forgets those at rest. As it goes with every new one, all
// have their turn.
func (d *Dispatcher) forgetSome(now time.Time) {
	some := 3
	for id, q := range d.quotas {
		if q.live == 0 && q.particles.until.Before(now) && q.bytes.until.Before(now) {
			delete(d.quotas, id)
		}
		if some--; some == 0 {
			return
		}
	}
}

// liveOf is how many particles of an init peer live. d.mu is held.
func (d *Dispatcher) liveOf(initPeer string) int {
	if q := d.quotas[initPeer]; q != nil {
		return q.live
	}
	return 0
}
