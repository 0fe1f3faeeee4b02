package p2p

import (
	"bytes"
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
	Particle string // its id, for whoever reads the journal
	Frame    []byte // shared, not written to
	Deadline time.Time
	// Handed, if set, is for whoever hears in Config.Sent what became of the frame.
	Handed func(to string)

	giveUp time.Time // when it stops to wait for a connection
}

// An outbox holds what waits for one peer. It is guarded by Host.mu, except for kept and
// trouble, which belong to the goroutine that sends.
type outbox struct {
	to      peer.ID
	waiting []Outgoing
	bytes   int
	sending bool
	kept    network.Stream
	trouble error         // why the peer cannot be reached, while it cannot
	wake    chan struct{} // a connection was made
}

// batchBytes is up to how much goes into one write of a kept stream. Frames of 2 kB
// written one by one cost a packet, a Noise record and a wake-up each.
const batchBytes = 64 << 10

// Send queues a frame for a peer. It never waits; Config.Sent hears how it went.
func (h *Host) Send(to string, m Outgoing) {
	id, err := parsePeerID(to)
	if err != nil {
		h.cfg.Sent(to, m, err)
		return
	}
	if err := h.enqueue(id, m); err != nil {
		h.cfg.Sent(to, m, err)
	}
}

func (h *Host) enqueue(id peer.ID, m Outgoing) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.outboxes[id]
	if b == nil {
		b = &outbox{to: id, wake: make(chan struct{}, 1)}
		h.outboxes[id] = b
	}
	if len(b.waiting) >= h.cfg.QueueFrames || b.bytes+len(m.Frame) > max(h.cfg.QueueBytes, len(m.Frame)) {
		return fmt.Errorf("%w: %d frames, %d bytes", journal.QueueFull, len(b.waiting), b.bytes)
	}
	if err := h.hold(m.Frame); err != nil {
		return err
	}
	if !b.sending {
		if !h.work.start(func() { h.drain(b) }) {
			h.release(m.Frame)
			return journal.ShuttingDown
		}
		b.sending = true
		h.sending++
	}
	m.giveUp = earlier(m.Deadline, time.Now().Add(h.cfg.Hold))
	b.waiting = append(b.waiting, m)
	b.bytes += len(m.Frame)
	return nil
}

// sharedFrame is from which size on a frame that waits for many peers is counted once.
const sharedFrame = 4 << 10

// hold books a frame that is queued. h.mu is held.
func (h *Host) hold(frame []byte) error {
	n := int64(len(frame))
	if n >= sharedFrame {
		if h.shared[&frame[0]]++; h.shared[&frame[0]] > 1 {
			return nil
		}
	}
	if all := h.held.Add(n); all > max(h.cfg.MaxHeld, n) {
		h.release(frame)
		return fmt.Errorf("%w: %d", journal.Overload, all)
	}
	return nil
}

// release books a frame that is no longer queued. h.mu is held.
func (h *Host) release(frame []byte) {
	if len(frame) >= sharedFrame {
		if h.shared[&frame[0]]--; h.shared[&frame[0]] > 0 {
			return
		}
		delete(h.shared, &frame[0])
	}
	h.held.Add(-int64(len(frame)))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// drain sends until nothing waits. While the peer cannot be reached it tries again from
// time to time, and when a connection comes in.
func (h *Host) drain(b *outbox) {
	pause := holdPauseMin
	for {
		batch := h.take(b)
		if batch == nil {
			return
		}
		if h.deliver(b, batch) {
			pause = holdPauseMin
			continue
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-b.wake:
		case <-h.ctx.Done():
		}
		t.Stop()
		pause = min(2*pause, holdPauseMax)
	}
}

// Pauses between attempts to reach a peer for which frames wait.
const (
	holdPauseMin = 250 * time.Millisecond
	holdPauseMax = 5 * time.Second
)

// putBack puts frames back that could not be sent because the peer cannot be reached.
func (h *Host) putBack(b *outbox, batch []Outgoing, err error) {
	if b.trouble == nil {
		for _, m := range batch {
			h.cfg.Held(b.to.String(), m, err)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	b.trouble = err
	b.waiting = append(batch, b.waiting...)
	for _, m := range batch {
		b.bytes += len(m.Frame)
	}
}

// connected wakes the outbox of a peer that is back.
func (h *Host) connected(_ network.Network, c network.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.outboxes[c.RemotePeer()]; b != nil {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// take removes all that waits, or ends the sending.
func (h *Host) take(b *outbox) []Outgoing {
	h.mu.Lock()
	defer h.mu.Unlock()
	batch := b.waiting
	b.waiting, b.bytes = nil, 0
	if len(batch) > 0 && h.ctx.Err() == nil {
		return batch
	}
	b.waiting = batch
	b.sending = false
	if h.sending--; h.sending == 0 {
		h.flushed.Broadcast()
	}
	if b.kept == nil && len(b.waiting) == 0 {
		delete(h.outboxes, b.to)
	}
	return nil
}

// Flush waits until all that is queued was sent and read, or the context ends. Kept
// streams are closed for it: a peer closes its side when it has read ours to the end. A
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

// takeKept waits for the outboxes to be empty and takes their kept streams.
func (h *Host) takeKept(ctx context.Context) (streams []network.Stream) {
	stop := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.flushed.Broadcast()
	})
	defer stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.sending > 0 && ctx.Err() == nil {
		h.flushed.Wait()
	}
	for _, b := range h.outboxes {
		if !b.sending && b.kept != nil {
			streams = append(streams, b.kept)
			b.kept = nil
		}
	}
	return streams
}

// dropQueues reports what Close left in the queues.
func (h *Host) dropQueues() {
	for _, b := range h.outboxes {
		for _, m := range b.waiting {
			h.release(m.Frame)
			h.cfg.Sent(b.to.String(), m, cmp.Or(b.trouble, error(journal.ShuttingDown)))
		}
	}
}

// deliver sends a batch. It reports false when the peer cannot be reached; the frames that
// can wait are held then.
func (h *Host) deliver(b *outbox, batch []Outgoing) bool {
	now := time.Now()
	batch = slices.DeleteFunc(batch, func(m Outgoing) bool {
		var late error
		switch {
		case now.After(m.Deadline) && b.trouble == nil:
			late = fmt.Errorf("%w before it was sent", journal.TooLate)
		case now.After(m.giveUp) && b.trouble != nil:
			late = b.trouble
		default:
			return false
		}
		h.report(b, []Outgoing{m}, late)
		return true
	})
	if len(batch) == 0 {
		return true
	}
	if b.trouble != nil {
		h.clearBackoff(b.to) // the pauses are drain's
	}
	conn, err := h.connect(b.to, latest(batch))
	if err != nil {
		h.putBack(b, batch, err)
		return false
	}
	b.trouble = nil
	switch way := h.wayTo(conn); way {
	case onePerStream:
		for i := range batch {
			h.report(b, batch[i:i+1], h.sendSingle(conn, batch[i]))
		}
	default:
		h.sendKept(b, way, conn, batch)
	}
	return true
}

func latest(batch []Outgoing) time.Time {
	return slices.MaxFunc(batch, func(a, b Outgoing) int { return a.Deadline.Compare(b.Deadline) }).Deadline
}

func (h *Host) report(b *outbox, batch []Outgoing, err error) {
	h.mu.Lock()
	for _, m := range batch {
		h.release(m.Frame)
	}
	h.mu.Unlock()
	for _, m := range batch {
		h.cfg.Sent(b.to.String(), m, err)
	}
}

// way is how frames travel to a remote.
type way uint8

const (
	keptByPeer   way = iota // aquanode
	keptByClient            // a client
	onePerStream            // another implementation's peer
)

// protocols are what kept streams are offered as.
var protocols = map[way][]protocol.ID{
	keptByPeer:   {KeptProtocol, particleProtocol},
	keptByClient: {particleProtocol},
}

// wayTo decides by the remote's identify message, for which it waits.
func (h *Host) wayTo(conn network.Conn) way {
	h.identified(conn)
	remote := conn.RemotePeer()
	if both, _ := h.host.Peerstore().SupportsProtocols(remote, KeptProtocol); len(both) > 0 {
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
	if h.sending += n; h.sending == 0 {
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
	frames := batch[0].Frame
	if len(batch) > 1 {
		frames = join(batch)
	}
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
		b.kept = nil
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

func join(batch []Outgoing) []byte {
	var all bytes.Buffer
	for _, m := range batch {
		all.Write(m.Frame)
	}
	return all.Bytes()
}

// openKept replaces the kept stream.
func (h *Host) openKept(b *outbox, way way, conn network.Conn) error {
	if b.kept != nil {
		b.kept.Close()
		b.kept = nil
	}
	s, err := h.openStream(conn, way)
	if err == nil {
		b.kept = s
	}
	return err
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
