package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

// memory is a Keeper whose disk can be looked at as it was after each change of a log.
type memory struct {
	after func(f func()) // instead of calling it at once
	full  error          // of Room

	mu   sync.Mutex
	logs []*memoryLog
}

type memoryLog struct {
	of      *memory
	head    []byte
	old     [][]byte
	records [][]byte
	moments [][][]byte
	removed bool
	torn    bool // until Replace
}

func (m *memory) Begin(head []byte) Log {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &memoryLog{of: m, head: head, moments: [][][]byte{nil}}
	m.logs = append(m.logs, l)
	return l
}

func (m *memory) After(f func()) {
	if m.after != nil {
		m.after(f)
		return
	}
	f()
}

func (m *memory) Room(context.Context) error { return m.full }

func (l *memoryLog) change(records [][]byte) {
	l.records = records
	l.moments = append(l.moments, slices.Clone(records))
}

func (l *memoryLog) Append(record []byte) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.change(append(l.records, record))
}

func (l *memoryLog) Replace(records [][]byte) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.torn = false
	l.change(slices.Clone(records))
}

func (l *memoryLog) Remove() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.removed = true
}

func (l *memoryLog) Torn() bool {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	return l.torn
}

func (l *memoryLog) Read() ([][]byte, error) { return l.old, nil }

// life is one process of a peer that runs particles with the interpreter.
type life struct {
	*Dispatcher
	keeper *memory

	mu    sync.Mutex
	calls []string
	sent  map[string]bool
	done  string
}

// begin starts a peer. Calls take their first argument in milliseconds and give the second.
func begin(keeper *memory) *life {
	l := &life{keeper: keeper, sent: map[string]bool{}}
	l.Dispatcher = New(Config{
		Host:        Scope{Peer: peerOf(1), Key: testKey(1)},
		Journal:     journal.New("", 0),
		Interpreter: Interpret(interpreter.Limits{}),
		Keeper:      keeper,
		Services:    starts(l.serve),
		Network: sends(func(o Outgoing) {
			l.mu.Lock()
			for _, peer := range o.To {
				l.sent[peer] = true
			}
			l.mu.Unlock()
			for _, peer := range o.To {
				o.Handed(peer)
			}
		}),
	})
	return l
}

func (l *life) deliver(from string, p *particle.Particle) {
	l.Deliver(share.Owner{Range: from, Remote: from}, p)
}

func (l *life) serve(ctx context.Context, c *services.Call) services.Result {
	texts := make([]string, len(c.Args))
	for i, a := range c.Args {
		texts[i] = a.Text()
	}
	if c.Function == "done" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.done = strings.Join(texts, " ")
		return services.Result{Result: "null"}
	}
	n, _ := c.Args[0].AsInt64()
	select {
	case <-time.After(time.Duration(n) * time.Millisecond):
	case <-ctx.Done():
		return services.Result{RetCode: 1, Result: `"cut short"`}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, texts[0])
	if c.Function == "fail" {
		return services.Result{RetCode: 1, Result: `"failed"`}
	}
	if c.Function == "big" {
		return services.Result{Result: value.String(strings.Repeat(texts[1], 100_000)).Text()}
	}
	return services.Result{Result: texts[1]}
}

// keepScripts are run by peer ME; END is where they end, GO sends to somebody else.
var keepScripts = map[string]string{
	"one after the other": `(seq (call ME ("s" "f") [10 "a"] a) (seq (call ME ("s" "f") [20 a] b) (seq GO END)))`,
	"side by side": `(seq (par (call ME ("s" "f") [30 "a"] a) (par (call ME ("s" "f") [10 "x"] x) (call ME ("s" "f") [20 "b"] b)))
		(seq (par GO (call ME ("s" "f") [40 "c"] c)) END))`,
	"failures": `(seq (xor (seq (call ME ("s" "f") [10 "q"] q) (call ME ("s" "fail") [20 ""] a)) (call ME ("s" "f") [30 :error:.$.message] a))
		(seq (call ME ("s" "f") [40 "b"] b) (seq GO END)))`,
	"streams": `(new $s (seq (par (call ME ("s" "f") [20 1] $s) (par (call ME ("s" "f") [10 2] $s) (call ME ("s" "f") [30 3] $s)))
		(seq (canon ME $s #ss) (seq (fold #ss i (par (call ME ("s" "f") [40 i] $t) (next i)))
		(seq (canon ME $t #tt) (seq (call ME ("s" "f") [0 #ss.length] a) (seq (call ME ("s" "f") [0 #tt.length] b) (seq GO END))))))))`,
	"big values": `(seq (par (call ME ("s" "big") [10 1] x) (par (call ME ("s" "big") [20 2] y) (call ME ("s" "f") [100 2] z)))
		(seq (call ME ("s" "f") [30 "a"] a) (seq (call ME ("s" "f") [40 "b"] b) (seq GO END))))`,
}

// Whenever a peer crashes, the next process brings the particle to the same end. What has a
// result on disk is not asked again, and what was handed over is not sent again.
func TestEveryCrash(t *testing.T) {
	for name, body := range keepScripts {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("ME", `"`+peerOf(1)+`"`, "END", `(call "`+peerOf(1)+`" ("s" "done") [a b])`,
				"GO", `(par (call "`+peerOf(7)+`" ("s" "f") []) (null))`).Replace(body)
			var whole *memoryLog
			var want string
			var entries []journal.Entry
			synctest.Test(t, func(t *testing.T) {
				l := begin(&memory{})
				l.deliver("r", particle.New(testKey(2), text, time.Minute, time.Now()))
				pass(time.Second)
				want, entries = l.done, l.cfg.Journal.Recent(10, nil)
				whole = l.keeper.logs[0]
				l.Close()
			})
			if want == "" {
				t.Fatalf("the script has no end: %+v", entries)
			}
			t.Logf("%d moments, the end is %.40s", len(whole.moments), want)
			for i, records := range whole.moments {
				for _, twice := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) { whole.crash(t, i, records, want, twice) })
				}
			}
		})
	}
}

// crash goes on from what was on disk at some moment. When it is to happen twice, the second
// crash comes in the middle of the second life.
func (l *memoryLog) crash(t *testing.T, moment int, records [][]byte, want string, twice bool) {
	head := l.head
	if twice {
		between := begin(&memory{})
		log := between.restore(t, head, records)
		pass(25 * time.Millisecond)
		log.of.mu.Lock()
		records = slices.Clone(log.records)
		log.of.mu.Unlock()
		between.Close()
	}
	results, handed := 0, false
	for _, r := range records {
		switch {
		case r[0] == recordResult:
			results++
		case r[0] == recordHanded:
			handed = true
		case r[0] == recordCheckpoint:
			results = -1
		}
	}
	next := begin(&memory{})
	log := next.restore(t, head, records)
	pass(time.Second)
	if next.done == "" {
		// The call of done itself had its result on disk.
		if !slices.ContainsFunc(records, func(r []byte) bool { return r[0] == recordResult && string(r[9:]) == "null" }) &&
			!bytes.HasPrefix(records[0], []byte{recordCheckpoint}) {
			t.Errorf("moment %d: no end after the crash; journal %+v", moment, next.cfg.Journal.Recent(20, nil))
		}
	} else if next.done != want {
		t.Errorf("moment %d: want %.80s, got %.80s", moment, want, next.done)
	}
	if !handed && results >= 0 && !next.sent[peerOf(7)] {
		t.Errorf("moment %d: the data was neither handed over before the crash nor sent after it", moment)
	}
	if handed && next.sent[peerOf(7)] && next.done == "" {
		t.Errorf("moment %d: sent again what was handed over", moment)
	}
	next.Close()
	if log.removed {
		t.Errorf("moment %d: the log ended before the particle", moment)
	}
}

// restore brings back the only particle of a log.
func (l *life) restore(t *testing.T, head []byte, records [][]byte) *memoryLog {
	log := &memoryLog{of: l.keeper, head: head, old: records, records: slices.Clone(records)}
	p, scope, ok := l.Restore(head, log)
	if !ok || p.ID == "" || scope.Peer != peerOf(1) {
		t.Fatalf("not restored: %v, %+v", p, l.cfg.Journal.Recent(1, nil))
	}
	l.Resume()
	return log
}

// Data leaves when what it was made from is on disk, and not before.
func TestDataWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting []func()
		keeper := &memory{}
		keeper.after = func(f func()) {
			steps := 0
			for _, r := range keeper.logs[0].records {
				if r[0] == recordStep {
					steps++
				}
			}
			if steps != 1 {
				t.Errorf("want the step on its way to disk before the data, got %d", steps)
			}
			waiting = append(waiting, f)
		}
		l := begin(keeper)
		l.deliver("r", particle.New(testKey(2), fmt.Sprintf(`(call %q ("s" "f") [])`, peerOf(7)), time.Minute, time.Now()))
		synctest.Wait()
		if len(l.sent) != 0 || len(waiting) != 1 {
			t.Fatalf("want nothing sent and one waiting, got %v and %d", l.sent, len(waiting))
		}
		waiting[0]()
		if !l.sent[peerOf(7)] {
			t.Error("not sent after the disk")
		}
		l.Close()
	})
}

// The calls of a restored particle are those that have no result on disk.
func TestCallsAreAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := begin(&memory{})
		me := `"` + peerOf(1) + `"`
		first.deliver("r", particle.New(testKey(2), fmt.Sprintf(
			`(par (call %s ("s" "f") [10 1] a) (par (call %[1]s ("s" "f") [50 2] b) (call %[1]s ("s" "f") [60 3] c)))`, me), time.Minute, time.Now()))
		pass(30 * time.Millisecond)
		log := first.keeper.logs[0]
		first.Close() // cuts the other two short
		if n := first.cfg.Journal.Count(journal.Kept, ""); n != 1 {
			t.Errorf("want an entry of a kept particle, got %d", n)
		}
		next := begin(&memory{})
		again := next.restore(t, log.head, log.records)
		pass(time.Second)
		slices.Sort(next.calls)
		if diff := cmp.Diff([]string{"50", "60"}, next.calls); diff != "" {
			t.Errorf("calls after the restart (-want +got):\n%s", diff)
		}
		pass(time.Minute)
		next.Close()
		if last := next.cfg.Journal.Recent(1, nil)[0]; last.Kind != journal.Done || !again.removed || log.removed {
			t.Errorf("want the particle to be done, and its log to go at its deadline, got %+v, removed %v", last, again.removed)
		}
	})
}

// What has ended here is known to the next process until its deadline.
func TestFinishedOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := begin(&memory{})
		p := particle.New(testKey(2), fmt.Sprintf(`(call %q ("s" "f") [10 1] a)`, peerOf(1)), time.Minute, time.Now())
		first.deliver("r", p)
		pass(time.Second)
		log := first.keeper.logs[0]
		first.Close()
		if len(log.records) != 1 || log.records[0][0] != recordFinished {
			t.Errorf("want one record that it ended, got %q", log.records)
		}
		next := begin(&memory{})
		again := next.restore(t, log.head, log.records)
		synctest.Wait()
		next.deliver("r", p)
		pass(time.Second)
		if len(next.calls) > 0 || next.Live() != 0 || next.Stats().Finished != 1 {
			t.Errorf("it was called again: %v, %d live", next.calls, next.Live())
		}
		if n := next.cfg.Journal.Count(journal.Done, ""); n != 0 {
			t.Error("its end is told again")
		}
		pass(time.Minute)
		if !again.removed {
			t.Error("its log is still there after its deadline")
		}
		next.Close()
	})
}

// A log does not grow without end: checkpoints take its place.
func TestCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begin(&memory{})
		p := particle.New(testKey(2), fmt.Sprintf(`(call %q ("s" "f") [50000 1] a)`, peerOf(1)), time.Minute, time.Now())
		state, err := interpreter.Open(p.Script, nil, interpreter.Params{
			InitPeerID: p.InitPeerID, CurrentPeerID: peerOf(3), ParticleID: p.ID, Timestamp: p.Timestamp, TTL: p.TTL, Key: testKey(3),
		})
		if err != nil {
			t.Fatal(err)
		}
		state.Step(t.Context(), nil, nil)
		if p.Data, err = state.Data(); err != nil {
			t.Fatal(err)
		}
		for range 10 * checkpointBytes / len(p.Data) {
			l.deliver("r", p)
			synctest.Wait()
		}
		size := 0
		for _, r := range l.keeper.logs[0].records {
			size += len(r)
		}
		if size > 2*checkpointBytes {
			t.Errorf("the log has %d bytes", size)
		}
		log := l.keeper.logs[0]
		l.Close()
		next := begin(&memory{})
		next.restore(t, log.head, log.records)
		pass(55 * time.Second)
		if len(next.calls) != 1 {
			t.Errorf("want the pending call of the checkpoint, got %v", next.calls)
		}
		next.Close()
	})
}

// What waits while a checkpoint is made stays in the log behind it.
func TestCheckpointKeepsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keeper, release := &memory{}, make(chan struct{})
		h := newHost(t, func(string) interpreter.Outcome { <-release; return interpreter.Outcome{} }, func(c *Config) { c.Keeper = keeper })
		p := newParticle(2, strings.Repeat("x", 2*checkpointBytes))
		h.deliver("r", p)
		synctest.Wait() // in its step
		again := *p
		again.Data = []byte("more")
		h.deliver("r", &again)
		close(release)
		synctest.Wait()
		var kinds []string
		for _, records := range keeper.logs[0].moments {
			text := ""
			for _, r := range records {
				text += string(r[0])
			}
			kinds = append(kinds, text)
		}
		if diff := cmp.Diff([]string{"", "a", "as", "asa", "ca", "cas"}, kinds); diff != "" {
			t.Errorf("the log's moments (-want +got):\n%s", diff)
		}
		h.Close()
	})
}

// A step that the end of the process cuts short is done again by the next one.
func TestTornStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keeper := &memory{}
		var h *host
		h = newHost(t, func(in string) interpreter.Outcome {
			if in == "more |" {
				<-h.ctx.Done()
			}
			return interpreter.Outcome{}
		}, func(c *Config) { c.Keeper = keeper })
		p := newParticle(2, "a")
		h.deliver("r", p)
		synctest.Wait()
		again := *p
		again.Data = []byte("more")
		h.deliver("r", &again)
		synctest.Wait()
		h.Close()
		if got := string(bytes.Join(keeper.logs[0].records, nil)); got != "aasamores" {
			t.Errorf("want both steps in the log and no checkpoint, got %q", got)
		}
	})
}

func TestRestoreRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begin(&memory{})
		p := particle.New(testKey(2), "(null)", time.Second, time.Now())
		head := encodeHead(peerOf(1), p)
		for i := range head { // a broken head is no panic; many lead to another particle
			l.Restore(head[:i], &memoryLog{of: l.keeper})
		}
		pass(2 * time.Second)
		for name, head := range map[string][]byte{"expired": head, "of a scope that is gone": encodeHead(peerOf(5), p), "empty": nil} {
			log := &memoryLog{of: l.keeper}
			if _, _, ok := l.Restore(head, log); ok || !log.removed {
				t.Errorf("%s: restored %v, removed %v", name, ok, log.removed)
			}
		}
		if n := l.cfg.Journal.Count(journal.Expired, journal.WhileDown); n != 1 {
			t.Errorf("want an entry of what expired, got %d", n)
		}
		l.Close()
	})
}

// Particles that are restored are not new ones of their init peer.
func TestRestoredAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begin(&memory{})
		l.cfg.Rate = 10
		for range 100 {
			p := particle.New(testKey(2), "(never)", time.Minute, time.Now())
			if _, _, ok := l.Restore(encodeHead(peerOf(1), p), &memoryLog{of: l.keeper}); !ok {
				t.Fatal("not restored")
			}
		}
		l.Resume()
		l.deliver("r", particle.New(testKey(2), "(never)", time.Minute, time.Now()))
		synctest.Wait()
		if n := l.cfg.Journal.Count(journal.Arrived, ""); n != 1 || l.Live() != 101 {
			t.Errorf("want the new one taken, journal %+v", l.cfg.Journal.Recent(1, nil))
		}
		l.Close()
	})
}

// Records that are broken end the particle with an entry, not the peer.
func TestBrokenRecords(t *testing.T) {
	for name, records := range map[string][][]byte{
		"empty": {{}}, "kind": {{'?'}}, "result": {{recordResult, 1}}, "handed": {{recordHanded}}, "checkpoint": {{recordCheckpoint, 200, 1}},
		"argument": {append([]byte{recordCheckpoint, 29}, `{"Pending":[{"Args":["no{"]}]}`...)},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := begin(&memory{})
			p := particle.New(testKey(2), "(null)", time.Second, time.Now())
			l.restore(t, encodeHead(peerOf(1), p), records)
			synctest.Wait()
			if n := l.cfg.Journal.Count(journal.Failed, ""); n != 1 {
				t.Errorf("%s: want a failure in the journal, got %+v", name, l.cfg.Journal.Recent(5, nil))
			}
			l.Close()
		})
	}
}

// What arrives while a peer is stopped is taken over by its next process.
func TestArrivalsWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begin(&memory{})
		l.Drain(t.Context())
		p := particle.New(testKey(2), fmt.Sprintf(`(call %q ("s" "done") ["x"])`, peerOf(1)), time.Minute, time.Now())
		l.deliver("r", p)
		synctest.Wait()
		log := l.keeper.logs[0]
		l.Close()
		if l.done != "" {
			t.Error("run while draining")
		}
		next := begin(&memory{})
		next.restore(t, log.head, log.records)
		pass(time.Second)
		if next.done != `"x"` {
			t.Errorf("want the particle run, journal %+v", next.cfg.Journal.Recent(5, nil))
		}
		next.Close()
	})
}

// Whatever is in the file, a peer starts.
func FuzzRestore(f *testing.F) {
	p := particle.New(testKey(2), fmt.Sprintf(`(call %q ("s" "f") [1 2] a)`, peerOf(1)), time.Hour, time.Now())
	f.Add(encodeHead(peerOf(1), p), []byte{recordStep}, append([]byte{recordResult, 0, 0, 0, 1, 0, 0, 0, 0}, `2`...))
	f.Add(encodeHead(peerOf(1), p), append([]byte{recordCheckpoint, 88}, `{"Steps":1,"Pending":[{"ID":1,"Service":"s","Function":"f","Args":["1","2"]}],"Owed":{"x":1}}`...), []byte{recordArrival, 1})
	f.Add([]byte("head"), append([]byte{recordHanded, 0, 0, 0, 1}, "peer"...), []byte{})
	f.Fuzz(func(t *testing.T, head, first, second []byte) {
		l := begin(&memory{})
		defer l.Close()
		if _, _, ok := l.Restore(head, &memoryLog{of: l.keeper, old: [][]byte{first, second}}); ok {
			l.Resume()
		}
	})
}

// The same with data of another peer, which arrives twice, and a call that waits for it. What
// was not taken over is brought again.
func TestEveryCrashWithArrivals(t *testing.T) {
	me, other := peerOf(1), peerOf(3)
	text := fmt.Sprintf(`(seq (par (call %q ("s" "f") [0 "theirs"] a) (call %q ("s" "f") [30 "ours"] b))
		(seq (call %[2]q ("s" "f") [20 a] c) (seq (par (call %q ("s" "f") []) (null)) (call %[2]q ("s" "done") [c b]))))`, other, me, peerOf(7))
	// theirs is the particle as the other peer passes it on.
	theirs := func(p *particle.Particle) *particle.Particle {
		state, err := interpreter.Open(p.Script, nil, interpreter.Params{
			InitPeerID: p.InitPeerID, CurrentPeerID: other, ParticleID: p.ID, Timestamp: p.Timestamp, TTL: p.TTL, Key: testKey(3),
		})
		if err != nil {
			t.Fatal(err)
		}
		out := state.Step(t.Context(), nil, nil)
		state.Step(t.Context(), nil, map[uint32]interpreter.CallResult{out.CallRequests[0].ID: {Result: `"theirs"`}})
		q := *p
		if q.Data, err = state.Data(); err != nil {
			t.Fatal(err)
		}
		return &q
	}
	const want = `"theirs" "ours"`
	var whole *memoryLog
	var p *particle.Particle
	synctest.Test(t, func(t *testing.T) {
		l := begin(&memory{})
		p = particle.New(testKey(2), text, time.Minute, time.Now())
		l.deliver("r", p)
		pass(10 * time.Millisecond)
		for range 2 {
			l.deliver("r", theirs(p))
			pass(10 * time.Millisecond)
		}
		pass(time.Second)
		if l.done != want {
			t.Fatalf("want %s, got %s", want, l.done)
		}
		whole = l.keeper.logs[0]
		l.Close()
	})
	arrivals := 0
	for moment, records := range whole.moments {
		taken, ended := 0, false
		for _, r := range records {
			if r[0] == recordArrival {
				taken++
			}
			ended = ended || r[0] == recordCheckpoint || r[0] == recordResult && string(r[9:]) == "null"
		}
		arrivals = max(arrivals, taken)
		synctest.Test(t, func(t *testing.T) {
			next := begin(&memory{})
			next.restore(t, whole.head, records)
			pass(5 * time.Millisecond)
			if taken == 0 {
				next.deliver("r", theirs(p))
			}
			pass(time.Second)
			if next.done != want && !ended {
				t.Errorf("moment %d: want %s, got %q; journal %+v", moment, want, next.done, next.cfg.Journal.Recent(20, nil))
			}
			next.Close()
		})
	}
	if arrivals != 2 {
		t.Errorf("want two arrivals on disk, got %d", arrivals)
	}
}

// When the disk took nothing for a while, all that lives is kept again, also what waits and what has
// not run yet; a particle that runs is kept at the end of its step.
func TestRekeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{}
		l := begin(k)
		for _, script := range []string{
			"(never)",
			`(call "` + peerOf(1) + `" ("peer" "timeout") [60000 "x"] v)`,
		} {
			l.deliver("r", particle.New(testKey(2), script, 2*time.Minute, time.Now()))
		}
		synctest.Wait()
		if len(k.logs) != 2 {
			t.Fatalf("want 2 logs, got %d", len(k.logs))
		}
		for _, log := range k.logs {
			k.mu.Lock()
			log.torn, log.records = true, nil
			k.mu.Unlock()
		}
		l.Rekeep()
		synctest.Wait()
		for i, log := range k.logs {
			if log.Torn() || len(log.records) != 1 || log.records[0][0] != recordCheckpoint {
				t.Errorf("particle %d: want a checkpoint alone, got %q", i, log.records)
			}
		}
		l.Close()
	})
}

// A disk that has no room for particles refuses them with a reason.
func TestNoRoomOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{full: errors.New("no room")}
		l := begin(k)
		l.deliver("r", particle.New(testKey(2), "(null)", time.Minute, time.Now()))
		if n := l.cfg.Journal.Count(journal.Refused, journal.DiskFull); n != 1 || l.Live() != 0 {
			t.Errorf("want a refusal, got %+v", l.cfg.Journal.Recent(1, nil))
		}
		l.Close()
	})
}
