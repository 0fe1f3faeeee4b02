package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aquanode/aquanode/test/process"
)

// A Row is an attack and what is expected of a peer under it.
type Row struct {
	Name string
	Kind string
	// Args are flags of the peer besides the usual ones, Env variables of its environment; Services are
	// its .js files by name.
	Args     []string
	Env      []string
	Services map[string]string
	// Attack attacks until it is done or ctx ends. What it opened through the arena is closed after
	// Lasts.
	Attack func(ctx context.Context, a *Arena) error
	// Lasts is for how long honest calls are measured from the begin of the attack; 0 is 4 s.
	Lasts time.Duration
	// Reasons are counts of the journal ("refused/rate") of which at least one has to grow in the
	// attack; none: what is sent is served.
	Reasons []string
	// Check, if set, looks at what happened besides.
	Check func(a *Arena, counted process.Counts) error
	// Memory is the limit of the peak of resident memory in MB; 0 is the memory limit of the process.
	Memory int64
	// Calm is how long the work of the attack may go on after it; 0 is 15 s.
	Calm time.Duration

	// Scene replaces all this: it starts processes itself and returns what was wrong.
	Scene func(ctx context.Context, s *Scene) error

	// Slice rows run in go test.
	Slice bool
	// Pending names the fault that makes the row fail today, see pending.go.
	Pending string
}

// Bounds of every row.
const (
	memoryLimit  = 1 << 30 // of the process
	addressSpace = 5_000_000 << 10
	restMemory   = 150 // MB of a process with nothing live
	maxLog       = 1 << 20
	grace        = time.Second
	stopLimit    = grace + 2*time.Second
	busy         = 100 * time.Millisecond // of processor time in a second: more is not at rest
)

// An effort is how much is done for one row.
type effort struct {
	quiet time.Duration // of honest calls before and after
	rest  time.Duration // for memory to return
	lasts time.Duration // of an attack at most; 0 is as the row says
	times bool          // whether the row fails for its p99
	slack time.Duration // how many times longer calm and stop may take: on a slow machine
}

var (
	full  = effort{quiet: 2 * time.Second, rest: time.Minute, times: true, slack: 1}
	brief = effort{quiet: time.Second, rest: 3 * time.Minute, lasts: 3 * time.Second, slack: 4}
)

// A Verdict is what became of a row.
type Verdict struct {
	Name, Kind, Pending string
	Faults              []string // what was not as it has to be
	Broken              string   // why the row could not be judged; a pending fault is no excuse
	Quiet, During       Stats    `json:"-"`
	QuietP50, QuietP99  time.Duration
	P50, P99, Limit     time.Duration
	Calls, Lost         int
	PeakMB, RestMB      int64
	CPU                 time.Duration // of the process in the attack
	Calmed              time.Duration // until it rested
	Counted             process.Counts
	LogBytes            int64
	Stopped             time.Duration
	Took                time.Duration
}

// Failed reports whether a row is not as it is marked.
func (v *Verdict) Failed() bool {
	return v.Broken != "" || (len(v.Faults) > 0) != (v.Pending != "")
}

func (v *Verdict) fault(format string, args ...any) {
	v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
}

// Bench runs rows.
type Bench struct {
	binary string
	dir    string
}

// NewBench builds the program unless it is given.
func NewBench(ctx context.Context, binary string) (*Bench, error) {
	dir, err := os.MkdirTemp("", "aquanode-hostile-")
	if err != nil {
		return nil, err
	}
	b := &Bench{binary: binary, dir: dir}
	if binary == "" {
		if b.binary, err = process.Build(ctx, dir); err != nil {
			b.Close()
			return nil, err
		}
	}
	return b, nil
}

// Close removes what the bench made.
func (b *Bench) Close() { os.RemoveAll(b.dir) }

// Try runs a row.
func (b *Bench) Try(ctx context.Context, r Row, e effort) *Verdict {
	began := time.Now()
	v := &Verdict{Name: r.Name, Kind: r.Kind, Pending: r.Pending}
	dir, err := os.MkdirTemp(b.dir, "row-")
	if err == nil {
		if r.Scene != nil {
			err = b.scene(ctx, r, dir)
		} else {
			err = b.attack(ctx, r, e, dir, v)
		}
		os.RemoveAll(dir)
	}
	switch {
	case err != nil && r.Scene != nil:
		v.fault("%v", err)
	case err != nil:
		v.Broken = err.Error()
	}
	v.Took = time.Since(began)
	return v
}

// config is how the peers of all rows are started.
func (b *Bench) config(dir string, args ...string) process.Config {
	return process.Config{
		Binary: b.binary, Dir: dir, AddressSpace: addressSpace,
		Args: append([]string{"--grace", grace.String(), "--memory-limit", fmt.Sprint(memoryLimit)}, args...),
	}
}

// files writes files into a directory.
func files(dir string, all map[string]string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// attack runs a row with honest clients.
func (b *Bench) attack(ctx context.Context, r Row, e effort, dir string, v *Verdict) error {
	args := r.Args
	if r.Services != nil {
		services := filepath.Join(dir, "services")
		if err := files(services, r.Services); err != nil {
			return err
		}
		args = append(slices.Clone(args), "--services", services)
	}
	cfg := b.config(filepath.Join(dir, "data"), args...)
	cfg.Env = r.Env
	p, err := process.Start(cfg)
	if err != nil {
		return err
	}
	defer p.Kill()
	h, err := StartHonest(ctx, p.Addr())
	if err != nil {
		return err
	}
	defer h.Close()
	t := &trial{row: r, effort: e, peer: p, honest: h, v: v}
	if r.Lasts == 0 {
		t.row.Lasts = 4 * time.Second
	}
	if e.lasts > 0 {
		t.row.Lasts = min(t.row.Lasts, e.lasts)
	}
	if r.Calm == 0 {
		t.row.Calm = 15 * time.Second
	}
	t.row.Calm *= e.slack
	err = t.run(ctx)
	if !p.Alive() && v.Stopped == 0 {
		v.fault("the process ended: %s", crash(p.Log()))
	} else if strings.Contains(p.Log(), "panic:") || strings.Contains(p.Log(), "fatal error:") {
		v.fault("the process panicked: %s", crash(p.Log()))
	}
	if v.LogBytes = p.LogBytes(); v.LogBytes > maxLog {
		v.fault("%d bytes on standard error", v.LogBytes)
	}
	return err
}

// A trial is the run of a row.
type trial struct {
	row    Row
	effort effort
	peer   *process.Peer
	honest *Honest
	v      *Verdict
}

// errDead says that there is nothing left to judge.
var errDead = errors.New("the peer is dead")

func (t *trial) run(ctx context.Context) error {
	for _, phase := range []func(context.Context) error{t.before, t.during, t.calm, t.after, t.stop} {
		if err := phase(ctx); err != nil {
			if !t.peer.Alive() || errors.Is(err, errDead) {
				return nil // the fault is noted
			}
			return err
		}
		if !t.peer.Alive() {
			return nil
		}
	}
	return nil
}

// before warms up and measures quiet calls.
func (t *trial) before(ctx context.Context) error {
	time.Sleep(500 * time.Millisecond)
	if _, err := t.honest.Say("mark"); err != nil {
		return err
	}
	return t.quiet()
}

func (t *trial) quiet() error {
	time.Sleep(t.effort.quiet)
	s, err := t.honest.Say("mark")
	t.v.Quiet.add(s)
	return err
}

// during attacks.
func (t *trial) during(ctx context.Context) error {
	counts, err := t.peer.Counts(ctx)
	if err != nil {
		return err
	}
	cpu, err := t.peer.CPU()
	if err != nil {
		return err
	}
	a, err := t.assault(ctx)
	if a != nil {
		defer a.close()
	}
	if t.v.During, _ = t.honest.Say("mark"); err != nil {
		t.v.fault("the attack: %v", err)
	}
	if m, err := t.peer.Memory(); err == nil {
		t.v.PeakMB = m.Peak >> 20
	}
	if !t.peer.Alive() {
		return errDead
	}
	now, err := t.peer.Counts(ctx)
	if err != nil {
		t.v.fault("the admin endpoint: %v", err)
		return errDead
	}
	t.v.Counted = now.Since(counts)
	if end, err := t.peer.CPU(); err == nil {
		t.v.CPU = end - cpu
	}
	if t.row.Check != nil {
		if err := t.row.Check(a, t.v.Counted); err != nil {
			t.v.fault("%v", err)
		}
	}
	return nil
}

// assault runs the attack for as long as the row lasts.
func (t *trial) assault(ctx context.Context) (*Arena, error) {
	whole := time.Now().Add(t.row.Lasts)
	ctx, cancel := context.WithDeadline(ctx, whole)
	defer cancel()
	a, err := newArena(t.peer)
	if err != nil {
		return nil, err
	}
	err = t.row.Attack(ctx, a)
	if ctx.Err() != nil {
		err = nil // it was to go on until then
	}
	select {
	case <-ctx.Done():
	case <-t.peer.Ended():
	}
	return a, err
}

// calm waits until the attack's work is over.
func (t *trial) calm(ctx context.Context) error {
	s, err := t.honest.Say("pause") // when the calls that began in the attack have ended
	if err != nil {
		return err
	}
	t.v.During.add(s)
	began := time.Now()
	for used := time.Second; used > busy; {
		before, err := t.peer.CPU()
		if err != nil {
			return err
		}
		time.Sleep(time.Second)
		after, err := t.peer.CPU()
		if err != nil {
			return err
		}
		used = after - before
		if t.v.Calmed = time.Since(began); used > busy && t.v.Calmed > t.row.Calm {
			t.v.fault("%s after the attack the process still uses %s in a second", t.v.Calmed.Round(time.Second), used)
			break
		}
	}
	counts, err := t.peer.Counts(ctx)
	if err != nil {
		return err
	}
	if _, err := t.honest.Say("resume"); err != nil {
		return err
	}
	return t.reasons(counts)
}

// reasons looks for what the row expects. A loss or an expiry may come late, so the counts are those
// after the calm.
func (t *trial) reasons(now process.Counts) error {
	if len(t.row.Reasons) == 0 {
		return nil
	}
	for _, want := range t.row.Reasons {
		if now[want] > 0 {
			t.v.Counted[want] = max(t.v.Counted[want], now[want])
			return nil
		}
	}
	t.v.fault("none of %v is in the journal", t.row.Reasons)
	return nil
}

// after measures quiet calls again, and memory at rest.
func (t *trial) after(ctx context.Context) error {
	if err := t.quiet(); err != nil {
		return err
	}
	t.judgeCalls()
	if _, err := t.honest.Say("pause"); err != nil {
		return err
	}
	for end := time.Now().Add(t.effort.rest); ; time.Sleep(time.Second) {
		m, err := t.peer.Memory()
		if err != nil {
			return err
		}
		live, err := t.peer.Metric(ctx, "particle_executor_alive_actors")
		if err != nil {
			return err
		}
		t.v.RestMB, t.v.PeakMB = m.Now>>20, m.Peak>>20
		// What lives on is the honest clients' for some seconds, and what the attack left for as
		// long as its TTL: the limit of the process then holds.
		if t.v.RestMB <= restMemory || live > 0 && time.Now().After(end) {
			break
		}
		if time.Now().After(end) {
			t.v.fault("%d MB resident with nothing live", t.v.RestMB)
			break
		}
	}
	limit := t.row.Memory
	if limit == 0 {
		limit = memoryLimit >> 20
	}
	if t.v.PeakMB > limit {
		t.v.fault("%d MB resident at the peak, the limit is %d", t.v.PeakMB, limit)
	}
	_, err := t.honest.Say("resume")
	return err
}

func (t *trial) judgeCalls() {
	v := t.v
	v.QuietP50, v.QuietP99 = v.Quiet.Latencies.At(.5), v.Quiet.Latencies.At(.99)
	v.P50, v.P99 = v.During.Latencies.At(.5), v.During.Latencies.At(.99)
	v.Limit = limitOf(&v.Quiet, &v.During)
	v.Calls, v.Lost = v.During.Calls, v.During.Lost
	if v.Quiet.Lost > 0 {
		v.fault("%d of %d honest calls were lost in quiet: %s", v.Quiet.Lost, v.Quiet.Calls, v.Quiet.Errors)
	}
	if v.Lost > 0 {
		v.fault("%d of %d honest calls were lost: %s", v.Lost, v.Calls, v.During.Errors)
	}
	if v.Calls == 0 {
		v.fault("no honest call came to an end")
	}
	if t.effort.times && v.P99 > v.Limit {
		v.fault("p99 of honest calls %s, quiet %s, limit %s", round(v.P99), round(v.QuietP99), round(v.Limit))
	}
}

// limitOf is how slow honest calls may be at their p99: five times quiet. Quiet counts as no less
// than 10 ms, the time slice of the kernel's scheduler: below it the order of processes on two
// cores decides and not the peer. The delays of sleeps in the attack count too, since whatever
// delays a sleep delays the calls; on a machine of its own they are below the other two.
func limitOf(quiet, during *Stats) time.Duration {
	return 5 * max(quiet.Latencies.At(.99), 10*time.Millisecond, during.Jitter.At(.99))
}

// stop attacks again and stops the process in the middle of it.
func (t *trial) stop(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	a, err := newArena(t.peer)
	if err != nil {
		cancel()
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.row.Attack(ctx, a) // its errors are those of a peer that goes away
	}()
	defer func() { cancel(); a.close(); <-done }()
	time.Sleep(time.Second)
	limit := stopLimit * t.effort.slack
	took, err := t.peer.Stop(2 * limit)
	t.v.Stopped = took
	switch {
	case err != nil:
		t.v.fault("stop after %s: %v", round(took), err)
	case took > limit:
		t.v.fault("stopped after %s, the limit is %s", round(took), limit)
	}
	return nil
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}

// crash gives the lines of a log that say why a process ended.
func crash(log string) string {
	for _, mark := range []string{"fatal error:", "panic:", "runtime: out of memory"} {
		if at := strings.Index(log, mark); at >= 0 {
			return firstLines(log[at:], 3)
		}
	}
	return firstLines(log, 3)
}

// firstLines gives the first lines that say something.
func firstLines(text string, n int) string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && len(out) < n {
			out = append(out, fmt.Sprintf("%.200s", line))
		}
	}
	return strings.Join(out, " | ")
}
