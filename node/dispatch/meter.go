package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/share"
)

// slice is how long a run goes on before it gives its slot back. Others wait two of them for
// each run that is long, and giving a slot back costs a microsecond.
const slice = 2 * time.Millisecond

// A run is the interpreter at work for an actor: what asks for its slot again and again, and
// books its time and memory. It is the meter of the actor's machine.
//
// Its first slice comes out of all slots, the others out of one slot less: there is always one
// for runs that end soon.
type run struct {
	a     *actor
	ctx   context.Context
	slot  share.Slot
	held  bool
	began time.Time     // of the slice
	spent time.Duration // by the particle, in all its runs
	grown int64         // bytes booked for what the run makes
	err   error         // why the run has to end
}

// begin waits for a slot. It reports false when the particle's life ended first.
func (r *run) begin(ctx context.Context) bool {
	r.ctx, r.err = ctx, nil
	r.slot, r.held = r.a.d.short.Acquire(ctx, r.a.owner)
	r.began = time.Now()
	return r.held
}

// end gives the slot back.
func (r *run) end() {
	if r.held {
		r.release()
	}
}

func (r *run) release() {
	used := time.Since(r.began)
	r.spent += used
	r.slot.Release(used)
	r.held = false
}

// Work implements the interpreter's meter: it is asked every 50 us or so.
func (r *run) Work(int) error {
	switch {
	case r.err != nil:
		return r.err
	case r.ctx == nil: // state is turned into bytes, or opened, outside a run
		return nil
	case r.ctx.Err() != nil:
		r.err = context.Cause(r.ctx)
		return r.err
	case !r.held:
		return nil
	}
	used := time.Since(r.began)
	if most := r.a.d.cfg.Time; most > 0 && r.spent+used > most && r.a.owner.Range != share.Self {
		r.err = fmt.Errorf("%w of %s", journal.OverBudget, most)
		return r.err
	}
	if used < slice {
		return nil
	}
	return r.giveWay()
}

// giveWay gives the slot back and waits for one of those for long runs.
func (r *run) giveWay() error {
	r.release()
	r.slot, r.held = r.a.d.long.Acquire(r.ctx, r.a.owner)
	if r.began = time.Now(); !r.held {
		r.err = context.Cause(r.ctx)
	}
	return r.err
}

// Grow implements the interpreter's meter.
func (r *run) Grow(n int64) error {
	if r.err != nil {
		return r.err
	}
	if err := r.a.d.ledger.Grow(r.a.owner, share.Particles, n); err != nil {
		r.err = fmt.Errorf("%w: %w", journal.Overload, err)
		return r.err
	}
	r.grown += n
	return nil
}
