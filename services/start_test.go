package services

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aquanode/aquanode/interpreter/value"
)

// A waiter answers the function "now" at once, lets "block" block, and waits for other names,
// which are durations.
type waiter struct{ r *Registry }

func (w *waiter) Inline(function string) bool { return function == "now" }

func (w *waiter) Call(context.Context, *Call) (value.Value, error) {
	return value.String("called"), nil
}

func (w *waiter) Start(ctx context.Context, c *Call, done func(value.Value, error)) bool {
	switch c.Function {
	case "now":
		done(value.String("now"), nil)
	case "panic":
		panic("no")
	case "block":
		return false
	default:
		d, err := time.ParseDuration(c.Function)
		if err != nil {
			panic(err)
		}
		w.r.After(ctx, d, func(err error) { done(value.String("waited"), err) })
	}
	return true
}

func TestStarter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{})
		register(t, r, "w", &waiter{r}, Concurrent())
		register(t, r, "s", say("x"), In("host"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		for _, tt := range []struct {
			function, want string
			after          time.Duration
			atOnce         bool
		}{
			{"now", `"now"`, 0, true},
			{"block", `"called"`, 0, false},
			{"0s", `"waited"`, 0, false},
			{"-5s", `"waited"`, 0, false},
			{"3s", `"waited"`, 3 * time.Second, false},
			{"10s", `"Service 'w' was stopped in function '10s' at the particle's deadline, after 10s"`, 10 * time.Second, false},
			{"2562047h", `"Service 'w' was stopped in function '2562047h' at the particle's deadline, after 10s"`, 10 * time.Second, false},
			{"panic", `"Service 'w' panicked in function 'panic': no"`, 0, true},
		} {
			c := callTo("host", "w", tt.function)
			answered := false
			r.Start(ctx, c, func(result Result) {
				answered = true
				if d := time.Since(start); result.Result != tt.want || d != tt.after {
					t.Errorf("%s: got %s after %v", tt.function, result.Result, d)
				}
			})
			if answered != tt.atOnce {
				t.Errorf("%s: answered at once is %v", tt.function, answered)
			}
		}
		time.Sleep(time.Minute)
		if got := r.Invoke(ctx, callTo("host", "w", "now")); !strings.Contains(got.Result, "was not started") {
			t.Errorf("after the deadline: %v", got)
		}
		checkIdle(t, r)
	})
}

// checkIdle holds that nothing is left of any call.
func checkIdle(t *testing.T, r *Registry) {
	t.Helper()
	r.clock.mu.Lock()
	defer r.clock.mu.Unlock()
	r.ends.mu.Lock()
	defer r.ends.mu.Unlock()
	if n := r.pauses.Load(); n != 0 || r.clock.alarms.Len() != 0 || len(r.ends.groups) != 0 || r.clock.timer != nil {
		t.Errorf("%d pauses, %d alarms, %d groups, timer %v", n, r.clock.alarms.Len(), len(r.ends.groups), r.clock.timer)
	}
}

// Calls that wait, for time or for their turn, have no goroutine, and the end of a particle is
// the work of one.
func TestWaitingCostsNoGoroutine(t *testing.T) {
	const calls, particles, queued = 1000, 20, 1000
	release := make(chan struct{})
	r := newRegistry(Config{})
	register(t, r, "w", &waiter{r}, Concurrent())
	register(t, r, "s", HandlerFunc(func(context.Context, *Call) (value.Value, error) { <-release; return value.True, nil }), In("host"))
	before := runtime.NumGoroutine()
	var answers atomic.Int64
	done := func(Result) { answers.Add(1) }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range particles {
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		for i := range calls {
			r.Start(ctx, callTo("host", "w", []string{"30m", "2h"}[i%2]), done)
		}
	}
	for range queued {
		r.Start(ctx, callTo("host", "s", "f"), done)
	}
	if n := runtime.NumGoroutine() - before; n > 2 { // the call of s that runs
		t.Errorf("%d goroutines more", n)
	}
	r.clock.mu.Lock()
	n := r.clock.alarms.Len()
	r.clock.mu.Unlock()
	if n != calls*particles/2 {
		t.Errorf("%d alarms", n)
	}
	if n := len(r.ends.groups); n != particles+1 {
		t.Errorf("%d groups", n)
	}
	cancel()
	close(release)
	for answers.Load() != calls*particles+queued || r.pauses.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	checkIdle(t, r)
}

// A stubborn handler runs until it is released, and does not look at its context.
type stubborn struct{ release chan struct{} }

func (s stubborn) Call(_ context.Context, c *Call) (value.Value, error) {
	if c.Function == "hang" {
		<-s.release
	}
	return value.String("late"), nil
}

// A call that does not end is given up a second after its deadline. Its service, which cannot be
// renewed, refuses all calls until it returns.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []Outcome
		r := newRegistry(Config{Observe: func(o Observation) { seen = append(seen, o.Outcome) }})
		s := stubborn{make(chan struct{})}
		register(t, r, "s", s, In("host"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		hanging := r.Enqueue(ctx, callTo("host", "s", "hang"))
		waiting := r.Enqueue(t.Context(), callTo("host", "s", "f"))
		want := Result{1, `"Service 's' did not stop function 'hang' within 1s of the particle's deadline: the call was given up"`}
		if got := hanging(); got != want || time.Since(start) != 2*time.Second {
			t.Errorf("got %v after %v", got, time.Since(start))
		}
		stuck := `"Service 's' is stuck: 1 calls did not end at their deadlines, function 'f' is refused"`
		for i, got := range []Result{waiting(), r.Invoke(t.Context(), callTo("host", "s", "f"))} {
			if got.Result != stuck {
				t.Errorf("call %d: got %v", i, got)
			}
		}
		list := []StuckCall{{Scope: "host", Service: "s", Function: "hang", ParticleID: "particle", InitPeerID: "init", Since: start}}
		if diff := cmp.Diff(list, r.Stuck()); diff != "" {
			t.Error(diff)
		}
		close(s.release)
		synctest.Wait()
		if got := r.Invoke(t.Context(), callTo("host", "s", "f")); got != (Result{0, `"late"`}) || len(r.Stuck()) != 0 {
			t.Errorf("after its return: %v, %v", got, r.Stuck())
		}
		if diff := cmp.Diff([]Outcome{GivenUp, Refused, Refused, Done}, seen); diff != "" {
			t.Error(diff)
		}
		if s := r.Stats()[0]; s.GivenUp != 1 || s.Stuck != 0 || s.Refused != 2 || s.Calls != 2 {
			t.Errorf("%+v", s)
		}
		checkIdle(t, r)
	})
}

// renewable is a stubborn handler that counts how often it was renewed.
type renewable struct {
	stubborn
	renewed *atomic.Int32
}

func (s renewable) Renew() { s.renewed.Add(1) }

// A service that can be renewed goes on, until three calls of it are stuck.
func TestRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{})
		s := renewable{stubborn{make(chan struct{})}, new(atomic.Int32)}
		register(t, r, "s", s, In("host"))
		hang := func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if got := r.Invoke(ctx, callTo("host", "s", "hang")); !strings.Contains(got.Result, "given up") {
				t.Errorf("got %v", got)
			}
		}
		for i := range maxStuck {
			if got := r.Invoke(t.Context(), callTo("host", "s", "f")); got.RetCode != 0 {
				t.Errorf("after %d: %v", i, got)
			}
			hang()
		}
		if n := s.renewed.Load(); n != maxStuck-1 || len(r.Stuck()) != maxStuck {
			t.Errorf("renewed %d times, %d are stuck", n, len(r.Stuck()))
		}
		if got := r.Invoke(t.Context(), callTo("host", "s", "f")); !strings.Contains(got.Result, "is stuck: 3 calls") {
			t.Errorf("got %v", got)
		}
		s.release <- struct{}{} // one of them returns
		synctest.Wait()
		if got := r.Invoke(t.Context(), callTo("host", "s", "f")); got.RetCode != 0 || len(r.Stuck()) != maxStuck-1 {
			t.Errorf("got %v, %d are stuck", got, len(r.Stuck()))
		}
		hang()
		close(s.release)
		synctest.Wait()
		if got := r.Invoke(t.Context(), callTo("host", "s", "f")); got.RetCode != 0 || len(r.Stuck()) != 0 || r.Stats()[0].Queue != 0 {
			t.Errorf("got %v, %d are stuck", got, len(r.Stuck()))
		}
		checkIdle(t, r)
	})
}

// Services without a queue are refused, too, when too many of their calls do not return.
func TestStuckConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{})
		s := stubborn{make(chan struct{})}
		register(t, r, "s", s, Concurrent())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range maxStuckConcurrent {
			r.Start(ctx, callTo("host", "s", "hang"), func(Result) {})
		}
		time.Sleep(3 * time.Second)
		if got := r.Invoke(t.Context(), callTo("host", "s", "f")); !strings.Contains(got.Result, "is stuck: 64 calls") {
			t.Errorf("got %v", got)
		}
		close(s.release)
		synctest.Wait()
		if got := r.Invoke(t.Context(), callTo("host", "s", "f")); got.RetCode != 0 {
			t.Errorf("got %v", got)
		}
	})
}

// Close answers all that waits, gives up what is over, and refuses what comes.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(Config{})
		s := stubborn{make(chan struct{})}
		register(t, r, "s", s, In("host"))
		register(t, r, "w", &waiter{r}, Concurrent())
		ctx, cancel := context.WithCancel(t.Context())
		hanging := r.Enqueue(ctx, callTo("host", "s", "hang"))
		queued := r.Enqueue(t.Context(), callTo("host", "s", "f"))
		pausing := r.Enqueue(t.Context(), callTo("host", "w", "1h"))
		synctest.Wait()
		cancel()
		synctest.Wait()
		start := time.Now()
		r.Close()
		if got := hanging(); !strings.Contains(got.Result, "given up") {
			t.Errorf("got %v", got)
		}
		for i, got := range []Result{queued(), pausing(), r.Invoke(t.Context(), callTo("host", "s", "f")), r.Invoke(t.Context(), callTo("host", "w", "now"))} {
			if !strings.Contains(got.Result, "stopping") && !strings.Contains(got.Result, "is stuck") {
				t.Errorf("%d: got %v", i, got)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
		close(s.release)
		synctest.Wait()
		checkIdle(t, r)
	})
}

// Alarms ring in the order of their times, those that are cancelled do not.
func TestClock(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type plan struct{ at, cancelAt int }
		ms := rapid.IntRange(0, 30)
		plans := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) plan {
			return plan{ms.Draw(t, "at"), ms.Draw(t, "cancel at")}
		}), 1, 30).Draw(rt, "plans")
		synctest.Test(t, func(t *testing.T) {
			var c clock
			start := time.Now()
			rang := make([]int, len(plans))
			for i, p := range plans {
				a := c.set(start.Add(time.Duration(p.at)*time.Millisecond), func(error) {
					rang[i]++
					if d := time.Since(start); d != time.Duration(p.at)*time.Millisecond {
						t.Errorf("alarm for %d ms rang at %v", p.at, d)
					}
				})
				time.AfterFunc(time.Duration(p.cancelAt)*time.Millisecond, func() { c.cancel(a) })
			}
			time.Sleep(time.Second)
			synctest.Wait()
			for i, p := range plans {
				if p.at != p.cancelAt && (rang[i] == 1) != (p.at < p.cancelAt) || rang[i] > 1 {
					t.Errorf("alarm for %d ms, cancelled at %d, rang %d times", p.at, p.cancelAt, rang[i])
				}
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.timer != nil || c.alarms.Len() > 0 {
				t.Errorf("%d alarms are left", c.alarms.Len())
			}
		})
	})
}

// Names and errors of strangers are cut wherever they go.
func TestTextsAreCut(t *testing.T) {
	long := strings.Repeat("ü", 1<<20)
	var seen Observation
	r := newRegistry(Config{Observe: func(o Observation) { seen = o }})
	register(t, r, "s", fail(errors.New(long)), In("host"))
	register(t, r, "p", HandlerFunc(func(context.Context, *Call) (value.Value, error) { panic(long) }), In("host"))
	for _, c := range []*Call{callTo("host", long, long), callTo("host", "s", long), callTo("host", "p", long)} {
		got := r.Invoke(t.Context(), c)
		if len(got.Result) > maxMessage+100 || len(seen.Reason) > maxReason+100 || got.RetCode != 1 {
			t.Errorf("%d bytes, reason of %d", len(got.Result), len(seen.Reason))
		}
		if _, err := value.Parse(got.Result); err != nil || !strings.Contains(got.Result, "... (2097152 bytes)") {
			t.Errorf("%.300s: %v", got.Result, err)
		}
	}
	_, functions, _ := r.ServiceStats("host", "s")
	if len(functions) != 1 || functions[0].Name != UnknownFunction {
		t.Errorf("%d functions, %.30s", len(functions), functions[0].Name)
	}
}

func BenchmarkStart(b *testing.B) {
	r := newRegistry(Config{})
	register(b, r, "w", &waiter{r}, Concurrent())
	for _, function := range []string{"now", "1h"} {
		b.Run(function, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), 2*time.Hour)
				for range 1000 {
					r.Start(ctx, callTo("host", "w", function), func(Result) {})
				}
				cancel()
			}
		})
	}
}
