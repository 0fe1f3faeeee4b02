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

// smallFrame is what a frame may take without asking for a share of MaxInFlight.
const smallFrame = 64 << 10

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

func (h *Host) handleStream(s network.Stream) {
	if !h.work.enter() {
		s.Reset()
		return
	}
	defer h.work.leave()
	h.conns.Protect(s.Conn().RemotePeer(), protectTag)
	r := readers.Get().(*bufio.Reader)
	r.Reset(s)
	defer func() { r.Reset(nil); readers.Put(r) }()
	if err := h.readFrames(s, r); err != nil {
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
func (h *Host) readFrames(s network.Stream, r *bufio.Reader) error {
	s.SetReadDeadline(time.Now().Add(h.cfg.FrameTimeout))
	for {
		if _, err := r.Peek(1); err != nil {
			return h.endOfStream(err)
		}
		s.SetReadDeadline(time.Now().Add(h.cfg.FrameTimeout))
		if err := h.readFrame(s, r); err != nil {
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
func (h *Host) readFrame(s network.Stream, r *bufio.Reader) error {
	size, err := wire.ReadLength(r, h.cfg.MaxMessage)
	if err != nil {
		return frameError(err)
	}
	if size > smallFrame {
		defer h.inFlight.Add(-int64(size))
		if h.inFlight.Add(int64(size)) > h.cfg.MaxInFlight {
			return fmt.Errorf("%w: one more of %d", journal.Overload, size)
		}
	}
	message, err := wire.ReadBody(r, size)
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

func frameError(err error) error {
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
