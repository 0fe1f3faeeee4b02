package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/test/fabric"
	"github.com/aquanode/aquanode/test/process"
)

// Config says what to do.
type Config struct {
	For time.Duration
	// TTL is that of all particles. It is longer than any trouble together with the second or two in
	// which a peer starts anew, and shorter than what a peer waits for another one (30 s).
	TTL     time.Duration
	Workers int
	Seed    uint64
	Binary  string
	Quiet   bool // no troubles
	// Lenient takes a stopped peer and a cut link for an excuse, as a killed peer is one.
	Lenient bool
	Rest    time.Duration
	Log     func(format string, args ...any)
}

const (
	peers = 5
	// brokenShare is the share of a TTL that a link is broken at most.
	brokenShare = 5
	restMemory  = 150 << 20
	stopLimit   = 4 * time.Second // grace of 2 s and 2 s
)

// Report is what became of all particles.
type Report struct {
	Particles, Answered int
	Lost                map[string]int // without an answer, by what happened to a peer or a link of theirs
	Kills, Stops, Links int
	Faults              []string
	MemoryMB            []int64 // of each process at the end
	Took                time.Duration
}

func (r *Report) String() string {
	return fmt.Sprintf("%d particles in %s: %d answered, lost %v, %d faults; %d kills, %d stops, %d broken links; at rest %v MB\n%s",
		r.Particles, r.Took.Round(time.Second), r.Answered, r.Lost, len(r.Faults), r.Kills, r.Stops, r.Links, r.MemoryMB, strings.Join(r.Faults, "\n"))
}

// A soak is a run.
type soak struct {
	Config
	dir   string
	ids   []string
	ports []string // host:port of each peer
	boot  [][]string
	links map[[2]int]*fabric.Link

	clients []*client.Client

	mu     sync.Mutex
	report Report
	all    []*process.Peer
	losses []loss
}

// Causes for the loss of what is on its way.
const (
	killed  = "with a peer that was killed"
	stopped = "with a peer that was stopped"
	cut     = "with a link that was cut"
)

// A loss is an event that loses what is on its way just then.
type loss struct {
	cause string
	peers []int // all of them
	at    time.Time
}

// Run soaks.
func Run(ctx context.Context, c Config) (_ *Report, err error) {
	began := time.Now()
	s := &soak{Config: c, links: map[[2]int]*fabric.Link{}, report: Report{Lost: map[string]int{}}, all: make([]*process.Peer, peers)}
	if s.dir, err = os.MkdirTemp("", "aquanode-soak-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(s.dir)
	if s.Binary == "" {
		if s.Binary, err = process.Build(ctx, s.dir); err != nil {
			return nil, err
		}
	}
	defer s.close()
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	s.Log("seed %d, %d peers for %s", s.Seed, peers, s.For)
	s.traffic(ctx)
	if err := s.rest(ctx); err != nil {
		return nil, err
	}
	s.stop()
	s.report.Took = time.Since(began)
	return &s.report, nil
}

func (s *soak) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Faults = append(s.report.Faults, fmt.Sprintf(format, args...))
}

// start makes keys and links, then peers and clients.
func (s *soak) start(ctx context.Context) error {
	services := filepath.Join(s.dir, "services")
	if err := os.MkdirAll(services, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(services, "slow.js"), []byte(`exports.work = (ms, x) => { sleep(ms); return x }`), 0o600); err != nil {
		return err
	}
	for i := range peers {
		seed := sha256.Sum256(fmt.Appendf(nil, "soak peer %d", i))
		key := ed25519.NewKeyFromSeed(seed[:])
		s.ids = append(s.ids, particle.PeerID(key.Public().(ed25519.PublicKey)))
		data := s.data(i)
		if err := os.MkdirAll(data, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(data, "peer.key"), []byte(base64.StdEncoding.EncodeToString(seed[:])), 0o600); err != nil {
			return err
		}
		addr, err := freeAddr(ctx)
		if err != nil {
			return err
		}
		s.ports = append(s.ports, addr)
	}
	if err := s.link(); err != nil {
		return err
	}
	for i := range peers {
		if err := s.startPeer(i); err != nil {
			return err
		}
	}
	for i := range peers {
		c, err := client.Connect(ctx, client.Config{Relays: []string{s.peer(i).Addr()}, TTL: s.TTL})
		if err != nil {
			return err
		}
		s.clients = append(s.clients, c)
	}
	return nil
}

func (s *soak) data(i int) string { return filepath.Join(s.dir, fmt.Sprint("peer", i)) }

// link lets every peer reach every other one through a link of the two.
func (s *soak) link() error {
	s.boot = make([][]string, peers)
	for i := range peers {
		for j := i + 1; j < peers; j++ {
			l := new(fabric.Link)
			s.links[[2]int{i, j}] = l
			for _, way := range [][2]int{{i, j}, {j, i}} {
				port, err := l.Listen(s.ports[way[1]])
				if err != nil {
					return err
				}
				s.boot[way[0]] = append(s.boot[way[0]], "--bootstrap", fmt.Sprintf("/ip4/127.0.0.1/tcp/%s/p2p/%s", port, s.ids[way[1]]))
			}
		}
	}
	return nil
}

func (s *soak) startPeer(i int) error {
	host, port, _ := net.SplitHostPort(s.ports[i])
	p, err := process.Start(process.Config{
		Binary: s.Binary, Dir: s.data(i),
		Args: append([]string{
			"--listen", fmt.Sprintf("/ip4/%s/tcp/%s", host, port), "--external-only", "--network", "none", "--allow-private-ips",
			"--durable", "--grace", "2s", "--services", filepath.Join(s.dir, "services"),
		}, s.boot[i]...),
	})
	if err != nil {
		return fmt.Errorf("peer %d: %w", i, err)
	}
	if p.PeerID != s.ids[i] {
		return fmt.Errorf("peer %d has the id %s, want %s", i, p.PeerID, s.ids[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[i] = p
	return nil
}

func (s *soak) peer(i int) *process.Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[i]
}

// traffic runs scripts and makes trouble until the time is over, and waits for all scripts.
func (s *soak) traffic(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.For)
	defer cancel()
	var all sync.WaitGroup
	for w := range s.Workers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(s.Seed, uint64(w)))
			for ctx.Err() == nil {
				s.one(random)
				time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
			}
		})
	}
	if !s.Quiet {
		all.Go(func() { s.troubles(ctx, rand.New(rand.NewPCG(s.Seed, 1<<32))) })
	}
	all.Wait()
}

// one runs a script and accounts for it.
func (s *soak) one(random *rand.Rand) {
	relay := random.IntN(peers)
	p := newProgram(random, s.ids, relay)
	c := s.clients[relay]
	began := time.Now()
	r, err := c.Run(context.Background(), client.Script{AIR: p.air, TTL: s.TTL})
	end := time.Now()
	s.mu.Lock()
	s.report.Particles++
	s.mu.Unlock()
	var timeout *client.TimeoutError
	switch {
	case err == nil && r.JSON().Text() == p.want:
		s.mu.Lock()
		s.report.Answered++
		s.mu.Unlock()
	case err == nil:
		s.fault("particle %s: a wrong answer %.200s, want %.200s\n%.2000s", r.ParticleID, r.JSON().Text(), p.want, p.air)
	case errors.As(err, &timeout):
		cause := s.cause(p, began, end)
		if cause != "" {
			s.mu.Lock()
			s.report.Lost[cause]++
			s.mu.Unlock()
		}
		if good := cause == killed || cause != "" && s.Lenient; !good || !explained(c, timeout.ParticleID) {
			s.fault("peers %v, lost %q since %s: %.600v\n%s", p.peers, cause, began.Format(time.TimeOnly), err, s.story(timeout.ParticleID))
		}
	default:
		s.fault("peers %v: %.600v\n%.2000s", p.peers, err, p.air)
	}
}

// cause finds what may have lost a program's particle while it ran, the best excuse first.
func (s *soak) cause(p *program, began, end time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cause := range []string{killed, stopped, cut} {
		for _, l := range s.losses {
			visits := !slices.ContainsFunc(l.peers, func(i int) bool { return !p.peers[i] })
			if l.cause == cause && visits && l.at.After(began) && l.at.Before(end) {
				return cause
			}
		}
	}
	return ""
}

// explained reports whether the client's journal has the reason for the end of a particle.
func explained(c *client.Client, id string) bool {
	return slices.ContainsFunc(c.Journal().Particle(id), func(e journal.Entry) bool {
		return e.Reason != "" && (e.Kind == journal.Expired || e.Kind == journal.Lost)
	})
}

// story is what the peers know of a particle.
func (s *soak) story(id string) string {
	if id == "" {
		return ""
	}
	var b strings.Builder
	for i := range peers {
		page, err := s.peer(i).Journal(context.Background(), id, 1000)
		if err != nil {
			fmt.Fprintf(&b, "  peer %d: %v\n", i, err)
			continue
		}
		for _, e := range page.Entries {
			fmt.Fprintf(&b, "  peer %d %s %s %s %s/%s %s %.100s\n", i, e.At.Format("15:04:05.000"), e.Kind, s.number(e.Peer), e.Service, e.Function, e.Reason, e.Detail)
		}
	}
	return b.String()
}

func (s *soak) number(id string) string {
	if i := slices.Index(s.ids, id); i >= 0 {
		return fmt.Sprint(i)
	}
	return ""
}

// troubles happen one after the other.
func (s *soak) troubles(ctx context.Context, random *rand.Rand) {
	for pause(ctx, time.Second+time.Duration(random.IntN(3000))*time.Millisecond) {
		i := random.IntN(peers)
		switch random.IntN(5) {
		case 0:
			s.killPeer(i)
		case 1:
			s.stopPeer(i)
		default:
			s.breakLinks(ctx, random, i)
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *soak) killPeer(i int) {
	s.Log("peer %d is killed", i)
	s.peer(i).Kill()
	s.mu.Lock()
	s.losses = append(s.losses, loss{killed, []int{i}, time.Now()})
	s.report.Kills++
	s.mu.Unlock()
	if err := s.startPeer(i); err != nil {
		s.fault("after a kill: %v", err)
	}
}

func (s *soak) stopPeer(i int) {
	s.Log("peer %d is stopped", i)
	s.endPeer(i)
	s.mu.Lock()
	s.losses = append(s.losses, loss{stopped, []int{i}, time.Now()})
	s.report.Stops++
	s.mu.Unlock()
	if err := s.startPeer(i); err != nil {
		s.fault("after a stop: %v", err)
	}
}

func (s *soak) endPeer(i int) {
	p := s.peer(i)
	if !p.Alive() {
		s.fault("peer %d had ended: %.1000s", i, p.Log())
		return
	}
	limit := stopLimit
	if s.Lenient {
		limit *= 3 // the machine may be slow
	}
	if took, err := p.Stop(3 * stopLimit); err != nil || took > limit {
		s.fault("peer %d stopped after %s: %v", i, took.Round(time.Millisecond), err)
	}
}

// breakLinks breaks one link, or all of a peer, for a while.
func (s *soak) breakLinks(ctx context.Context, random *rand.Rand, i int) {
	how := random.IntN(3)
	whole := random.IntN(3) == 0
	j := (i + 1 + random.IntN(peers-1)) % peers
	what := []string{"cut", "frozen", "slow"}[how]
	var broken []*fabric.Link
	for ends, l := range s.links {
		if touches := ends[0] == i || ends[1] == i; !touches || !whole && ends[0] != j && ends[1] != j {
			continue
		}
		broken = append(broken, l)
		switch how {
		case 0:
			l.Cut()
			s.mu.Lock()
			s.losses = append(s.losses, loss{cut, ends[:], time.Now()})
			s.mu.Unlock()
		case 1:
			l.Freeze()
		case 2:
			l.Slow(100*time.Millisecond, 200_000)
		}
	}
	if whole {
		s.Log("all links of peer %d are %s", i, what)
	} else {
		s.Log("the link of peers %d and %d is %s", i, j, what)
	}
	s.mu.Lock()
	s.report.Links++
	s.mu.Unlock()
	pause(ctx, time.Duration(random.Int64N(int64(s.TTL/brokenShare))))
	for _, l := range broken {
		l.Slow(0, 0)
		l.Heal()
	}
}

// rest waits until nothing lives and memory has returned.
func (s *soak) rest(ctx context.Context) error {
	for _, c := range s.clients {
		c.Close()
	}
	s.clients = nil
	time.Sleep(s.TTL) // the last particles end by the clock
	for i := range peers {
		p := s.peer(i)
		for end := time.Now().Add(s.Rest); ; time.Sleep(time.Second) {
			m, err := p.Memory()
			if err != nil {
				s.fault("peer %d: %v: %.1000s", i, err, p.Log())
				break
			}
			live, err := p.Metric(ctx, "particle_executor_alive_actors")
			if err != nil {
				return err
			}
			if late := time.Now().After(end); late || live == 0 && m.Now <= restMemory {
				s.mu.Lock()
				s.report.MemoryMB = append(s.report.MemoryMB, m.Now>>20)
				s.mu.Unlock()
				if late {
					s.fault("peer %d at rest: %v particles live, %d MB", i, live, m.Now>>20)
				}
				break
			}
		}
	}
	return nil
}

func (s *soak) stop() {
	for i := range peers {
		s.endPeer(i)
		if log := s.peer(i).Log(); strings.Contains(log, "panic:") {
			s.fault("peer %d panicked: %.1000s", i, log)
		}
	}
}

func (s *soak) close() {
	for _, c := range s.clients {
		c.Close()
	}
	for _, p := range s.all {
		if p != nil && p.Alive() {
			p.Kill()
		}
	}
	for _, l := range s.links {
		l.Close()
	}
}

func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
