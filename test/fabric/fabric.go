// Package fabric is a network of peers in one process whose links can be cut, frozen and made
// slow. Every peer reaches every other one through a proxy of its own, and announces no
// address, so that there is no way around the links.
package fabric

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
)

// Network is a running network. Peers count from 1, as in devnet.
type Network struct {
	Peers []*node.Node
	links map[[2]int]*Link
}

// Start starts peers 1 to n, and a link between any two. Edit, if set, changes a peer's
// configuration.
func Start(n int, edit func(n int, c *config.Config)) (*Network, error) {
	x := &Network{links: make(map[[2]int]*Link)}
	for i := 1; i <= n; i++ {
		if err := x.startPeer(i, edit); err != nil {
			return nil, errors.Join(err, x.Close())
		}
	}
	for i := 1; i <= n; i++ {
		for j := i + 1; j <= n; j++ {
			if err := x.connect(i, j); err != nil {
				return nil, errors.Join(err, x.Close())
			}
		}
	}
	return x, nil
}

func (x *Network) startPeer(i int, edit func(int, *config.Config)) error {
	c := config.Config{Key: devnet.Key(i), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowLocal: config.On, Network: "none", ExternalOnly: true}
	if edit != nil {
		edit(i, &c)
	}
	p, err := node.New(c)
	if err != nil {
		return err
	}
	x.Peers = append(x.Peers, p)
	return p.Start()
}

// connect makes the link between two peers and tells each of its end.
func (x *Network) connect(i, j int) error {
	l := &Link{}
	x.links[[2]int{i, j}] = l
	for _, ends := range [][2]int{{i, j}, {j, i}} {
		from, to := x.Peers[ends[0]-1], x.Peers[ends[1]-1]
		port, err := l.listen(tcpOf(to.Addrs()[0]))
		if err != nil {
			return err
		}
		if err := from.Meet([]string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%s/p2p/%s", port, to.ID())}); err != nil {
			return err
		}
	}
	return nil
}

// tcpOf is the host:port of a multiaddr.
func tcpOf(addr string) string {
	parts := strings.Split(addr, "/")
	return net.JoinHostPort(parts[2], parts[4])
}

// Link gives the link between two peers.
func (x *Network) Link(i, j int) *Link { return x.links[[2]int{min(i, j), max(i, j)}] }

// Close ends the peers and the links.
func (x *Network) Close() error {
	var errs []error
	for _, p := range x.Peers {
		errs = append(errs, p.Close())
	}
	for _, l := range x.links {
		l.close()
	}
	return errors.Join(errs...)
}

// A Link carries TCP connections in both directions.
type Link struct {
	mu        sync.Mutex
	cut       bool
	frozen    chan struct{} // closed when the link goes on; nil: it goes
	delay     time.Duration
	rate      int // bytes a second in each direction of a connection; 0: no limit
	conns     map[net.Conn]bool
	listeners []net.Listener
	work      sync.WaitGroup
}

// Cut resets all connections and refuses new ones. What was on its way is lost.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

// Freeze holds all bytes back until Heal, as a network does that loses packets.
func (l *Link) Freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frozen == nil {
		l.frozen = make(chan struct{})
	}
}

// Heal undoes Cut and Freeze.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
	if l.frozen != nil {
		close(l.frozen)
		l.frozen = nil
	}
}

// Slow lets bytes arrive after a delay, at a rate in bytes a second, 0 for any.
func (l *Link) Slow(delay time.Duration, rate int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay, l.rate = delay, rate
}

// Listen makes the link carry connections to an address, host:port, and gives the port to reach it
// at. Networks of [Start] have done so.
func (l *Link) Listen(target string) (port string, err error) { return l.listen(target) }

// Close ends the link and its connections.
func (l *Link) Close() { l.close() }

func (l *Link) close() {
	l.Heal()
	l.Cut()
	for _, n := range l.listeners {
		n.Close()
	}
	l.work.Wait()
}

// listen forwards connections to an address and gives the port to reach it at.
func (l *Link) listen(target string) (port string, err error) {
	n, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	l.listeners = append(l.listeners, n)
	if l.conns == nil {
		l.conns = make(map[net.Conn]bool)
	}
	l.mu.Unlock()
	l.work.Go(func() {
		for {
			c, err := n.Accept()
			if err != nil {
				return
			}
			l.work.Go(func() { l.carry(c, target) })
		}
	})
	_, port, err = net.SplitHostPort(n.Addr().String())
	return port, err
}

// carry forwards one connection until one of its ends is closed.
func (l *Link) carry(from net.Conn, target string) {
	defer from.Close()
	to, err := (&net.Dialer{Timeout: 5 * time.Second}).Dial("tcp", target)
	if err != nil {
		return
	}
	defer to.Close()
	if !l.enter(from, to) {
		return
	}
	defer l.leave(from, to)
	var ways sync.WaitGroup
	ways.Go(func() { l.forward(to, from) })
	ways.Go(func() { l.forward(from, to) })
	ways.Wait()
}

func (l *Link) enter(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return false
	}
	for _, c := range conns {
		l.conns[c] = true
	}
	return true
}

func (l *Link) leave(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.conns, c)
	}
}

// chunk is what was read at one time.
type chunk struct {
	bytes []byte
	at    time.Time
}

// forward copies, each chunk after the delay, and closes both ends at the end.
func (l *Link) forward(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	queue := make(chan chunk, 1000)
	l.work.Go(func() {
		defer close(queue)
		for {
			b := make([]byte, 16<<10)
			n, err := from.Read(b)
			if n > 0 {
				queue <- chunk{b[:n], time.Now()}
			}
			if err != nil {
				return
			}
		}
	})
	defer func() {
		from.Close()
		for range queue { // lets the reader end
		}
	}()
	for c := range queue {
		l.mu.Lock()
		delay, rate, frozen := l.delay, l.rate, l.frozen
		l.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		time.Sleep(time.Until(c.at.Add(delay)))
		if rate > 0 {
			time.Sleep(time.Duration(float64(len(c.bytes)) / float64(rate) * float64(time.Second)))
		}
		if _, err := to.Write(c.bytes); err != nil {
			return
		}
	}
}
