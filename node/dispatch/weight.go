package dispatch

import (
	"fmt"

	"github.com/aquanode/aquanode/node/journal"
)

// actorWeight is what a particle takes besides its script and data: measured on particles of
// which nothing is left but to wait for their end.
const actorWeight = 2 << 10

// heavy reports that there is no memory for n bytes more of an init peer. The host's own
// particles may have all of it.
func (d *Dispatcher) heavy(initPeer string, q *quota, n int64) error {
	own := int64(0)
	if q != nil && initPeer != d.cfg.Host.Peer {
		own = q.weight.Load()
	}
	if all := d.weight.Load(); all+n > d.cfg.Memory || own+n > d.cfg.Memory/4 {
		return fmt.Errorf("%w: %d more, with %d in particles, %d of this init peer", journal.Overload, n, all, own)
	}
	return nil
}

// weigh adds bytes to what the particle is known to take. The mailbox is locked, or nobody else
// knows the actor.
func (a *actor) weigh(n int64) {
	a.weight += n
	a.quota.weight.Add(n)
	a.d.weight.Add(n)
}

// weighState books the state after a step or when it is turned into bytes. The mailbox is
// locked.
func (a *actor) weighState(n int64) {
	a.weigh(n - a.stateWeight)
	a.stateWeight = n
}
