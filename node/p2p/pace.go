package p2p

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
)

// What remotes make us do, in time of a core of 2 GHz: estimates for good particles.
// Refusing a bad one is cheaper.
const (
	streamCost = 300 * time.Microsecond // a stream accepted, negotiated and closed, with what it does to others
	frameCost  = 120 * time.Microsecond // decoded, verified, stepped once
	readCost   = time.Microsecond       // one Read of the muxer; two for each of its frames
	byteCost   = 4 * time.Nanosecond    // decrypted, copied, decoded
)

const (
	// paceShare is what of all cores those in debt get together while others are around:
	// some 2500 frames a second on two cores.
	paceShare = 0.15
	// paceBurst is what a remote may use at once: some 60 streams with a frame each. A burst
	// of 300 takes 350 ms longer for it.
	paceBurst = 25 * time.Millisecond
	// paceRivalry is how long after its last sign of life a remote counts as being around.
	paceRivalry = time.Second
	// paceLag bounds how long one remote has to wait.
	paceLag = 5 * time.Second
	// paceRest is after how long an account that is not used is closed.
	paceRest = time.Minute
)

// pace divides a peer's attention among remotes. Whoever is alone may have all of it. When
// there are others, a remote that has used up its burst is in debt and gets a share of the
// cores, which all debtors divide among themselves: its connections and its frames wait.
// Nothing is lost by that, it stays on the side of the sender. Who sends one frame after
// the other, each when the one before is done, is never in debt.
//
// Without it, one remote that does not wait for answers keeps all cores busy, and while
// they are, Go looks at the network every 10 ms only: the p99 of others' calls rose from 4
// to 190 ms.
type pace struct {
	share  float64 // of one core
	now    func() time.Time
	waited atomic.Uint64 // frames that had to wait

	mu            sync.Mutex
	accounts      map[peer.ID]*account
	latest, other activity // of the remote that was active last, and of the last other one
	debtors       int
}

type activity struct {
	of *account
	at time.Time
}

// An account is what one remote has left, on all its connections.
type account struct {
	working atomic.Int32 // its frames that are being read, decoded and verified
	streams atomic.Int32 // of the particle protocol
	held    atomic.Int64 // bytes of its frames that are being read

	pausedUntil atomic.Int64 // nanoseconds since 1970; 0: not at all

	// guarded by pace.mu
	balance time.Duration
	used    time.Time // when balance was computed
	next    time.Time // when the next work is due, in debt
	debtor  bool
}

func newPace() *pace {
	return &pace{share: paceShare * float64(runtime.GOMAXPROCS(0)), now: time.Now, accounts: make(map[peer.ID]*account)}
}

// account gives the account of a remote.
func (p *pace) account(id peer.ID) *account {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.accounts[id]
	if a == nil {
		now := p.now()
		p.audit(now)
		a = &account{balance: paceBurst, used: now}
		p.accounts[id] = a
	}
	return a
}

// audit looks at some accounts: those that rest are closed. As it happens with every new
// account and every wait, all have their turn.
func (p *pace) audit(now time.Time) {
	some := 3
	for id, a := range p.accounts {
		p.settle(a, now)
		if now.Sub(a.used) > paceRest && a.streams.Load() == 0 {
			delete(p.accounts, id)
		}
		if some--; some == 0 {
			return
		}
	}
}

// settle brings up to date whether an account is in debt.
func (p *pace) settle(a *account, now time.Time) {
	earned := min(time.Duration(p.share*float64(now.Sub(a.used))), 2*paceBurst)
	debtor := min(a.balance+earned, paceBurst) < 0
	switch {
	case debtor && !a.debtor:
		p.debtors++
	case !debtor && a.debtor:
		p.debtors--
		a.pausedUntil.Store(0)
	}
	a.debtor = debtor
}

// charge books what a remote costs by asking for something, and tells how long that has to
// wait.
func (p *pace) charge(a *account, cost time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.active(a, now)
	return p.book(a, cost, now)
}

// passive books what a remote costs by what may be no more than answers to us.
func (p *pace) passive(a *account, cost time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.book(a, cost, p.now())
}

// book does the same; p.mu is held.
func (p *pace) book(a *account, cost time.Duration, now time.Time) time.Duration {
	earned := min(time.Duration(p.share*float64(now.Sub(a.used))), 2*paceBurst)
	a.balance = max(min(a.balance+earned, paceBurst)-cost, -paceBurst)
	a.used = now
	p.settle(a, now)
	if !a.debtor || !p.rivals(a, now) {
		a.next = now
		a.pausedUntil.Store(0)
		return 0
	}
	p.audit(now)
	if a.next.Before(now) {
		a.next = now
	}
	a.next = a.next.Add(time.Duration(float64(cost) / p.share * float64(p.debtors)))
	if latest := now.Add(paceLag); a.next.After(latest) {
		a.next = latest
	}
	a.pausedUntil.Store(a.next.UnixNano())
	return a.next.Sub(now)
}

// active notes that a remote asks for something.
func (p *pace) active(a *account, now time.Time) {
	if p.latest.of != a {
		p.latest, p.other = activity{a, now}, p.latest
	}
	p.latest.at = now
}

// rivals reports whether others than a are active.
func (p *pace) rivals(a *account, now time.Time) bool {
	last := p.latest
	if last.of == a {
		last = p.other
	}
	return last.of != nil && now.Sub(last.at) < paceRivalry
}

// begin books a frame that begins to arrive and tells how long it has to wait; end follows
// when it is done. more says that it came right behind another one.
func (p *pace) begin(a *account, more bool) time.Duration {
	cost := time.Duration(0)
	if a.working.Add(1) > 1 || more {
		cost = frameCost
	}
	wait := p.charge(a, cost)
	if wait > 0 {
		p.waited.Add(1)
	}
	return wait
}

func (p *pace) end(a *account) { a.working.Add(-1) }

// Load is what remotes make a host do.
type Load struct {
	Held  int64  // bytes of frames being read or waiting to be sent
	Paced uint64 // frames since the start that waited because their sender was in debt
}

// Load gives the load at this moment.
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
	a := m.pace.account(secure.RemotePeer())
	muxed, err := yamux.DefaultTransport.NewConn(&pacedConn{Conn: c, pace: m.pace, account: a}, isServer, scope)
	if err != nil {
		return nil, err
	}
	return &pacedStreams{muxed, m.pace, a}, nil
}

type pacedConn struct {
	net.Conn
	pace    *pace
	account *account
	unpaid  time.Duration
}

const (
	payEvery = 100 * time.Microsecond
	maxPause = 100 * time.Millisecond // of one Read, so that keep-alives get through
)

// Read waits while the remote is in debt.
func (c *pacedConn) Read(b []byte) (int, error) {
	if until := c.account.pausedUntil.Load(); until != 0 {
		if wait := time.Duration(until - time.Now().UnixNano()); wait > 0 {
			time.Sleep(min(wait, maxPause))
		}
	}
	n, err := c.Conn.Read(b)
	if c.unpaid += readCost + time.Duration(n)*byteCost; c.unpaid > payEvery {
		c.pace.passive(c.account, c.unpaid)
		c.unpaid = 0
	}
	return n, err
}

type pacedStreams struct {
	network.MuxedConn
	pace    *pace
	account *account
}

// AcceptStream books a stream.
func (c *pacedStreams) AcceptStream() (network.MuxedStream, error) {
	s, err := c.MuxedConn.AcceptStream()
	if err == nil {
		c.pace.charge(c.account, streamCost)
	}
	return s, err
}
