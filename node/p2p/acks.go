package p2p

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle/wire"
)

// On a stream of [KeptProtocol] the receiver writes back how many frames it has taken: unsigned
// varints, each counts the frames since the one before. A frame is taken when Config.Receive has
// returned and Config.Taken, if set, as well.

// The receiver collects what it acknowledges. An acknowledgement costs a packet at the sender and
// one here, so a stream writes at most one for each of ackFrames frames or ackBytes bytes, or
// each ackDelay. Nobody waits for them but Flush and the bookkeeping of durable particles.
const (
	ackDelay  = 10 * time.Millisecond
	ackFrames = 64
	ackBytes  = 256 << 10
)

// acks writes the acknowledgements of one inbound stream. The goroutine that reads frames never
// waits for it: a timer writes, at most one write at a time.
type acks struct {
	host   *Host
	stream network.Stream
	timer  *time.Timer

	writing sync.Mutex // held while one is written

	mu     sync.Mutex
	taken  uint64 // frames that are not acknowledged
	bytes  int    // of them, since the timer was last set to zero
	armed  bool
	closed bool
}

func (h *Host) newAcks(s network.Stream) *acks {
	a := &acks{host: h, stream: s}
	a.timer = time.AfterFunc(time.Hour, a.run)
	a.timer.Stop()
	return a
}

// took counts a frame.
func (a *acks) took(size int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken++
	a.bytes += size
	switch {
	case a.taken%ackFrames == 0 || a.bytes >= ackBytes:
		a.bytes = 0
		a.arm(0)
	case !a.armed:
		a.arm(ackDelay)
	}
}

// arm sets the timer. a.mu is held.
func (a *acks) arm(delay time.Duration) {
	a.armed = true
	a.timer.Reset(delay)
}

// run acknowledges what was taken.
func (a *acks) run() {
	if !a.host.work.enter() {
		return
	}
	defer a.host.work.leave()
	if !a.writing.TryLock() {
		return // who writes sees afterwards that there is more
	}
	err := a.write()
	a.writing.Unlock()
	if err != nil {
		a.stream.Reset()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken > 0 && !a.closed {
		a.arm(ackDelay)
	}
}

// write acknowledges what was taken. a.writing is held.
func (a *acks) write() error {
	a.mu.Lock()
	n := a.taken
	a.taken, a.bytes, a.armed = 0, 0, false
	a.mu.Unlock()
	if n == 0 {
		return nil
	}
	if err := a.host.cfg.Receiver.Taken(a.host.ctx); err != nil {
		return err
	}
	a.stream.SetWriteDeadline(time.Now().Add(a.host.cfg.FrameTimeout))
	_, err := a.stream.Write(binary.AppendUvarint(nil, n))
	return err
}

// finish acknowledges the last frames.
func (a *acks) finish() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.timer.Stop()
	a.writing.Lock()
	defer a.writing.Unlock()
	return a.write()
}

// The sender has frames of at most windowFrames and windowBytes on a stream that are not
// acknowledged, or one that is larger. More than that would be sent again when the stream breaks.
// With a round trip of 100 ms it allows 40 MB and 10,000 frames a second.
const (
	windowFrames = 1024
	windowBytes  = 4 << 20
)

const (
	// maxTries bounds how many streams may break in a row with the same frame as the first that was
	// not acknowledged, while the connection lives: the remote may be unable to take it.
	maxTries = 5
	// tryPause is the pause before the third stream in a row of which nothing was acknowledged.
	// It doubles with each.
	tryPause = 100 * time.Millisecond
	// stallChecks is how many times in Config.FrameTimeout an outbox looks whether its frames are
	// acknowledged, and which have expired.
	stallChecks = 16
)

var errStalled = errors.New("nothing acknowledged for too long")

// A link is a kept stream. If it acknowledges, a goroutine reads that until the stream ends.
type link struct {
	network.Stream
	acks     bool
	watch    *time.Timer // see watchLink
	watched  bool        // the timer is set
	progress time.Time   // when the remote last acknowledged something, or was given a first frame
}

// ready reports whether a frame may be written.
func (b *outbox) ready() bool {
	switch {
	case len(b.waiting) == b.written:
		return false
	case b.written == 0:
		return true
	}
	next := len(b.waiting[b.written].Frame)
	return !b.moving && b.written < b.window && b.writtenBytes+next <= windowBytes
}

// sendAcked writes some frames to a stream that acknowledges them.
func (h *Host) sendAcked(b *outbox, conn network.Conn) {
	l := h.ackedLink(b, conn)
	if l == nil {
		return
	}
	frames := h.nextFrames(b, l)
	if len(frames) == 0 {
		return
	}
	l.SetWriteDeadline(time.Now().Add(h.cfg.FrameTimeout))
	if _, err := l.Write(join(frames)); err != nil {
		h.broken(b, l, err)
	}
}

// ackedLink returns the stream of an outbox on a connection, or nil when it cannot be had now.
// Before frames go over another connection, those that were sent are waited for, so that the
// order stays.
func (h *Host) ackedLink(b *outbox, conn network.Conn) *link {
	h.mu.Lock()
	old, failed := b.kept, b.failed
	if old != nil && old.acks && old.Conn() == conn {
		h.mu.Unlock()
		return old
	}
	if b.written > 0 {
		b.moving = true
		h.mu.Unlock()
		return nil
	}
	b.kept = nil
	h.mu.Unlock()
	h.letGo(old)
	if failed > 1 {
		sleep(h.ctx, tryPause<<min(failed-2, maxTries))
	}
	s, err := h.openStream(conn, keptWithAcks)
	if err != nil {
		h.unopened(b, conn, err)
		return nil
	}
	l := &link{Stream: s, acks: true}
	l.watch = time.AfterFunc(time.Hour, func() { h.watchLink(b, l) })
	l.watch.Stop()
	h.mu.Lock()
	b.kept = l
	h.mu.Unlock()
	if !h.work.start(func() { h.readAcks(b, l) }) {
		h.broken(b, l, journal.ShuttingDown)
		return nil
	}
	return l
}

// letGo ends a stream of which all is acknowledged, or that does not acknowledge.
func (h *Host) letGo(l *link) {
	switch {
	case l == nil:
	case l.acks:
		l.CloseWrite()
		l.SetReadDeadline(time.Now().Add(h.cfg.FrameTimeout)) // for readAcks
	default:
		l.Close()
	}
}

// nextFrames returns the frames for one write, which count as written from now on.
func (h *Host) nextFrames(b *outbox, l *link) (frames [][]byte) {
	h.mu.Lock()
	if b.kept != l { // it broke
		h.mu.Unlock()
		return nil
	}
	now := time.Now()
	useless := func(m Outgoing) bool { return now.After(m.Deadline) || len(m.Frame) > wire.MaxMessage }
	var lost []Outgoing
	if b.ready() && useless(b.waiting[b.written]) {
		lost = b.removeUnwritten(useless)
	}
	if b.written == 0 {
		l.progress = now
	}
	for size := 0; b.ready(); b.written++ {
		m := b.waiting[b.written]
		if size += len(m.Frame); len(frames) > 0 && size > batchBytes || useless(m) {
			break
		}
		frames = append(frames, m.Frame)
		b.writtenBytes += len(m.Frame)
	}
	if !l.watched && b.written > 0 {
		l.watched = true
		l.watch.Reset(h.cfg.FrameTimeout / stallChecks)
	}
	h.mu.Unlock()
	for _, m := range lost {
		err := fmt.Errorf("%w: %d bytes, the remote takes %d", journal.TooBig, len(m.Frame), wire.MaxMessage)
		if now.After(m.Deadline) {
			err = fmt.Errorf("%w before it was sent", journal.TooLate)
		}
		h.report(b, []Outgoing{m}, err)
	}
	return frames
}

// removeUnwritten removes frames that are not on the stream.
func (b *outbox) removeUnwritten(which func(Outgoing) bool) (removed []Outgoing) {
	rest := slices.DeleteFunc(b.waiting[b.written:], func(m Outgoing) bool {
		if which(m) {
			removed = append(removed, m)
			return true
		}
		return false
	})
	b.waiting = b.waiting[:b.written+len(rest)]
	return removed
}

// readAcks reads what a remote acknowledges until the stream ends.
func (h *Host) readAcks(b *outbox, l *link) {
	r := bufio.NewReaderSize(l, 16)
	for {
		n, err := binary.ReadUvarint(r)
		if err == nil {
			err = h.acknowledged(b, l, n)
		}
		if err != nil {
			h.broken(b, l, err)
			return
		}
	}
}

// acknowledged reports frames that the remote has taken as sent.
func (h *Host) acknowledged(b *outbox, l *link, n uint64) error {
	h.mu.Lock()
	if b.kept != l {
		h.mu.Unlock()
		return errors.New("the stream was given up")
	}
	if n == 0 || n > uint64(b.written) {
		h.mu.Unlock()
		return fmt.Errorf("the remote acknowledges %d frames of %d", n, b.written)
	}
	done := b.waiting[:n]
	if b.waiting = b.waiting[n:]; len(b.waiting) == 0 {
		b.waiting = nil
	}
	b.written -= len(done)
	for _, m := range done {
		b.writtenBytes -= len(m.Frame)
	}
	done = slices.DeleteFunc(done, func(m Outgoing) bool { return m.reported })
	h.release(b, done)
	l.progress = time.Now()
	b.window = min(b.window+2*int(n), windowFrames)
	b.recovered()
	if b.moving = b.moving && b.written > 0; b.state == resting && b.ready() {
		h.startSending(b)
	}
	h.addBusy(1) // until all is reported
	h.recount(b)
	h.mu.Unlock()
	h.tell(b, done, nil)
	clear(done)
	h.count(-1)
	return nil
}

// recovered notes that the remote takes frames.
func (b *outbox) recovered() {
	b.failed = 0
	if b.limited {
		b.limited = false
		for i := range b.waiting {
			b.waiting[i].giveUp = time.Time{}
		}
	}
}

// watchLink gives up a stream on which nothing is acknowledged, and frames whose time is past.
func (h *Host) watchLink(b *outbox, l *link) {
	if !h.work.enter() {
		return
	}
	defer h.work.leave()
	now := time.Now()
	h.mu.Lock()
	if b.kept != l || b.written == 0 {
		l.watched = false
		h.mu.Unlock()
		return
	}
	late := b.removeUnwritten(func(m Outgoing) bool { return now.After(m.Deadline) })
	unwritten := len(late)
	for i := range b.written {
		if m := &b.waiting[i]; !m.reported && now.After(m.Deadline) {
			late = append(late, *m)
			b.writtenBytes -= len(m.Frame)
			m.Frame, m.reported = nil, true // the remote still acknowledges it, perhaps
		}
	}
	stalled := now.Sub(l.progress) >= h.cfg.FrameTimeout
	if !stalled {
		l.watch.Reset(h.cfg.FrameTimeout / stallChecks)
	}
	h.mu.Unlock()
	h.report(b, late[:unwritten], fmt.Errorf("%w before it was sent", journal.TooLate))
	h.report(b, late[unwritten:], fmt.Errorf("%w before the remote acknowledged it", journal.TooLate))
	if stalled {
		h.broken(b, l, errStalled)
	}
}

// broken ends a stream that acknowledges. What it has not acknowledged is sent again, on the next one.
func (h *Host) broken(b *outbox, l *link, err error) {
	defer l.Reset()
	h.mu.Lock()
	if b.kept != l {
		h.mu.Unlock()
		return
	}
	b.kept = nil
	l.watch.Stop()
	lost := h.fail(b, l.Conn())
	if b.state == resting && b.ready() && h.ctx.Err() == nil {
		h.startSending(b)
	}
	h.forget(b)
	h.recount(b)
	h.mu.Unlock()
	h.report(b, lost, fmt.Errorf("%w: not acknowledged: %w", journal.WriteFailed, err))
}

// unopened notes that no stream could be had.
func (h *Host) unopened(b *outbox, conn network.Conn, err error) {
	h.mu.Lock()
	lost := h.fail(b, conn)
	h.mu.Unlock()
	h.report(b, lost, err)
}

// fail prepares an outbox for the next stream and returns the frames that are given up. A remote
// that takes nothing has Config.Hold from the first failure. A connection that ended is
// nobody's fault: then the peer is looked for. h.mu is held.
func (h *Host) fail(b *outbox, conn network.Conn) (lost []Outgoing) {
	b.rewind()
	if len(b.waiting) == 0 || conn.IsClosed() || h.ctx.Err() != nil {
		return nil
	}
	b.failed++
	b.waiting[0].tries++
	h.limit(b, 0)
	now := time.Now()
	return b.removeUnwritten(func(m Outgoing) bool { return m.tries >= maxTries || !now.Before(m.giveUp) })
}

// rewind makes all frames unwritten. The next stream begins with one frame, and with more as they
// are acknowledged: a frame that the remote cannot take is found out alone.
func (b *outbox) rewind() {
	b.waiting = slices.DeleteFunc(b.waiting, func(m Outgoing) bool { return m.reported })
	b.written, b.writtenBytes, b.moving, b.window = 0, 0, false, 1
}

// limit sets when the frames from the given one on stop to wait for a peer that takes nothing. h.mu
// is held.
func (h *Host) limit(b *outbox, from int) {
	b.limited = true
	most := time.Now().Add(h.cfg.Hold)
	for i := from; i < len(b.waiting); i++ {
		if m := &b.waiting[i]; m.giveUp.IsZero() {
			m.giveUp = earlier(m.Deadline, most)
		}
	}
}
