//go:build interop

package jsclient

import (
	"fmt"
	"net"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// proxy is a bad line to a peer: TCP connections through it can be slow, hold back
// everything, or break.
type proxy struct {
	addr   string // multiaddr of the peer through the proxy
	target string
	l      net.Listener
	done   sync.WaitGroup

	mu    sync.Mutex
	delay time.Duration
	held  chan struct{} // closed when bytes may pass again; nil while they pass
	down  bool          // new connections are refused
	conns map[net.Conn]bool
	end   chan struct{} // closed by close
}

// openProxy opens a line to a full multiaddr.
func openProxy(addr string) (*proxy, error) {
	m, err := ma.NewMultiaddr(addr)
	if err != nil {
		return nil, err
	}
	tcp, rest := ma.SplitFunc(m, func(c ma.Component) bool { return c.Code() != ma.P_IP4 && c.Code() != ma.P_TCP })
	_, target, err := manet.DialArgs(tcp)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{
		addr: fmt.Sprintf("/ip4/127.0.0.1/tcp/%d%s", l.Addr().(*net.TCPAddr).Port, rest), target: target,
		l: l, conns: map[net.Conn]bool{}, end: make(chan struct{}),
	}
	p.done.Go(p.serve)
	return p, nil
}

func (p *proxy) serve() {
	for {
		near, err := p.l.Accept()
		if err != nil {
			return
		}
		far, err := net.DialTimeout("tcp", p.target, 5*time.Second)
		if err != nil || !p.add(near, far) {
			near.Close()
			if far != nil {
				far.Close()
			}
			continue
		}
		p.done.Go(func() { p.pipe(near, far) })
		p.done.Go(func() { p.pipe(far, near) })
	}
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

// chunk is what was read at a time.
type chunk struct {
	at time.Time
	b  []byte
}

// pipe moves bytes one way. Reading does not wait for writing, so that a delay is one of
// the line and not of each packet; 4096 chunks in flight are a window large enough.
func (p *proxy) pipe(from, to net.Conn) {
	defer to.Close()
	line := make(chan chunk, 4096)
	p.done.Go(func() {
		defer close(line)
		for {
			b := make([]byte, 32<<10)
			n, err := from.Read(b)
			if err != nil {
				return
			}
			line <- chunk{time.Now(), b[:n]}
		}
	})
	for c := range line {
		if p.pass(c) != nil {
			break
		}
		if _, err := to.Write(c.b); err != nil {
			break
		}
	}
	from.Close()
	for range line { // the reader must not be left waiting
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
}

// pass waits until a chunk may go on.
func (p *proxy) pass(c chunk) error {
	p.mu.Lock()
	delay, held := p.delay, p.held
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(c.at.Add(delay)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.end:
		return net.ErrClosed
	}
	if held != nil {
		select {
		case <-held:
		case <-p.end:
			return net.ErrClosed
		}
	}
	return nil
}

// set changes the line: its delay one way, whether it holds back everything, whether it
// is down. A line that goes down breaks its connections.
func (p *proxy) set(delay time.Duration, hold, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.down = delay, down
	switch {
	case hold && p.held == nil:
		p.held = make(chan struct{})
	case !hold && p.held != nil:
		close(p.held)
		p.held = nil
	}
	if down {
		for c := range p.conns {
			c.(*net.TCPConn).SetLinger(0) // a reset, as from a line that breaks
			c.Close()
		}
	}
}

func (p *proxy) close() {
	p.l.Close()
	p.set(0, false, true)
	close(p.end)
	p.done.Wait()
}

// proxyTo opens a line and remembers it by its address.
func (l *lab) proxyTo(addr string) (any, error) {
	p, err := openProxy(addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proxies[p.addr] = p
	return p.addr, nil
}

func (l *lab) setProxy(addr string, delay time.Duration, hold, down bool) error {
	l.mu.Lock()
	p := l.proxies[addr]
	l.mu.Unlock()
	if p == nil {
		return fmt.Errorf("there is no proxy %q", addr)
	}
	p.set(delay, hold, down)
	return nil
}
