// Package e2e runs the program as users do: as processes of the operating system that
// know nothing of each other but an address.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "aquanode-e2e-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "aquanode")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/aquanode")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("building aquanode: %v\n%s", err, out)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// A peer is a running aquanode process.
type peer struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	admin  string
	dir    string // of its data

	PeerID string
	Addrs  []string
}

// start runs a peer and waits until it is ready.
func start(t *testing.T, args ...string) *peer {
	t.Helper()
	if !strings.Contains(strings.Join(args, " "), "--listen") {
		args = append(args, "--listen", "/ip4/127.0.0.1/tcp/0")
	}
	return startAs(t, args...)
}

// startAs is start for peers that are told where to listen in another way.
func startAs(t *testing.T, args ...string) *peer {
	t.Helper()
	p := &peer{t: t, stderr: new(bytes.Buffer), admin: freeAddr(t), dir: t.TempDir()}
	args = append([]string{"--data-dir", p.dir, "--admin", p.admin, "--format", "json"}, args...)
	p.cmd = exec.Command(binary, args...)
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("peer did not get ready: %v\n%s", err, p.stderr)
	}
	if err := json.Unmarshal(line, p); err != nil || p.PeerID == "" || len(p.Addrs) == 0 {
		t.Fatalf("ready line %q: %v", line, err)
	}
	return p
}

func (p *peer) addr() string { return p.Addrs[0] }

// kill ends the process at once, as a crash would.
func (p *peer) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// stop asks the process to end and gives its error.
func (p *peer) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.cmd.Wait()
}

// counts reads the journal's counts, as "kind/reason".
func (p *peer) counts() map[string]int {
	p.t.Helper()
	r, err := http.Get("http://" + p.admin + "/particles")
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	var page struct {
		Counts []struct {
			Kind, Reason string
			N            int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&page); err != nil {
		p.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, c := range page.Counts {
		counts[c.Kind+"/"+c.Reason] = c.N
	}
	return counts
}

// wantCount waits until the journal counts at least n.
func (p *peer) wantCount(what string, n int) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); p.counts()[what] < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("want %d of %s in the journal, it has %v", n, what, p.counts())
		}
	}
}

// three are peers of which two know nothing but the address of the first.
func three(t *testing.T, args ...string) [3]*peer {
	t.Helper()
	var all [3]*peer
	all[0] = start(t, args...)
	join := append([]string{"--bootstrap", all[0].addr()}, args...)
	all[1], all[2] = start(t, join...), start(t, join...)
	return all
}

// output is what a finished command said.
type output struct {
	stdout, stderr string
	err            error
}

// command runs aquanode to its end.
func command(t *testing.T, args ...string) output {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return output{strings.TrimSpace(stdout.String()), stderr.String(), err}
}

// over runs a script through the first of three peers, which it may call peer1 to peer3.
func over(t *testing.T, peers [3]*peer, file string, args ...string) output {
	t.Helper()
	all := []string{"run", file, "--relay", peers[0].addr(), "--ttl", "1m"}
	for i, p := range peers {
		all = append(all, "--on", fmt.Sprintf("peer%d=%s", i+1, p.PeerID))
	}
	return command(t, append(all, args...)...)
}

func (o output) want(t *testing.T, stdout string) {
	t.Helper()
	if o.err != nil || o.stdout != stdout {
		t.Errorf("want %s, got %s, %v\n%s", stdout, o.stdout, o.err, o.stderr)
	}
}

// write puts files into a directory and gives its path.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
