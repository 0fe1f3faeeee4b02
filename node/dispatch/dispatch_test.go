package dispatch

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func peerOf(n byte) string { return particle.PeerID(testKey(n).Public().(ed25519.PublicKey)) }

func newParticle(n byte, data string) *particle.Particle {
	p := particle.New(testKey(n), "(null)", 10*time.Second, time.Now())
	p.Data = []byte(data)
	return p
}

// plan is a Machine that does what the test says, in virtual time.
type plan struct {
	t     *testing.T
	prev  []byte
	step  func(in string) interpreter.Outcome
	waits []interpreter.Wait
	seen  []string

	pad     int // bytes of Data more
	meter   meter.Meter
	settled func() bool
}

// Step describes its input as "a b | 1=x" to the test's function.
func (m *plan) Step(_ context.Context, arrivals [][]byte, results map[uint32]interpreter.CallResult) interpreter.Outcome {
	var parts []string
	for id, r := range results {
		parts = append(parts, fmt.Sprintf("%d=%s", id, r.Result))
	}
	slices.Sort(parts)
	in := strings.TrimSpace(string(bytes.Join(arrivals, []byte(" "))) + " | " + strings.Join(parts, " "))
	m.seen = append(m.seen, in)
	if m.step == nil {
		return interpreter.Outcome{}
	}
	return m.step(in)
}

func (m *plan) Data() ([]byte, error) {
	return []byte("data of " + strings.Join(m.seen, ", ") + strings.Repeat(".", m.pad)), nil
}
func (m *plan) MemSize() int                { return 1000 + m.pad }
func (m *plan) Settled() bool               { return m.settled != nil && m.settled() }
func (m *plan) Waiting() []interpreter.Wait { return m.waits }

// host is a dispatcher whose particles run plans.
type host struct {
	*Dispatcher
	t *testing.T

	mu    sync.Mutex
	plans []*plan // opened, in order
	waits []interpreter.Wait
	sent  []string
	ended []string
	calls map[string]func(context.Context) services.Result

	pad     int
	settled func() bool
}

// deliver brings a particle by a remote, which is in an address range of its own.
func (h *host) deliver(from string, p *particle.Particle) {
	h.Deliver(share.Owner{Range: from, Remote: from}, p)
}

// What a dispatcher needs, as functions.
type (
	opens  func(prev []byte, m meter.Meter) Machine
	starts func(ctx context.Context, c *services.Call) services.Result
	sends  func(o Outgoing)
)

func (f opens) Open(_ *particle.Particle, _ Scope, prev []byte, m meter.Meter) (Machine, error) {
	return f(prev, m), nil
}

func (f starts) Start(ctx context.Context, c *services.Call, done func(services.Result)) {
	go func() { done(f(ctx, c)) }()
}

func (f sends) Send(o Outgoing) { f(o) }

// refuses is an interpreter that takes no script.
type refuses string

func (r refuses) Open(*particle.Particle, Scope, []byte, meter.Meter) (Machine, error) {
	return nil, errors.New(string(r))
}

type scopes map[string]Scope

func (s scopes) Scope(peer string) (found Scope, ok bool) {
	found, ok = s[peer]
	return found, ok
}

type observer struct {
	stepped func(out *interpreter.Outcome)
	ended   func(p *particle.Particle)
}

func (o observer) Stepped(_ *particle.Particle, _ Scope, out *interpreter.Outcome, _ time.Duration) {
	if o.stepped != nil {
		o.stepped(out)
	}
}

func (o observer) Ended(p *particle.Particle, _ Scope) {
	if o.ended != nil {
		o.ended(p)
	}
}

func newHost(t *testing.T, step func(in string) interpreter.Outcome, change func(*Config)) *host {
	h := &host{t: t, calls: map[string]func(context.Context) services.Result{}}
	cfg := Config{
		Host:    Scope{Peer: peerOf(1), Key: testKey(1)},
		Journal: journal.New(peerOf(1), 0),
		Interpreter: opens(func(prev []byte, m meter.Meter) Machine {
			h.mu.Lock()
			defer h.mu.Unlock()
			pl := &plan{t: t, prev: prev, step: step, waits: h.waits, meter: m, settled: h.settled, pad: h.pad}
			h.plans = append(h.plans, pl)
			return pl
		}),
		Services: starts(func(ctx context.Context, c *services.Call) services.Result { return h.calls[c.Function](ctx) }),
		Network: sends(func(o Outgoing) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.sent = append(h.sent, fmt.Sprintf("%s to %s", o.Particle.Data, strings.Join(o.To, ",")))
		}),
		Observer: observer{ended: func(p *particle.Particle) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.ended = append(h.ended, p.ID)
		}},
	}
	if change != nil {
		change(&cfg)
	}
	h.Dispatcher = New(cfg)
	return h
}

func (h *host) journal() *journal.Journal { return h.cfg.Journal }

func (h *host) wantRefused(p *particle.Particle, want journal.Reason) {
	h.t.Helper()
	h.wantRefusedFrom("somebody", p, want)
}

func (h *host) wantRefusedFrom(from string, p *particle.Particle, want journal.Reason) {
	h.t.Helper()
	before := h.journal().Count(journal.Refused, want)
	h.deliver(from, p)
	if h.journal().Count(journal.Refused, want) != before+1 {
		h.t.Errorf("want a refusal with reason %q, journal has %+v", want, h.journal().Recent(3, nil))
	}
}

func (h *host) wantSeen(i int, want ...string) {
	h.t.Helper()
	if len(h.plans) <= i {
		h.t.Fatalf("want %d machines, got %d", i+1, len(h.plans))
	}
	if diff := cmp.Diff(want, h.plans[i].seen); diff != "" {
		h.t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func asks(names ...string) (out interpreter.Outcome) {
	for i, name := range names {
		out.CallRequests = append(out.CallRequests, interpreter.CallRequest{ID: uint32(i + 1), ServiceID: "s", FunctionName: name})
	}
	return out
}

func result(after time.Duration, text string) func(context.Context) services.Result {
	return func(ctx context.Context) services.Result {
		select {
		case <-time.After(after):
			return services.Result{Result: text}
		case <-ctx.Done():
			return services.Result{RetCode: 1, Result: `"stopped"`}
		}
	}
}

// pass lets virtual time go by, and then everything happen that is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// All that waits is folded into one step.
func TestFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(in string) interpreter.Outcome {
			time.Sleep(100 * time.Millisecond)
			if in == "a |" {
				return asks("f", "g")
			}
			return interpreter.Outcome{}
		}, nil)
		h.calls["f"], h.calls["g"] = result(0, "x"), result(20*time.Millisecond, "y")
		p := newParticle(2, "a")
		h.deliver("r", p)
		pass(150 * time.Millisecond) // the result of f is being stepped
		for _, data := range []string{"b", "c", "", "d"} {
			again := *p
			again.Data = []byte(data)
			h.deliver("r", &again)
		}
		pass(time.Second)
		h.wantSeen(0, "a |", "| 1=x", "b c d | 2=y")
		h.Close()
	})
}

// A particle without data is stepped once; its duplicates bring nothing new.
func TestEmptyData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		p := newParticle(2, "")
		for range 3 {
			h.deliver("r", p)
			synctest.Wait()
		}
		h.wantSeen(0, "|")
		if h.Live() != 1 {
			t.Errorf("want 1 live particle, got %d", h.Live())
		}
		h.Close()
	})
}

func TestCallsRunInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(in string) interpreter.Outcome {
			if in == "|" {
				return asks("f", "g")
			}
			return interpreter.Outcome{NextPeers: []string{"p2", "p3"}}
		}, nil)
		h.calls["f"], h.calls["g"] = result(300*time.Millisecond, "x"), result(300*time.Millisecond, "y")
		h.deliver("r", newParticle(2, ""))
		pass(310 * time.Millisecond)
		if len(h.plans[0].seen) < 2 {
			t.Fatal("no result after 310 ms: the calls ran one after the other")
		}
		if len(h.sent) == 0 || !strings.HasSuffix(h.sent[0], " to p2,p3") {
			t.Errorf("want a particle for p2 and p3, got %v", h.sent)
		}
		h.Close()
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(in string) interpreter.Outcome { return asks("slow") }, nil)
		h.calls["slow"] = result(time.Hour, "never")
		h.waits = []interpreter.Wait{{Instruction: "call x", Variable: "y"}}
		p := newParticle(2, "")
		h.deliver("r", p)
		synctest.Wait()
		pass(10 * time.Second)
		if h.Live() != 1 {
			t.Error("the particle ended before its deadline was over")
		}
		pass(2 * time.Millisecond)
		synctest.Wait()
		if h.Live() != 0 || len(h.ended) != 1 {
			t.Errorf("want the particle gone and told of once, got %d live, ended %v", h.Live(), h.ended)
		}
		e := h.journal().Recent(1, func(e *journal.Entry) bool { return e.Kind == journal.Expired })
		if len(e) != 1 || e[0].Reason != journal.Unfinished || len(e[0].Waits) != 1 || e[0].Waits[0].String() != "call x: y has no value" {
			t.Errorf("want an entry that says what was waited for, got %+v", e)
		}
		h.wantRefused(p, journal.TooLate)
		if len(h.plans[0].seen) != 1 {
			t.Errorf("stepped after the end: %v", h.plans[0].seen)
		}
		h.Close()
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := newHost(t, func(string) interpreter.Outcome { <-release; return interpreter.Outcome{} }, func(c *Config) {
			c.Parallel = 10
			c.MaxTTL = 15 * time.Second
			c.Mailbox, c.MailboxBytes = 3, 10
			c.Particles = 8
		})
		p := newParticle(2, "a")
		unsigned := *p
		unsigned.Signature = nil
		h.wantRefused(&unsigned, journal.BadSignature)
		wrong := *p
		wrong.InitPeerID = peerOf(3)
		h.wantRefused(&wrong, journal.BadSignature)
		nobody := *p
		nobody.InitPeerID = "nobody"
		h.wantRefused(&nobody, journal.BadSignature)
		old := *p
		old.Timestamp -= 20_000
		h.wantRefused(&old, journal.TooLate)
		overflow := *p
		overflow.Timestamp = ^uint64(0)
		h.wantRefused(&overflow, journal.TooLate)
		future := *p
		future.Timestamp += 3_600_000
		future.Sign(testKey(2))
		h.wantRefused(&future, journal.TTLTooLong)

		h.deliver("r", p)
		synctest.Wait()
		forged := *p
		forged.Script = "(never)"
		h.wantRefused(&forged, journal.BadSignature) // in spite of a known signature

		full := *p
		full.Data = []byte("12345")
		h.deliver("r", &full)
		h.deliver("r", &full)
		h.wantRefused(p, journal.MailboxFull)

		h.deliver("r", newParticle(2, ""))
		h.wantRefusedFrom("r", newParticle(2, ""), journal.TooMany) // a quarter for one remote
		h.deliver("s", newParticle(2, ""))
		h.deliver("s", newParticle(3, ""))
		for _, from := range []string{"t", "u"} {
			h.deliver(from, newParticle(4, ""))
			h.deliver(from, newParticle(5, ""))
		}
		h.deliver("v", newParticle(6, ""))
		h.wantRefused(newParticle(6, ""), journal.TooMany) // nobody is at rest
		if h.Live() != 8 {
			t.Errorf("want 8 live particles, got %d", h.Live())
		}
		close(release)
		h.Close()
		h.wantRefused(newParticle(5, ""), journal.ShuttingDown)
	})
}

// An init peer that is too fast is refused, cheaply and for a while only. What others forge in
// its name is not booked, and others have quotas of their own.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, func(c *Config) { c.Rate, c.ByteRate = 10, 1000 })
		defer h.Close()
		for range 100 {
			forged := newParticle(2, "a")
			forged.Signature[3] ^= 1
			h.wantRefused(forged, journal.BadSignature)
		}
		arrive := func(n byte, data string) bool {
			before := h.journal().Count(journal.Arrived, "")
			h.deliver("somebody", newParticle(n, data))
			return h.journal().Count(journal.Arrived, "") > before
		}
		many := func(n byte, data string) (taken int) {
			for arrive(n, data) {
				taken++
			}
			return taken
		}
		if n := many(2, "a"); n != 21 {
			t.Errorf("want a burst of 2 seconds, 21 particles, got %d", n)
		}
		late := newParticle(2, "")
		late.Signature = nil // not even looked at
		h.wantRefused(late, journal.TooFast)
		if n := many(3, strings.Repeat("x", 494)); n != 5 {
			t.Errorf("want 2 seconds' bytes, 5 particles of 500, got %d", n)
		}
		time.Sleep(time.Second)
		if n := many(2, "a"); n != 10 {
			t.Errorf("want 10 a second, got %d", n)
		}
		for range 100 {
			if h.Start(newParticle(1, "a"), nil) != nil {
				t.Fatal("the host itself is refused")
			}
		}
		pass(time.Minute)
		for n := range byte(50) {
			arrive(100+n, "")
		}
		pass(time.Minute)
		for n := range byte(50) {
			arrive(150+n, "")
		}
		if n := len(h.Dispatcher.rates); n > 60 {
			t.Errorf("rates of %d owners are kept", n)
		}
	})
}

// The memory of particles is bounded, with shares for address ranges, remotes and init peers, and
// given back.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, func(c *Config) { c.Memory = 100_000 })
		taken := func(from string, n byte, size int) bool {
			before := h.journal().Count(journal.Arrived, "")
			h.deliver(from, newParticle(n, strings.Repeat("x", size)))
			synctest.Wait()
			return h.journal().Count(journal.Arrived, "") > before
		}
		held := func(levels ...string) int64 { return h.ledger.Held(share.Memory, levels...) }
		if taken("r", 2, 30_000) {
			t.Error("more than a quarter is taken")
		}
		h.wantRefused(newParticle(2, strings.Repeat("x", 30_000)), journal.Overload)
		n := 0
		for taken("r", 2, 5000) {
			n++ // a state of a plan takes 1000 bytes, as bytes more
		}
		if own := held("r"); n < 5 || n > 12 || own > 25_000 {
			t.Errorf("one remote has %d particles of %d bytes", n, own)
		}
		if !taken("r", 3, 5000) || h.journal().Count(journal.Ended, journal.Displaced) == 0 {
			t.Error("another init peer behind the same remote gets no room")
		}
		if !taken("s", 3, 5000) {
			t.Error("another remote has no room")
		}
		again := newParticle(3, "a")
		h.deliver("s", again)
		synctest.Wait()
		big := *again
		big.Data = make([]byte, 30_000)
		h.wantRefused(&big, journal.Overload) // more data for one that lives
		pass(time.Minute)
		if all := held(); all != 0 {
			t.Errorf("%d bytes are not given back: %v", all, h.ledger.Kinds())
		}
		if !taken("r", 2, 5000) {
			t.Error("no room after their end")
		}
		h.Close()
		if all := held(); all != 0 {
			t.Errorf("%d bytes are not given back by Close", all)
		}
	})
}

// Whoever has little gets room from those who have most, with a reason in the journal; five remotes
// cannot fill a peer.
func TestDisplaced(t *testing.T) {
	for name, limit := range map[string]func(*Config){
		"memory": func(c *Config) { c.Memory = 400_000 },
		"live":   func(c *Config) { c.Particles = 400 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, func(in string) interpreter.Outcome {
					if strings.HasPrefix(in, "x") {
						return asks("slow")
					}
					return interpreter.Outcome{} // the call was refused
				}, limit)
				h.calls["slow"] = result(time.Hour, "never")
				for n := range byte(5) {
					for range 200 {
						h.deliver(fmt.Sprint("bad", n), newParticle(2+n, strings.Repeat("x", 1000)))
						synctest.Wait()
					}
				}
				refused := h.journal().Count(journal.Refused, "")
				if refused == 0 {
					t.Error("nothing was refused: the limit was not reached")
				}
				for n := range 20 {
					h.deliver("good", newParticle(100, strings.Repeat("x", 1000)))
					synctest.Wait()
					if got := h.journal().Count(journal.Refused, ""); got != refused {
						t.Fatalf("the %d. particle of one who has little is refused: %+v", n+1, h.journal().Recent(1, nil))
					}
				}
				ended := h.journal().Recent(100, func(e *journal.Entry) bool { return e.Kind == journal.Ended })
				if len(ended) == 0 || ended[0].Reason != journal.Displaced {
					t.Errorf("want entries of those that had to go, got %+v", ended)
				}
				h.Close()
			})
		})
	}
}

// An owner whose particles all run or wait for a slot has to make room too: for another init peer
// behind the same remote, and for others when the peer is full.
func TestRunningMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(in string) interpreter.Outcome {
			if strings.HasPrefix(in, "long") {
				time.Sleep(time.Second)
			}
			return interpreter.Outcome{}
		}, func(c *Config) { c.Particles, c.Parallel, c.RangeTime = 40, 1, time.Hour })
		deliver := func(in, remote string, p *particle.Particle) {
			h.Deliver(share.Owner{Range: in, Remote: remote}, p)
			synctest.Wait()
		}
		refused := func() uint64 { return h.journal().Count(journal.Refused, "") }
		for n := range byte(4) {
			for range 20 {
				deliver(fmt.Sprint("range", n/2), fmt.Sprint("remote", n), newParticle(2+n, "long"))
			}
		}
		if got := h.ledger.Held(share.Live); got != 40 || refused() != 40 {
			t.Fatalf("%d live particles, %d refused", got, refused())
		}
		before := refused()
		deliver("range0", "remote0", newParticle(50, "short"))
		deliver("another range", "newcomer", newParticle(51, "short"))
		if got := refused() - before; got != 0 {
			t.Errorf("%d particles of others were refused: %+v", got, h.journal().Recent(1, nil))
		}
		if got := h.journal().Count(journal.Ended, journal.Displaced); got != 2 {
			t.Errorf("%d particles made room, want 2", got)
		}
		pass(time.Hour)
		if held, live := h.ledger.Held(share.Memory), h.ledger.Held(share.Live); live != 0 || held != h.finished.weight() {
			t.Errorf("%d live particles and %d bytes are left", live, held)
		}
		h.Close()
		if len(h.states.running) != 0 {
			t.Errorf("%d owners are left on the list", len(h.states.running))
		}
	})
}

// The signature of a particle whose owner has all that it may is not verified. One that is forged
// takes nothing from the init peer it names.
func TestOverQuotaIsNotVerified(t *testing.T) {
	for name, c := range map[string]struct {
		limit  func(*Config)
		reason journal.Reason
	}{
		"memory": {func(c *Config) { c.Memory = 400_000 }, journal.Overload},
		"live":   {func(c *Config) { c.Particles = 400 }, journal.TooMany},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, func(in string) interpreter.Outcome {
					if strings.HasPrefix(in, "x") {
						return asks("slow")
					}
					return interpreter.Outcome{} // the call was refused
				}, c.limit)
				defer h.Close()
				h.calls["slow"] = result(time.Hour, "never")
				verified := 0
				deliver := func(remote string, p *particle.Particle) error {
					of := share.Owner{Range: remote, Remote: remote, Init: p.InitPeerID}
					err := h.Dispatcher.deliver(of, remote, p, h.cfg.Host, nil, func() error { verified++; return p.Verify() })
					synctest.Wait()
					return err
				}
				forged := func(n byte) *particle.Particle {
					p := newParticle(n, "x")
					p.Signature[7] ^= 1
					return p
				}
				var err error
				for n := 0; err == nil; n++ {
					if n > 400 {
						t.Fatal("the quota was not reached")
					}
					err = deliver("r", newParticle(2, "x"))
				}
				admitted := verified
				held := h.ledger.Held(share.Memory)
				for range 50 {
					for _, p := range []*particle.Particle{newParticle(2, "x"), forged(2)} {
						if err := deliver("r", p); !errors.Is(err, c.reason) {
							t.Fatalf("over the quota: %v", err)
						}
					}
				}
				if verified != admitted {
					t.Errorf("%d signatures were verified of an owner over its quota", verified-admitted)
				}
				for _, remote := range []string{"r", "s"} { // behind the same remote and another one
					for _, n := range []byte{3, 2} {
						err := deliver(remote, forged(n))
						if full := remote == "r" && n == 2; !full && !errors.Is(err, particle.ErrSignature) {
							t.Errorf("forged, by %s: %v", remote, err)
						}
					}
				}
				if got := h.ledger.Held(share.Memory); got != held {
					t.Errorf("forged particles changed what is held from %d to %d", held, got)
				}
				if n := h.journal().Count(journal.Ended, ""); n != 0 {
					t.Errorf("%d particles had to make room for forged ones", n)
				}
				if err := deliver("r", newParticle(3, "x")); err != nil {
					t.Errorf("one with a small share: %v", err)
				}
				if err := deliver("s", newParticle(2, "x")); err != nil {
					t.Errorf("the same init peer by another remote: %v", err)
				}
			})
		})
	}
}

// An init peer with many particles gets its turns, not all of them.
func TestFairness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		h := newHost(t, func(in string) interpreter.Outcome {
			order = append(order, in[:1])
			time.Sleep(time.Millisecond)
			return interpreter.Outcome{}
		}, func(c *Config) { c.Parallel = 1 })
		for range 50 {
			go h.deliver("r", newParticle(2, "many"))
		}
		synctest.Wait()
		go h.deliver("s", newParticle(3, "one"))
		pass(time.Second)
		if at := slices.Index(order, "o"); at < 0 || at > 5 { // its signature waits for one turn, its step for another
			t.Errorf("the single particle came as number %d", at)
		}
		h.Close()
	})
}

// disk is a Spill.
type disk struct{ n int }

type onDisk struct {
	d     *disk
	state []byte
}

func (d *disk) Put(state []byte) (Spilled, error) {
	d.n++
	return &onDisk{d, state}, nil
}

func (o *onDisk) Take() ([]byte, error) { o.Drop(); return o.state, nil }
func (o *onDisk) Drop()                 { o.d.n-- }

// Large states of those who hold the most go to disk before anybody is ended, come back when
// something arrives, and leave nothing there.
func TestSpill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spill := &disk{}
		h := newHost(t, nil, func(c *Config) { c.Memory, c.Spill = 1<<20, spill })
		h.pad = 20_000
		var first *particle.Particle
		for n := range byte(5) {
			for i := range 20 {
				p := newParticle(2+n, fmt.Sprint(i))
				if first == nil {
					first = p
				}
				h.deliver(fmt.Sprint("r", n), p)
				pass(2 * restAfter / 100) // all within their TTL of 10 s
			}
		}
		if spill.n < 20 || h.journal().Count(journal.Ended, "") != 0 || h.journal().Count(journal.Refused, "") != 0 || h.Live() != 100 {
			t.Errorf("want 100 particles, many on disk and none ended; got %d, %d on disk, %+v", h.Live(), spill.n,
				h.journal().Recent(5, func(e *journal.Entry) bool { return e.Kind == journal.Ended || e.Kind == journal.Refused }))
		}
		again := *first
		again.Data = []byte("more")
		h.deliver("r0", &again)
		synctest.Wait()
		if last := h.plans[len(h.plans)-1]; !strings.HasPrefix(string(last.prev), "data of 0 |.") || last.seen[0] != "more |" {
			t.Errorf("it went on from %.20q with %q", last.prev, last.seen)
		}
		pass(10 * time.Second)
		if spill.n != 0 || h.ledger.Held(share.Memory) != 0 {
			t.Errorf("%d are left on disk, %d bytes booked", spill.n, h.ledger.Held(share.Memory))
		}
		h.Close()
	})
}

// States at rest are kept as bytes beyond the budget at once, and all of them after a while, and
// go on from them.
func TestStatesShrink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, func(c *Config) { c.StateBytes = 2500 })
		var all []*particle.Particle
		for i := range 4 {
			p := newParticle(2, fmt.Sprint(i))
			all = append(all, p)
			h.deliver("r", p)
			synctest.Wait()
		}
		count := func() (bytes, awake int) {
			for _, a := range h.actors {
				if a.machine == nil {
					bytes++
				}
				if a.live || a.ctx != nil {
					awake++
				}
			}
			return bytes, awake
		}
		if bytes, awake := count(); bytes != 2 || awake != 2 || h.states.bytes != 2000 {
			t.Errorf("want 2 machines of 2000 bytes and 2 particles that sleep, got %d and %d, %d bytes", 4-bytes, awake, h.states.bytes)
		}
		again := *all[0]
		again.Data = []byte("more")
		h.deliver("r", &again)
		synctest.Wait()
		h.wantSeen(4, "more |")
		if got := string(h.plans[4].prev); got != "data of 0 |" {
			t.Errorf("want to go on from the old data, got %q", got)
		}
		pass(restAfter)
		if bytes, awake := count(); bytes != 4 || awake != 0 || h.states.bytes != 0 || h.Stats().Awake != 0 {
			t.Errorf("want everybody asleep, got %d machines, %d awake", 4-bytes, awake)
		}
		h.Close()
	})
}

// A particle of which nothing can follow ends before its deadline, and is known until then.
func TestFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(in string) interpreter.Outcome {
			if in == "first |" {
				return asks("f")
			}
			return interpreter.Outcome{}
		}, nil)
		h.calls["f"] = result(time.Second, "1")
		h.settled = func() bool { return len(h.plans) > 1 } // the machine rested in between
		p := newParticle(2, "first")
		h.deliver("r", p)
		synctest.Wait()
		if h.Live() != 1 {
			t.Error("ended before its call did")
		}
		pass(time.Second)
		if h.Live() != 0 || h.Stats().Finished != 1 || len(h.ended) != 1 {
			t.Errorf("want it gone and told of, got %d live, ended %v", h.Live(), h.ended)
		}
		h.deliver("r", p)
		synctest.Wait()
		if len(h.plans) != 2 || h.journal().Count(journal.Refused, "") != 0 {
			t.Error("a duplicate ran, or was refused")
		}
		if n := h.journal().Count(journal.Done, ""); n != 1 || h.journal().Count(journal.Expired, "") != 0 {
			t.Errorf("want one entry that it is done, got %d", n)
		}
		pass(10 * time.Second)
		if h.Stats().Finished != 0 || h.ledger.Held(share.Memory) != 0 {
			t.Errorf("still known after its deadline: %v", h.ledger.Kinds())
		}
		h.wantRefused(p, journal.TooLate)
		h.Close()
	})
}

// Only so many finished particles are known; those of the range with most of them are forgotten first.
func TestFinishedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, func(c *Config) { c.Memory = 50 * finishedPart * finishedWeight })
		h.settled = func() bool { return true }
		good := newParticle(3, "")
		h.deliver("good", good)
		for range 200 {
			h.deliver("bad", newParticle(2, ""))
			pass(100 * time.Millisecond)
			if n := h.Stats().Finished; n > 50 {
				t.Fatalf("%d are known", n)
			}
			if h.Stats().Finished == 0 {
				t.Fatal("none is known")
			}
		}
		h.Close()
	})
}

// A particle that takes more time than it may, or that nobody has memory for, ends with a reason, and
// does not start again.
func TestBudget(t *testing.T) {
	for name, c := range map[string]struct {
		over   func(m *plan) error
		reason journal.Reason
	}{
		"time": {func(m *plan) (err error) {
			for err == nil {
				time.Sleep(50 * time.Microsecond)
				err = m.meter.Work(1000)
			}
			return err
		}, journal.OverBudget},
		"memory": {func(m *plan) (err error) {
			for err == nil {
				time.Sleep(50 * time.Microsecond)
				err = m.meter.Grow(1000)
			}
			return err
		}, journal.Overload},
		"steps": {func(*plan) error { return interpreter.ErrSteps }, journal.OverBudget},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h *host
				h = newHost(t, func(in string) interpreter.Outcome {
					if in == "bad |" {
						return interpreter.Outcome{Stopped: c.over(h.plans[0])}
					}
					return interpreter.Outcome{}
				}, func(c *Config) { c.Time, c.Memory = time.Second, 10<<20 })
				bad := newParticle(2, "bad")
				h.deliver("r", bad)
				pass(100 * time.Millisecond)
				h.deliver("s", newParticle(3, "good"))
				pass(2 * time.Second)
				h.wantSeen(1, "good |")
				e := h.journal().Recent(1, func(e *journal.Entry) bool { return e.Kind == journal.Ended })
				if len(e) != 1 || e[0].Reason != c.reason || e[0].Particle != bad.ID {
					t.Errorf("want an entry that says why it ended, got %+v", e)
				}
				h.wantRefused(bad, journal.OverBudget)
				if len(h.plans[0].seen) != 1 || h.ledger.Held(share.Memory, "r") != 0 {
					t.Error("it went on, or kept its memory")
				}
				h.Close()
			})
		})
	}
}

// A run gives its slot back, so that a long one does not keep others waiting.
func TestSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h *host
		h = newHost(t, func(in string) interpreter.Outcome {
			if in == "long |" {
				m := h.plans[0].meter // it is the first
				for range 20_000 {
					time.Sleep(time.Millisecond)
					m.Work(1000)
				}
			}
			return interpreter.Outcome{}
		}, func(c *Config) { c.Parallel, c.Time = 1, time.Hour })
		h.deliver("r", newParticle(2, "long"))
		synctest.Wait() // the long one is in its step
		began := time.Now()
		for n := range byte(10) {
			h.deliver("s", newParticle(3+n, "short"))
			synctest.Wait()
			pass(2 * slice)
			h.wantSeen(int(n)+1, "short |")
		}
		if took := time.Since(began); took > 20*2*slice {
			t.Errorf("ten short steps took %s beside a long one", took)
		}
		h.Close()
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(in string) interpreter.Outcome {
			if in == "|" {
				return asks("f")
			}
			return interpreter.Outcome{}
		}, nil)
		h.calls["f"] = result(2*time.Second, "x")
		h.deliver("r", newParticle(2, ""))
		began := time.Now()
		h.Drain(context.Background())
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("want to wait for the call, 2 s; waited %s", took)
		}
		h.wantSeen(0, "|")
		h.wantSeen(1, "| 1=x")
		h.wantRefused(newParticle(2, ""), journal.ShuttingDown)
		h.Close()

		h = newHost(t, func(string) interpreter.Outcome { return asks("f") }, nil)
		var got services.Result
		h.calls["f"] = func(ctx context.Context) services.Result {
			got = result(time.Hour, "x")(ctx)
			return got
		}
		h.deliver("r", newParticle(2, ""))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		h.Drain(ctx) // gives up with the context
		h.Close()    // and this cancels the call
		if got.RetCode != 1 {
			t.Errorf("want the call cancelled, got %+v", got)
		}
	})
}

func TestDrainTakesAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(in string) interpreter.Outcome {
			if in == "|" {
				return asks("f")
			}
			return interpreter.Outcome{}
		}, nil)
		h.calls["f"] = result(2*time.Second, "x")
		p := newParticle(2, "")
		h.deliver("r", p)
		drained := make(chan struct{})
		go func() { h.Drain(context.Background()); close(drained) }()
		synctest.Wait()
		h.wantRefused(newParticle(3, ""), journal.ShuttingDown)
		answer := *p
		answer.Data = []byte("answer")
		h.deliver("other", &answer)
		<-drained
		h.wantSeen(0, "|", "answer |")
		h.wantSeen(1, "| 1=x")
		h.Close()
		h.wantRefused(&answer, journal.ShuttingDown)
	})
}

func TestBrokenScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		h := newHost(t, nil, func(c *Config) {
			c.Interpreter = refuses("line 1: no such thing")
			c.Observer = observer{stepped: func(out *interpreter.Outcome) { heard = append(heard, out.ErrorMessage) }}
		})
		p := newParticle(2, "a")
		h.deliver("r", p)
		synctest.Wait()
		h.deliver("r", p)
		synctest.Wait()
		if diff := cmp.Diff([]string{"line 1: no such thing", "line 1: no such thing"}, heard); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if n := h.journal().Count(journal.Failed, journal.Interpreter); n != 2 {
			t.Errorf("want 2 failures in the journal, got %d", n)
		}
		h.Close()
	})
}

// A next peer that lives on this host gets the particle without a network.
func TestLocalScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		worker := peerOf(9)
		h := newHost(t, func(in string) interpreter.Outcome {
			if in == "a |" {
				return interpreter.Outcome{NextPeers: []string{worker, "remote"}}
			}
			return interpreter.Outcome{}
		}, func(c *Config) {
			c.Scopes = scopes{worker: {Peer: worker, Key: testKey(9)}}
		})
		h.deliver("r", newParticle(2, "a"))
		synctest.Wait()
		h.wantSeen(1, "data of a | |")
		if diff := cmp.Diff([]string{"data of a | to remote"}, h.sent); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		h.Close()
	})
}

// An initiator answers calls, and is told of steps and of the end.
func TestInitiator(t *testing.T) {
	for name, c := range map[string]struct {
		settled bool
		end     func(h *host)
		why     error
	}{
		"nothing can follow": {settled: true, end: func(*host) {}},
		"deadline":           {end: func(*host) { pass(11 * time.Second) }, why: particle.ErrExpired},
		"close":              {end: func(h *host) { h.Close() }, why: journal.ShuttingDown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, func(in string) interpreter.Outcome {
					if in == "|" {
						return asks("f")
					}
					return interpreter.Outcome{NextPeers: []string{"p2"}}
				}, func(c *Config) {
					c.Services = starts(func(ctx context.Context, c *services.Call) services.Result {
						v, err := c.Closure.Call(ctx, c)
						if err != nil {
							t.Error(err)
						}
						return services.Result{Result: v.Text()}
					})
				})
				by := &initiator{}
				h.settled = func() bool { return c.settled }
				h.waits = []interpreter.Wait{{Variable: "y"}}
				if err := h.Start(newParticle(1, ""), by); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				c.end(h)
				h.wantSeen(0, "|", `| 1="of f"`)
				if by.steps != 2 || by.ended != 1 || !errors.Is(by.why, c.why) || (c.why == nil) != (by.why == nil) || len(by.waiting) != 1 {
					t.Errorf("want 2 steps and an end with %v, got %+v", c.why, by)
				}
				h.Close()
			})
		})
	}
}

type initiator struct {
	steps, ended int
	why          error
	waiting      []interpreter.Wait
}

func (i *initiator) Call(_ context.Context, c *services.Call) (value.Value, error) {
	return value.String("of " + c.Function), nil
}
func (i *initiator) Stepped(*interpreter.Outcome) { i.steps++ }
func (i *initiator) Ended(waiting []interpreter.Wait, why error) {
	i.ended++
	i.waiting, i.why = waiting, why
}

// A particle ends while its call with large arguments waits for a slot. The call counts no more:
// neither its memory, nor does Close wait for it.
func TestCallThatIsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(string) interpreter.Outcome {
			out := asks("f")
			out.CallRequests[0].Arguments = []value.Value{value.String(strings.Repeat("x", longCall))}
			return out
		}, func(c *Config) { c.Parallel = 1 })
		slot, _ := h.long.Acquire(t.Context(), share.Owner{})
		h.deliver("r", newParticle(2, ""))
		pass(11 * time.Second)
		slot.Release(0)
		pass(time.Second)
		if held := h.ledger.Kinds()[share.Calls]; held != 0 || h.Live() != 0 {
			t.Errorf("%d bytes of calls are booked, %d particles live", held, h.Live())
		}
		h.Close()
	})
}

func TestTooManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(in string) interpreter.Outcome {
			if in == "|" {
				return asks("f", "g", "f")
			}
			return interpreter.Outcome{}
		}, func(c *Config) { c.Calls = 2 })
		h.calls["f"], h.calls["g"] = result(time.Second, "x"), result(2*time.Second, "y")
		h.deliver("r", newParticle(2, ""))
		pass(3 * time.Second)
		h.wantSeen(0, "|", `| 3="too many calls at once: at most 2 per particle"`)
		h.wantSeen(1, "| 1=x")
		h.wantSeen(2, "| 2=y")
		h.Close()
	})
}

func BenchmarkDeliver(b *testing.B) {
	d := New(Config{
		Host: Scope{Peer: peerOf(1)}, Journal: journal.New("", 0),
		Interpreter: opens(func([]byte, meter.Meter) Machine { return &plan{} }),
	})
	defer d.Close()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		p := newParticle(2, "")
		b.StartTimer()
		d.Deliver(share.Owner{Range: "r", Remote: "r"}, p)
	}
}
