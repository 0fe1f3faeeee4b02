package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/test/load"
)

// Honest clients live in a process of their own, this program started with honestVerb, so that
// the attacker's goroutines do not stand in their way. There are two: one stays connected, the
// other comes anew with a key of its own for every [newcomerCalls] calls.
const (
	honestVerb    = "-honest"
	newcomerCalls = 10
	// pause lies between two calls of one client. Without one they alone keep two cores busy, and
	// every attack looks mild beside them.
	pause = 5 * time.Millisecond
)

// Stats are what honest clients saw since they were asked before.
type Stats struct {
	Calls, Lost int
	Errors      []string // of lost calls, the first few
	Latencies   load.Latencies
	// Jitter is by how much sleeps of a millisecond were late: what the machine does to processes
	// that ask nothing of the peer.
	Jitter load.Latencies
}

func (s *Stats) add(o Stats) {
	s.Calls, s.Lost = s.Calls+o.Calls, s.Lost+o.Lost
	s.Errors = append(s.Errors, o.Errors...)
	s.Latencies, s.Jitter = append(s.Latencies, o.Latencies...), append(s.Jitter, o.Jitter...)
	slices.Sort(s.Latencies)
	slices.Sort(s.Jitter)
}

// maxErrors is how many errors are shown.
const maxErrors = 3

// A caller makes calls until it is paused, and counts.
type caller struct {
	addr string
	ctx  context.Context

	going sync.RWMutex // held by Lock while paused; a call holds RLock

	mu    sync.Mutex
	stats Stats
}

// beHonest calls the peer at an address and obeys lines on standard input: "mark", "pause" and
// "resume". Each is answered with the stats since the one before. The end of the input is the end.
func beHonest(addr string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h := &caller{addr: addr, ctx: ctx}
	steady, err := client.Connect(ctx, client.Config{Relays: []string{addr}})
	if err != nil {
		return err
	}
	go h.steady(steady)
	go h.newcomers()
	go h.jitter()
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "pause":
			h.going.Lock()
		case "resume":
			h.going.Unlock()
		}
		if err := out.Encode(h.take()); err != nil {
			return err
		}
	}
	return nil
}

func (h *caller) take() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	h.stats = Stats{}
	return s
}

func (h *caller) note(latencies load.Latencies, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Calls++
	h.stats.Latencies = append(h.stats.Latencies, latencies...)
	if err != nil {
		h.stats.Lost++
		if len(h.stats.Errors) < maxErrors {
			h.stats.Errors = append(h.stats.Errors, fmt.Sprintf("%.400s", err))
		}
	}
}

// call makes one call and then rests.
func (h *caller) call(c *client.Client) {
	h.going.RLock()
	times, err := load.Calls(h.ctx, c, 1)
	h.going.RUnlock()
	h.note(times, err)
	time.Sleep(pause)
}

func (h *caller) steady(c *client.Client) {
	for h.ctx.Err() == nil {
		h.call(c)
	}
}

func (h *caller) newcomers() {
	for h.ctx.Err() == nil {
		h.going.RLock()
		ctx, cancel := context.WithTimeout(h.ctx, client.DefaultTTL)
		c, err := client.Connect(ctx, client.Config{Relays: []string{h.addr}})
		cancel()
		h.going.RUnlock()
		if err != nil {
			h.note(nil, fmt.Errorf("a newcomer: %w", err))
			time.Sleep(pause)
			continue
		}
		for range newcomerCalls {
			h.call(c)
		}
		// Closing waits for the last frames, and nobody here waits for it.
		go c.Close()
	}
}

func (h *caller) jitter() {
	for h.ctx.Err() == nil {
		began := time.Now()
		time.Sleep(time.Millisecond)
		late := time.Since(began) - time.Millisecond
		h.mu.Lock()
		h.stats.Jitter = append(h.stats.Jitter, late)
		h.mu.Unlock()
	}
}

// Honest is the process of honest clients.
type Honest struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// StartHonest starts honest clients of a peer.
func StartHonest(ctx context.Context, addr string) (*Honest, error) {
	h := &Honest{cmd: exec.CommandContext(ctx, os.Args[0], honestVerb, addr)}
	h.cmd.Stderr = os.Stderr
	in, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.out = in, json.NewDecoder(out)
	return h, h.cmd.Start()
}

// Say gives a command and returns the stats until then, sorted.
func (h *Honest) Say(what string) (s Stats, err error) {
	if _, err := fmt.Fprintln(h.in, what); err != nil {
		return s, err
	}
	if err := h.out.Decode(&s); err != nil {
		return s, fmt.Errorf("honest clients: %w", err)
	}
	slices.Sort(s.Latencies)
	slices.Sort(s.Jitter)
	return s, nil
}

// Close ends the process.
func (h *Honest) Close() {
	h.in.Close()
	h.cmd.Process.Kill()
	h.cmd.Wait()
}
