package p2p

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
)

// Costs of what remotes ask for, in time of a core of 2 GHz: estimates for good particles.
// Refusing a bad one is cheaper.
const (
	streamCost = 300 * time.Microsecond // a stream accepted, negotiated and closed, with what it does to others
	frameCost  = 120 * time.Microsecond // decoded, verified, stepped once
	readCost   = time.Microsecond       // one Read of the muxer; two for each of its frames
	byteCost   = 4 * time.Nanosecond    // decrypted, copied, decoded
)

const (
	// paceShare is the part of all cores that all empty buckets share while other remotes are
	// active: some 2500 frames a second on two cores.
	paceShare = 0.15
	// paceBurst is the size of a bucket: some 60 streams with a frame each. A burst of 300
	// takes 350 ms longer for it.
	paceBurst = 25 * time.Millisecond
	// paceRivalry is how long after its last request a remote counts as active.
	paceRivalry = time.Second
	// paceLag bounds how long one remote has to wait.
	paceLag = 5 * time.Second
	// paceRest is after how long an unused bucket is dropped. It is full by then.
	paceRest = 10 * time.Second
)

// pace limits the processor time that remotes take, with token buckets of two levels. A token
// is a nanosecond of a core.
//
// Each address range has a bucket. While it has tokens, its remotes do not wait. When it is
// empty, those of its remotes wait that have used up their own buckets; each of these refills
// at the range's rate divided by the number of active remotes in it. So 500 connections
// of one range get one share, and a neighbour that asks for little is served at once.
//
// Nobody waits as long as no other remote is active. Waiting happens before the next read of a
// connection or frame: nothing is lost, the data stays with the sender. A remote that sends one
// frame after the other, each when the one before is done, never empties a bucket.
//
// Without this, one remote that does not wait for answers keeps all cores busy, and while
// they are, Go looks at the network every 10 ms only: the p99 of others' calls rose from 4
// to 190 ms.
type pace struct {
	rate   float64 // tokens a nanosecond
	now    func() time.Time
	waited atomic.Uint64 // frames that had to wait

	mu            sync.Mutex
	senders       map[Remote]*sender
	ranges        map[string]*senderRange
	latest, other activity // of the remote that was active last, and of the last other one
	empty         int      // ranges whose bucket is empty
}

type activity struct {
	of *sender
	at time.Time
}

// A bucket holds tokens; it is empty when it has less than none.
type bucket struct {
	tokens time.Duration
	filled time.Time // when tokens was computed
	empty  bool
}

// level is how many tokens there are now. A bucket refills at most twice its size at once,
// which is from the lowest level to the highest.
func (b *bucket) level(now time.Time, rate float64, size time.Duration) time.Duration {
	refill := min(time.Duration(rate*float64(now.Sub(b.filled))), 2*size)
	return min(b.tokens+refill, size)
}

// update sets whether the bucket is empty and reports by how much that changes a count.
func (b *bucket) update(empty bool) (change int) {
	switch {
	case empty && !b.empty:
		change = 1
	case !empty && b.empty:
		change = -1
	}
	b.empty = empty
	return change
}

// senderRange is an address range with remotes.
type senderRange struct {
	bucket
	senders int // in pace.senders
	waiting int // senders whose bucket is empty

	window       time.Time // when counting the active senders began
	number       int       // of the window
	active, past int       // senders that were active in this window, and in the one before
}

// A sender is one remote with all its connections from one address range.
type sender struct {
	working atomic.Int32 // its frames that are being read, decoded and verified
	streams atomic.Int32 // of the particle protocol
	held    atomic.Int64 // bytes of its frames that are being read

	pausedUntil atomic.Int64 // nanoseconds since 1970; 0: not at all

	// guarded by pace.mu
	bucket
	users  int // connections and streams
	within *senderRange
	window int       // the last window of the range in which it was active
	next   time.Time // when its next work is due while its bucket is empty
}

func newPace() *pace {
	return &pace{
		rate: paceShare * float64(runtime.GOMAXPROCS(0)), now: time.Now,
		senders: make(map[Remote]*sender), ranges: make(map[string]*senderRange),
	}
}

// sender returns the sender of a remote, with a new bucket if it has none. That bucket has what
// the range has left: otherwise new keys would be new tokens. The caller releases the sender.
func (p *pace) sender(r Remote) *sender {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.senders[r]
	if s == nil {
		now := p.now()
		p.sweep(now)
		within := p.ranges[r.Range]
		if within == nil {
			within = &senderRange{bucket: bucket{tokens: paceBurst, filled: now}, window: now}
			p.ranges[r.Range] = within
		}
		within.senders++
		tokens := max(within.level(now, p.rate, paceBurst), 0)
		s = &sender{bucket: bucket{tokens: tokens, filled: now}, within: within, window: -1}
		p.senders[r] = s
	}
	s.users++
	return s
}

func (p *pace) release(s *sender) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.users--
}

// sweep looks at a few senders and drops those that rest. It runs with every new sender and
// every wait, so all have their turn.
func (p *pace) sweep(now time.Time) {
	some := 3
	for r, s := range p.senders {
		p.settle(s, now)
		if s.users == 0 && now.Sub(s.filled) > paceRest {
			s.within.waiting += s.update(false)
			if s.within.senders--; s.within.senders == 0 {
				p.empty += s.within.update(false)
				delete(p.ranges, r.Range)
			}
			delete(p.senders, r)
		}
		if some--; some == 0 {
			return
		}
	}
}

// settle updates whether a sender's buckets are empty.
func (p *pace) settle(s *sender, now time.Time) {
	p.empty += s.within.update(s.within.level(now, p.rate, paceBurst) < 0)
	n := s.within.count()
	s.within.waiting += s.update(s.level(now, p.rate/float64(n), paceBurst/time.Duration(n)) < 0)
	if !s.empty || !s.within.empty {
		s.pausedUntil.Store(0)
	}
}

// count is how many senders share the range's rate.
func (r *senderRange) count() int { return max(r.active, r.past, 1) }

// see counts a sender as active in its range.
func (s *sender) see(now time.Time) {
	r := s.within
	if age := now.Sub(r.window); age >= paceRivalry {
		r.past = r.active
		if age >= 2*paceRivalry {
			r.past = 0
		}
		r.active, r.window = 0, now
		r.number++
	}
	if s.window != r.number {
		s.window = r.number
		r.active++
	}
}

// charge takes tokens for what a remote asks for, and returns how long that has to wait.
func (p *pace) charge(s *sender, cost time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.active(s, now)
	return p.take(s, cost, now)
}

// passive takes tokens for what may be no more than answers to us.
func (p *pace) passive(s *sender, cost time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take(s, cost, p.now())
}

// take takes tokens from both buckets. p.mu is held.
func (p *pace) take(s *sender, cost time.Duration, now time.Time) time.Duration {
	s.see(now)
	r, n := s.within, s.within.count()
	size := paceBurst / time.Duration(n)
	r.tokens = max(r.level(now, p.rate, paceBurst)-cost, -paceBurst)
	s.tokens = max(s.level(now, p.rate/float64(n), size)-cost, -size)
	r.filled, s.filled = now, now
	p.settle(s, now)
	if !s.empty || !r.empty || !p.rivals(s, now) {
		s.next = now
		s.pausedUntil.Store(0)
		return 0
	}
	p.sweep(now)
	if s.next.Before(now) {
		s.next = now
	}
	s.next = s.next.Add(time.Duration(float64(cost) / p.rate * float64(p.empty*r.waiting)))
	if latest := now.Add(paceLag); s.next.After(latest) {
		s.next = latest
	}
	s.pausedUntil.Store(s.next.UnixNano())
	return s.next.Sub(now)
}

// active notes that a remote asks for something.
func (p *pace) active(s *sender, now time.Time) {
	if p.latest.of != s {
		p.latest, p.other = activity{s, now}, p.latest
	}
	p.latest.at = now
}

// rivals reports whether remotes other than s are active.
func (p *pace) rivals(s *sender, now time.Time) bool {
	last := p.latest
	if last.of == s {
		last = p.other
	}
	return last.of != nil && now.Sub(last.at) < paceRivalry
}

// begin charges a frame that begins to arrive and returns how long it has to wait; end follows
// when it is done. more says that it came right behind another one.
func (p *pace) begin(s *sender, more bool) time.Duration {
	cost := time.Duration(0)
	if s.working.Add(1) > 1 || more {
		cost = frameCost
	}
	wait := p.charge(s, cost)
	if wait > 0 {
		p.waited.Add(1)
	}
	return wait
}

func (p *pace) end(s *sender) { s.working.Add(-1) }

// Load is what remotes make a host do.
type Load struct {
	Held  int64  // bytes of frames being read or waiting to be sent
	Paced uint64 // frames since the start that waited because their sender's bucket was empty
}

// Load returns the load at this moment.
func (h *Host) Load() Load { return Load{h.held.Load(), h.pace.waited.Load()} }

// pacedMuxer is yamux on connections that are read at the pace of their remote. What QUIC
// carries is paced by frames only.
type pacedMuxer struct{ pace *pace }

// NewConn implements [network.Multiplexer].
func (m pacedMuxer) NewConn(c net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error) {
	secure, ok := c.(sec.SecureConn)
	if !ok {
		return yamux.DefaultTransport.NewConn(c, isServer, scope)
	}
	id := secure.RemotePeer()
	s := m.pace.sender(Remote{id.String(), netRange(c.RemoteAddr(), id)})
	muxed, err := yamux.DefaultTransport.NewConn(&pacedConn{Conn: c, pace: m.pace, sender: s}, isServer, scope)
	if err != nil {
		m.pace.release(s)
		return nil, err
	}
	return &pacedStreams{muxed, m.pace, s, sync.OnceFunc(func() { m.pace.release(s) })}, nil
}

type pacedConn struct {
	net.Conn
	pace   *pace
	sender *sender
	unpaid time.Duration
}

const (
	payEvery = 100 * time.Microsecond
	maxPause = 100 * time.Millisecond // of one Read, so that keep-alives get through
)

// Read waits while the remote has no tokens.
func (c *pacedConn) Read(b []byte) (int, error) {
	if until := c.sender.pausedUntil.Load(); until != 0 {
		if wait := time.Duration(until - time.Now().UnixNano()); wait > 0 {
			time.Sleep(min(wait, maxPause))
		}
	}
	n, err := c.Conn.Read(b)
	if c.unpaid += readCost + time.Duration(n)*byteCost; c.unpaid > payEvery {
		c.pace.passive(c.sender, c.unpaid)
		c.unpaid = 0
	}
	return n, err
}

type pacedStreams struct {
	network.MuxedConn
	pace    *pace
	sender  *sender
	release func()
}

// Close implements [network.MuxedConn].
func (c *pacedStreams) Close() error {
	c.release()
	return c.MuxedConn.Close()
}

// CloseWithError implements [network.MuxedConn].
func (c *pacedStreams) CloseWithError(code network.ConnErrorCode) error {
	c.release()
	return c.MuxedConn.CloseWithError(code)
}

// AcceptStream charges a stream.
func (c *pacedStreams) AcceptStream() (network.MuxedStream, error) {
	s, err := c.MuxedConn.AcceptStream()
	if err == nil {
		c.pace.charge(c.sender, streamCost)
	}
	return s, err
}
