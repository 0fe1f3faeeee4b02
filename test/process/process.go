// Package process runs aquanode as a process of the operating system and reads from outside what
// it uses: memory and processor time from /proc, the journal from the admin endpoint.
package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Build builds the program into a directory.
func Build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "aquanode")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/aquanode/aquanode/cmd/aquanode").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building aquanode: %w\n%s", err, out)
	}
	return binary, nil
}

// Config says what to start.
type Config struct {
	Binary string
	// Dir is the data directory.
	Dir  string
	Args []string
	Env  []string
	// AddressSpace bounds the virtual memory of the process, as ulimit -v does; 0 is no bound.
	AddressSpace uint64
	// Dial connects to the admin endpoint of a peer whose loopback is not ours; nil: as usual.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Peer is a running peer.
type Peer struct {
	PeerID string
	Addrs  []string
	Admin  string // host:port

	cmd   *exec.Cmd
	http  *http.Client
	log   tail
	ended chan struct{} // closed when the process has ended
	err   error         // of Wait, once ended
}

// startTimeout is how long a peer may take to listen. A durable one first reads what it kept.
const startTimeout = time.Minute

// ErrEnded says that the process ended before it was ready.
var ErrEnded = errors.New("the process ended")

// Start starts a peer and waits until it is ready.
func Start(cfg Config) (*Peer, error) {
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &Peer{Admin: admin, http: http.DefaultClient, ended: make(chan struct{})}
	if cfg.Dial != nil {
		p.http = &http.Client{Transport: &http.Transport{DialContext: cfg.Dial, DisableKeepAlives: true}}
	}
	args := []string{"--data-dir", cfg.Dir, "--admin", admin, "--format", "json"}
	if !strings.Contains(strings.Join(cfg.Args, " "), "--listen") {
		args = append(args, "--listen", "/ip4/127.0.0.1/tcp/0")
	}
	p.cmd = exec.Command(cfg.Binary, append(args, cfg.Args...)...)
	p.cmd.Env = append(os.Environ(), cfg.Env...)
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := start(p.cmd, cfg.AddressSpace); err != nil {
		return nil, err
	}
	line := make(chan []byte, 1)
	go func() {
		r := bufio.NewReader(out)
		b, _ := r.ReadBytes('\n')
		line <- b
		io.Copy(io.Discard, r)
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	select {
	case b := <-line:
		err = p.ready(b)
	case <-time.After(startTimeout):
		err = fmt.Errorf("the peer was not ready within %s", startTimeout)
	}
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("%w\n%s", err, p.Log())
	}
	return p, nil
}

// start starts a command whose address space is bounded.
func start(cmd *exec.Cmd, addressSpace uint64) error {
	if err := cmd.Start(); err != nil || addressSpace == 0 {
		return err
	}
	return unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: addressSpace, Max: addressSpace}, nil)
}

func (p *Peer) ready(line []byte) error {
	if len(line) == 0 {
		return ErrEnded
	}
	if err := json.Unmarshal(line, p); err != nil || p.PeerID == "" || len(p.Addrs) == 0 {
		return fmt.Errorf("ready line %q: %w", line, err)
	}
	return nil
}

// Addr is the first full address of the peer.
func (p *Peer) Addr() string { return p.Addrs[0] }

// Pid is the process id.
func (p *Peer) Pid() int { return p.cmd.Process.Pid }

// Alive reports whether the process runs.
func (p *Peer) Alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Ended is closed when the process has ended.
func (p *Peer) Ended() <-chan struct{} { return p.ended }

// Kill ends the process at once, as a crash would.
func (p *Peer) Kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// Signal sends a signal.
func (p *Peer) Signal(s syscall.Signal) { p.cmd.Process.Signal(s) }

// Stop asks the process to end and waits; after the timeout it is killed. It returns how long
// the process took and an error if it did not end by itself and well.
func (p *Peer) Stop(timeout time.Duration) (time.Duration, error) {
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return time.Since(began), p.err
	case <-time.After(timeout):
		p.Kill()
		return time.Since(began), fmt.Errorf("SIGTERM had no effect within %s", timeout)
	}
}

// Log is the end of what the process wrote to standard error.
func (p *Peer) Log() string { return p.log.String() }

// LogBytes is how much the process wrote to standard error.
func (p *Peer) LogBytes() int64 { return p.log.bytes() }

// tail keeps the first and the last bytes written to it. A crash writes its cause first and then
// megabytes of goroutines.
type tail struct {
	mu          sync.Mutex
	n           int64
	first, last []byte
}

const tailSize = 32 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += int64(len(b))
	rest := b
	if room := tailSize - len(t.first); room > 0 {
		k := min(room, len(rest))
		t.first, rest = append(t.first, rest[:k]...), rest[k:]
	}
	if t.last = append(t.last, rest...); len(t.last) > 2*tailSize {
		t.last = append([]byte(nil), t.last[len(t.last)-tailSize:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.first) + string(t.last)
}

func (t *tail) bytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// Memory is resident memory in bytes.
type Memory struct{ Now, Peak int64 }

// Memory reads the resident memory of the process. The peak is the kernel's and misses nothing.
func (p *Peer) Memory() (Memory, error) { return memory(p.Pid()) }

func memory(pid int) (m Memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			m.Peak = kb << 10
		}
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			m.Now = kb << 10
		}
	}
	if m.Now == 0 {
		return m, fmt.Errorf("process %d has ended", pid)
	}
	return m, nil
}

// CPU is the processor time that the process has used.
func (p *Peer) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
	if err != nil {
		return 0, err
	}
	// The name in brackets may hold anything; the fields after it are numbers, user and system time
	// the 12th and 13th.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d: %q", p.Pid(), text)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, err
	}
	const ticks = 100 // USER_HZ, the same on all Linux
	return time.Duration(user+system) * time.Second / ticks, nil
}

// Counts are the journal's, as "kind/reason".
type Counts map[string]int

// Since gives what was counted after an earlier reading.
func (c Counts) Since(before Counts) Counts {
	d := Counts{}
	for what, n := range c {
		if n > before[what] {
			d[what] = n - before[what]
		}
	}
	return d
}

// Entry is a line of the journal.
type Entry struct {
	Kind, Particle, Peer, Service, Function, Reason, Detail string
	At                                                      time.Time
}

// Page is what /particles answers.
type Page struct {
	Counts Counts
	// Entries are the latest, or those of one particle, oldest first.
	Entries []Entry
}

// Journal reads the journal: of one particle, or when id is empty the latest n entries.
func (p *Peer) Journal(ctx context.Context, id string, n int) (*Page, error) {
	body, err := p.Get(ctx, fmt.Sprintf("/particles?n=%d&id=%s", n, id))
	if err != nil {
		return nil, err
	}
	var raw struct {
		Counts []struct {
			Kind, Reason string
			N            int
		}
		Entries []Entry
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, err
	}
	page := &Page{Counts: Counts{}, Entries: raw.Entries}
	for _, c := range raw.Counts {
		page.Counts[c.Kind+"/"+c.Reason] = c.N
	}
	return page, nil
}

// Counts reads the journal's counts.
func (p *Peer) Counts(ctx context.Context) (Counts, error) {
	page, err := p.Journal(ctx, "", 1)
	if err != nil {
		return nil, err
	}
	return page.Counts, nil
}

// Metric reads a value from /metrics; series is its name with labels as written there.
func (p *Peer) Metric(ctx context.Context, series string) (float64, error) {
	body, err := p.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if bare, _, _ := strings.Cut(name, "{"); ok && (name == series || bare == series) {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", series)
}

// Get reads a page of the admin endpoint.
func (p *Peer) Get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+path, nil)
	if err != nil {
		return nil, err
	}
	r, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

func freeAddr() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Output is what a command that ends by itself wrote and used.
type Output struct {
	Stdout, Stderr []byte // at most [maxOutput] of each
	Err            error
	Peak           int64 // resident bytes
	Took           time.Duration
}

const maxOutput = 4 << 20

// peakUntil reads the peak of resident memory until a process has ended. What rusage tells is of no
// use: it counts the memory of the process that forked, too.
func peakUntil(done <-chan struct{}, pid int) (peak int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return peak
		case <-tick.C:
			if m, err := memory(pid); err == nil {
				peak = m.Peak
			}
		}
	}
}

// Command runs the program to its end. One that does not end is killed when ctx ends.
func Command(ctx context.Context, cfg Config) Output {
	began := time.Now()
	cmd := exec.CommandContext(ctx, cfg.Binary, cfg.Args...)
	cmd.Dir = cfg.Dir
	cmd.Env = append(os.Environ(), cfg.Env...)
	var stdout, stderr capped
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	o := Output{Err: start(cmd, cfg.AddressSpace)}
	if cmd.Process == nil {
		return o
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := cmd.Wait(); o.Err == nil {
			o.Err = err
		}
	}()
	o.Peak = peakUntil(done, cmd.Process.Pid)
	if o.Err != nil && ctx.Err() != nil {
		o.Err = fmt.Errorf("%w: %w", ctx.Err(), o.Err)
	}
	o.Stdout, o.Stderr, o.Took = stdout.Bytes(), stderr.Bytes(), time.Since(began)
	return o
}

// capped keeps the beginning of what is written to it.
type capped struct{ bytes.Buffer }

func (c *capped) Write(b []byte) (int, error) {
	if room := maxOutput - c.Len(); room > 0 {
		c.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
