package p2p

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multistream"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle/wire"
)

// Outgoing is a frame on its way to one peer.
type Outgoing struct {
	Particle string // its id and its init peer, for whoever reads the journal
	Init     string
	Frame    []byte // shared, not written to
	Deadline time.Time
	// Account is charged for the frame while it is queued, and for the dials that it takes. Nil:
	// Config.MaxHeld bounds it.
	Account Account
	// Tag is for the Sender, to know the frame by.
	Tag any

	giveUp   time.Time // when it stops to wait for its peer; zero while that takes frames
	tries    int       // see maxTries
	reported bool      // it is lost, but the remote may still acknowledge it
}

// An outbox holds what waits for one peer. It is guarded by Host.mu.
type outbox struct {
	to           peer.ID
	waiting      []Outgoing
	written      int // of waiting, the first ones: on the stream, and not acknowledged
	writtenBytes int
	backlog                          // waiting or being sent
	accounts     map[Account]backlog // of these, by who is charged; nil is not one of them
	state        state
	kept         *link // one that does not acknowledge is used by the goroutine that sends, without the lock
	window       int   // most frames that are written and not acknowledged
	failed       int   // streams in a row of which nothing was acknowledged
	moving       bool  // the next frames go over another connection, when all is acknowledged
	limited      bool  // frames have a time to give up
	busy         bool  // see recount
	absence            // while there is no connection
}

// A backlog is what waits in a queue.
type backlog struct{ frames, bytes int }

func (q *backlog) add(frames, bytes int) {
	q.frames += frames
	q.bytes += bytes
}

// count adds frames of an account, or takes them off.
func (b *outbox) count(account Account, frames, bytes int) {
	b.backlog.add(frames, bytes)
	if account == nil {
		return
	}
	own := b.accounts[account]
	own.add(frames, bytes)
	if own == (backlog{}) {
		delete(b.accounts, account)
		return
	}
	if b.accounts == nil {
		b.accounts = make(map[Account]backlog)
	}
	b.accounts[account] = own
}

// room reports why a frame does not fit in the queue of its peer. An account may have as many
// frames and bytes there as are still free: so one sender leaves half of it to others.
func (b *outbox) room(m Outgoing, most backlog) error {
	free := backlog{most.frames - b.frames, most.bytes - b.bytes}
	own := b.accounts[m.Account] // nothing for nil
	if b.frames > 0 && (own.frames >= free.frames || own.bytes+len(m.Frame) > free.bytes) {
		return fmt.Errorf("%w: %d frames, %d bytes, of this sender %d and %d", journal.QueueFull,
			b.frames, b.bytes, own.frames, own.bytes)
	}
	return nil
}

// state is what happens with an outbox.
type state uint8

const (
	resting  state = iota // nothing waits, or acknowledgements are waited for
	sending               // a goroutine sends
	queued                // it waits for its turn to be dialled
	dialling              // a goroutine looks for the peer
	parked                // it waits for the next attempt, or for the peer to come
)

// absent reports whether frames wait for a connection.
func (s state) absent() bool { return s >= queued }

// batchBytes is up to how much goes into one write of a kept stream. Frames of 2 kB
// written one by one cost a packet, a Noise record and a wake-up each.
const batchBytes = 64 << 10

// Send queues a frame for a peer. It never waits; [Sender.Sent] is told what became of it.
func (h *Host) Send(to string, m Outgoing) {
	id, err := parsePeerID(to)
	if err != nil {
		h.cfg.Sender.Sent(to, m, err)
		return
	}
	h.mu.Lock()
	held, err := h.enqueue(id, m)
	h.mu.Unlock()
	switch {
	case err != nil:
		h.cfg.Sender.Sent(to, m, err)
	case held != nil:
		if errors.Is(held, journal.NotConnected) {
			h.resolved(NotFound)
		}
		h.cfg.Sender.Held(to, m, held)
	}
}

// enqueue puts a frame in the queue of its peer. held is why it waits for the peer to be
// reached. h.mu is held.
func (h *Host) enqueue(id peer.ID, m Outgoing) (held, err error) {
	if h.ctx.Err() != nil {
		return nil, journal.ShuttingDown
	}
	now := time.Now()
	if now.After(m.Deadline) {
		return nil, fmt.Errorf("%w before it was sent", journal.TooLate)
	}
	b := h.outboxes[id]
	if b == nil {
		b = &outbox{to: id, window: windowFrames}
	}
	if err := b.room(m, backlog{h.cfg.QueueFrames, h.cfg.QueueBytes}); err != nil {
		return nil, err
	}
	near := b.state != resting || b.written > 0 || h.newest(id) != nil
	if !near {
		if err := h.absent.admit(m.Account); err != nil {
			return nil, err
		}
	}
	if err := h.hold(m); err != nil {
		return nil, err
	}
	h.outboxes[id] = b
	b.waiting = append(b.waiting, m)
	b.count(m.Account, 1, len(m.Frame))
	switch {
	case b.state.absent():
		h.limit(b, len(b.waiting)-1)
		return b.trouble, nil
	case b.state == sending:
	case !near:
		h.seek(b, m.Account)
		return b.trouble, nil
	case b.ready():
		h.startSending(b)
	}
	return nil, nil
}

// startSending starts the goroutine that sends what waits. h.mu is held.
func (h *Host) startSending(b *outbox) {
	h.set(b, sending, nil)
	if !h.work.start(func() { h.drain(b) }) {
		h.set(b, resting, nil) // Close reports the frames
	}
}

// queueEntry is what a queued frame takes besides its bytes, with the queue of its peer.
const queueEntry = 512

// A sharedFrame is a frame that waits in some queues. Its bytes are charged once.
type sharedFrame struct {
	queues  int
	account Account
}

// hold charges a frame that is queued. h.mu is held.
func (h *Host) hold(m Outgoing) error {
	n, frame := int64(queueEntry), (*byte)(nil)
	if len(m.Frame) > 0 {
		frame = &m.Frame[0]
	}
	shared := h.shared[frame]
	if shared.queues == 0 {
		n += int64(len(m.Frame))
	}
	if m.Account == nil {
		if all := h.held.Load() + n; all > max(h.cfg.MaxHeld, n) {
			return fmt.Errorf("%w: %d", journal.Overload, all)
		}
	}
	if err := h.grow(m.Account, n); err != nil {
		return err
	}
	if shared.queues == 0 {
		shared.account = m.Account
	}
	shared.queues++
	h.shared[frame] = shared
	return nil
}

// release gives back what hold has charged for frames. h.mu is held.
func (h *Host) release(b *outbox, batch []Outgoing) {
	for _, m := range batch {
		b.count(m.Account, -1, -len(m.Frame))
		h.grow(m.Account, -queueEntry)
		frame := (*byte)(nil)
		if len(m.Frame) > 0 {
			frame = &m.Frame[0]
		}
		shared := h.shared[frame]
		if shared.queues--; shared.queues > 0 {
			h.shared[frame] = shared
			continue
		}
		delete(h.shared, frame)
		h.grow(shared.account, -int64(len(m.Frame)))
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// drain sends until nothing may be written or the connection is gone.
func (h *Host) drain(b *outbox) {
	for h.more(b) {
		conn := h.newest(b.to)
		if conn == nil {
			h.connectionLost(b)
			return
		}
		h.resolved(ByBook)
		if way := h.wayTo(conn); way == keptWithAcks {
			h.sendAcked(b, conn)
		} else if batch := h.take(b); len(batch) > 0 {
			h.deliver(b, way, conn, batch)
		}
	}
}

// more reports whether there is something to write, or ends the sending.
func (h *Host) more(b *outbox) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b.ready() && h.ctx.Err() == nil {
		return true
	}
	h.set(b, resting, nil)
	h.forget(b)
	return false
}

// take removes all that waits, except for frames whose deadline is past, which it reports. It
// returns nothing while another connection has frames to acknowledge.
func (h *Host) take(b *outbox) []Outgoing {
	h.mu.Lock()
	if b.written > 0 {
		b.moving = true
		h.mu.Unlock()
		return nil
	}
	var old *link
	if b.kept != nil && b.kept.acks {
		old, b.kept = b.kept, nil
	}
	batch := b.waiting
	b.waiting = nil
	h.mu.Unlock()
	h.letGo(old)
	now := time.Now()
	return slices.DeleteFunc(batch, func(m Outgoing) bool {
		late := now.After(m.Deadline)
		if late {
			h.report(b, []Outgoing{m}, fmt.Errorf("%w before it was sent", journal.TooLate))
		}
		return late
	})
}

// forget drops an outbox that is no longer of use. h.mu is held.
func (h *Host) forget(b *outbox) {
	if b.state == resting && b.kept == nil && len(b.waiting) == 0 && h.outboxes[b.to] == b {
		delete(h.outboxes, b.to)
	}
}

// connectionLost looks for a peer that is gone, if there is something for it.
func (h *Host) connectionLost(b *outbox) {
	h.mu.Lock()
	old := b.kept
	b.kept = nil
	b.rewind()
	h.set(b, resting, nil)
	switch {
	case len(b.waiting) == 0:
		h.forget(b)
	case h.ctx.Err() == nil:
		h.seek(b, b.waiting[0].Account)
	}
	h.mu.Unlock()
	if old != nil {
		old.Reset()
	}
}

// Flush waits until all that is queued was sent and taken, or the context ends. Kept streams
// without acknowledgements are closed for it: a peer closes its side when it has read ours to the end. A
// js-client never does, but it answers a ping, which on its connection comes after all
// that was written to the stream.
func (h *Host) Flush(ctx context.Context) {
	var closing sync.WaitGroup
	for _, s := range h.takeKept(ctx) {
		closing.Go(func() {
			stop := context.AfterFunc(ctx, func() { s.SetReadDeadline(time.Now()) })
			defer stop()
			s.CloseWrite()
			if s.Protocol() == particleProtocol && h.pings(ctx, s.Conn().RemotePeer()) {
				sleep(ctx, clientReads)
			} else {
				io.Copy(io.Discard, s)
			}
			s.Close()
		})
	}
	closing.Wait()
}

// clientReads is what a client gets to take what its connection has read for it: when the connection ends, that is lost to
// readers that have not come to it, in go-libp2p and js-libp2p alike.
const clientReads = 200 * time.Millisecond

// pings reports whether a connected remote answers a ping.
func (h *Host) pings(ctx context.Context, to peer.ID) bool {
	ctx, cancel := context.WithCancel(network.WithNoDial(ctx, "flush"))
	defer cancel()
	return (<-ping.Ping(ctx, h.host, to)).Error == nil && ctx.Err() == nil
}

// takeKept waits for the outboxes to be empty and takes their kept streams without acknowledgements.
func (h *Host) takeKept(ctx context.Context) (streams []network.Stream) {
	stop := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.flushed.Broadcast()
	})
	defer stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.busy > 0 && ctx.Err() == nil {
		h.flushed.Wait()
	}
	for _, b := range h.outboxes {
		if b.state != sending && b.kept != nil && !b.kept.acks {
			streams = append(streams, b.kept)
			b.kept = nil
		}
	}
	return streams
}

// dropQueues reports what Close left in the queues.
func (h *Host) dropQueues() {
	h.mu.Lock()
	left := h.outboxes
	h.outboxes = make(map[peer.ID]*outbox)
	for _, b := range left {
		b.rewind()
		h.set(b, resting, b.trouble)
	}
	h.mu.Unlock()
	for _, b := range left {
		h.report(b, b.waiting, cmp.Or(b.trouble, error(journal.ShuttingDown)))
	}
}

// deliver sends a batch over a connection, to a remote that does not acknowledge frames.
func (h *Host) deliver(b *outbox, way way, conn network.Conn, batch []Outgoing) {
	if way != onePerStream {
		h.sendKept(b, way, conn, batch)
		return
	}
	for i := range batch {
		h.report(b, batch[i:i+1], h.sendSingle(conn, batch[i]))
	}
}

func (h *Host) report(b *outbox, batch []Outgoing, err error) {
	if len(batch) == 0 {
		return
	}
	h.mu.Lock()
	h.release(b, batch)
	h.mu.Unlock()
	h.tell(b, batch, err)
}

// tell reports frames that are released.
func (h *Host) tell(b *outbox, batch []Outgoing, err error) {
	to := b.to.String()
	for _, m := range batch {
		h.cfg.Sender.Sent(to, m, err)
	}
}

// way is how frames travel to a remote.
type way uint8

const (
	keptWithAcks way = iota // aquanode
	keptByPeer              // an aquanode that does not acknowledge frames
	keptByClient            // a client
	onePerStream            // another implementation's peer
)

// protocols are what kept streams are offered as.
var protocols = map[way][]protocol.ID{
	keptWithAcks: {KeptProtocol},
	keptByPeer:   {keptProtocol10, particleProtocol},
	keptByClient: {particleProtocol},
}

// wayTo decides by the remote's identify message, for which it waits.
func (h *Host) wayTo(conn network.Conn) way {
	h.identified(conn)
	remote := conn.RemotePeer()
	switch known, _ := h.host.Peerstore().SupportsProtocols(remote, KeptProtocol, keptProtocol10); {
	case slices.Contains(known, KeptProtocol):
		return keptWithAcks
	case len(known) > 0:
		return keptByPeer
	}
	if v, _ := h.host.Peerstore().Get(remote, "ProtocolVersion"); v == wire.ProtocolID {
		return onePerStream
	}
	return keptByClient
}

// identified waits until the remote has told about itself, or has failed to.
func (h *Host) identified(conn network.Conn) {
	ids := h.host.(interface{ IDService() identify.IDService }).IDService()
	select {
	case <-ids.IdentifyWait(conn):
	case <-time.After(h.cfg.FrameTimeout):
	case <-h.ctx.Done():
	}
}

// sendSingle sends one frame on a stream of its own. It closes its own side, for a
// reset would lose what is still in flight, and leaves it to a goroutine to wait for the
// remote's answer to the negotiation.
//
// A frame that was written whole is sent. A remote may drop the stream as soon as it has
// read it, as nox does; then closing our side fails, and that means nothing.
func (h *Host) sendSingle(conn network.Conn, m Outgoing) error {
	ctx, cancel := context.WithTimeout(h.ctx, h.cfg.FrameTimeout)
	defer cancel()
	s, err := conn.NewStream(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", journal.WriteFailed, err)
	}
	s.SetDeadline(time.Now().Add(h.cfg.FrameTimeout))
	lazy := multistream.NewMSSelect(s, particleProtocol)
	if _, err = lazy.Write(m.Frame); err != nil {
		s.Reset()
		return fmt.Errorf("%w: %w", journal.WriteFailed, err)
	}
	if err := errors.Join(s.SetProtocol(particleProtocol), s.CloseWrite()); err != nil {
		log.Debugw("stream ended after its frame", "peer", conn.RemotePeer(), "error", err)
	}
	finish := func() {
		defer h.count(-1)
		if _, err := io.Copy(io.Discard, lazy); err != nil {
			s.Reset()
		}
		s.Close()
	}
	h.count(1)
	if !h.work.start(finish) {
		finish()
	}
	return nil
}

// count keeps the number of outboxes and streams that are at work.
func (h *Host) count(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.addBusy(n)
}

// addBusy does the same. h.mu is held.
func (h *Host) addBusy(n int) {
	if h.busy += n; h.busy == 0 {
		h.flushed.Broadcast()
	}
}

func (h *Host) sendKept(b *outbox, way way, conn network.Conn, batch []Outgoing) {
	limit := wire.MaxMessage
	if way == keptByClient {
		limit = wire.MaxClientMessage
	}
	batch = slices.DeleteFunc(batch, func(m Outgoing) bool {
		big := len(m.Frame) > limit
		if big {
			h.report(b, []Outgoing{m}, fmt.Errorf("%w: %d bytes, the remote takes %d", journal.TooBig, len(m.Frame), limit))
		}
		return big
	})
	for len(batch) > 0 {
		n := batchLen(batch)
		written, err := h.writeKept(b, way, conn, batch[:n])
		h.report(b, batch[:written], nil)
		h.report(b, batch[written:n], err)
		batch = batch[n:]
	}
}

// batchLen is how many of the frames are written at once.
func batchLen(batch []Outgoing) int {
	size := 0
	for i, m := range batch {
		if size += len(m.Frame); size > batchBytes {
			return max(i, 1)
		}
	}
	return len(batch)
}

// writeKept writes to the kept stream, and once more to a new one when the old one
// turns out to be gone. A stalled stream is given up, but not tried again: the remote
// has stopped reading, for instance because of a frame beyond its limits.
//
// It returns how many frames were written whole: what the stream does afterwards does not
// change that.
func (h *Host) writeKept(b *outbox, way way, conn network.Conn, batch []Outgoing) (written int, err error) {
	each := make([][]byte, len(batch))
	for i, m := range batch {
		each[i] = m.Frame
	}
	frames := join(each)
	fresh := b.kept == nil || b.kept.Conn() != conn
	for {
		if fresh {
			if err := h.openKept(b, way, conn); err != nil {
				return written, err
			}
		}
		b.kept.SetWriteDeadline(time.Now().Add(h.cfg.FrameTimeout))
		n, err := b.kept.Write(frames)
		if err == nil {
			return len(batch), nil
		}
		written = max(written, whole(batch, n))
		b.kept.Reset()
		h.setKept(b, nil)
		var t interface{ Timeout() bool }
		if fresh || errors.As(err, &t) && t.Timeout() {
			return written, fmt.Errorf("%w: %w", journal.WriteFailed, err)
		}
		fresh = true
	}
}

// whole is how many frames of a batch end within its first n bytes.
func whole(batch []Outgoing, n int) (count int) {
	for _, m := range batch {
		if n -= len(m.Frame); n < 0 {
			break
		}
		count++
	}
	return count
}

func join(frames [][]byte) []byte {
	if len(frames) == 1 {
		return frames[0]
	}
	return slices.Concat(frames...)
}

// openKept replaces a kept stream that does not acknowledge.
func (h *Host) openKept(b *outbox, way way, conn network.Conn) error {
	if b.kept != nil {
		b.kept.Close()
		h.setKept(b, nil)
	}
	s, err := h.openStream(conn, way)
	if err == nil {
		h.setKept(b, &link{Stream: s})
	}
	return err
}

func (h *Host) setKept(b *outbox, l *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.kept = l
}

// openStream negotiates the stream's protocol. For kept streams this costs a round trip
// once; a stream for a single frame does not wait for the answer.
func (h *Host) openStream(conn network.Conn, way way) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(h.ctx, h.cfg.FrameTimeout)
	defer cancel()
	s, err := conn.NewStream(ctx)
	if err == nil {
		s.SetDeadline(time.Now().Add(h.cfg.FrameTimeout))
		var chosen protocol.ID
		if chosen, err = multistream.SelectOneOf(protocols[way], s); err == nil {
			err = s.SetProtocol(chosen)
		}
		if err != nil {
			s.Reset()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", journal.WriteFailed, err)
	}
	return s, nil
}
