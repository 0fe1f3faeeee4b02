package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	p2pnet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/test/load"
)

// A figure is one line of the network table.
type figure struct {
	name, got, wanted string
}

// network measures peers and clients over real sockets of this machine and prints the second table of
// docs/PERFORMANCE.md. Clients and relay share the process and the cores with each other.
func network(ctx context.Context) error {
	fmt.Printf("%s, %s, %d cores\n\n| what | figure | wanted |\n|---|---|---|\n", time.Now().Format("2006-01-02"), runtime.Version(), runtime.NumCPU())
	for _, part := range []struct {
		name    string
		measure func(context.Context) ([]figure, error)
	}{
		{"hop", hop}, {"relay", relay}, {"start", startup}, {"idle clients", idleClients}, {"soak", soak}, {"flood", flood},
	} {
		if !strings.Contains(part.name, *only) {
			continue
		}
		figures, err := part.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		for _, f := range figures {
			fmt.Printf("| %s | %s | %s |\n", f.name, f.got, f.wanted)
		}
	}
	return nil
}

// particleSize is what a particle of a simple call has on the wire, as architecture goes: 2 kB.
const particleSize = 2000

// A lab is a relay and clients of it.
type lab struct {
	net     *devnet.Network
	clients []*client.Client
}

func newLab(ctx context.Context, clients int) (*lab, error) {
	net, err := devnet.Start(devnet.Config{Peers: 1})
	if err != nil {
		return nil, err
	}
	l := &lab{net: net}
	for range clients {
		c, err := client.Connect(ctx, client.Config{Relays: []string{l.tcp()}})
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.clients = append(l.clients, c)
	}
	return l, nil
}

func (l *lab) relay() *node.Node { return l.net.Peers[0] }

// tcp is the relay's address without a WebSocket in between.
func (l *lab) tcp() string {
	i := slices.IndexFunc(l.relay().Addrs(), func(a string) bool { return !strings.Contains(a, "/ws") })
	return l.relay().Addrs()[i]
}

func (l *lab) close() error {
	var errs []error
	for _, c := range l.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, l.net.Close())...)
}

// hop measures one hop: from the moment a client makes a particle of 2 kB to the call of the service on the peer. That
// is two signatures made and two verified, two steps of the interpreter and one frame. In turns with it goes a bare
// libp2p echo of the same bytes.
func hop(ctx context.Context) ([]figure, error) {
	l, err := newLab(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer l.close()
	arrived := make(chan time.Time, 1)
	relay := l.relay()
	err = relay.Services().Register("bench", services.HandlerFunc(func(context.Context, *services.Call) (value.Value, error) {
		arrived <- time.Now()
		return value.Value{}, nil
	}), services.In(relay.ID()))
	if err != nil {
		return nil, err
	}
	script := client.Script{
		AIR:      fmt.Sprintf(`(call %q ("bench" "hit") [%q])`, relay.ID(), strings.Repeat("x", particleSize-400)),
		NoResult: true, TTL: 2 * time.Second,
	}
	echo, err := newEcho(ctx)
	if err != nil {
		return nil, err
	}
	defer echo.close()
	var hops, kept, opened []time.Duration
	for range 20 * *rounds {
		for range 100 {
			began := time.Now()
			if _, err := l.clients[0].Run(ctx, script); err != nil {
				return nil, err
			}
			hops = append(hops, (<-arrived).Sub(began))
		}
		for range 100 {
			took, err := echo.keptStream()
			if err != nil {
				return nil, err
			}
			kept = append(kept, took)
		}
		for range 100 {
			took, err := echo.newStream(ctx)
			if err != nil {
				return nil, err
			}
			opened = append(opened, took)
		}
	}
	h, k, o := quantile(hops, 0.5), quantile(kept, 0.5), quantile(opened, 0.5)
	return []figure{
		{"one hop of 2 kB to the call of a service, p50", us(h), "500 us, aim 300"},
		{"the same, p99", us(quantile(hops, 0.99)), ""},
		{"bare libp2p echo of 2 kB, a stream for each", fmt.Sprintf("%s, the hop is %.1fx", us(o), float64(h)/float64(o)), "6x, aim 4x"},
		{"bare libp2p echo of 2 kB, one stream for all", fmt.Sprintf("%s, the hop is %.1fx", us(k), float64(h)/float64(k)), ""},
	}, nil
}

// flood measures what an honest client sees of a stranger that floods its relay, in turns with quiet.
func flood(ctx context.Context) (figures []figure, err error) {
	for _, k := range load.Kinds {
		l, err := newLab(ctx, 0)
		if err != nil {
			return nil, err
		}
		r, err := load.Flood(ctx, l.tcp(), k, 2000)
		if err = errors.Join(err, l.close()); err != nil {
			return nil, fmt.Errorf("%s: %w", k.Name, err)
		}
		figures = append(figures, figure{
			"call p50 and p99 in quiet, in a flood of " + k.Name,
			fmt.Sprintf("%s and %s, %s and %s", us(r.Quiet.At(.5)), us(r.Quiet.At(.99)), us(r.Flooded.At(.5)), us(r.Flooded.At(.99))), "p99 2x",
		})
	}
	return figures, nil
}

// An echo is two bare libp2p hosts.
type echo struct {
	from, to host.Host
	stream   p2pnet.Stream
	message  []byte
}

func newEcho(ctx context.Context) (*echo, error) {
	e := &echo{message: make([]byte, particleSize)}
	var err error
	options := []libp2p.Option{libp2p.DisableRelay(), libp2p.DisableMetrics()}
	if e.to, err = libp2p.New(append(options, libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))...); err != nil {
		return nil, err
	}
	e.to.SetStreamHandler("/echo", func(s p2pnet.Stream) { io.Copy(s, s); s.Close() })
	if e.from, err = libp2p.New(append(options, libp2p.NoListenAddrs)...); err != nil {
		return nil, err
	}
	if err = e.from.Connect(ctx, peer.AddrInfo{ID: e.to.ID(), Addrs: e.to.Addrs()}); err != nil {
		return nil, err
	}
	e.stream, err = e.from.NewStream(ctx, e.to.ID(), "/echo")
	return e, err
}

func (e *echo) close() { e.from.Close(); e.to.Close() }

func (e *echo) keptStream() (time.Duration, error) {
	began := time.Now()
	if _, err := e.stream.Write(e.message); err != nil {
		return 0, err
	}
	_, err := io.ReadFull(e.stream, e.message)
	return time.Since(began), err
}

func (e *echo) newStream(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	s, err := e.from.NewStream(ctx, e.to.ID(), "/echo")
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if _, err := s.Write(e.message); err != nil {
		return 0, err
	}
	if err := s.CloseWrite(); err != nil {
		return 0, err
	}
	_, err = io.ReadFull(s, e.message)
	return time.Since(began), err
}

// relay measures what goes through one relay: answers to a client, answers of another client, and particles one way.
func relay(ctx context.Context) ([]figure, error) {
	l, err := newLab(ctx, 2)
	if err != nil {
		return nil, err
	}
	defer l.close()
	many, err := newLab(ctx, 8)
	if err != nil {
		return nil, err
	}
	defer many.close()
	all, err := many.roundTrips(ctx, 8, fmt.Sprintf(`(call %q ("op" "identity") ["hi"] r)`, many.relay().ID()))
	if err != nil {
		return nil, err
	}
	near, err := l.roundTrips(ctx, 1, fmt.Sprintf(`(call %q ("op" "identity") ["hi"] r)`, l.relay().ID()))
	if err != nil {
		return nil, err
	}
	noop := fmt.Sprintf(`(call %q ("op" "noop") [])`, l.relay().ID())
	far, err := l.roundTrips(ctx, 1, fmt.Sprintf(`(seq %s (seq (call %q ("op" "identity") ["hi"] r) %s))`, noop, l.clients[1].ID(), noop))
	if err != nil {
		return nil, err
	}
	oneWay, err := l.oneWay(ctx, noop)
	if err != nil {
		return nil, err
	}
	return []figure{
		{"round trips client, relay, client", rate(near), "1,000/s, aim 2,500"},
		{"the same by 8 clients at once", rate(all), ""},
		{"round trips client, relay, other client and back", rate(far), ""},
		{"particles one way from client to client through the relay", rate(oneWay), "3,000/s, aim 8,000"},
	}, nil
}

// inFlight is how many particles are on their way at once.
const inFlight = 64

// measureFor is how long rates are measured in each round.
const measureFor = 2 * time.Second

// roundTrips is how many answers a second the first clients get together to a body of AIR with the result r.
func (l *lab) roundTrips(ctx context.Context, clients int, body string) (float64, error) {
	s := client.Script{AIR: fmt.Sprintf(`(seq %s (call %%init_peer_id%% ("callbackSrv" "response") [r]))`, body), TTL: 5 * time.Second}
	return rateOf(func(i int) error {
		_, err := l.clients[i%clients].Run(ctx, s)
		return err
	})
}

// oneWay is how many particles a second reach a service of the second client.
func (l *lab) oneWay(ctx context.Context, noop string) (float64, error) {
	to := l.clients[1]
	arrived := make(chan struct{}, inFlight)
	err := to.Services().Register("bench", services.HandlerFunc(func(context.Context, *services.Call) (value.Value, error) {
		arrived <- struct{}{}
		return value.Value{}, nil
	}), services.In(to.ID()), services.Concurrent())
	if err != nil {
		return 0, err
	}
	s := client.Script{AIR: fmt.Sprintf(`(seq %s (call %q ("bench" "hit") []))`, noop, to.ID()), NoResult: true, TTL: 5 * time.Second}
	return rateOf(func(int) error {
		if _, err := l.clients[0].Run(ctx, s); err != nil {
			return err
		}
		select {
		case <-arrived: // one for each that leaves: the number on their way stays the same
			return nil
		case <-time.After(s.TTL):
			return errors.New("a particle did not arrive")
		}
	})
}

// rateOf is how often a second something can be done, by many at once: the median of the rounds.
func rateOf(do func(i int) error) (float64, error) {
	var rates []float64
	for range *rounds {
		runtime.GC()
		began := time.Now()
		counts, errs := make([]int, inFlight), make([]error, inFlight)
		var all sync.WaitGroup
		for i := range inFlight {
			all.Go(func() {
				for time.Since(began) < measureFor && errs[i] == nil {
					errs[i] = do(i)
					counts[i]++
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return 0, err
		}
		total := 0
		for _, n := range counts {
			total += n
		}
		rates = append(rates, float64(total)/time.Since(began).Seconds())
	}
	return median(rates), nil
}

// A process is a peer of its own.
type process struct {
	cmd   *exec.Cmd
	addrs []string
	ready time.Duration
}

// binary builds the program, since go run would be measured otherwise.
func binary(ctx context.Context) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "aquanode-bench")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	path = filepath.Join(dir, "aquanode")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/aquanode")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		remove()
		return "", nil, err
	}
	return path, remove, nil
}

func spawn(ctx context.Context, path, dir string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, path, "--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/tcp/0/ws",
		"--data-dir", dir, "--format", "json")}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	p.ready = time.Since(began)
	var ready struct{ Addrs []string }
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		p.end()
		return nil, fmt.Errorf("the peer does not start: %w", err)
	}
	p.addrs = ready.Addrs
	return p, nil
}

func (p *process) end() { p.cmd.Process.Kill(); p.cmd.Wait() }

// residentMB is the resident memory of the process.
func (p *process) residentMB() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1000, nil
		}
	}
	return 0, errors.New("no VmRSS in /proc")
}

// startup measures the time from the start of the process to the line that says it is ready.
func startup(ctx context.Context) ([]figure, error) {
	path, remove, err := binary(ctx)
	if err != nil {
		return nil, err
	}
	defer remove()
	dir := filepath.Join(filepath.Dir(path), "data")
	var times []time.Duration
	for range 5 * *rounds {
		p, err := spawn(ctx, path, dir)
		if err != nil {
			return nil, err
		}
		times = append(times, p.ready)
		p.end()
	}
	return []figure{{"start to ready, p50", fmt.Sprintf("%d ms", quantile(times, 0.5).Milliseconds()), "300 ms"}}, nil
}

// idleClients measures what a relay needs for 1000 clients that are connected and do nothing.
func idleClients(ctx context.Context) ([]figure, error) {
	const n = 1000
	path, remove, err := binary(ctx)
	if err != nil {
		return nil, err
	}
	defer remove()
	p, err := spawn(ctx, path, filepath.Join(filepath.Dir(path), "data"))
	if err != nil {
		return nil, err
	}
	defer p.end()
	before, err := p.residentMB()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.addrs, func(a string) bool { return strings.Contains(a, "/ws") })
	var clients []*client.Client
	defer func() {
		var all sync.WaitGroup
		for _, c := range clients {
			all.Go(func() { c.Close() })
		}
		all.Wait()
	}()
	for range n {
		c, err := client.Connect(ctx, client.Config{Relays: p.addrs[i : i+1]})
		if err != nil {
			return nil, fmt.Errorf("client %d: %w", len(clients), err)
		}
		clients = append(clients, c)
	}
	time.Sleep(2 * time.Second) // introductions end
	after, err := p.residentMB()
	if err != nil {
		return nil, err
	}
	return []figure{{"memory of a relay with 1,000 idle clients", fmt.Sprintf("%.0f MB, %.0f kB a client", after, (after-before)*1000/n), ""}}, nil
}

// soak runs 200,000 particles through a relay and looks whether memory and goroutines stay as they are.
func soak(ctx context.Context) ([]figure, error) {
	const particles, parts = 200_000, 8
	l, err := newLab(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer l.close()
	s := client.Script{
		AIR: fmt.Sprintf(`(seq (call %q ("op" "identity") ["x"] r) (call %%init_peer_id%% ("callbackSrv" "response") [r]))`, l.relay().ID()),
		TTL: 3 * time.Second,
	}
	var heap, goroutines []string
	began := time.Now()
	for range parts {
		errs := make([]error, inFlight)
		var all sync.WaitGroup
		for i := range inFlight {
			all.Go(func() {
				for range particles / parts / inFlight {
					if _, err := l.clients[0].Run(ctx, s); err != nil {
						errs[i] = err
						return
					}
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		for l.relay().Live() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = append(heap, fmt.Sprintf("%.0f", float64(m.HeapAlloc)/1e6))
		goroutines = append(goroutines, fmt.Sprint(runtime.NumGoroutine()))
	}
	return []figure{
		{fmt.Sprintf("soak of %d particles in %.0f s: heap in MB after each eighth", particles/parts/inFlight*parts*inFlight, time.Since(began).Seconds()), strings.Join(heap, " "), "flat"},
		{"its goroutines", strings.Join(goroutines, " "), "flat"},
	}, nil
}

func quantile(list []time.Duration, q float64) time.Duration {
	slices.Sort(list)
	return list[min(int(float64(len(list))*q), len(list)-1)]
}

func us(d time.Duration) string { return fmt.Sprintf("%.0f us", float64(d.Nanoseconds())/1000) }

func rate(r float64) string {
	if r < 1000 {
		return fmt.Sprintf("%.0f/s", r)
	}
	return fmt.Sprintf("%d,%03d/s", int(r)/1000, int(r)%1000)
}
