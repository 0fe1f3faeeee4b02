package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	logging "github.com/ipfs/go-log/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/aquanode/aquanode/interpreter/value"
)

func TestMain(m *testing.M) {
	logging.SetAllLoggers(logging.LevelFatal)
	goleak.VerifyTestMain(m)
}

// say answers with a text.
func say(text string) Handler {
	return HandlerFunc(func(context.Context, *Call) (value.Value, error) { return value.String(text), nil })
}

// work takes time, or ends with its context.
func work(d time.Duration) Handler {
	return HandlerFunc(func(ctx context.Context, c *Call) (value.Value, error) {
		select {
		case <-time.After(d):
			return value.String(c.ParticleID), nil
		case <-ctx.Done():
			return value.Null, fmt.Errorf("worked too long: %w", ctx.Err())
		}
	})
}

func fail(err error) Handler {
	return HandlerFunc(func(context.Context, *Call) (value.Value, error) { return value.Null, err })
}

// newRegistry is the registry of the peer "host", managed by "manager".
func newRegistry(c Config) *Registry {
	c.Host, c.Management = "host", []string{"manager"}
	return New(c)
}

func register(t testing.TB, r *Registry, id string, h Handler, opts ...Option) {
	t.Helper()
	if err := r.Register(id, h, opts...); err != nil {
		t.Fatal(err)
	}
}

func alias(t testing.TB, r *Registry, scope, alias, id string) {
	t.Helper()
	if err := r.AddAlias(scope, alias, id); err != nil {
		t.Fatal(err)
	}
}

func callTo(scope, service, function string) *Call {
	return &Call{ParticleID: "particle", InitPeerID: "init", HostPeerID: scope, Service: service, Function: function}
}

func TestResolution(t *testing.T) {
	r := newRegistry(Config{})
	register(t, r, "op", say("builtin op"), Functions("noop"), In(Everywhere))
	register(t, r, "any", say("builtin any"), In(Everywhere))
	register(t, r, "op", say("host op"), In("host"))
	register(t, r, "any", say("host any"), In("host"))
	register(t, r, "s", say("host s"), In("host"))
	register(t, r, "s2", say("host s2"), In("host"))
	register(t, r, "s", say("worker s"), In("worker"))
	register(t, r, "ticker", say("ticker"), In("worker"), OfKind(Spell))
	alias(t, r, "host", "a", "s")
	alias(t, r, "host", "peer", "s2")
	alias(t, r, "worker", "w", "s")
	register(t, r, "peer", say("builtin peer"), Functions("identify"), In(Everywhere))

	closure := callTo("host", "nobody", "f")
	closure.Closure = say("closure")
	spell := func(particle, service string) *Call {
		c := callTo("worker", service, "f")
		c.ParticleID = particle
		return c
	}
	notFound := func(service, function string) Result {
		return Result{1, fmt.Sprintf(`"Service with id '%s' not found (function %s)"`, service, function)}
	}
	tests := []struct {
		call *Call
		want Result
	}{
		{callTo("host", "op", "noop"), Result{0, `"builtin op"`}},
		{callTo("host", "op", "more"), Result{0, `"host op"`}},
		{callTo("worker", "op", "noop"), Result{0, `"builtin op"`}},
		{callTo("worker", "op", "more"), notFound("op", "more")},
		{callTo("host", "any", "f"), Result{0, `"builtin any"`}},
		{callTo("host", "s", "f"), Result{0, `"host s"`}},
		{callTo("host", "a", "f"), Result{0, `"host s"`}},
		{callTo("host", "peer", "identify"), Result{0, `"builtin peer"`}},
		{callTo("host", "peer", "other"), Result{0, `"host s2"`}},
		{callTo("host", "w", "f"), notFound("w", "f")},
		{callTo("worker", "s", "f"), Result{0, `"worker s"`}},
		{callTo("worker", "w", "f"), Result{0, `"worker s"`}},
		{callTo("worker", "a", "f"), notFound("a", "f")},
		{callTo("other", "s", "f"), notFound("s", "f")},
		{callTo("", "s", "f"), notFound("s", "f")},
		{callTo("host", "", ""), notFound("", "")},
		{callTo("host", "no'\"\n", "f"), Result{1, `"Service with id 'no'\"\n' not found (function f)"`}},
		{closure, Result{0, `"closure"`}},
		{spell("spell_ticker_3", "spell"), Result{0, `"ticker"`}},
		{spell("spell_ticker_3", "self"), Result{0, `"ticker"`}},
		{spell("spell_ticker", "self"), Result{0, `"ticker"`}},
		{spell("spell_other_3", "self"), notFound("self", "f")},
		{spell("spell", "self"), notFound("self", "f")},
		{spell("ticker", "self"), notFound("self", "f")},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, r.Invoke(t.Context(), tt.call)); diff != "" {
			t.Errorf("%s.%s on %q: %s", tt.call.Service, tt.call.Function, tt.call.HostPeerID, diff)
		}
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		err  error
		want Result
	}{
		{errors.New("no \"luck\""), Result{1, `"no \"luck\""`}},
		{Errorf("code %d", 7), Result{1, `"code 7"`}},
		{&Error{RetCode: 42, Message: "m"}, Result{42, `"m"`}},
		{&Error{Message: "m"}, Result{1, `"m"`}},
		{&Error{RetCode: -1, JSON: `{"a":1}`}, Result{-1, `{"a":1}`}},
		{fmt.Errorf("outer: %w", &Error{RetCode: 3, Message: "inner"}), Result{3, `"outer: inner"`}},
		{context.Canceled, Result{1, `"context canceled"`}}, // not by the call's context
		{errors.New(""), Result{1, `""`}},
	}
	for _, tt := range tests {
		r := newRegistry(Config{})
		register(t, r, "s", fail(tt.err), In("host"))
		if diff := cmp.Diff(tt.want, r.Invoke(t.Context(), callTo("host", "s", "f"))); diff != "" {
			t.Errorf("%v: %s", tt.err, diff)
		}
	}
}

func TestPanic(t *testing.T) {
	var seen []Observation
	r := newRegistry(Config{Observe: func(o Observation) { seen = append(seen, o) }})
	h := HandlerFunc(func(_ context.Context, c *Call) (value.Value, error) {
		if c.Function == "f" {
			var m map[string]int
			m["x"] = 1 //lint:ignore SA5000 it has to break
		}
		return value.True, nil
	})
	register(t, r, "s", h, In("host"))
	want := Result{1, `"Service 's' panicked in function 'f': assignment to entry in nil map"`}
	if diff := cmp.Diff(want, r.Invoke(t.Context(), callTo("host", "s", "f"))); diff != "" {
		t.Error(diff)
	}
	if got := r.Invoke(t.Context(), callTo("host", "s", "g")); got != (Result{0, "true"}) {
		t.Errorf("the next call gives %v", got)
	}
	if len(seen) != 2 || seen[0].Outcome != Panicked || seen[0].Reason != "Service 's' panicked in function 'f': assignment to entry in nil map" {
		t.Errorf("observed %+v", seen)
	}
}

// Calls of one instance run one after the other in the order in which they came; those of
// others at the same time.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{})
		var order []string
		record := HandlerFunc(func(_ context.Context, c *Call) (value.Value, error) {
			order = append(order, c.ParticleID) // no lock: one at a time
			time.Sleep(time.Second)
			return value.Null, nil
		})
		register(t, r, "a", record, In("host"))
		register(t, r, "b", work(3*time.Second), In("host"))
		start := time.Now()
		var want []string
		var answers []func() Result
		for i := range 10 {
			c := callTo("host", "a", "f")
			c.ParticleID = fmt.Sprint(i)
			want = append(want, c.ParticleID)
			answers = append(answers, r.Enqueue(t.Context(), c))
		}
		answers = append(answers, r.Enqueue(t.Context(), callTo("host", "b", "f")))
		slices.Reverse(answers) // the order in which goroutines start does not count
		var wg sync.WaitGroup
		for _, answer := range answers {
			wg.Go(func() { answer() })
		}
		wg.Wait()
		if diff := cmp.Diff(want, order); diff != "" {
			t.Error(diff)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{})
		register(t, r, "s", work(time.Second), Concurrent())
		start := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { r.Invoke(t.Context(), callTo("host", "s", "f")) })
		}
		wg.Wait()
		if d := time.Since(start); d != time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []Outcome
		var mu sync.Mutex
		r := newRegistry(Config{Observe: func(o Observation) { mu.Lock(); seen = append(seen, o.Outcome); mu.Unlock() }})
		register(t, r, "s", work(10*time.Second), In("host"))
		after := func(d time.Duration) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			t.Cleanup(cancel)
			return ctx
		}
		cancelled, cancel := context.WithCancel(t.Context())
		first := r.Enqueue(after(3*time.Second), callTo("host", "s", "first"))
		second := r.Enqueue(after(2*time.Second), callTo("host", "s", "second"))
		third := r.Enqueue(cancelled, callTo("host", "s", "third"))
		fourth := r.Enqueue(after(20*time.Second), callTo("host", "s", "fourth"))
		late := r.Enqueue(after(0), callTo("host", "s", "late"))
		time.AfterFunc(time.Second, cancel)

		var wg sync.WaitGroup
		start := time.Now()
		expect := func(answer func() Result, at time.Duration, want string) {
			wg.Go(func() {
				got := answer()
				if d := time.Since(start); got.Result != want || d != at {
					t.Errorf("want %s after %v, got %s after %v", want, at, got.Result, d)
				}
			})
		}
		expect(first, 3*time.Second, `"Service 's' was stopped in function 'first' at the particle's deadline, after 3s"`)
		expect(second, 2*time.Second, `"Function 'second' of service 's' was not started before the particle's deadline: it waited 2s behind 1 calls"`)
		expect(third, time.Second, `"Function 'third' of service 's' was not started before the end of the particle: it waited 1s behind 2 calls"`)
		expect(fourth, 13*time.Second, `"particle"`)
		expect(late, 0, `"Function 'late' of service 's' was not started before the particle's deadline: it waited 0s behind 4 calls"`)
		wg.Wait()
		slices.Sort(seen)
		if diff := cmp.Diff([]Outcome{Done, Expired, Expired, Expired, Stopped}, seen); diff != "" {
			t.Error(diff)
		}
		s := r.Stats()[0]
		want := Stats{Scope: "host", ID: "s", Kind: Service, Calls: 2, Failures: 1, Stopped: 1, Expired: 3,
			WaitTime: 6 * time.Second, CallTime: 13 * time.Second}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}

		done, stop := context.WithCancel(t.Context())
		stop()
		register(t, r, "c", say("x"), In("host"), Concurrent())
		if got := r.Invoke(done, callTo("host", "c", "f")); got.Result != `"Function 'f' of service 'c' was not started: the end of the particle has passed"` {
			t.Errorf("got %v", got)
		}
	})
}

func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{QueueLimit: 2})
		register(t, r, "s", work(time.Second), In("host"))
		var answers []func() Result
		for range 4 {
			answers = append(answers, r.Enqueue(t.Context(), callTo("host", "s", "f")))
		}
		if n := r.Stats()[0].Queue; n != 2 {
			t.Errorf("%d calls wait", n)
		}
		want := Result{1, `"Service 's' is overloaded: 2 calls are waiting, function 'f' is refused"`}
		if got := answers[3](); got != want {
			t.Errorf("want %v, got %v", want, got)
		}
		for _, answer := range answers[:3] {
			if got := answer(); got.RetCode != 0 {
				t.Errorf("got %v", got)
			}
		}
		if s := r.Stats()[0]; s.Refused != 1 || s.Calls != 3 || s.Queue != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Whatever the order of arrivals, deadlines and durations: one call at a time, first come first
// served among those that did not give up, and the queue empties.
func TestQueueProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type job struct{ arrive, work, patience int }
		ms := rapid.IntRange(0, 20)
		jobs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) job {
			return job{ms.Draw(t, "arrive"), ms.Draw(t, "work"), ms.Draw(t, "patience")}
		}), 1, 20).Draw(rt, "jobs")
		slices.SortStableFunc(jobs, func(a, b job) int { return a.arrive - b.arrive })
		synctest.Test(t, func(t *testing.T) {
			r := newRegistry(Config{})
			running, last := 0, -1
			h := HandlerFunc(func(ctx context.Context, c *Call) (value.Value, error) {
				running++
				if running != 1 || int(c.Timestamp) <= last {
					t.Errorf("job %d runs with %d others, after job %d", c.Timestamp, running-1, last)
				}
				last = int(c.Timestamp)
				select {
				case <-time.After(time.Duration(jobs[c.Timestamp].work) * time.Millisecond):
				case <-ctx.Done():
				}
				running--
				return value.Null, ctx.Err()
			})
			register(t, r, "s", h, In("host"))
			var wg sync.WaitGroup
			start := time.Now()
			for i, j := range jobs {
				time.Sleep(time.Until(start.Add(time.Duration(j.arrive) * time.Millisecond)))
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(j.patience)*time.Millisecond)
				c := callTo("host", "s", "f")
				c.Timestamp = uint64(i)
				answer := r.Enqueue(ctx, c)
				wg.Go(func() { defer cancel(); answer() })
			}
			wg.Wait()
			if s := r.Stats()[0]; s.Queue != 0 || int(s.Calls+s.Expired) != len(jobs) {
				t.Errorf("stats %+v of %d jobs", s, len(jobs))
			}
			jobs = append(jobs, job{})
			if got := r.Invoke(t.Context(), &Call{HostPeerID: "host", Service: "s", Timestamp: uint64(len(jobs) - 1)}); got.RetCode != 0 {
				t.Errorf("the queue is stuck: %v", got)
			}
		})
	})
}

func TestAliases(t *testing.T) {
	var changes []string
	r := newRegistry(Config{Keep: func(c Change) error {
		changes = append(changes, fmt.Sprintf("%s/%s/%s removed %t", c.Service.Scope, c.Service.ID, c.Alias, c.Removed))
		return nil
	}})
	register(t, r, "s", say("s"), In("host"))
	register(t, r, "t", say("t"), In("host"), OwnedBy("client"), FromBlueprint("bp"))
	alias(t, r, "host", "a", "s")
	alias(t, r, "host", "b", "s")
	alias(t, r, "host", "a", "t") // moves
	for _, tt := range []struct {
		scope, alias, id string
		want             error
	}{
		{"host", "x", "nobody", ErrNotFound}, {"host", "x", "a", ErrNotFound}, {"host", "s", "t", ErrIsID},
		{"worker", "x", "s", ErrNotFound}, {Everywhere, "x", "s", ErrNotFound},
	} {
		if err := r.AddAlias(tt.scope, tt.alias, tt.id); !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
	for _, id := range []string{"s", "a"} {
		if err := r.Register(id, say(""), In("host")); !errors.Is(err, ErrExists) {
			t.Errorf("register %s: got %v", id, err)
		}
	}
	got := r.List("host")
	for i := range got {
		got[i].Handler = nil
	}
	want := []Info{
		{ID: "s", Scope: "host", Kind: Service, Owner: "host", Aliases: []string{"b"}},
		{ID: "t", Scope: "host", Kind: Service, Owner: "client", Blueprint: "bp", Aliases: []string{"a"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := r.RemoveAlias("host", "b"); err != nil {
		t.Error(err)
	}
	if err := r.RemoveAlias("host", "b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := r.Unregister("host", "t"); err != nil {
		t.Error(err)
	}
	if err := r.Unregister("host", "t"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unregistered twice: %v", err)
	}
	if _, ok := r.Alias("host", "a"); ok {
		t.Error("the alias outlives its service")
	}
	if _, ok := r.Lookup("host", "a"); ok {
		t.Error("the alias of a removed service finds something")
	}
	register(t, r, "a", say("a"), In("host")) // the name is free again
	wantChanges := []string{
		"host/s/ removed false", "host/t/ removed false", "host/s/a removed false", "host/s/b removed false", "host/t/a removed false",
		"host/s/b removed true", "host/t/ removed true", "host/a/ removed false",
	}
	if diff := cmp.Diff(wantChanges, changes); diff != "" {
		t.Error(diff)
	}
}

// What cannot be kept does not happen.
func TestChangesThatAreNotKept(t *testing.T) {
	full := errors.New("disk is full")
	var refuse error
	r := newRegistry(Config{Keep: func(Change) error { return refuse }})
	register(t, r, "s", say("s"), In("host"))
	alias(t, r, "host", "a", "s")
	before := r.List("host")[0].Aliases
	refuse = full
	for name, err := range map[string]error{
		"register": r.Register("t", say("t"), In("host")), "unregister": r.Unregister("host", "s"),
		"alias": r.AddAlias("host", "b", "s"), "alias away": r.RemoveAlias("host", "a"),
	} {
		if !errors.Is(err, full) {
			t.Errorf("%s: want %v, got %v", name, full, err)
		}
	}
	list := r.List("host")
	if len(list) != 1 || !slices.Equal(list[0].Aliases, before) {
		t.Errorf("something changed: %+v", list)
	}
}

// A service that is removed still answers the calls that it has.
func TestUnregisterWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{})
		register(t, r, "s", work(time.Second), In("host"))
		answers := []func() Result{r.Enqueue(t.Context(), callTo("host", "s", "f")), r.Enqueue(t.Context(), callTo("host", "s", "f"))}
		if err := r.Unregister("host", "s"); err != nil {
			t.Fatal(err)
		}
		if got := r.Invoke(t.Context(), callTo("host", "s", "f")); !strings.Contains(got.Result, "not found") {
			t.Errorf("got %v", got)
		}
		for _, answer := range answers {
			if got := answer(); got.RetCode != 0 {
				t.Errorf("got %v", got)
			}
		}
	})
}

func TestGuard(t *testing.T) {
	r := newRegistry(Config{})
	register(t, r, "ticker", say(""), In("worker"), OfKind(Spell))
	register(t, r, "plain", say(""), In("worker2"))
	register(t, r, "hostspell", say(""), In("host"), OfKind(Spell))
	alias(t, r, "worker", "worker-spell", "ticker")
	alias(t, r, "worker2", "worker-spell", "plain")
	alias(t, r, "host", "worker-spell", "hostspell")
	tests := []struct {
		init, particle string
		want           bool
	}{
		{"host", "any", true}, {"manager", "any", true}, {"client", "any", false}, {"", "any", false}, {"worker", "any", false},
		{"worker", "spell_ticker_0", true}, {"worker", "spell_ticker_12", true},
		{"worker", "spell_ticker", false}, {"worker", "spell_ticker_", false}, {"worker", "spell_other_1", false},
		{"worker", "spells_ticker_1", false}, {"worker", "spell_", false}, {"worker", "spell_worker-spell_1", false},
		{"client", "spell_ticker_1", false}, {"worker2", "spell_plain_1", false}, {"", "spell_ticker_1", false},
		{"client", "spell_hostspell_1", false},
	}
	for _, tt := range tests {
		err := r.Guard(&Call{InitPeerID: tt.init, ParticleID: tt.particle})
		if (err == nil) != tt.want {
			t.Errorf("%+v: got %v", tt, err)
		}
		if err != nil && err.Error() != "This function is only available to the host or worker spells" {
			t.Errorf("text %q", err)
		}
	}
}

func TestServiceStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{})
		h := HandlerFunc(func(_ context.Context, c *Call) (value.Value, error) {
			time.Sleep(time.Duration(c.Timestamp) * time.Second)
			if c.Function == "bad" {
				return value.Null, errors.New("bad")
			}
			return value.Null, nil
		})
		register(t, r, "s", h, In("host"), Functions("f", "bad"))
		alias(t, r, "host", "a", "s")
		call := func(function string, timestamp uint64) {
			c := callTo("host", "s", function)
			c.Timestamp = timestamp
			r.Invoke(t.Context(), c)
		}
		for i := range uint64(7) {
			call("f", i+1)
		}
		call("bad", 8)
		call("unlisted", 9)
		total, functions, ok := r.ServiceStats("host", "a")
		if !ok {
			t.Fatal("no stats")
		}
		s := func(n ...int) (d []time.Duration) {
			for _, x := range n {
				d = append(d, time.Duration(x)*time.Second)
			}
			return d
		}
		if diff := cmp.Diff(FunctionStats{Success: 8, Failure: 1, Total: 37 * time.Second,
			Times: s(4, 5, 6, 7, 9), Timestamps: []uint64{5, 6, 7, 8, 9}}, total); diff != "" {
			t.Error(diff)
		}
		want := []FunctionStats{
			{Name: "<unknown>", Success: 1, Total: 9 * time.Second, Times: s(9), Timestamps: []uint64{9}},
			{Name: "bad", Failure: 1, Timestamps: []uint64{8}},
			{Name: "f", Success: 7, Total: 28 * time.Second, Times: s(3, 4, 5, 6, 7), Timestamps: []uint64{3, 4, 5, 6, 7}},
		}
		if diff := cmp.Diff(want, functions); diff != "" {
			t.Error(diff)
		}
		if _, _, ok := r.ServiceStats("host", "nobody"); ok {
			t.Error("stats of nobody")
		}
	})
}

// Callers choose the names of functions, and must not fill the memory with them.
func TestFunctionNamesAreBounded(t *testing.T) {
	r := newRegistry(Config{})
	register(t, r, "s", say("x"), In("host"))
	for i := range 3 * maxFunctions {
		r.Invoke(t.Context(), callTo("host", "s", fmt.Sprint("f", i)))
	}
	total, functions, _ := r.ServiceStats("host", "s")
	if len(functions) != maxFunctions+1 || total.Success != 3*maxFunctions {
		t.Errorf("%d functions, %d calls", len(functions), total.Success)
	}
}

// A name that is kept is not a piece of the script that it came in.
func TestKeptNamesAreCopies(t *testing.T) {
	r := newRegistry(Config{})
	register(t, r, "s", say("x"), In("host"))
	name := "(call s f)"[6:9]
	r.Invoke(t.Context(), callTo("host", "s", name))
	_, functions, _ := r.ServiceStats("host", "s")
	if got := functions[0].Name; got != name || unsafe.StringData(got) == unsafe.StringData(name) {
		t.Errorf("%q shares its text", got)
	}
}

func TestScopeName(t *testing.T) {
	r := newRegistry(Config{})
	for scope, want := range map[string]string{"host": "Host", "w": `WorkerId(WorkerId(PeerId("w")))`, Everywhere: "every scope"} {
		if got := r.ScopeName(scope); got != want {
			t.Errorf("want %s, got %s", want, got)
		}
	}
}

// Everything at once, for the race detector.
func TestRaces(t *testing.T) {
	r := newRegistry(Config{QueueLimit: 10, Observe: func(Observation) {}, Keep: func(Change) error { return nil }})
	register(t, r, "s", say("x"), In("host"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 4 {
		for _, f := range []func(){
			func() { r.Invoke(ctx, callTo("host", "s", "f")) },
			func() { r.Invoke(ctx, callTo("host", fmt.Sprint("t", i), "f")) },
			func() { _ = r.Register(fmt.Sprint("t", i), say("t"), In("host")) },
			func() { _ = r.AddAlias("host", "a", fmt.Sprint("t", i)) },
			func() { _ = r.RemoveAlias("host", "a") },
			func() { _ = r.Unregister("host", fmt.Sprint("t", i)) },
			func() { r.List("host"); r.Stats(); r.ServiceStats("host", "s"); r.Lookup("host", "a") },
		} {
			wg.Go(func() {
				for ctx.Err() == nil {
					f()
				}
			})
		}
	}
	wg.Wait()
}

func BenchmarkInvoke(b *testing.B) {
	r := newRegistry(Config{})
	register(b, r, "serial", say("x"), In("host"))
	register(b, r, "concurrent", say("x"), In("host"), Concurrent())
	for _, id := range []string{"serial", "concurrent"} {
		b.Run(id, func(b *testing.B) {
			c := callTo("host", id, "f")
			b.ReportAllocs()
			for b.Loop() {
				r.Invoke(b.Context(), c)
			}
		})
	}
}
