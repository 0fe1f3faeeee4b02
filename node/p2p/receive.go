package p2p

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle/wire"
)

// protectTag marks connections that the connection manager has to leave alone.
const protectTag = "particle"

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

func (h *Host) handleStream(s network.Stream) {
	if !h.work.enter() {
		s.Reset()
		return
	}
	defer h.work.leave()
	h.conns.Protect(s.Conn().RemotePeer(), protectTag)
	a := h.pace.account(s.Conn().RemotePeer())
	defer a.streams.Add(-1)
	if n := int(a.streams.Add(1)); n > h.cfg.MaxStreams {
		h.refuse(s, fmt.Errorf("%w: %d of one remote", journal.TooManyStreams, n))
		s.Reset()
		return
	}
	r := readers.Get().(*bufio.Reader)
	r.Reset(s)
	defer func() { r.Reset(nil); readers.Put(r) }()
	if err := h.readFrames(s, r, a); err != nil {
		h.refuse(s, err)
		s.Reset()
		return
	}
	if h.cfg.Taken != nil && h.cfg.Taken(h.ctx) != nil {
		s.Reset()
		return
	}
	s.Close()
}

// readFrames reads until the remote closes its side. A stream may rest between frames
// for as long as it likes, but has to bring its first one soon.
func (h *Host) readFrames(s network.Stream, r *bufio.Reader, a *account) error {
	s.SetReadDeadline(time.Now().Add(h.cfg.FrameTimeout))
	for more := false; ; more = r.Buffered() > 0 {
		if _, err := r.Peek(1); err != nil {
			return h.endOfStream(err)
		}
		if wait := h.pace.begin(a, more); wait > 0 {
			sleep(h.ctx, wait)
		}
		s.SetReadDeadline(time.Now().Add(h.cfg.FrameTimeout))
		err := h.readFrame(s, r, a)
		h.pace.end(a)
		if err != nil {
			return err
		}
		s.SetReadDeadline(time.Time{})
	}
}

// endOfStream tells an orderly end between frames, also by loss of the connection, from
// a stream that never brought anything.
func (h *Host) endOfStream(err error) error {
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() && h.ctx.Err() == nil {
		return fmt.Errorf("%w: none within %s", journal.BadFrame, h.cfg.FrameTimeout)
	}
	return nil
}

// readFrame returns an error only when the stream cannot go on.
func (h *Host) readFrame(s network.Stream, r *bufio.Reader, a *account) error {
	size, err := wire.ReadLength(r, h.cfg.MaxMessage)
	if err != nil {
		return frameError(err)
	}
	held := 0
	defer func() { h.book(a, -held) }()
	message, err := wire.ReadBody(r, size, func(n int) error {
		held += n
		return h.book(a, n)
	})
	if err != nil {
		return frameError(err)
	}
	p, err := wire.Decode(message)
	switch {
	case errors.Is(err, wire.ErrUpgrade):
	case err != nil:
		h.refuse(s, err)
	default:
		h.cfg.Receive(s.Conn().RemotePeer().String(), p)
	}
	return nil
}

// book counts bytes of a frame that are read (more than 0) or no longer held (less).
func (h *Host) book(a *account, n int) error {
	own, all := a.held.Add(int64(n)), h.held.Add(int64(n))
	if n > 0 && (own > h.cfg.MaxHeld/4 || all > h.cfg.MaxHeld) {
		return fmt.Errorf("%w: %d, of the sender %d", journal.Overload, all, own)
	}
	return nil
}

func frameError(err error) error {
	if errors.Is(err, journal.Overload) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = wire.ErrTruncated
	}
	return fmt.Errorf("%w: %w", journal.BadFrame, err)
}

func (h *Host) refuse(s network.Stream, err error) {
	from := s.Conn().RemotePeer().String()
	log.Debugw("frame refused", "peer", from, "error", err)
	h.cfg.Refused(from, err)
}
