package p2p

import (
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/aquanode/aquanode/node/journal"
)

// Frames may be for any number of peers that are not there. An outbox of such a peer has no
// goroutine: it waits in a queue to be dialled, and between attempts in a heap.
const (
	// maxAbsent bounds the absent peers with frames, maxDials those looked for at once. One
	// account may have as many as are left, so half at most, and others always find room.
	maxAbsent = 16_384
	maxDials  = 64

	// Pauses between attempts to reach a peer for which frames wait.
	holdPauseMin = 250 * time.Millisecond
	holdPauseMax = 5 * time.Second
)

// absence is the part of an outbox that is used while its peer is not connected.
type absence struct {
	trouble error // why the peer cannot be reached, after an attempt
	payer   *payer
	pause   time.Duration
	attempt int  // counts dials, so that a late end of one is not taken for that of the next
	inQueue bool // of the payer, perhaps still after the peer has come
	wake    time.Time
	place   int // in the heap, -1: nowhere
}

// A payer is an account that has absent peers.
type payer struct {
	account Account
	queue   []*outbox // to be dialled
	absent  int       // outboxes
	dials   int
}

// absentees are the absent peers with frames. They are guarded by Host.mu.
type absentees struct {
	payers map[Account]*payer
	turns  []*payer // those with a queue, next first
	count  int
	dials  int
	heap   wakeHeap
	timer  *time.Timer // for the first of heap
}

func (a *absentees) init(retry func()) {
	a.payers = make(map[Account]*payer)
	a.timer = time.AfterFunc(time.Hour, retry)
	a.timer.Stop()
}

// admit reports why an account may not have one more absent peer.
func (a *absentees) admit(account Account) error {
	own := 0
	if p := a.payers[account]; p != nil {
		own = p.absent
	}
	if own >= maxAbsent-a.count {
		return fmt.Errorf("%w: %d peers that are not connected, %d of them for this sender", journal.QueueFull, a.count, own)
	}
	return nil
}

// set moves an outbox to another state. h.mu is held.
func (h *Host) set(b *outbox, to state, trouble error) {
	if wasAbsent := b.state.absent(); wasAbsent && !to.absent() {
		h.absent.leave(b)
	}
	b.state, b.trouble = to, trouble
	h.recount(b)
}

// recount updates whether Flush waits for an outbox. h.mu is held.
func (h *Host) recount(b *outbox) {
	switch busy := b.awaited(); {
	case busy == b.busy:
		return
	case busy:
		h.addBusy(1)
	default:
		h.addBusy(-1)
	}
	b.busy = !b.busy
}

// awaited reports whether Flush waits for an outbox. It does not wait for a peer that could not
// be reached.
func (b *outbox) awaited() bool {
	if b.state.absent() {
		return b.trouble == nil
	}
	return b.state == sending || b.written > 0
}

// seek begins to look for the peer of an outbox with frames. h.mu is held.
func (h *Host) seek(b *outbox, account Account) {
	h.absent.enter(b, account)
	h.limit(b, 0)
	if err := h.unknown(b.to); err != nil {
		h.park(b, err)
		return
	}
	h.set(b, queued, nil)
	h.absent.push(b)
	h.absent.sleepUntil(b, b.waiting[0].giveUp)
	h.startDials()
}

// park lets an outbox wait for the next attempt. h.mu is held.
func (h *Host) park(b *outbox, trouble error) {
	h.set(b, parked, trouble)
	h.absent.sleepUntil(b, time.Now().Add(b.pause))
	b.pause = min(2*b.pause, holdPauseMax)
}

// startDials starts as many dials as there may be. h.mu is held.
func (h *Host) startDials() {
	for b := h.absent.pop(); b != nil; b = h.absent.pop() {
		b.attempt++
		attempt, p := b.attempt, b.payer
		deadline := latest(b.waiting)
		again := b.trouble != nil
		h.set(b, dialling, b.trouble)
		h.absent.dials++
		p.dials++
		dial := func() {
			if again {
				h.clearBackoff(b.to) // the pauses are ours
			}
			h.dialled(b, p, attempt, h.connect(b.to, deadline))
		}
		if !h.work.start(dial) {
			h.absent.dials--
			p.dials--
			return
		}
	}
}

func latest(batch []Outgoing) time.Time {
	return slices.MaxFunc(batch, func(a, b Outgoing) int { return a.Deadline.Compare(b.Deadline) }).Deadline
}

// dialled ends an attempt to reach a peer.
func (h *Host) dialled(b *outbox, p *payer, attempt int, err error) {
	h.mu.Lock()
	h.absent.dials--
	p.dials--
	h.absent.drop(p)
	var lost, held []Outgoing
	switch {
	case b.state != dialling || b.attempt != attempt: // the peer came by itself
	case err == nil:
		h.startSending(b)
	default:
		if b.trouble == nil {
			held = slices.Clone(b.waiting)
		}
		lost = h.keepTrying(b, err)
		held = slices.DeleteFunc(held, func(m Outgoing) bool { return !time.Now().Before(m.giveUp) })
	}
	h.startDials()
	h.mu.Unlock()
	for _, m := range held {
		h.cfg.Sender.Held(b.to.String(), m, err)
	}
	h.report(b, lost, err)
}

// keepTrying parks an outbox, unless none of its frames can wait any longer, and returns those
// that cannot. h.mu is held.
func (h *Host) keepTrying(b *outbox, trouble error) (lost []Outgoing) {
	if lost = b.expired(); len(b.waiting) == 0 {
		h.set(b, resting, nil)
		h.forget(b)
	} else if h.ctx.Err() == nil {
		h.park(b, trouble)
	} else {
		h.set(b, resting, trouble)
	}
	return lost
}

// expired removes the frames that cannot wait any longer.
func (b *outbox) expired() (lost []Outgoing) {
	now := time.Now()
	b.waiting = slices.DeleteFunc(b.waiting, func(m Outgoing) bool {
		late := !now.Before(m.giveUp)
		if late {
			lost = append(lost, m)
		}
		return late
	})
	return lost
}

// retry tries again to reach the peers whose pause is over, and reports frames whose time is.
func (h *Host) retry() {
	if !h.work.enter() {
		return
	}
	defer h.work.leave()
	var losses []loss
	unknown := 0
	h.mu.Lock()
	for b := h.absent.due(time.Now()); b != nil; b = h.absent.due(time.Now()) {
		trouble := b.trouble
		for _, m := range b.expired() {
			losses = append(losses, loss{b, m, trouble})
		}
		if len(b.waiting) == 0 {
			h.set(b, resting, nil)
			h.forget(b)
			continue
		}
		if b.state == parked {
			if err := h.unknown(b.to); err != nil {
				unknown++
				h.park(b, err)
				continue
			}
			h.set(b, queued, trouble)
			h.absent.push(b)
		}
		h.absent.sleepUntil(b, b.waiting[0].giveUp)
	}
	h.startDials()
	h.mu.Unlock()
	for range unknown {
		h.resolved(NotFound)
	}
	for _, l := range losses {
		h.report(l.of, []Outgoing{l.frame}, l.why())
	}
}

// A loss is a frame that has waited as long as it can.
type loss struct {
	of      *outbox
	frame   Outgoing
	trouble error
}

func (l *loss) why() error {
	switch {
	case l.trouble != nil:
		return l.trouble
	case !time.Now().Before(l.frame.Deadline):
		return fmt.Errorf("%w before it was sent", journal.TooLate)
	}
	return fmt.Errorf("%w: too many other peers are being looked for", journal.NotConnected)
}

// connected sends what waits for a peer that is back.
func (h *Host) connected(_ network.Network, c network.Conn) {
	h.compare(c.RemotePeer())
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.outboxes[c.RemotePeer()]; b != nil && b.state.absent() {
		h.startSending(b)
	}
}

// enter counts an outbox as absent.
func (a *absentees) enter(b *outbox, account Account) {
	p := a.payers[account]
	if p == nil {
		p = &payer{account: account}
		a.payers[account] = p
	}
	p.absent++
	a.count++
	b.absence = absence{payer: p, pause: holdPauseMin, attempt: b.attempt, place: -1}
}

// leave undoes enter.
func (a *absentees) leave(b *outbox) {
	if b.place >= 0 {
		heap.Remove(&a.heap, b.place)
		a.setTimer()
	}
	b.payer.absent--
	a.count--
	a.drop(b.payer)
}

// drop forgets a payer that has nothing left.
func (a *absentees) drop(p *payer) {
	if p.absent == 0 && p.dials == 0 && len(p.queue) == 0 && a.payers[p.account] == p {
		delete(a.payers, p.account)
	}
}

// push puts an outbox in the queue for dials.
func (a *absentees) push(b *outbox) {
	p := b.payer
	if b.inQueue {
		return
	}
	b.inQueue = true
	if p.queue = append(p.queue, b); len(p.queue) == 1 {
		a.turns = append(a.turns, p)
	}
}

// pop returns the outbox to be dialled next, nil when none may be. Payers take turns.
func (a *absentees) pop() *outbox {
	for skipped := 0; skipped < len(a.turns); {
		p := a.turns[0]
		if p.dials >= maxDials-a.dials {
			a.turns = append(a.turns[1:], p)
			skipped++
			continue
		}
		b := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		a.turns = a.turns[1:]
		if len(p.queue) > 0 {
			a.turns = append(a.turns, p)
		}
		// An outbox that left this queue may be absent again, for another payer.
		current := b.payer == p && b.inQueue
		if b.payer == p {
			b.inQueue = false
		}
		if current && b.state == queued {
			return b
		}
		a.drop(p)
	}
	return nil
}

// sleepUntil sets when an outbox is looked at again.
func (a *absentees) sleepUntil(b *outbox, at time.Time) {
	b.wake = at
	if b.place >= 0 {
		heap.Fix(&a.heap, b.place)
	} else {
		heap.Push(&a.heap, b)
	}
	a.setTimer()
}

// due removes and returns an outbox whose time has come.
func (a *absentees) due(now time.Time) *outbox {
	if len(a.heap) == 0 || a.heap[0].wake.After(now) {
		a.setTimer()
		return nil
	}
	return heap.Pop(&a.heap).(*outbox)
}

func (a *absentees) setTimer() {
	if len(a.heap) > 0 {
		a.timer.Reset(time.Until(a.heap[0].wake))
	}
}

// wakeHeap has the outbox with the earliest wake first.
type wakeHeap []*outbox

func (w wakeHeap) Len() int           { return len(w) }
func (w wakeHeap) Less(i, j int) bool { return w[i].wake.Before(w[j].wake) }
func (w wakeHeap) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].place, w[j].place = i, j
}

// Push implements [heap.Interface].
func (w *wakeHeap) Push(b any) {
	b.(*outbox).place = len(*w)
	*w = append(*w, b.(*outbox))
}

// Pop implements [heap.Interface].
func (w *wakeHeap) Pop() any {
	last := len(*w) - 1
	b := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	b.place = -1
	return b
}
