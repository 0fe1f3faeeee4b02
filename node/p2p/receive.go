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
	in := inbound{Stream: s, from: remoteOf(s.Conn())}
	in.sender = h.pace.sender(in.from)
	defer h.pace.release(in.sender)
	defer in.sender.streams.Add(-1)
	if n := int(in.sender.streams.Add(1)); n > h.cfg.MaxStreams {
		h.refuse(s, fmt.Errorf("%w: %d of one remote", journal.TooManyStreams, n))
		s.Reset()
		return
	}
	in.account = h.account(in.from, in.sender)
	in.r = readers.Get().(*bufio.Reader)
	in.r.Reset(s)
	defer func() { in.r.Reset(nil); readers.Put(in.r) }()
	if s.Protocol() == KeptProtocol {
		in.acks = h.newAcks(s)
	}
	err := h.readFrames(&in)
	if in.acks != nil {
		if unsafe := in.acks.finish(); unsafe != nil && err == nil {
			s.Reset()
			return
		}
	}
	if err != nil {
		h.refuse(s, err)
		s.Reset()
		return
	}
	if in.acks == nil && h.cfg.Receiver.Taken(h.ctx) != nil {
		s.Reset()
		return
	}
	s.Close()
}

// inbound is a stream that is read.
type inbound struct {
	network.Stream
	r       *bufio.Reader
	from    Remote
	sender  *sender
	account Account
	acks    *acks // nil: the protocol has none
}

// readFrames reads until the remote closes its side. A stream may rest between frames
// for as long as it likes, but has to bring its first one soon.
func (h *Host) readFrames(in *inbound) error {
	in.SetReadDeadline(time.Now().Add(h.cfg.FrameTimeout))
	for more := false; ; more = in.r.Buffered() > 0 {
		if _, err := in.r.Peek(1); err != nil {
			return h.endOfStream(err)
		}
		if wait := h.pace.begin(in.sender, more); wait > 0 {
			sleep(h.ctx, wait)
		}
		in.SetReadDeadline(time.Now().Add(h.cfg.FrameTimeout))
		err := h.readFrame(in)
		h.pace.end(in.sender)
		if err != nil {
			return err
		}
		in.SetReadDeadline(time.Time{})
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
func (h *Host) readFrame(in *inbound) error {
	size, err := wire.ReadLength(in.r, h.cfg.MaxMessage)
	if err != nil {
		return frameError(err)
	}
	held := int64(0)
	defer func() { h.grow(in.account, -held) }()
	message, err := wire.ReadBody(in.r, size, func(n int) error {
		err := h.grow(in.account, int64(n))
		if err == nil {
			held += int64(n)
		}
		return err
	})
	if err != nil {
		return frameError(err)
	}
	p, err := wire.Decode(message)
	switch {
	case errors.Is(err, wire.ErrUpgrade):
	case err != nil:
		h.refuse(in, err)
	default:
		h.cfg.Receiver.Receive(in.from, p)
	}
	if in.acks != nil {
		in.acks.took(size) // also one that is refused: it would not do better the next time
	}
	return nil
}

func frameError(err error) error {
	if reason := journal.Reason(""); errors.As(err, &reason) { // the account refused
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
	h.cfg.Receiver.Refused(from, err)
}
