package p2p

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

// numbered makes a frame that frameNumber recognizes.
func numbered(i int) Outgoing {
	m := outgoing(0)
	p := particle.New(testKey(99), "(null)", time.Minute, time.Now())
	p.Data = []byte(strconv.Itoa(i))
	m.Frame = wire.Frame(p)
	return m
}

func frameNumber(t testing.TB, p *particle.Particle) int {
	n, err := strconv.Atoi(string(p.Data))
	if err != nil {
		t.Error(err)
	}
	return n
}

// acking is a remote of [KeptProtocol] whose streams are handled by the test.
func acking(t *testing.T, n byte, onStream func(network.Stream)) host.Host {
	t.Helper()
	h := stranger(t, n, wire.ProtocolID, func(s network.Stream) { s.Reset() })
	h.SetStreamHandler(KeptProtocol, onStream)
	return h
}

func readNumber(t testing.TB, r *bufio.Reader) (int, error) {
	message, err := wire.ReadMessage(r, wire.MaxMessage)
	if err != nil {
		return 0, err
	}
	p, err := wire.Decode(message)
	if err != nil {
		t.Error(err)
		return 0, err
	}
	return frameNumber(t, p), nil
}

func ack(s network.Stream, n int) error {
	_, err := s.Write(binary.AppendUvarint(nil, uint64(n)))
	return err
}

// takesAll acknowledges every frame.
func takesAll(t testing.TB, got chan<- int) func(network.Stream) {
	return func(s network.Stream) {
		r := bufio.NewReader(s)
		for {
			n, err := readNumber(t, r)
			if err != nil {
				s.Close()
				return
			}
			got <- n
			if ack(s, 1) != nil {
				return
			}
		}
	}
}

// A receiver resets and closes its streams, and its connection, after any number of frames, with
// any number of them read but not taken. Each stream begins with a frame that was taken or is the
// next, goes on in order, and in the end all are taken.
func TestEveryFrameIsTaken(t *testing.T) {
	const frames = 10_000
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex // one stream at a time
	taken, broken := 0, map[string]int{}
	x := newNode(t, 1, func(c *Config) {
		c.Hold = time.Minute
		fakeOf(c).held = func(string, Outgoing, error) {}
	})
	reborn := make(chan struct{}, 1)
	receiver := acking(t, 50, func(s network.Stream) {
		mu.Lock()
		defer mu.Unlock()
		r := bufio.NewReader(s)
		next := -1
		for read, acked, limit := 0, 0, random.IntN(300); ; {
			n, err := readNumber(t, r)
			if err != nil {
				return // the connection was closed meanwhile
			}
			if n > taken && n != next || next >= 0 && n != next {
				t.Errorf("frame %d after %d, %d are taken", n, next-1, taken)
			}
			next = n + 1
			read++
			last := next == frames
			if random.IntN(10) == 0 || read == 1 || last || r.Buffered() == 0 {
				ack(s, read-acked) // a reset may overtake it
				taken, acked = max(taken, next), read
			}
			if read < limit || last {
				continue
			}
			switch random.IntN(8) {
			case 0, 1, 2:
				broken["reset"]++
				s.Reset()
			case 3, 4, 5, 6:
				broken["closed"]++
				s.Close()
			default:
				broken["connection"]++
				s.Conn().Close()
				reborn <- struct{}{}
			}
			return
		}
	})
	connectTo(t, receiver, x)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range frames {
			if err := wait(t, x.sent, "the fate of a frame"); err != nil {
				t.Errorf("a frame is lost: %v", err)
			}
		}
	}()
	to := receiver.ID().String()
	info := peer.AddrInfo{ID: x.host.ID(), Addrs: x.host.Addrs()}
	for i := 0; i < frames; {
		x.mu.Lock()
		full := x.outboxes[receiver.ID()] != nil && x.outboxes[receiver.ID()].frames > 3000
		x.mu.Unlock()
		if !full {
			x.Send(to, numbered(i))
			i++
		} else {
			time.Sleep(time.Millisecond)
		}
		select {
		case <-reborn:
			if err := receiver.Connect(context.Background(), info); err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	for over := false; !over; {
		select {
		case <-reborn:
			if err := receiver.Connect(context.Background(), info); err != nil {
				t.Fatal(err)
			}
		case <-done:
			over = true
		}
	}
	x.wantHeld(0)
	x.Close() // ends the last stream
	mu.Lock()
	defer mu.Unlock()
	if taken < frames || broken["reset"] == 0 || broken["closed"] == 0 || broken["connection"] == 0 {
		t.Errorf("%d of %d frames taken, broken %v", taken, frames, broken)
	}
}

// A host is closed and comes back, many times, while frames are on their way to it.
func TestEveryFrameReachesAPeerThatRestarts(t *testing.T) {
	const frames, lives = 10_000, 12
	var mu sync.Mutex
	got := map[int]bool{}
	listen := ""
	var receiver *node
	start := func() {
		receiver = newNode(t, 2, func(c *Config) {
			if listen != "" {
				c.Listen = []string{listen}
			}
			fakeOf(c).receive = func(_ Remote, p *particle.Particle) {
				mu.Lock()
				defer mu.Unlock()
				got[frameNumber(t, p)] = true
			}
		})
		listen = strings.Split(receiver.Addrs()[0], "/p2p/")[0]
	}
	start()
	var lost, sent atomic.Int64
	x := newNode(t, 1, func(c *Config) {
		c.Hold = time.Minute
		fakeOf(c).held = func(string, Outgoing, error) {}
		fakeOf(c).sent = func(_ string, m Outgoing, err error) {
			if err != nil {
				lost.Add(1)
			}
			sent.Add(1)
		}
	})
	if err := x.Keep(receiver.Addrs()[0]); err != nil {
		t.Fatal(err)
	}
	to := receiver.ID()
	for i := range frames {
		for sent.Load() < int64(i-3000) {
			time.Sleep(time.Millisecond)
		}
		x.Send(to, numbered(i))
		if i%(frames/lives) == frames/lives-1 {
			receiver.Close()
			start()
		}
	}
	for sent.Load() < frames {
		time.Sleep(time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if lost := lost.Load(); lost > 0 || len(got) != frames {
		t.Errorf("%d frames arrived, %d are lost", len(got), lost)
	}
	x.wantHeld(0)
}

// Versions before KeptProtocol get frames as they did.
func TestPeerThatDoesNotAcknowledge(t *testing.T) {
	x, old := newNode(t, 1, nil), newNode(t, 2, func(c *Config) { c.notAcked = true })
	x.dial(old)
	for x.wayTo(x.newest(old.host.ID())) != keptByPeer {
		time.Sleep(time.Millisecond)
	}
	for range 300 {
		m := outgoing(100)
		x.Send(old.ID(), m)
		old.wantReceived(m)
		x.wantSent("")
		old.Send(x.ID(), m)
		x.wantReceived(m)
		old.wantSent("")
	}
}

// A remote that reads and never acknowledges holds frames no longer than their deadline or
// Config.Hold, and is tried again.
func TestRemoteThatNeverAcknowledges(t *testing.T) {
	x := newNode(t, 1, func(c *Config) { c.FrameTimeout = 600 * time.Millisecond; c.Hold = 900 * time.Millisecond })
	var good atomic.Bool
	got := make(chan int, 10_000)
	h := acking(t, 50, func(s network.Stream) {
		if good.Load() {
			takesAll(t, got)(s)
			return
		}
		for r := bufio.NewReader(s); ; {
			if _, err := readNumber(t, r); err != nil {
				return
			}
		}
	})
	connectTo(t, h, x)
	purse := newPurse(1 << 30)
	const n = 2000
	reasons := map[journal.Reason]int{}
	var all []Outgoing
	for i := range n {
		m := numbered(i)
		m.Account = purse
		all = append(all, m)
	}
	soon := time.Now().Add(300 * time.Millisecond)
	for i, m := range all {
		if i%2 == 0 {
			m.Deadline = soon
		}
		x.Send(h.ID().String(), m)
	}
	for range n {
		reasons[journal.ReasonOf(wait(t, x.sent, "the fate of a frame"))]++
	}
	if reasons[journal.TooLate] != n/2 || reasons[journal.WriteFailed] != n/2 {
		t.Errorf("want half of the frames expired and half not taken, got %v", reasons)
	}
	x.wantHeld(0)
	if held := purse.held.Load(); held != 0 {
		t.Errorf("%d bytes stay charged", held)
	}
	good.Store(true)
	x.Send(h.ID().String(), numbered(n))
	if i := wait(t, got, "a frame"); i != n {
		t.Errorf("want frame %d, got %d", n, i)
	}
	x.wantSent("")
}

// What is not acknowledged is bounded in frames and bytes, stays charged, and has no goroutine
// besides the one that reads acknowledgements.
func TestWindow(t *testing.T) {
	for size, want := range map[int]int{0: windowFrames, 1 << 20: 3, windowBytes + 1: 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			const n = 2000
			x := newNode(t, 1, func(c *Config) { c.FrameTimeout = time.Hour; c.QueueFrames = 2 * n })
			streams, got := make(chan network.Stream, 10), make(chan struct{}, n)
			h := acking(t, 50, func(s network.Stream) {
				streams <- s
				for r := bufio.NewReader(s); ; got <- struct{}{} {
					if _, err := wire.ReadMessage(r, wire.MaxMessage); err != nil {
						return
					}
				}
			})
			connectTo(t, h, x)
			m := outgoing(size)
			m.Account = newPurse(1 << 40)
			count := min(n, max(4*want, 10))
			for range count {
				x.Send(h.ID().String(), m)
			}
			s := wait(t, streams, "a stream")
			for range want {
				wait(t, got, "a frame")
			}
			b := x.outbox(h.ID())
			rests := func() bool {
				x.mu.Lock()
				defer x.mu.Unlock()
				return b.state == resting
			}
			for !rests() {
				time.Sleep(time.Millisecond)
			}
			x.mu.Lock()
			if b.written != want || b.frames != count || len(x.shared) != 1 {
				t.Errorf("want %d frames on the stream and %d in all, got %d and %d", want, count, b.written, b.frames)
			}
			x.mu.Unlock()
			for acked, read := 0, want; acked < count; {
				if read > acked {
					ack(s, read-acked)
					acked = read
				}
				if acked < count {
					wait(t, got, "a frame")
					read++
				}
			}
			for range count {
				x.wantSent("")
			}
			if len(got) != 0 {
				t.Errorf("%d frames more than sent", len(got))
			}
			x.wantHeld(0)
		})
	}
}

func (h *Host) outbox(id peer.ID) *outbox {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.outboxes[id]
}

// A stream that acknowledges what cannot be is given up; the next one gets the frames.
func TestBadAcknowledgements(t *testing.T) {
	for name, bad := range map[string][]byte{
		"none":         {0},
		"too many":     {4},
		"far too many": binary.AppendUvarint(nil, 1<<63),
		"endless":      bytes.Repeat([]byte{0xff}, 1000),
		"twice":        {3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			x := newNode(t, 1, func(c *Config) { c.Hold = time.Minute })
			got := make(chan int, 10)
			var streams atomic.Int32
			h := acking(t, 50, func(s network.Stream) {
				if streams.Add(1) > 1 {
					takesAll(t, got)(s)
					return
				}
				r := bufio.NewReader(s)
				for range 3 {
					if _, err := readNumber(t, r); err != nil {
						t.Error(err)
					}
				}
				s.Write(bad)
				if _, err := r.ReadByte(); err == nil {
					t.Error("the stream goes on")
				}
			})
			connectTo(t, h, x)
			for i := range 3 {
				x.Send(h.ID().String(), numbered(i))
			}
			if name == "twice" {
				for range 3 {
					x.wantSent("")
				}
				return
			}
			for i := range 3 {
				if n := wait(t, got, "a frame"); n != i {
					t.Errorf("want frame %d, got %d", i, n)
				}
				x.wantSent("")
			}
		})
	}
}

// A frame that the remote cannot take is lost alone, after some tries.
func TestFrameThatBreaksStreams(t *testing.T) {
	const bad, n = 7, 50
	x := newNode(t, 1, func(c *Config) { c.Hold = time.Minute })
	var tries atomic.Int32
	h := acking(t, 50, func(s network.Stream) {
		for r := bufio.NewReader(s); ; ack(s, 1) {
			switch i, err := readNumber(t, r); {
			case err != nil:
				return
			case i == bad:
				tries.Add(1)
				s.Reset()
				return
			}
		}
	})
	connectTo(t, h, x)
	for i := range n {
		x.Send(h.ID().String(), numbered(i))
	}
	lost := 0
	for range n {
		if err := wait(t, x.sent, "the fate of a frame"); err != nil {
			wantReason(t, err, journal.WriteFailed)
			lost++
		}
	}
	// A reset may overtake acknowledgements of frames before it, which then are the first.
	if n := tries.Load(); lost != 1 || n < maxTries || n > 3*maxTries {
		t.Errorf("want one frame lost after %d tries or some more, got %d and %d", maxTries, lost, n)
	}
}

// Frames go over a better connection when those on the old one are acknowledged, not before.
func TestOrderOverConnections(t *testing.T) {
	x := newNode(t, 1, nil)
	type arrival struct {
		frame  int
		stream network.Stream
	}
	got := make(chan arrival, 10)
	reads := func(s network.Stream) {
		for r := bufio.NewReader(s); ; {
			n, err := readNumber(t, r)
			if err != nil {
				return
			}
			got <- arrival{n, s}
		}
	}
	one, two := acking(t, 50, reads), acking(t, 50, reads)
	connectTo(t, one, x)
	to := one.ID().String()
	x.Send(to, numbered(0))
	first := wait(t, got, "a frame")
	connectTo(t, two, x)
	old := x.outbox(one.ID()).kept.Conn()
	for x.newest(one.ID()) == old {
		time.Sleep(time.Millisecond)
	}
	x.Send(to, numbered(1))
	moving := func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.outboxes[one.ID()].moving
	}
	for !moving() {
		time.Sleep(time.Millisecond)
	}
	if len(got) > 0 {
		t.Error("a frame overtakes another one")
	}
	ack(first.stream, 1)
	x.wantSent("")
	second := wait(t, got, "the next frame")
	if second.frame != 1 || second.stream.Conn().LocalPeer() != two.ID() || second.stream == first.stream {
		t.Errorf("unexpected %+v after %+v", second, first)
	}
	ack(second.stream, 1)
	x.wantSent("")
}

// Flush waits until the remote has taken what was sent.
func TestFlushWaitsForAcknowledgements(t *testing.T) {
	x := newNode(t, 1, nil)
	taken := make(chan struct{})
	read := make(chan network.Stream, 1)
	h := acking(t, 50, func(s network.Stream) {
		if _, err := readNumber(t, bufio.NewReader(s)); err != nil {
			t.Error(err)
		}
		read <- s
		<-taken
		ack(s, 1)
	})
	connectTo(t, h, x)
	x.Send(h.ID().String(), numbered(0))
	wait(t, read, "a frame")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	x.Flush(ctx)
	if ctx.Err() == nil {
		t.Error("Flush does not wait")
	}
	close(taken)
	x.Flush(context.Background())
	if len(x.sent) != 1 {
		t.Error("Flush returned before the frame was reported")
	}
}

// What is not safe is not acknowledged, and is sent again.
func TestTakenComesBeforeTheAcknowledgement(t *testing.T) {
	var fails atomic.Int32
	fails.Store(2)
	x := newNode(t, 1, func(c *Config) { c.Hold = time.Minute })
	y := newNode(t, 2, func(c *Config) {
		fakeOf(c).taken = func(context.Context) error {
			if fails.Add(-1) >= 0 {
				return errors.New("the disk is full")
			}
			return nil
		}
	})
	x.dial(y)
	m := outgoing(10)
	x.Send(y.ID(), m)
	for range 3 {
		y.wantReceived(m)
	}
	x.wantSent("")
}

// slowStream does not take what is written until it is let.
type slowStream struct {
	network.Stream
	open    chan struct{}
	written chan uint64
}

func (s *slowStream) SetWriteDeadline(time.Time) error { return nil }

func (s *slowStream) Write(b []byte) (int, error) {
	<-s.open
	n, _ := binary.Uvarint(b)
	s.written <- n
	return len(b), nil
}

// Reading never waits for a remote that does not read its acknowledgements, nor for the disk; it
// causes no goroutines, and what was collected meanwhile is one write after one sync.
func TestAcknowledgementsAreCollected(t *testing.T) {
	const frames = 100_000
	var syncs atomic.Int32
	x := newNode(t, 1, func(c *Config) { fakeOf(c).taken = func(context.Context) error { syncs.Add(1); return nil } })
	s := &slowStream{open: make(chan struct{}), written: make(chan uint64, frames)}
	a := x.newAcks(s)
	before, most := runtime.NumGoroutine(), 0
	for i := range frames {
		a.took(1000)
		if i%1000 == 0 {
			most = max(most, runtime.NumGoroutine()-before)
		}
	}
	if most > 20 {
		t.Errorf("%d more goroutines", most)
	}
	close(s.open)
	if err := a.finish(); err != nil {
		t.Error(err)
	}
	writes, sum := len(s.written), uint64(0)
	for range writes {
		sum += <-s.written
	}
	if sum != frames || writes > 3 || int(syncs.Load()) != writes {
		t.Errorf("%d frames acknowledged in %d writes after %d syncs", sum, writes, syncs.Load())
	}
}
