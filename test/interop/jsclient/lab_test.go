//go:build interop

package jsclient

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/test/interop/npm"
)

// packages are the files that decide what npm installs.
//
//go:embed package.json package-lock.json .npmrc
var packages embed.FS

// lab is where scenarios happen: the program under test, the npm packages, and the
// processes that run.
type lab struct {
	ctx     context.Context // ends, and all processes with it, before the test's time is over
	dir     string
	bin     string  // the aquanode program
	js      string  // the JavaScript, beside node_modules
	network []*peer // the peers that are there all the time

	mu      sync.Mutex
	peers   map[string]*daemon
	proxies map[string]*proxy
	clients []*client.Client
}

// adminToken is what the admin endpoints of the peers ask for.
const adminToken = "a-token-of-this-suite"

// newLab builds aquanode and installs the packages.
func newLab(t *testing.T) *lab {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if end, ok := t.Deadline(); ok {
		ctx, cancel = context.WithDeadline(context.Background(), end.Add(-5*time.Second))
	}
	l := &lab{ctx: ctx, dir: t.TempDir(), peers: map[string]*daemon{}, proxies: map[string]*proxy{}}
	t.Cleanup(func() { l.close(); cancel() })
	if err := os.WriteFile(filepath.Join(l.dir, "token"), []byte(adminToken), 0o600); err != nil {
		t.Fatal(err)
	}
	installed, err := npm.Install(ctx, "jsclient", packages)
	if err != nil {
		t.Fatal(err)
	}
	l.bin, l.js = filepath.Join(l.dir, "aquanode"), filepath.Join(l.dir, "js")
	if err := buildAquanode(ctx, l.bin); err != nil {
		t.Fatal(err)
	}
	// Scenarios write beside their sources, so these are copied.
	modules := filepath.Join(l.dir, "node_modules")
	if err := errors.Join(os.CopyFS(l.js, os.DirFS("js")), os.Symlink(filepath.Join(installed, "node_modules"), modules)); err != nil {
		t.Fatal(err)
	}
	return l
}

func buildAquanode(ctx context.Context, file string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", file, "./cmd/aquanode")
	cmd.Dir = filepath.Join("..", "..", "..")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build aquanode: %w\n%s", err, text)
	}
	return nil
}

func (l *lab) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.peers {
		d.end(syscall.SIGKILL)
	}
	for _, p := range l.proxies {
		p.close()
	}
	for _, c := range l.clients {
		c.Close()
	}
}

// crowd connects clients written in Go to a peer. Each tells its id to whoever asks its service "crowd".
func (l *lab) crowd(addr string, n int) (ids []string, err error) {
	for range n {
		c, err := client.Connect(l.ctx, client.Config{Relays: []string{addr}})
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		l.clients = append(l.clients, c)
		l.mu.Unlock()
		answer := func(context.Context, *services.Call) (value.Value, error) { return value.String(c.ID()), nil }
		if err := c.Services().Register("crowd", services.HandlerFunc(answer)); err != nil {
			return nil, err
		}
		ids = append(ids, c.ID())
	}
	return ids, nil
}

// peer is where a peer is, in the form that scenarios know it by.
type peer struct {
	Name   string `json:"name"`
	PeerID string `json:"peerId"`
	TCP    string `json:"tcp"`
	WS     string `json:"ws"`
	WSS    string `json:"wss"`   // if it has one
	Admin  string `json:"admin"` // URL
	Token  string `json:"token"` // for it
}

// daemon is a process that is a peer.
type daemon struct {
	peer
	args []string // how to start it again, at the same addresses
	*process
}

// startPeer starts a peer with a new key on free ports, known by a name.
func (l *lab) startPeer(name string, args ...string) (*daemon, error) {
	own := []string{"--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/tcp/0/ws", "--admin", "127.0.0.1:0", "--admin-token", filepath.Join(l.dir, "token")}
	return l.start(name, append(own, args...))
}

func (l *lab) start(name string, args []string) (*daemon, error) {
	all := append([]string{"--format", "json", "--data-dir", filepath.Join(l.dir, name)}, args...)
	p, err := startProcess(exec.CommandContext(l.ctx, l.bin, all...))
	if err != nil {
		return nil, err
	}
	d := &daemon{peer: peer{Name: name, Token: adminToken}, args: args, process: p}
	if err := d.ready(); err != nil {
		d.end(syscall.SIGKILL)
		return nil, fmt.Errorf("peer %s: %w\n%s", name, err, p.stderr.String())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peers[name] = d
	return d, nil
}

// ready waits until the peer says where it is, and pins the arguments to that.
func (d *daemon) ready() error {
	var line struct {
		PeerID string
		Addrs  []string
	}
	if err := json.NewDecoder(d.stdout).Decode(&line); err != nil {
		return err
	}
	d.PeerID = line.PeerID
	for _, a := range line.Addrs {
		listen, _, _ := strings.Cut(a, "/p2p/")
		kind := strings.TrimLeft(strings.TrimPrefix(listen, "/ip4/127.0.0.1/tcp/"), "0123456789")
		if i := slices.Index(d.args, "/ip4/127.0.0.1/tcp/0"+kind); i >= 0 {
			d.args[i] = listen
		}
		switch kind {
		case "":
			d.TCP = a
		case "/ws":
			d.WS = a
		case "/tls/ws":
			d.WSS = a
		}
	}
	url, err := d.stderr.wait("admin endpoint at ", d.done)
	d.Admin = url
	return err
}

// restart starts a peer that has ended, with its key and at its addresses.
func (l *lab) restart(name string) (*daemon, error) {
	d, err := l.peer(name)
	if err != nil {
		return nil, err
	}
	return l.start(name, d.args)
}

func (l *lab) peer(name string) (*daemon, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.peers[name]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("there is no peer %q", name)
}

// startNetwork starts the peers that are there all the time, each connected to all others.
func (l *lab) startNetwork(n int) error {
	var boot []string
	for i := range n {
		d, err := l.startPeer(fmt.Sprintf("peer%d", i+1), boot...)
		if err != nil {
			return err
		}
		boot = append(boot, "--bootstrap", d.TCP)
		l.network = append(l.network, &d.peer)
	}
	for _, p := range l.network {
		if err := l.connected(p, n-1); err != nil {
			return err
		}
	}
	return nil
}

// stop ends a peer unless it has ended, after a look into its journal.
func (d *daemon) stop(s os.Signal, provoked int) error {
	select {
	case <-d.done:
		return nil
	default:
		return errors.Join(d.judge(provoked), d.end(s))
	}
}

// judge reports errors of a peer's interpreter, of steps or of arriving data, beyond those that a scenario provoked.
func (p *peer) judge(provoked int) error {
	var journal struct {
		Counts []struct {
			Kind, Reason string
			N            int
		}
		Entries []json.RawMessage
	}
	if err := getJSON(p.Admin+"/particles?n=10000", &journal); err != nil {
		return err
	}
	failures := 0
	for _, c := range journal.Counts {
		if c.Reason == "interpreter" {
			failures += c.N
		}
	}
	if failures == provoked {
		return nil
	}
	text := fmt.Sprintf("the interpreter of %s ended with %d errors, %d of which were provoked", p.Name, failures, provoked)
	for _, e := range journal.Entries {
		if bytes.Contains(e, []byte(`"reason":"interpreter"`)) {
			text += "\n" + string(e)
		}
	}
	return errors.New(text)
}

// connected waits until a peer has a number of connections.
func (l *lab) connected(p *peer, n int) error {
	for l.ctx.Err() == nil {
		var peers []any
		if err := getJSON(p.Admin+"/peers", &peers); err != nil {
			return err
		}
		if len(peers) >= n {
			return nil
		}
		time.Sleep(10 * time.Millisecond) // the endpoint tells only when asked
	}
	return l.ctx.Err()
}

func getJSON(url string, v any) error {
	q, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	q.Header.Set("Authorization", "Bearer "+adminToken)
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	return json.NewDecoder(r.Body).Decode(v)
}

// aquanode runs the program to its end.
func (l *lab) aquanode(args []string) any {
	cmd := exec.CommandContext(l.ctx, l.bin, args...)
	cmd.Dir = l.js
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		fmt.Fprint(&stderr, err)
	}
	return map[string]any{"code": cmd.ProcessState.ExitCode(), "stdout": stdout.String(), "stderr": stderr.String()}
}

// process is a running program.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *output
	done   chan struct{} // closed when it has ended
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, stderr: &output{}, done: make(chan struct{})}
	p.cmd.Stderr = p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Not StdoutPipe: Wait closes that one before everything is read.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = w
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	p.stdin, p.stdout = stdin, bufio.NewReaderSize(r, 1<<16)
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// end sends a signal and waits for the process to end.
func (p *process) end(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed by the next write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// wait gives what follows a text on its line, as soon as the line is there.
func (o *output) wait(after string, done <-chan struct{}) (string, error) {
	for {
		o.mu.Lock()
		_, rest, found := strings.Cut(o.text.String(), after)
		if o.more == nil {
			o.more = make(chan struct{})
		}
		more := o.more
		o.mu.Unlock()
		if line, _, whole := strings.Cut(rest, "\n"); found && whole {
			return line, nil
		}
		select {
		case <-more:
		case <-done:
			return "", fmt.Errorf("ended without saying %q", after)
		}
	}
}
