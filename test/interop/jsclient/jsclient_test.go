//go:build interop

package jsclient

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestScenarios runs all scenarios of js/ over a network of three peers.
func TestScenarios(t *testing.T) {
	l := newLab(t)
	if err := l.startNetwork(3); err != nil {
		t.Fatal(err)
	}
	r := startRunner(t, l)
	passed, ran := 0, 0
	for _, name := range r.names {
		if r.broken {
			r.end(syscall.SIGKILL)
			r = startRunner(t, l)
		}
		t.Run(name, func(t *testing.T) {
			ran++
			r.run(t, name)
			if !t.Failed() {
				passed++
			}
		})
	}
	for _, p := range l.network {
		if err := p.judge(0); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d of %d scenarios passed", passed, ran)
}

// scenarioTime is how long a scenario may take: several times what the slowest one does.
const scenarioTime = 3 * time.Minute

// runner is the Node.js process that runs the scenarios.
type runner struct {
	*process
	lab    *lab
	names  []string
	lines  chan []byte // what it says, closed at its end
	broken bool        // by a scenario that did not end
}

// message is what the runner says.
type message struct {
	Scenarios []string
	Done      bool
	Error     string
	Log       string
	Ask       int
	request
}

func startRunner(t *testing.T, l *lab) *runner {
	t.Helper()
	cmd := exec.CommandContext(l.ctx, "node", filepath.Join(l.js, "runner.mjs"))
	// A client gives its worker 10 s to start, which is not always enough while other programs want the processors.
	cmd.Env = append(os.Environ(), "DEBUG=fluence:*error*", "THREADS_WORKER_INIT_TIMEOUT=60000")
	p, err := startProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{process: p, lab: l, lines: make(chan []byte)}
	t.Cleanup(func() { r.end(syscall.SIGKILL) })
	go r.read()
	first, err := r.next(scenarioTime)
	if err != nil || len(first.Scenarios) == 0 {
		t.Fatalf("the runner does not start: %v\n%s", err, r.stderr)
	}
	r.names = first.Scenarios
	return r
}

func (r *runner) read() {
	defer close(r.lines)
	lines := bufio.NewScanner(r.stdout)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		r.lines <- append([]byte(nil), lines.Bytes()...)
	}
}

func (r *runner) next(limit time.Duration) (m message, err error) {
	select {
	case line, ok := <-r.lines:
		if !ok {
			return m, errors.New("the runner has ended")
		}
		return m, json.Unmarshal(line, &m)
	case <-time.After(limit):
		return m, fmt.Errorf("no end after %s", limit)
	}
}

func (r *runner) run(t *testing.T, name string) {
	r.say(map[string]any{"run": name})
	for end := time.Now().Add(scenarioTime); ; {
		m, err := r.next(time.Until(end))
		switch {
		case err != nil:
			r.broken = true
			t.Fatalf("%v\n%s", err, tail(r.stderr.String()))
		case m.Done && m.Error != "":
			t.Fatalf("%s\n%s", m.Error, tail(m.Log))
		case m.Done:
			return
		}
		go r.answer(m)
	}
}

func (r *runner) answer(m message) {
	v, err := r.lab.do(m.request)
	if err != nil {
		r.say(map[string]any{"answer": m.Ask, "error": err.Error()})
		return
	}
	r.say(map[string]any{"answer": m.Ask, "value": v})
}

func (r *runner) say(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of strings and numbers
	}
	r.stdin.Write(append(line, '\n')) // a runner that has ended is noticed by who reads
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// request is what a scenario asks the lab for.
type request struct {
	Op       string
	Name     string   // of a peer
	Args     []string // of aquanode
	Failures int      // of the peer's interpreter that the scenario provoked
	Addr     string   // of a peer or of a proxy to it
	Count    int      // of clients
	Delay    int      // milliseconds
	Hold     bool
	Down     bool
}

func (l *lab) do(r request) (any, error) {
	switch r.Op {
	case "network":
		return l.network, nil
	case "aquanode":
		return l.aquanode(r.Args), nil
	case "start":
		d, err := l.startPeer(r.Name, r.Args...)
		if err != nil {
			return nil, err
		}
		return d.peer, nil
	case "restart":
		d, err := l.restart(r.Name)
		if err != nil {
			return nil, err
		}
		return d.peer, nil
	case "certificate":
		return l.certificate()
	case "crowd":
		return l.crowd(r.Addr, r.Count)
	case "proxy":
		return l.proxyTo(r.Addr)
	case "line":
		return nil, l.setProxy(r.Addr, time.Duration(r.Delay)*time.Millisecond, r.Hold, r.Down)
	}
	d, err := l.peer(r.Name)
	if err != nil {
		return nil, err
	}
	switch r.Op {
	case "kill":
		return nil, d.stop(syscall.SIGKILL, r.Failures)
	case "end":
		return nil, d.stop(syscall.SIGTERM, r.Failures)
	case "stop":
		return nil, d.cmd.Process.Signal(syscall.SIGSTOP)
	case "continue":
		return nil, d.cmd.Process.Signal(syscall.SIGCONT)
	}
	return nil, fmt.Errorf("there is no operation %q", r.Op)
}
